#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares rvosseg with other engines on this machine's CPU, frame by frame in turn.

    compare.py BUILD --venv FOLDER                         the table of README.md
    compare.py BUILD --venv FOLDER --prepare               only what it needs to install and make
    compare.py BUILD MODEL... --objects 1,5 --task one-shot [--anyway]
    compare.py BUILD --against OTHER/engine/tools/rvos-bench --peers ''    another build

All get the same weights and frames, from pixels to labels. Outputs are compared first: in float32
the probabilities of all frames must agree within 5e-4, or a row is not timed; for other precisions
the table has the IoU of the masks. Then all run one frame in turn; the order changes from round to
round. `ms` is the median of a frame, `least` the minimum, `CPU ms` the median of the CPU time of
the whole process. On a busy machine look at the last two, with --anyway.

Without MODEL it measures --cases: the shipped ResNet-18 and a random ResNet-101. The peers are the
published formulation with batch norm folded: `jit` is traced, frozen and optimised by PyTorch,
`eager` is not. --venv adds OpenVINO and ONNX Runtime in all their precisions; FOLDER gets a virtual
environment of peers.txt. --json writes files for rvos-bench --compare and --plot.
"""
import argparse
import collections
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from peers import PRECISIONS as ENGINES
from peers import Environment, Row, call, pytorch
from turns import ROOT, SHIPPED, Side, in_turn, is_quiet

TOLERANCE = 5e-4  # of probabilities, float32
CASES = "resnet18:5,resnet18:10,resnet101:10"
PAUSE = 0.005  # seconds between turns: threads that wait by spinning go to sleep
# The time of the first over the time of the second must reach the bar of the encoder.
BARS = [(f"{slow} {p}", f"rvosseg {q}", dict(zip(("resnet18", "resnet101"), bars)))
        for slow, p, q, bars in (
            ("pytorch-jit", "fp32", "fp32", (1.8, 1.5)), ("openvino", "fp32", "fp32", (2, 1.7)),
            ("openvino", "bf16", "bf16", (1.6, 1.4)), ("openvino", "int8", "int8", (1.3, 1.3)),
            ("openvino", "int8+bf16", "int8", (1.3, 1.3)),
            ("rvosseg", "fp32", "bf16", (1.3, 1.3)), ("rvosseg", "fp32", "int8", (1.3, 1.3)))]


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


def engines(a, model, task, objects, folder):
    bench = a.tools / "rvos-bench"
    common = (model, task, objects, folder)
    rows = [ours(a, "rvosseg", bench, *common, p) for p in a.precision.split(",")]
    if a.against:
        rows += [ours(a, "other rvosseg", pathlib.Path(a.against).resolve(), *common, p)
                 for p in a.precision.split(",")]
    rows += [pytorch(kind, a.threads, *common) for kind in filter(None, a.peers.split(","))]
    if a.environment and task == "zero-shot":
        rows += a.environment.rows(a.threads, model, objects, folder)
    return rows


def kernels_of(a, case, precision):
    """The shares of CPU time of what convolves in rvosseg, as rvos-bench --steps has them."""
    done = call(a.tools / "rvos-bench", case.model, "--steps", "-J", "-", "-e", a.engine, "-p",
                precision, "-n", case.objects, "-t", case.task, "-j", a.threads, "-f", 5, "-w", 2,
                capture_output=True)
    if done.returncode:
        return ""
    result = json.loads(done.stdout)["results"][0]
    times = collections.Counter()
    for step in result.get("steps", ()):
        times[step["way"] or "no convolution"] += step["ms"]
    return f"{result['isa']}: " + ", ".join(f"{way} {ms / times.total():.0%}"
                                            for way, ms in times.most_common() if ms)


# ---- comparing --------------------------------------------------------------------------

def mean_iou(a, b):
    """Of masks (frames, objects, height, width): over frames; of each the mean over the slots
    that either has."""
    a, b = (m.reshape(*m.shape[:2], -1) >= 0.5 for m in (a, b))
    both, either = (a & b).sum(-1), (a | b).sum(-1)
    return np.mean([(x[y > 0] / y[y > 0]).mean() if y.any() else 1 for x, y in zip(both, either)])


def compared(a, case):
    """Keeps the rows that may be timed, compared with the first. False: a float32 row
    disagreed."""
    good, first, agree = [], None, True
    for i, row in enumerate(case.rows):
        out = case.folder / f"{i}.npy"
        done = call(*row.probabilities(out), capture_output=True)
        if done.returncode or "float32 is used" in done.stderr:
            print(f"{row.key}: left out: {' '.join(done.stderr.strip().splitlines()[-1:])}",
                  file=sys.stderr)
            continue
        found = np.load(out)
        out.unlink()
        first = found if first is None else first
        found = found.reshape(first.shape)
        row.error, row.iou = float(np.abs(found - first).max()), mean_iou(first, found)
        if row.precision == "fp32" and not row.error <= TOLERANCE:
            print(f"{row.name}: NOT TIMED, probabilities differ by {row.error:.1e}")
            agree = False
            continue
        row.instead = " (int16 is used)" if "int16 is used" in done.stderr else ""
        row.kernels = kernels_of(a, case, row.precision) \
            if row.name == "rvosseg" else done.stdout.strip()
        good.append(row)
    case.rows = good
    return agree


# ---- tables -----------------------------------------------------------------------------

def table(rows, encoder):
    first = rows[0].side
    print("| engine | precision | ms | least | CPU ms | time of the first (CPU time) | "
          "probabilities differ by | IoU |\n|---|---|---|---|---|---|---|---|")
    for r in rows:
        cpu, first_cpu = statistics.median(r.side.cpu), statistics.median(first.cpu)
        print(f"| {r.name} ({r.side.about}) | {r.precision}{r.instead} | {r.side.median:.1f} | "
              f"{min(r.side.times):.1f} | {cpu:.1f} | {r.side.median / first.median:.2f}x "
              f"({cpu / max(first_cpu, 1e-9):.2f}x) | {r.error:.1e} | {r.iou:.4f} |")
    times = {r.key: r.side for r in rows}
    for slow, fast, bars in BARS:
        if slow in times and fast in times and encoder in bars:
            ratio, cpu = (f(times[slow]) / f(times[fast]) for f in (
                lambda side: side.median, lambda side: max(statistics.median(side.cpu), 1e-9)))
            print(f"{slow} takes {ratio:.2f}x the time of {fast} (CPU time {cpu:.2f}x; bar "
                  f"{bars[encoder]}x)")
    for r in rows:
        if r.kernels:
            print(f"{r.key}: {r.kernels}")
    sys.stdout.flush()


PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "int8+bf16": "int8, the rest bfloat16"}


def cell(case, row):
    """Time, how often rvosseg's in the same precision fits into it, and IoU."""
    ours = next((r for r in case.rows if r.name == "rvosseg" and
                 r.precision == row.precision.split("+")[0]), None)
    text = f"{row.side.median:.1f} ms"
    if row.name != "rvosseg" and ours:
        text += f" ({row.side.median / ours.side.median:.1f}x)"
    return text + ("" if row.precision == "fp32" else f", IoU {row.iou:.3f}")


