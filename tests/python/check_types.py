# SPDX-License-Identifier: LGPL-2.1-or-later
"""The type hints of the Python package hold, by mypy."""
import os
import subprocess
import sys
import tempfile

package = os.path.join(os.environ["PYTHONPATH"], "rvos")
try:
    import mypy  # noqa: F401
except ImportError:
    print("skipped: no mypy")
    sys.exit(77)
with tempfile.TemporaryDirectory() as cache:
    sys.exit(subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache,
                             "--ignore-missing-imports", "--no-warn-return-any",
                             "--exclude", "_ffi.py", package]).returncode)
