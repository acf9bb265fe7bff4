#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the engine and PyTorch on one GPU, frame by frame in turn.

    peers.py CUDA_BENCH MODEL TASK OBJECTS [--rounds 400] [--json FILE]
             [--seconds 150] [--ours fp16,fp32] [--peers fp32,tf32,fp16,graph,compile]

Peers: the published formulation (data/rvos_train/model.py) eager in float32 and TF32; with batch norm
folded, fp16 and channels last: eager, as one CUDA graph, and by torch.compile with CUDA
graphs. Peers run the network alone, without resizing and labels, which the engine also does.
A peer is reported and left out if it fails, or if its preparation would leave no time for
the others. The first 20 rounds do not count. The JSON is always written, even on SIGTERM.
"""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "data"), str(ROOT / "tests" / "bench")]
from turns import Side, Turn, in_turn  # noqa: E402


class OutOfTime(BaseException):
    """Not an Exception, because a compiler's own handlers would catch that."""


def on_alarm(*_):
    raise OutOfTime("took too long to prepare")


@contextlib.contextmanager
def at_most(seconds):
    old = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


class Peer(Turn):
    """One frame of the network on the GPU, its state fed back in place."""

    def __init__(self, name, torch, path, task, objects, kind):
        super().__init__(name)
        from rvos_train import model
        import pytorch_peer

        self.torch = torch
        net = model.load_bundle(path)
        if kind in ("fp16", "graph", "compile"):
            pytorch_peer.fold(net)
        network = pytorch_peer.Network(net, task, objects).eval()
        states = network.states()
        h, w = network.size
        half = kind in ("fp16", "graph", "compile")
        torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"
        torch.backends.cudnn.allow_tf32 = kind == "tf32"
        torch.backends.cudnn.benchmark = True
        dtype = torch.float16 if half else torch.float32
        layout = torch.channels_last if half else torch.contiguous_format
        self.tf32 = kind == "tf32"
        self.network = network.to("cuda", dtype=dtype, memory_format=layout)
        self.image = torch.randn(1, 3, h, w, device="cuda").to(dtype, memory_format=layout)
        self.fed = torch.zeros(1, objects, h, w, device="cuda", dtype=dtype)
        self.states = [s.to("cuda", dtype) for s in states]
        self.graph = None
        self.compiled = kind == "compile"
        if self.compiled:
            self.network = torch.compile(self.network, mode="reduce-overhead")
        with torch.no_grad():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(4):
                    self.frame()
            torch.cuda.current_stream().wait_stream(side)
            if kind == "graph":
                self.graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graph):
                    self.frame()
        torch.cuda.synchronize()

    def frame(self):
        if self.compiled and hasattr(self.torch, "compiler"):
            self.torch.compiler.cudagraph_mark_step_begin()
        logits, prob, *hidden = self.network(self.image, self.fed, *self.states)
        for old, new in zip(self.states, hidden):
            old.copy_(new)
        self.fed.copy_(prob)

    def run(self):
        self.torch.backends.cudnn.allow_tf32 = self.tf32
        self.torch.backends.cuda.matmul.allow_tf32 = self.tf32
        began = time.perf_counter()
        with self.torch.no_grad():
            if self.graph:
                self.graph.replay()
            else:
                self.frame()
        self.torch.cuda.synchronize()
        return (time.perf_counter() - began) * 1e3


def row(name, times):
    times = sorted(times)
    return {"name": name, "p50_ms": statistics.median(times),
            "p99_ms": times[int(0.99 * (len(times) - 1))], "frames": len(times)}


PREPARING = 0.8  # share of the time for preparation; measuring takes less


def prepare(args, torch, began, failed):
    """The sides whose preparation succeeded."""
    kinds = [("rvosseg", p) for p in args.ours.split(",")]
    kinds += [("PyTorch", k) for k in filter(None, args.peers.split(","))]
    sides = []
    for who, kind in kinds:
        left = began + PREPARING * args.seconds - time.monotonic()
        if left <= 0:
            failed.append(f"{who} {kind}: no time left")
            continue
        try:
            with at_most(left):
                if who == "rvosseg":
                    sides.append(Side(f"rvosseg {kind}", [args.bench, "--serve", args.model,
                                                          args.task, args.objects, kind]))
                else:
                    sides.append(Peer(f"PyTorch {torch.__version__} {kind}", torch, args.model,
                                      args.task, args.objects, kind))
        except (Exception, OutOfTime) as e:  # PyTorch versions raise different kinds
            failed.append(f"{who} {kind}: {reason(e)}")
    return sides


def reason(e):
    return f"{type(e).__name__}: {(str(e).splitlines() or [''])[0][:200]}"


WARM_UP = 20


def tell(args, gpu, sides, failed):
    rows = [row(side.name, side.times) for side in sides if side.times]
    for r in rows:
        print(f"{r['name']:34} p50 {r['p50_ms']:9.3f} ms  p99 {r['p99_ms']:9.3f} ms  "
              f"({r['frames']} frames)")
    for line in failed:
        print(f"left out: {line}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"model": os.path.basename(args.model), "task": args.task,
                       "objects": args.objects, "gpu": gpu, "rows": rows, "unshown": failed},
                      f, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("bench")
    parser.add_argument("model")
    parser.add_argument("task")
    parser.add_argument("objects", type=int)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--ours", default="fp16,fp32")
    parser.add_argument("--peers", default="fp32,tf32,fp16,graph,compile")
    parser.add_argument("--json")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("skipped: no PyTorch")
        return 77
    if not torch.cuda.is_available():
        print("skipped: no GPU")
        return 77
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sides, failed = [], []
    try:
        sides = prepare(args, torch, began, failed)
        in_turn(sides, args.rounds, WARM_UP, began + args.seconds,
                lambda side, e: failed.append(f"{side.name}: {reason(e)}"))
    finally:
        tell(args, torch.cuda.get_device_name(), sides, failed)
    return 1 if any(line.startswith("rvosseg") for line in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