def name_of(row):
    """With its version."""
    if row.name.startswith("pytorch-"):
        return f"PyTorch {row.side.about.split()[0]} ({row.name[8:]})"
    return row.side.about if row.name in ENGINES else row.name


def summary(a, cases):
    """The Markdown table of README.md."""
    keys = list(dict.fromkeys(r.key for c in cases for r in c.rows))
    any_row = {r.key: r for c in cases for r in c.rows}
    print(f"\n{processor()}, {a.threads} threads, medians of {a.rounds} frames in turn, "
          f"{cases[0].info['size'][0]}x{cases[0].info['size'][1]}\n")
    print("| engine | precision |" + "".join(
        f" {c.info['encoder']}, {c.objects} slots |" for c in cases))
    print("|---|---|" + "---|" * len(cases))
    for key in keys:
        row, cells = any_row[key], []
        for c in cases:
            mine = next((r for r in c.rows if r.key == key), None)
            cells.append(cell(c, mine) if mine else "")
        precision = PRECISIONS.get(row.precision, row.precision) + row.instead
        print(f"| {name_of(row)} | {precision} | "
              f"{' | '.join(cells)} |")
    sys.stdout.flush()


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    sets = [s for s in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile")
            if s in facts.get("flags", "").split()]
    return f"{facts.get('model name', 'unknown processor')} ({', '.join(sets)})"


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


