#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rvosseg and PyTorch on the same weights and frames, frame by frame in turn.

    bench_peers.py [MODEL...] --tools DIR [--objects 1,5,10] [--task zero-shot,one-shot]
                   [--peers jit,eager] [--threads N] [--rounds 60] [--frames DIR]
                   [--ours OURS.json] [--peers-json PEERS.json] [--plot FILE.svg]

First the outputs: probabilities of all frames must agree within 5e-4, or that row is not
timed. Then one frame each in turn, the order changing from round to round, after a
warm-up. Both files are in the format of rvos-bench --json: `rvos-bench --compare OURS
PEERS` sets them side by side, `rvos-bench --plot` draws them. The peers
(tests/bench/pytorch_peer.py) are the published formulation with batch norm folded: `jit`
traced, frozen and optimised, `eager` not.

A busy machine measures nothing: the load is looked at before and after, and told.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "data"))
from rvos_train import files, mask_rule
PEER = ROOT / "tests" / "bench" / "pytorch_peer.py"
SHIPPED = ROOT / "data" / "models" / "rvos-resnet18-h128.safetensors"
TOLERANCE = 5e-4  # of probabilities, float32


class Side:
    """A program that runs a frame when asked, and says how long it took."""

    def __init__(self, name, command):
        self.name, self.times = name, []
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        if not ready or ready[0] != "ready":
            raise RuntimeError(f"{name} did not start: {' '.join(map(str, command))}")
        self.library = " ".join(ready[1:-1])

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError(f"{self.name} ended early")
        return float(answer[-1])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def info_of(tools, model):
    """What rvos-info says of a model."""
    out = subprocess.run([tools / "rvos-info", model], check=True, capture_output=True,
                         text=True).stdout
    lines = dict(line.split(None, 1) for line in out.splitlines() if " " in line)
    hidden = int(lines["hidden"].split(",")[0])
    return lines["encoder"].strip(), int(lines["objects"]), hidden


def size_of(tools, model):
    out = subprocess.run([tools / "rvos-info", model], check=True, capture_output=True,
                         text=True).stdout
    line = next(l for l in out.splitlines() if l.startswith("network size"))
    return tuple(map(int, line.split()[2].split("x")))


def prepare_frames(folder, source, size, count):
    """Frames of the network's size: a folder of PNG for us, an array for PyTorch."""
    if source:
        names = sorted(p for p in pathlib.Path(source).iterdir()
                       if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".ppm"))[:count]
        if not names:
            sys.exit(f"bench_peers.py: {source}: holds no frames")
        frames = [np.array(mask_rule.upright(Image.open(p)).convert("RGB").resize(size, Image.BILINEAR))
                  for p in names]
    else:
        rng = np.random.default_rng(0)
        y, x = np.mgrid[:size[1], :size[0]]
        frames = []
        for t in range(count):
            frame = rng.integers(40, 90, (size[1], size[0], 3))
            for d in range(3):
                inside = (x - size[0] * (d + 1) / 4 - 3 * t) ** 2 + (y - size[1] / 2) ** 2
                frame[inside < (size[1] / (5 + d)) ** 2, d] += 130
            frames.append(frame)
    frames = np.stack(frames).astype(np.uint8)
    (folder / "frames").mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / "frames" / f"{t:05d}.png")
    np.save(folder / "frames.npy", frames)


