#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""cudnn_shapes.py CUDNN_PLANS [NODRIVER_DIR] [--all] [--version 9.14] [--folder DIR] [--jobs N]

Checks, without a GPU, whether a GPU machine's cuDNN has a plan for each convolution of the
published networks: cudnn-plans asks the wheel of that version (pip install
nvidia-cudnn-cu13==9.14.*) for a described H200. --folder names its libraries, if they are not in
Python's packages. --all makes 18 runs: ResNet-18, 50 and 101, with 1, 5 and 10 objects, in fp16
and fp32, each with both tasks; else only the largest network runs. 77: the wheel is missing."""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import sysconfig
import tempfile

ALL = [(base, n, how) for base in ("resnet18", "resnet50", "resnet101") for n in (1, 5, 10) for how in ("fp16", "fp32")]
SOME = [("resnet101", 10, "fp16"), ("resnet101", 10, "fp32")]


def run(program, env, *args):
    got = subprocess.run([program, *map(str, args)], env=env, text=True, capture_output=True)
    return got.returncode, got.stdout, got.stderr


def judge(program, env, case):
    """(a line for the table, whether all shapes have a plan)"""
    base, objects, how = case
    code, said, errors = run(program, env, base, objects, "H200", how)
    shapes = [line for line in said.splitlines() if re.match(r"n\d+\s", line)]
    none = [line for line in shapes if line.endswith("nothing") or "engines" not in line]
    total = re.search(r"^(\d+) plans, (\d+) of them compiled", said, re.M)
    good = code == 0 and bool(shapes) and not none and total and int(total[1]) == len(shapes)
    line = f"{base:10} {objects:3} {how}  {len(shapes):3} shapes, {total[1] if total else 0:>3} plans, "
    line += f"{total[2] if total else 0:>3} of them compiled"
    if not good:
        line += "\n" + "\n".join(none or [f"exit status {code}", *said.splitlines()[-3:], *errors.splitlines()[-3:]])
    return line, bool(good)


def find(folder):
    places = [folder] if folder else glob.glob(os.path.join(sysconfig.get_path("purelib"), "nvidia", "cudnn", "lib"))
    return next((p for p in places if os.path.exists(os.path.join(p, "libcudnn_graph.so.9"))), None)


def check_itself():
    """Test judge() with fake programs: all plans there, a shape without a plan, an early end."""
    fine = "n1 8x8 c3 -> 8x8 c64 k7 s2 f16: 3 engines, 2 suit, 1 precompiled; 1.0 ms\\n"
    for text, code, good in ((fine + "1 plans, 0 of them compiled", 0, True), (fine, 0, False),
                             (fine + fine.split(":")[0] + ": nothing\\n1 plans, 0 of them compiled", 1, False),
                             (fine + fine.split(":")[0] + ": nothing\\n1 plans, 0 of them compiled", 0, False),
                             (fine + "1 plans, 0 of them compiled", 1, False), ("", 0, False)):
        with tempfile.TemporaryDirectory() as tmp:
            program = os.path.join(tmp, "program")
            with open(program, "w") as f:
                f.write(f"#!/bin/sh\nprintf '{text}\\n'\nexit {code}\n")
            os.chmod(program, 0o755)
            line, got = judge(program, dict(os.environ), SOME[0])
            assert got == good, (text, code, line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("nodriver", nargs="?", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--version", default="9.14")
    parser.add_argument("--folder")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    check_itself()
    folder = find(args.folder)
    if not folder:
        print(f"skipped: no wheel of cuDNN (pip install nvidia-cudnn-cu13=={args.version}.*)")
        return 77
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, (
        folder, args.nodriver, os.environ.get("LD_LIBRARY_PATH"))))}
    said = run(args.program, env, "version")[1].strip()
    print(said)
    if not said.startswith(f"cuDNN {args.version}."):
        print(f"skipped: the wheel is not of version {args.version}")
        return 77
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for line, good in pool.map(lambda case: judge(args.program, env, case), ALL if args.all else SOME):
            print(line, flush=True)
            bad += not good
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