class Case:
    """A network, a task and a number of slots, with frames in a folder and rows of engines."""

    def __init__(self, a, model, task, objects):
        self.model, self.task, self.objects = model, task, objects
        self.info = facts(a.tools, model)
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        prepare(a, self.folder, self.info["size"], objects)
        self.rows = engines(a, model, task, objects, self.folder)

    def measure(self, a):
        for row in self.rows:
            row.side = Side(row.name, row.serve)
        in_turn([row.side for row in self.rows], a.rounds, a.warm_up, pause=PAUSE)
        print(f"\n{self.info['encoder']}, {self.info['hidden']} channels, {self.task}, "
              f"{self.objects} slots:\n")
        if self.rows:
            table(self.rows, self.info["encoder"])


def cases_of(a, folder):
    """What to measure."""
    tasks = a.task.split(",")
    if a.models:
        for model in a.models:
            objects = a.objects or str(facts(a.tools, model)["objects"])
            yield from (Case(a, model, t, int(n)) for t in tasks for n in objects.split(","))
        return
    for name, objects in (words.split(":") for words in a.cases.split(",")):
        model = SHIPPED
        if name != "resnet18":
            model = pathlib.Path(folder) / f"{name}.safetensors"
            if not model.exists():
                call(sys.executable, ROOT / "data" / "golden.py", "--random-bundle", name, "-o",
                     model, check=True, stdout=subprocess.DEVNULL)
        yield from (Case(a, model, t, int(objects)) for t in tasks)


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("models", nargs="*", type=pathlib.Path, metavar="MODEL")
    p.add_argument("--engine", default="cpu")
    p.add_argument("--objects", help="list; default: the model's own")
    p.add_argument("--cases", default=CASES, help="without MODEL: encoder:slots, list; resnet18 "
                   "is the shipped model, others have random weights")
    p.add_argument("--task", default="zero-shot", help="list")
    p.add_argument("--precision", default="fp32,bf16,int16,int8", help="of rvosseg; the first "
                   "is what all are compared with")
    p.add_argument("--peers", default="jit", help="of jit and eager")
    p.add_argument("--against", metavar="RVOS-BENCH", help="of another build")
    p.add_argument("--venv", type=pathlib.Path, metavar="FOLDER",
                   help="for OpenVINO and ONNX Runtime; kept")
    p.add_argument("--prepare", action="store_true", help="measure nothing")
    p.add_argument("--frames", choices=("clip", "made"), default="clip")
    p.add_argument("--count", type=int, default=20, help="of frames")
    p.add_argument("--rounds", type=int, default=30)
    p.add_argument("--warm-up", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", nargs=2, metavar=("OURS.json", "PEERS.json"))
    p.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    a = p.parse_intermixed_args(argv)
    a.tools = a.build / "engine" / "tools"
    a.environment = Environment(a.venv) if a.venv else None
    return a


def write_results(a, cases):
    results = [], []
    for c in cases:
        for row in c.rows:
            results[row.name != "rvosseg"].append(
                result(a, row, c.model, c.info, c.task, c.objects))
    for path, part in zip(a.json or (), results):
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"program": "compare.py", "results": part}, f, indent=1)


def main(argv=None):
    a = arguments(argv)
    with tempfile.TemporaryDirectory() as name:
        cases = list(cases_of(a, name))
        if a.prepare:
            return 0
        agree = all([compared(a, c) for c in cases])
        if not a.anyway and not is_quiet():
            print("not quiet: no measurement")
            return 1
        for c in cases:
            c.measure(a)
    if any(c.rows for c in cases):
        summary(a, cases)
    write_results(a, cases)
    if not a.anyway:
        quiet = is_quiet()
        print("the machine was quiet" if quiet else "not quiet: these figures count for nothing")
        agree &= quiet
    return int(not agree)


if __name__ == "__main__":
    sys.exit(main())
