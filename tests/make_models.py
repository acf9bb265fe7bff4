#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make_models.py STAMP: makes the random networks of the golden cases, in models/ beside STAMP."""
import pathlib
import subprocess
import sys

stamp = pathlib.Path(sys.argv[1])
golden = pathlib.Path(__file__).resolve().parent.parent / "data" / "golden.py"
subprocess.run([sys.executable, golden, "--models", stamp.parent / "models"], check=True)
stamp.touch()
