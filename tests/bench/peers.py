#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rvosseg, PyTorch, OpenVINO and ONNX Runtime on this processor, at each precision that they have:
the README's table, as Markdown.

    python3 -m venv peers && peers/bin/pip install openvino nncf onnxruntime onnx
    peers.py BUILD_DIR --python peers/bin/python [--model FILE] [--objects 5] [--rounds 60]

All get the same weights and frames (data/clips/cup.mp4 at the network's size), from pixels to
labels, and run a frame in turn, the order changing from round to round. `ms` is the median of a
frame, `least` the least, `CPU ms` the median of the CPU time of the whole process: on a machine
that does other work look at the last two. IoU is of the masks of all slots at half size, mean over
frames, against rvosseg in float32; where only one of both has a slot it is 0. The program itself
needs PyTorch (1.13 or later): it exports.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import compare
from compare import PEER, SHIPPED, Side

ONNX_PEER = PEER.with_name("onnx_peer.py")


def cpu_ms(pid):
    """Of all threads of a process so far; Linux's clock of another process."""
    return 1e3 * time.clock_gettime((~pid << 3) | 2)


class Engine:
    """A row: how it is served, how its logits are written, and what it took."""

    def __init__(self, name, precision, serve, logits):
        self.name, self.precision = name, precision
        self.serve, self.logits = serve, logits
        self.wall, self.cpu, self.iou = [], [], 0

    def start(self):
        self.side = Side(self.name, self.serve)

    def frame(self, count):
        pid = self.side.process.pid
        before = cpu_ms(pid)
        wall = self.side.run()
        if count:
            self.wall.append(wall)
            self.cpu.append(cpu_ms(pid) - before)


def masks(path):
    data = np.load(path) if path.suffix == ".npy" else np.fromfile(path, np.float32)
    return data > 0


def mean_iou(a, b, frames, objects):
    """Over frames; of each the mean over the slots that either has."""
    a, b = (m.reshape(frames, objects, -1) for m in (a, b))
    both, either = (a & b).sum(-1), (a | b).sum(-1)
    return np.mean([(x[y > 0] / y[y > 0]).mean() if y.any() else 1 for x, y in zip(both, either)])


def ours(a, raw, precision):
    server = [pathlib.Path(a.build) / "tests" / "engine-server", a.model, raw, "cpu", precision,
              a.objects, a.threads]
    return Engine("rvosseg", precision, server, lambda out: [*server, out])


def pytorch(a, npy):
    common = [sys.executable, PEER, a.model, "--objects", a.objects, "--threads", a.threads,
              "--frames", npy]
    return Engine("PyTorch", "fp32", [*common, "--serve"], lambda out: [*common, "--logits", out])


def onnx(a, npy, engine, name, path, precision):
    common = ["--frames", npy, "--precision", precision, "--threads", a.threads]
    return Engine(name, precision, [a.python, ONNX_PEER, path, "--serve", engine, *common],
                  lambda out: [a.python, ONNX_PEER, path, "--logits", out, engine, *common])


def words(command):
    return [str(c) for c in command]


def onnx_rows(a, folder, npy):
    """OpenVINO and ONNX Runtime, float32, bf16 and int8, as far as they can."""
    model = folder / "model.onnx"
    subprocess.run(words([sys.executable, ONNX_PEER, "--export", a.model, model, "--objects",
                          a.objects]), check=True, stderr=subprocess.DEVNULL)
    for engine, name, small in (("openvino", "OpenVINO", "int8.xml"),
                                ("onnxruntime", "ONNX Runtime", "int8.onnx")):
        yield onnx(a, npy, engine, name, model, "fp32")
        yield onnx(a, npy, engine, name, model, "bf16")
        done = subprocess.run(words([a.python, ONNX_PEER, "--quantise", engine, model,
                                     folder / small, "--frames", npy, "--threads", a.threads]),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{name}: not quantised: {done.stderr.strip().splitlines()[-1:]}",
                  file=sys.stderr)
        else:
            yield onnx(a, npy, engine, name, folder / small, "int8")


def compared(rows, folder, a, frames):
    """Those whose masks could be had, with their IoU to the first."""
    first, good = None, []
    for i, row in enumerate(rows):
        out = folder / (f"{i}.f32" if row.name == "rvosseg" else f"{i}.npy")
        done = subprocess.run(words(row.logits(out)), stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{row.name} {row.precision}: left out: "
                  f"{' '.join(done.stderr.strip().splitlines()[-1:])}", file=sys.stderr)
            continue
        if "float32 is used" in done.stderr:
            print(f"{row.name} {row.precision}: left out: {done.stderr.strip()}", file=sys.stderr)
            continue
        first = masks(out) if first is None else first
        row.iou = mean_iou(first, masks(out), frames, a.objects)
        good.append(row)
    return good


def table(rows):
    first = statistics.median(rows[0].wall), statistics.median(rows[0].cpu)
    print("| engine | precision | ms | least | CPU ms | time of rvosseg float32 (CPU time) | IoU |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        wall, cpu = statistics.median(r.wall), statistics.median(r.cpu)
        words_of = r.side.about.split()  # of PyTorch the threads come last
        version = {"rvosseg": "", "PyTorch": " " + words_of[0]}.get(r.name, " " + words_of[-1])
        print(f"| {r.name}{version} | {r.precision} | {wall:.1f} | {min(r.wall):.1f} | "
              f"{cpu:.1f} | {wall / first[0]:.2f}x ({cpu / first[1]:.2f}x) | {r.iou:.4f} |")


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    p.add_argument("--python", help="of an environment with openvino, nncf, onnxruntime and onnx; "
                                    "default: none, PyTorch alone")
    p.add_argument("--model", type=pathlib.Path, default=SHIPPED)
    p.add_argument("--objects", type=int, default=5)
    p.add_argument("--frames", type=int, default=40)
    p.add_argument("--rounds", type=int, default=60)
    p.add_argument("--threads", type=int, default=2)
    return p.parse_args()


def main():
    a = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        raw, npy = compare.clip(folder, a.frames)
        rows = [ours(a, raw, "fp32"), ours(a, raw, "bf16"), pytorch(a, npy)]
        if a.python:
            rows += onnx_rows(a, folder, npy)
        rows = compared(rows, folder, a, len(np.load(npy)))
        for row in rows:
            row.start()
        for turn in range(a.rounds + 5):
            for row in rows if turn % 2 else rows[::-1]:
                row.frame(turn >= 5)
        for row in rows:
            row.side.close()
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
               if line.startswith("model name"))
    print(f"{cpu}; {rows[0].side.about}; {a.model.name}, {a.objects} slots, "
          f"{len(rows[0].wall)} frames\n")
    table(rows)


if __name__ == "__main__":
    main()
