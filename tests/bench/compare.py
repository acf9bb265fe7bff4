#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares rvosseg with other engines on this machine's CPU, frame by frame in turn.

    compare.py BUILD [--anyway]                            the bars of this project
    compare.py BUILD MODEL... --objects 1,5 --task one-shot
    compare.py BUILD --against OTHER/engine/tools/rvos-bench --peers ''    another build
    compare.py BUILD --python peers/bin/python             OpenVINO and ONNX Runtime, too

All get the same weights and frames, from pixels to labels. Outputs are compared first: in float32
the probabilities of all frames must agree within 5e-4, or a row is not timed; for other precisions
the table has the IoU of the masks. Then all run one frame in turn; the order changes from round to
round. `ms` is the median of a frame, `least` the minimum, `CPU ms` the median of the CPU time of
the whole process. On a busy machine look at the last two.

Without MODEL it measures the shipped ResNet-18 with 5 slots and a random ResNet-101 with 10, and
needs a quiet machine. The peers are the published formulation with batch norm folded: `jit` is
traced, frozen and optimised by PyTorch, `eager` is not. --python names a Python with openvino,
nncf, onnxruntime and onnx; these engines then run in float32, bf16 and int8, as far as they can.
--json writes files for rvos-bench --compare and --plot.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from turns import ROOT, SHIPPED, Side, in_turn, is_quiet

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 5e-4  # of probabilities, float32
# PyTorch's time over ours, in our precision.
BARS = {("resnet18", "fp32"): 1.8, ("resnet101", "fp32"): 1.5, ("resnet18", "bf16"): 2,
        ("resnet101", "bf16"): 2}


def call(*command, **more):
    return subprocess.run([str(c) for c in command], text=True, **more)


class Row:
    """An engine: the commands that serve frames and that write its probabilities."""

    def __init__(self, name, precision, serve, probabilities):
        self.name, self.precision = name, precision
        self.serve, self.probabilities = serve, probabilities
        self.error = self.iou = None


# ---- inputs for all -----------------------------------------------------------------------

def facts(tools, model):
    """The facts of a model, from rvos-info."""
    out = call(tools / "rvos-info", model, check=True, capture_output=True).stdout
    lines = dict(line.split(None, 1) for line in out.splitlines() if " " in line)
    size = next(line for line in out.splitlines() if line.startswith("network size"))
    return dict(encoder=lines["encoder"].strip(), objects=int(lines["objects"]),
                hidden=int(lines["hidden"].split(",")[0]),
                size=tuple(map(int, size.split()[2].split("x"))))


