# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the type hints of the Python package with mypy."""
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
# Large packages without types: mypy would read all of them.
CONFIG = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n[mypy-{name}]\nfollow_imports = skip\n"
                 for name in ("dask", "distributed", "tqdm"))
with tempfile.TemporaryDirectory() as cache:
    config = os.path.join(cache, "mypy.ini")
    with open(config, "w", encoding="utf-8") as f:
        f.write("[mypy]\n" + CONFIG)
    sys.exit(subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache,
                             "--config-file", config, "--ignore-missing-imports",
                             "--no-warn-return-any", "--exclude", "_ffi.py",
                             package]).returncode)