def boxes(size, objects):
    """The mask that both start from in one-shot mode."""
    labels = np.zeros(size[::-1], np.uint8)
    for k in range(objects):
        x = k * size[0] // objects
        labels[size[1] // 4:size[1] * 3 // 4, x:x + size[0] // (2 * objects)] = k + 1
    return labels


def agree(a, tools, model, task, objects, size, folder):
    """The largest difference of probabilities over all frames."""
    import torch
    from rvos_train import model as reference
    ours, theirs = folder / "ours.npy", folder / "theirs.npy"
    labels = boxes(size, objects)
    Image.fromarray(labels).save(folder / "init.png")
    np.save(folder / "init.npy", labels)
    init = ["--init-mask", folder / "init.png"] if task == "one-shot" else []
    subprocess.run([tools / "rvos-segment", "-q", "-m", model, "-t", task, "-n",
                    str(objects), "-e", a.engine, "-j", str(a.threads), *init,
                    "--dump-probs", ours, folder / "frames", folder / "masks"],
                   check=True)
    subprocess.run([sys.executable, PEER, model, "--task", task, "--objects",
                    str(objects), "--threads", str(a.threads), "--frames",
                    folder / "frames.npy", "--init-mask", folder / "init.npy", "--logits",
                    theirs], check=True)
    mine = np.load(ours)
    worst = 0.0
    for have, logits in zip(mine, np.load(theirs)):
        logits = torch.from_numpy(logits.reshape(1, objects, *logits.shape[-2:]))
        want = torch.sigmoid(reference.upsample(logits, (size[1], size[0])))[0].numpy()
        worst = max(worst, float(np.abs(have - want).max()))
    return worst


def time_in_turn(a, tools, model, task, objects, folder):
    common = ["--threads", str(a.threads), "--objects", str(objects), "--task", task]
    sides = [Side("rvosseg", [tools / "rvos-bench", "--serve", model, "-e", a.engine,
                              "--images", folder / "frames", *common])]
    for name in a.peers.split(","):
        sides.append(Side(f"pytorch-{name}", [
            sys.executable, PEER, model, "--serve", "--frames", folder / "frames.npy",
            "--init-mask", folder / "init.npy", *common,
            *(["--eager"] if name == "eager" else [])]))
    for turn in range(a.warm_up + a.rounds):
        for side in sides if turn % 2 else sides[::-1]:
            ms = side.run()
            if turn >= a.warm_up:
                side.times.append(ms)
    for side in sides:
        side.close()
    return sides


def result(side, a, model, info, task, objects, size):
    """As rvos-bench writes it."""
    ms = np.sort(side.times)
    encoder, _, hidden = info

    def at(share):
        return float(ms[round(share * (len(ms) - 1))])

    return {"engine": a.engine if side.name == "rvosseg" else side.name,
            "library": side.library, "threads": a.threads, "precision": "auto",
            "model": str(model), "encoder": encoder, "hidden": hidden, "width": size[0],
            "height": size[1], "task": task, "objects": objects, "streams": 1,
            "frames": len(ms), "fps": 1e3 / float(ms.mean()),
            "latency_ms": {"p50": at(.5), "p95": at(.95), "p99": at(.99), "min": at(0),
                           "max": at(1), "mean": float(ms.mean())},
            # medians of the first, middle and last third: what drift there was
            "p50_runs": [float(np.median(part))
                         for part in np.array_split(side.times, 3)]}


def write(path, results):
    if path:
        text = json.dumps({"program": "bench_peers.py", "results": results}, indent=1)
        with files.atomic(path) as f:
            f.write(text.encode() + b"\n")


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="*", type=pathlib.Path, metavar="MODEL")
    p.add_argument("--tools", type=pathlib.Path,
                   help="folder of rvos-bench and its sisters; default: those in PATH")
    p.add_argument("--engine", default="cpu")
    p.add_argument("--objects", help="list; default: the model's own")
    p.add_argument("--task", default="zero-shot", help="list")
    p.add_argument("--peers", default="jit,eager", help="of jit and eager")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--rounds", type=int, default=60)
    p.add_argument("--warm-up", type=int, default=10)
    p.add_argument("--frames", help="folder of a real clip; default: made frames")
    p.add_argument("--count", type=int, default=8, help="most frames of it")
    p.add_argument("--ours", metavar="OURS.json")
    p.add_argument("--peers-json", metavar="PEERS.json")
    p.add_argument("--plot", metavar="FILE.svg", help="needs both files")
    return p.parse_args(argv)


def main(argv=None):
    a = arguments(argv)
    tools = a.tools or pathlib.Path(next(
        (d for d in os.environ["PATH"].split(":") if os.path.exists(f"{d}/rvos-bench")),
        "."))
    guard = files.Guard(a.frames, *(a.models or [SHIPPED]))
    for path in filter(None, (a.ours, a.peers_json, a.plot)):
        guard.write(path)
    ours, theirs, bad = [], [], 0
    print(f"load before: {os.getloadavg()[0]:.2f}")
    for model in a.models or [SHIPPED]:
        info, size = info_of(tools, model), size_of(tools, model)
        for task in a.task.split(","):
            for objects in map(int, (a.objects or str(info[1])).split(",")):
                with tempfile.TemporaryDirectory() as tmp:
                    folder = pathlib.Path(tmp)
                    prepare_frames(folder, a.frames, size, a.count)
                    worst = agree(a, tools, model, task, objects, size, folder)
                    row = f"{info[0]} h{info[2]} {task} N={objects}"
                    if not worst <= TOLERANCE:
                        print(f"{row}: NOT TIMED, probabilities differ by {worst:.1e}")
                        bad = 1
                        continue
                    sides = time_in_turn(a, tools, model, task, objects, folder)
                rows = [result(s, a, model, info, task, objects, size) for s in sides]
                ours.append(rows[0])
                theirs += rows[1:]
                medians = [(s.name, r["latency_ms"]["p50"]) for s, r in zip(sides, rows)]
                print(f"{row}: differ by {worst:.1e}; " +
                      ", ".join(f"{name} {ms:.1f} ms" for name, ms in medians) + "; " +
                      ", ".join(f"{ms / medians[0][1]:.2f}x {name}"
                                for name, ms in medians[1:]), flush=True)
    print(f"load after: {os.getloadavg()[0]:.2f}")
    write(a.ours, ours)
    write(a.peers_json, theirs)
    if a.plot and a.ours and a.peers_json:
        subprocess.run([tools / "rvos-bench", "--plot", a.plot, a.ours, a.peers_json],
                       check=True)
    return bad


if __name__ == "__main__":
    sys.exit(files.run(main, "bench_peers.py"))