def made(size, count):
    """Discs that move over noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size[1], :size[0]]
    for t in range(count):
        frame = rng.integers(40, 90, (size[1], size[0], 3))
        for d in range(3):
            inside = (x - size[0] * (d + 1) / 4 - 3 * t) ** 2 + (y - size[1] / 2) ** 2
            frame[inside < (size[1] / (5 + d)) ** 2, d] += 130
        yield frame.astype(np.uint8)


def prepare(a, folder, size, objects):
    """Frames of the network's size and a first mask, as pictures and as arrays."""
    (folder / "frames").mkdir()
    if a.frames == "clip":
        call("gst-launch-1.0", "-q", "filesrc", f"location={ROOT}/data/clips/cup.mp4", "!",
             "decodebin", "!", "videoconvert", "!", "videoscale", "!", "video/x-raw,format=RGB,"
             f"width={size[0]},height={size[1]}", "!", "identity", f"eos-after={a.count + 1}",
             "!", "pngenc", "compression-level=1", "!", "multifilesink",
             f"location={folder}/frames/%05d.png", check=True)
        frames = [np.array(Image.open(p)) for p in sorted((folder / "frames").iterdir())]
    else:
        frames = list(made(size, a.count))
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / "frames" / f"{t:05d}.png")
    np.save(folder / "frames.npy", np.stack(frames))
    labels = np.zeros(size[::-1], np.uint8)
    for k in range(objects):
        x = k * size[0] // objects
        labels[size[1] // 4:size[1] * 3 // 4, x:x + size[0] // (2 * objects)] = k + 1
    Image.fromarray(labels).save(folder / "init.png")
    np.save(folder / "init.npy", labels)


# ---- the engines ------------------------------------------------------------------------

def ours(a, name, bench, model, task, objects, folder, precision):
    common = ["-e", a.engine, "-p", precision, "-n", objects, "-j", a.threads, "-t", task]
    init = ["--init-mask", folder / "init.png"] if task == "one-shot" else []
    return Row(name, precision,
               [bench, "--serve", model, *common, "--images", folder / "frames"],
               lambda out: [bench.with_name("rvos-segment"), "-q", "-m", model, *common, *init,
                            "--dump-probs", out, folder / "frames", folder / "masks"])


def pytorch(a, kind, model, task, objects, folder):
    command = [sys.executable, HERE / "pytorch_peer.py", model, "--task", task, "--objects",
               objects, "--threads", a.threads, "--frames", folder / "frames.npy", "--init-mask",
               folder / "init.npy", *(["--eager"] if kind == "eager" else [])]
    return Row(f"pytorch-{kind}", "fp32", [*command, "--serve"],
               lambda out: [*command, "--probs", out])


def onnx(a, folder, engine, path, precision):
    program = [a.python, HERE / "onnx_peer.py", path]
    common = ["--frames", folder / "frames.npy", "--precision", precision, "--threads", a.threads]
    return Row(engine, precision, [*program, "--serve", engine, *common],
               lambda out: [*program, "--probs", out, engine, *common])


def onnx_rows(a, model, objects, folder):
    path = folder / "model.onnx"
    call(sys.executable, HERE / "onnx_peer.py", "--export", model, path, "--objects", objects,
         check=True, stderr=subprocess.DEVNULL)
    for engine, small in (("openvino", "int8.xml"), ("onnxruntime", "int8.onnx")):
        yield onnx(a, folder, engine, path, "fp32")
        yield onnx(a, folder, engine, path, "bf16")
        done = call(a.python, HERE / "onnx_peer.py", "--quantise", engine, path, folder / small,
                    "--frames", folder / "frames.npy", "--threads", a.threads,
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if done.returncode:
            print(f"{engine}: not quantised: {done.stderr.strip().splitlines()[-1:]}",
                  file=sys.stderr)
        else:
            yield onnx(a, folder, engine, folder / small, "int8")


def engines(a, model, task, objects, folder):
    bench = a.tools / "rvos-bench"
    common = (model, task, objects, folder)
    rows = [ours(a, "rvosseg", bench, *common, p) for p in a.precision.split(",")]
    if a.against:
        rows += [ours(a, "other rvosseg", pathlib.Path(a.against).resolve(), *common, p)
                 for p in a.precision.split(",")]
    rows += [pytorch(a, kind, *common) for kind in filter(None, a.peers.split(","))]
    if a.python and task == "zero-shot":
        rows += onnx_rows(a, model, objects, folder)
    return rows


# ---- comparing --------------------------------------------------------------------------

def mean_iou(a, b):
    """Of masks (frames, objects, height, width): over frames; of each the mean over the slots
    that either has."""
    a, b = (m.reshape(*m.shape[:2], -1) >= 0.5 for m in (a, b))
    both, either = (a & b).sum(-1), (a | b).sum(-1)
    return np.mean([(x[y > 0] / y[y > 0]).mean() if y.any() else 1 for x, y in zip(both, either)])


def compared(rows, folder):
    """Those that may be timed, compared with the first; and whether a float32 row disagreed."""
    good, first, bad = [], None, False
    for i, row in enumerate(rows):
        out = folder / f"{i}.npy"
        done = call(*row.probabilities(out), stderr=subprocess.PIPE)
        if done.returncode or "float32 is used" in done.stderr:
            print(f"{row.name} {row.precision}: left out: "
                  f"{' '.join(done.stderr.strip().splitlines()[-1:])}", file=sys.stderr)
            continue
        found = np.load(out)
        first = found if first is None else first
        found = found.reshape(first.shape)
        row.error, row.iou = float(np.abs(found - first).max()), mean_iou(first, found)
        if row.precision == "fp32" and not row.error <= TOLERANCE:
            print(f"{row.name}: NOT TIMED, probabilities differ by {row.error:.1e}")
            bad = True
            continue
        good.append(row)
    return good, bad


def table(rows, encoder):
    first = rows[0].side
    print("| engine | precision | ms | least | CPU ms | time of the first (CPU time) | "
          "probabilities differ by | IoU |\n|---|---|---|---|---|---|---|---|")
    for r in rows:
        cpu, first_cpu = statistics.median(r.side.cpu), statistics.median(first.cpu)
        print(f"| {r.name} ({r.side.about}) | {r.precision} | {r.side.median:.1f} | "
              f"{min(r.side.times):.1f} | {cpu:.1f} | {r.side.median / first.median:.2f}x "
              f"({cpu / max(first_cpu, 1e-9):.2f}x) | {r.error:.1e} | {r.iou:.4f} |")
    for r in rows:
        peer = next((p for p in rows if p.name == "pytorch-jit"), None)
        bar = BARS.get((encoder, r.precision))
        if r.name == "rvosseg" and peer and bar:
            print(f"PyTorch takes {peer.side.median / r.side.median:.2f}x the time of rvosseg "
                  f"{r.precision} (bar {bar}x)")
    sys.stdout.flush()


def result(a, row, model, info, task, objects):
    """As rvos-bench writes it."""
    ms = np.sort(row.side.times)
    at = lambda share: float(ms[round(share * (len(ms) - 1))])
    return {"engine": a.engine if row.name == "rvosseg" else row.name,
            "library": row.side.about, "threads": a.threads, "precision": row.precision,
            "model": str(model), "encoder": info["encoder"], "hidden": info["hidden"],
            "width": info["size"][0], "height": info["size"][1], "task": task,
            "objects": objects, "streams": 1, "frames": len(ms), "fps": 1e3 / float(ms.mean()),
            "latency_ms": {"p50": at(.5), "p95": at(.95), "p99": at(.99), "min": at(0),
                           "max": at(1), "mean": float(ms.mean())},
            # medians of the first, middle and last third: what drift there was
            "p50_runs": [float(np.median(part)) for part in np.array_split(row.side.times, 3)]}


def measure(a, model, info, task, objects, results):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(a, folder, info["size"], objects)
        rows, bad = compared(engines(a, model, task, objects, folder), folder)
        for row in rows:
            row.side = Side(row.name, row.serve)
        in_turn([row.side for row in rows], a.rounds, a.warm_up)
    print(f"\n{info['encoder']}, {info['hidden']} channels, {task}, {objects} slots:\n")
    if rows:
        table(rows, info["encoder"])
    for row in rows:
        results[row.name != "rvosseg"].append(result(a, row, model, info, task, objects))
    return bad


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("models", nargs="*", type=pathlib.Path, metavar="MODEL")
    p.add_argument("--engine", default="cpu")
    p.add_argument("--objects", help="list; default: the model's own")
    p.add_argument("--task", default="zero-shot", help="list")
    p.add_argument("--precision", default="fp32,bf16,int16", help="of rvosseg, list")
    p.add_argument("--peers", default="jit", help="of jit and eager")
    p.add_argument("--against", metavar="RVOS-BENCH", help="of another build")
    p.add_argument("--python", help="of an environment with OpenVINO and ONNX Runtime")
    p.add_argument("--frames", choices=("clip", "made"), default="clip")
    p.add_argument("--count", type=int, default=30, help="of frames")
    p.add_argument("--rounds", type=int, default=30)
    p.add_argument("--warm-up", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", nargs=2, metavar=("OURS.json", "PEERS.json"))
    p.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    a = p.parse_intermixed_args(argv)
    a.tools = a.build / "engine" / "tools"
    return a


def main(argv=None):
    a = arguments(argv)
    if not a.anyway and not is_quiet():
        print("not quiet: no measurement")
        return 1
    results, bad = ([], []), False
    with tempfile.TemporaryDirectory() as name:
        models = a.models
        if not models:
            models = [SHIPPED, pathlib.Path(name) / "resnet101.safetensors"]
            call(sys.executable, ROOT / "data" / "golden.py", "--random-bundle", "resnet101", "-o",
                 models[1], check=True, stdout=subprocess.DEVNULL)
        for model in models:
            info = facts(a.tools, model)
            for task in a.task.split(","):
                for objects in map(int, (a.objects or str(info["objects"])).split(",")):
                    bad |= measure(a, model, info, task, objects, results)
    for path, part in zip(a.json or (), results):
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"program": "compare.py", "results": part}, f, indent=1)
    if not a.anyway:
        quiet = is_quiet()
        print("the machine was quiet" if quiet else "not quiet: these figures count for nothing")
        bad |= not quiet
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
