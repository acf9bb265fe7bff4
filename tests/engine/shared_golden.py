#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""shared_golden.py GOLDEN_EXE BACKEND SOURCE_ROOT WORK_DIR [OPTION...]: compares a backend with the
original's own outputs and the trained model's reference, in ../shared beside the source. Missing
cases are left out. OPTION is passed to GOLDEN_EXE."""
import fcntl
import os
import pathlib
import subprocess
import sys

exe, backend, source, work, *options = sys.argv[1:]
shared = pathlib.Path(os.environ.get("RVOS_SHARED", pathlib.Path(source).parent / "shared"))
if not any((shared / name).is_dir() for name in ("golden", "model")):
    print("skipped: no golden data of the original at ../shared/golden or model")
    sys.exit(77)
cases = pathlib.Path(work) / "shared-cases"
cases.mkdir(parents=True, exist_ok=True)
with open(cases / "lock", "w") as lock:  # the tests of several backends start together
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not (cases / "done").exists():
        subprocess.run([sys.executable, pathlib.Path(source) / "data" / "golden.py",
                        "--from-shared", shared / "golden", "-o", cases], check=True)
        (cases / "done").touch()
files = sorted(str(f) for f in cases.glob("*.safetensors")
               if b"case.model" in f.open("rb").read(65536))
if not files:
    print("skipped: not one case is whole in ../shared")
    sys.exit(77)
sys.exit(subprocess.run([exe, backend, *options, cases, *files]).returncode)
