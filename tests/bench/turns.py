# SPDX-License-Identifier: LGPL-2.1-or-later
"""A protocol for programs that run a frame on request, so that several are measured in turn.

A program prints "ready WORDS" once it is warm. Then it reads lines:

    run      runs the next frame, in a circle, and prints its milliseconds as the last word
    reset    forgets the video and prints "ok"
    quit     ends; so does the end of its input

rvos-bench --serve, cuda-bench --serve, pytorch_peer.py, onnx_peer.py and element.py are such
programs.
serve() is the program's side of the protocol, Side the caller's.
"""
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "data" / "models" / "rvos-resnet18-h128.safetensors"


def serve(about, run, reset):
    """run() -> milliseconds, of which the last value counts."""
    print("ready", about, flush=True)
    for word in map(str.strip, sys.stdin):
        if word == "run":
            print(*(f"{ms:.3f}" for ms in run()), flush=True)
        elif word == "reset":
            reset()
            print("ok", flush=True)
        elif word == "quit":
            break
        else:
            print(f"error: unknown request {word!r}", flush=True)


class Turn:
    """Something that runs a frame on request. times: milliseconds of the frames that count;
    cpu: CPU time of all threads of its process, likewise."""

    def __init__(self, name):
        self.name, self.times, self.cpu = name, [], []

    def run(self):
        raise NotImplementedError

    def cpu_ms(self):
        return 0.0

    def close(self):
        pass

    def frame(self, counts):
        before = self.cpu_ms()
        ms = self.run()
        if counts:
            self.times.append(ms)
            self.cpu.append(self.cpu_ms() - before)

    @property
    def median(self):
        return statistics.median(self.times)


class Side(Turn):
    """A program that speaks the protocol."""

    def __init__(self, name, command):
        super().__init__(name)
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        try:
            ready = self.process.stdout.readline().split(maxsplit=1)
            if ready[:1] != ["ready"]:
                raise RuntimeError(f"{name} did not start: {' '.join(map(str, command))}")
        except BaseException:
            self.process.kill()
            raise
        self.about = ready[1].strip() if len(ready) > 1 else ""

    def cpu_ms(self):
        """CPU time of the process, by Linux's clock."""
        return 1e3 * time.clock_gettime((~self.process.pid << 3) | 2)

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError(f"{self.name} ended early")
        self.answer = [float(word) for word in answer]
        return self.answer[-1]

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def in_turn(sides, rounds, warm_up=5, until=math.inf, failed=None, pause=0):
    """Run one frame of each side per round, in changing order; then close all. `pause` is in
    seconds, before each frame. After `until` (of the monotonic clock) ten rounds are enough.
    failed(side, exception) is called for a side that fails, which is then left out; without
    `failed` the first failure ends all."""
    for turn in range(warm_up + rounds):
        if turn > warm_up + 10 and time.monotonic() > until:
            break
        for side in list(sides) if turn % 2 else sides[::-1]:
            time.sleep(pause)
            try:
                side.frame(turn >= warm_up)
            except Exception as e:
                if not failed:
                    raise
                sides.remove(side)
                side.close()
                failed(side, e)
    for side in sides:
        side.close()


# ---- is the machine quiet ---------------------------------------------------------------

def cpu_ticks():
    """Ticks of CPU time of all other processes."""
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


def is_quiet():
    busy = busy_processes()
    for pid, share in busy:
        try:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            name = "?"
        print(f"not quiet: process {pid} ({name}) takes {share:.0%} of a core")
    one, two = (float(subprocess.run([sys.executable, "-c", SCALING, str(n)], check=True,
                                     capture_output=True, text=True).stdout) for n in (1, 2))
    print(f"a convolution gains {one / two:.2f}x from the second thread")
    if one / two < 1.7:
        print("not quiet: less than 1.7x")
    return not busy and one / two >= 1.7
