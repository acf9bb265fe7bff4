#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The engine against PyTorch on this machine's CPU, frame by frame in turn, in one run.

    compare.py BUILD_DIR [--base resnet101 --objects 10] [--frames 30] [--threads 2] ...

Both get the same weights and the same frames (data/clips/cup.mp4 at the network's size), and
their half-size logits are compared first: a pair that disagrees is not timed. Before that the
machine must be quiet, or the run counts for nothing.  Rows: the shipped ResNet-18 with 5
objects, and a random ResNet-101 with 10; each in float32 and, where the CPU has it, bfloat16.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = ROOT / "tests" / "bench" / "pytorch_peer.py"
SHIPPED = ROOT / "data" / "models" / "rvos-resnet18-h128.safetensors"
WIDTH, HEIGHT = 448, 256


# ---- is the machine quiet ---------------------------------------------------------------

def cpu_ticks():
    """Ticks of CPU time by process, but our own."""
    ticks = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                ticks[entry.name] = int(fields[11]) + int(fields[12])
            except OSError:
                pass
    return ticks


def busy_processes(seconds=2.0):
    before = cpu_ticks()
    time.sleep(seconds)
    after = cpu_ticks()
    share = {p: (after[p] - before.get(p, after[p])) / os.sysconf("SC_CLK_TCK") / seconds
             for p in after}
    return [(p, s) for p, s in share.items() if s > 0.05]


SCALING = """
import sys, time, torch
torch.set_num_threads(int(sys.argv[1]))
x, w = torch.ones(1, 256, 64, 64), torch.ones(256, 256, 3, 3)
with torch.no_grad():
    times = []
    for _ in range(40):
        t = time.perf_counter()
        torch.nn.functional.conv2d(x, w, padding=1)
        times.append(time.perf_counter() - t)
print(sorted(times)[len(times) // 2])
"""


def scaling():
    one, two = (float(subprocess.run([sys.executable, "-c", SCALING, str(n)], check=True,
                                     capture_output=True, text=True).stdout) for n in (1, 2))
    return one / two


def is_quiet():
    busy = busy_processes()
    for pid, share in busy:
        try:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            name = "?"
        print(f"not quiet: process {pid} ({name}) takes {share:.0%} of a core")
    gain = scaling()
    print(f"a convolution gains {gain:.2f}x from the second thread")
    if gain < 1.7:
        print("not quiet: less than 1.7x")
    return not busy and gain >= 1.7


# ---- the two sides ----------------------------------------------------------------------

class Side:
    def __init__(self, name, command):
        self.name, self.times = name, []
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split(maxsplit=1)
        if not ready or ready[0] != "ready":
            sys.exit(f"{name} did not start")
        self.about = ready[1].strip()

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline().split()[-1])

    def close(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.wait()


def clip(folder, count):
    """Frames of the shipped clip, at the network's size: as raw bytes and as .npy."""
    raw, npy = folder / "frames.rgb", folder / "frames.npy"
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={ROOT}/data/clips/cup.mp4",
                    "!", "decodebin", "!", "videoconvert", "!", "videoscale", "!",
                    f"video/x-raw,format=RGB,width={WIDTH},height={HEIGHT}", "!", "filesink",
                    f"location={raw}"], check=True)
    frames = np.fromfile(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)[:count]
    frames.tofile(raw)
    np.save(npy, frames)
    return raw, npy


def agree(server, peer, folder):
    """Largest difference of probabilities at half size, and IoU of the masks."""
    mine, theirs = folder / "mine.f32", folder / "theirs.npy"
    subprocess.run([str(c) for c in (*server, mine)], check=True)
    subprocess.run([str(c) for c in (*peer, "--logits", theirs)], check=True)
    b = np.load(theirs)
    a = np.fromfile(mine, np.float32).reshape(b.shape)
    pa, pb = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    ma, mb = a > 0, b > 0
    return float(np.abs(pa - pb).max()), float((ma & mb).sum() / max(1, (ma | mb).sum()))


def compare(a, folder, label, model, objects, precision, bound):
    raw, npy = clip(folder, a.frames)
    server = [pathlib.Path(a.build) / "tests" / "engine-server", model, raw, a.engine, precision,
              objects, a.threads]
    peer = [sys.executable, PEER, model, "--objects", objects, "--threads", a.threads,
            "--frames", npy]
    error, iou = agree(server, peer, folder)
    note = f"largest difference in probability {error:.1e}, mask IoU {iou:.4f}"
    if precision == "fp32" and error > 5e-4:
        print(f"{label}: NOT TIMED, the outputs differ: {note}")
        return
    sides = [Side("rvosseg", server), Side("PyTorch", [*peer, "--serve"])]
    for turn in range(a.frames):
        for side in sides if turn % 2 else sides[::-1]:
            side.times.append(side.run())
    for side in sides:
        side.close()
    mine, theirs = (statistics.median(s.times) for s in sides)
    print(f"{label:34} rvosseg {mine:7.1f} ms (min {min(sides[0].times):6.1f})   "
          f"PyTorch {theirs:7.1f} ms (min {min(sides[1].times):6.1f})   "
          f"{theirs / mine:5.2f}x (bar {bound}x)   {note}")
    print(f"{'':34} {sides[0].about}; PyTorch {sides[1].about} threads", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    p.add_argument("--engine", default="cpu")
    p.add_argument("--frames", type=int, default=30)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    p.add_argument("--no-bf16", action="store_true")
    a = p.parse_args()
    quiet = is_quiet()
    if not quiet and not a.anyway:
        print("not quiet: no measurement")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        large = folder / "resnet101.safetensors"
        subprocess.run([sys.executable, ROOT / "data" / "golden.py", "--random-bundle",
                        "resnet101", "-o", large], check=True, stdout=subprocess.DEVNULL)
        for precision, bounds in (("fp32", ("1.8", "1.5")), ("bf16", ("2", "2"))):
            if precision == "bf16" and a.no_bf16:
                continue
            compare(a, folder, f"ResNet-18, 5 objects, {precision}", SHIPPED, 5, precision,
                    bounds[0])
            compare(a, folder, f"ResNet-101, 10 objects, {precision}", large, 10, precision,
                    bounds[1])
    quiet = is_quiet() and quiet
    print("the machine was quiet" if quiet else "not quiet: these figures count for nothing")
    return 0 if quiet else 1


if __name__ == "__main__":
    sys.exit(main())
