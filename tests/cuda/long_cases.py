#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""long_cases.py DIR [--bases resnet50,resnet101] [--frames 20] [--size 256x448]
                 [--objects 4] [--threads N]

Makes videos that are long enough for errors to add up, on random networks of full width, in the
layout of tests/golden. data/rvos_train/model.py computes them in float64. It skips (77) without
PyTorch."""
import argparse
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "data"), str(ROOT / "tests" / "engine")]
import peer  # noqa: E402  skips without PyTorch
import golden  # noqa: E402
import torch  # noqa: E402


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder")
    p.add_argument("--bases", default="resnet50,resnet101")
    p.add_argument("--frames", type=int, default=20)
    p.add_argument("--size", default="256x448", help="height x width")
    p.add_argument("--objects", type=int, default=4)
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--width", type=int, default=64)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    os.makedirs(a.folder, exist_ok=True)
    size = tuple(map(int, a.size.split("x")))
    everyone = tuple(range(1, a.objects + 1))
    flat = 0
    for i, base in enumerate(a.bases.split(",")):
        for task in ("zero-shot", "one-shot"):
            settings = dict(base=base, hidden=a.hidden, width=a.width, seed=100 + i)
            seeds = ((0, (1,) * a.objects, everyone, None),) if task == "one-shot" else ()
            c = golden.case(None, task, "long", objects=a.objects, count=a.frames, size=size,
                            seeds=seeds)
            name = f"{base}_{task.replace('-', '_')}_{a.frames}"
            _, spread = peer.write(a.folder, name, settings, c)
            flat += spread <= 0.1
            sys.stdout.flush()
    if flat:
        print("networks that say nothing: the comparison is worth nothing")
    return 1 if flat else 0


if __name__ == "__main__":
    sys.exit(main())
