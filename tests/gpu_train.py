#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The parts of gpu_train.sh, which tells what they are."""
import argparse
import contextlib
import csv
import gc
import glob
import json
import os
import statistics
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "data"), os.path.join(ROOT, "tests", "data")]
import torch

import cells
import config
import prepare
import shapes
import train
import trainer

PARTS = ("numbers", "speed", "learn")
TARGET_MS, PROTOTYPE_MS = 80, 154  # of a step; the latter as measured on one H100
STEP, BARS = 3000, {"loss one-shot": 0.30, "loss zero-shot": 0.80}
TINY = dict(hidden=8, base_width=8, size="64x48", batch=2, length=3, objects=3, warmup=2,
            cut_outs=2, log_every=4)
# (name, settings): the first is "before", the second "after"
WAYS = (("prototype's order, graphs", dict(cells="prototype", graph=True)),
        ("fused cells, graphs", dict(cells="auto", graph=True)),
        ("fused, graphs, compiled encoder", dict(cells="auto", graph=True, compile=True)),
        ("compiled cells, graphs", dict(cells="compile", graph=True)),
        ("fused cells, no graphs", dict(cells="auto", graph=False)))


class Table:
    def __init__(self, out):
        self.out, self.failed, self.done = out, False, False

    def row(self, name, verdict, value="", bar=""):
        self.failed |= verdict == "FAIL"
        self.done |= verdict != "SKIP"
        line = f"{name:<42} {verdict:<5} {value:<22} {bar}".rstrip()
        print(line, flush=True)
        with open(os.path.join(self.out, "table.txt"), "a") as f:
            f.write(line + "\n")
        with open(os.path.join(self.out, "rows.jsonl"), "a") as f:
            f.write(json.dumps(dict(name=name, verdict=verdict, value=value,
                                    bar=bar)) + "\n")

    def judge(self, name, value, limit, form="{:.3f}", judged=True):
        verdict = ("PASS" if value <= limit else "FAIL") if judged else "SKIP"
        self.row(name, verdict, form.format(value), "<= " + form.format(limit))


def made_up(out):
    """A few packs, so that nothing has to be brought."""
    folder = os.path.join(out, "made-up")
    shapes.videos(os.path.join(folder, "v"), 2, 8, 48, 64)
    shapes.stills(os.path.join(folder, "s"), 4, 48, 64)
    for name, kind in (("v", "video"), ("s", "stills"), ("s", "backgrounds")):
        prepare.prepare([f"folder:{folder}/{name}"], f"{folder}/{kind}.zip", (64, 48),
                        say=lambda s: None)
    return folder


def settings(a):
    """Of the prototype, with the packs found."""
    find = lambda kind: sorted(f"pack:{p}" for p in glob.glob(
        os.path.join(a.data, kind + "*.zip")))
    values = dict(config.PRESETS["prototype"], video=find("video"), stills=find("stills"),
                  backgrounds=find("backgrounds") + find("video"), steps=9700)
    if not values["video"] or not values["stills"]:
        raise SystemExit(f"gpu_train.py: {a.data}: no video*.zip or no stills*.zip")
    start = sorted(glob.glob(os.path.join(a.data, "*.pt*")))
    if start and not a.tiny:
        values["weights"] = start[0]
    return dict(values, **(TINY if a.tiny else {}))


# ---- the cells on the device -----------------------------------------------------------

def numbers(a, table):
    import test_cells
    try:
        fused = cells.kernels("triton")
    except ValueError as e:
        return table.row("fused cells against PyTorch", "SKIP", str(e))
    if not a.gpu:
        return table.row("fused cells against PyTorch", "SKIP", "no GPU")
    for dtype, limit in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
        worst = 0.0
        for channels in (16, 32, 64, 128):
            for alone, spatial in ((False, True), (True, True), (False, False)):
                leaves = [v if v is None else v.detach().cuda().requires_grad_()
                          for v in test_cells.case(dtype, channels, alone, spatial)]
                found = []
                for update in (fused, cells.Plain):
                    h = cells.Level.apply(update, test_cells.N, *leaves)
                    weight = torch.linspace(-1, 1, h.numel(), device="cuda").view_as(h)
                    found.append([h, *torch.autograd.grad(
                        (h * weight).sum(), [v for v in leaves if v is not None])])
                for x, y in zip(*found):
                    error = (x.double() - y.double()).norm() / y.double().norm()
                    worst = max(worst, error.item())
        table.judge(f"fused cells, relative error, {str(dtype)[6:]}", worst, limit,
                    "{:.1e}")


# ---- speed -----------------------------------------------------------------------------

def wait(a):
    if a.gpu:
        torch.cuda.synchronize()


def measure(a, t, steps, blocks=3):
    """Milliseconds a step, of several blocks; the host's clock around whole steps."""
    out = []
    for _ in range(blocks):
        wait(a)
        begin = time.perf_counter()
        for _ in range(steps):
            t.advance()
        wait(a)
        out.append((time.perf_counter() - begin) / steps * 1e3)
    return out


def one_way(a, values, data, name):
    """(ms a step, losses of the first step, GiB, ms of data)"""
    if a.gpu:
        torch.cuda.reset_peak_memory_stats()
    c = config.merge(dict(values))
    if not a.gpu:
        c.graph = c.compile = False
    t = trainer.Trainer(c, lambda s: None, data)
    first = {k: v.item() for k, v in t.advance().items()}
    warm, steps = (14, 20) if a.gpu else (1, 2)
    for _ in range(warm):
        t.advance()
    times = measure(a, t, steps)
    wait(a)
    begin = time.perf_counter()
    for n in range(steps):
        t.prepare(n, data.plan(n, c.length))
    wait(a)
    made = (time.perf_counter() - begin) / steps * 1e3
    if a.gpu and "compiled" not in name:
        profile(a, t, name)
    peak = torch.cuda.max_memory_allocated() / 2 ** 30 if a.gpu else 0.0
    return times, first, peak, made


def profile(a, t, name):
    from torch.profiler import ProfilerActivity
    with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as p:
        for _ in range(3):
            t.advance()
        wait(a)
    path = os.path.join(a.out, f"profile-{name.replace(' ', '-')}.txt")
    with open(path, "w") as f:
        f.write(p.key_averages().table(sort_by="cuda_time_total", row_limit=40,
                                       max_name_column_width=80))


def speed(a, table):
    values, found = settings(a), {}
    c = config.merge(dict(values))
    data = trainer.Data(c, config.check(c), "cuda" if a.gpu else "cpu")
    ways = (*WAYS, ("before, again", WAYS[0][1]))
    for name, more in ways:
        gc.collect()
        try:
            times, first, peak, made = one_way(a, dict(values, **more), data, name)
        except Exception as e:  # one way may fail, the others tell all the same
            traceback.print_exc()
            # what is not asked for anywhere is no failure
            must = a.gpu and name in (WAYS[0][0], WAYS[1][0])
            table.row(f"step: {name}", "FAIL" if must else "SKIP",
                      f"{type(e).__name__}: {e}".split("\n")[0][:60])
            continue
        found[name] = statistics.median(times), first, made
        table.row(f"step: {name}", "PASS" if a.gpu else "SKIP",
                  f"{found[name][0]:.1f} ms", f"{min(times):.1f}-{max(times):.1f} ms, "
                  f"data {made:.1f} ms, {peak:.1f} GiB")
    before, after = (found.get(w[0]) for w in WAYS[:2])
    if before and after:
        table.row("step: before / after", "PASS" if a.gpu else "SKIP",
                  f"{before[0] / after[0]:.2f} x",
                  f"the prototype itself took {PROTOTYPE_MS} ms")
        for task, loss in after[1].items():
            table.judge(f"same loss at step 0, {task}", abs(loss / before[1][task] - 1),
                        0.02, "{:.4f}")
    if found:
        name = min((n for n in found if n != ways[-1][0]), key=lambda n: found[n][0])
        table.judge(f"step: best ({name})", found[name][0], TARGET_MS, "{:.1f} ms",
                    a.gpu and not a.tiny)
        table.judge("data, share of a step", found[name][2] / found[name][0], 0.25,
                    "{:.2f}", a.gpu and not a.tiny)


# ---- learning --------------------------------------------------------------------------

def learn(a, table):
    run = os.path.join(a.out, "run")
    values = settings(a)
    values.update(steps=0, minutes=a.minutes, graph=a.gpu)
    if a.tiny:
        values.update(steps=12, minutes=0.0)
    path = os.path.join(a.out, "learn.yaml")
    with open(path, "w") as f:
        f.write(config.dump(config.merge(values)))
    again = os.path.exists(os.path.join(run, "checkpoint.pt"))
    status = train.main([run, "--resume"] if again else [run, "--config", path])
    table.row("training run", "FAIL" if status else "PASS", run)
    with open(os.path.join(run, "log.csv")) as f:
        rows = [{k: float(v) for k, v in r.items() if v} for r in csv.DictReader(f)]
    rows = [r for r in rows if "loss one-shot" in r]
    at = next((r for r in rows if r["step"] >= STEP), None)
    for key, bar in BARS.items():
        row = at or rows[-1]
        table.judge(f"{key[5:]} loss, mean of 100 to step {row['step']:.0f}", row[key],
                    bar, judged=at is not None and not a.tiny)
    times = [r["ms/step"] for r in rows[1:]] or [rows[0]["ms/step"]]
    table.row("step in the run", "PASS" if a.gpu else "SKIP",
              f"{statistics.median(times):.1f} ms", f"{rows[-1]['step']:.0f} steps")
    made = [n for n in ("model.safetensors", "model.md", "plot.png", "samples")
            if os.path.exists(os.path.join(run, n))]
    table.row("model, card, plot, samples", "PASS" if len(made) == 4 else "FAIL",
              f"{len(made)} of 4")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out")
    p.add_argument("--minutes", type=float, default=10)
    p.add_argument("--part", choices=(*PARTS, "all"), default="all")
    a = p.parse_args()
    a.gpu, a.tiny = torch.cuda.is_available(), os.environ.get("RVOS_TINY") == "1"
    a.data = os.environ.get("RVOS_TRAIN_DATA", os.path.join(ROOT, "train-data"))
    if not os.path.isdir(a.data) and not a.gpu:
        a.tiny = True
    if a.tiny:
        torch.set_num_threads(1)
        a.data = made_up(a.out)
    table = Table(a.out)
    device = torch.cuda.get_device_name() if a.gpu else "CPU"
    table.row("machine", "PASS" if a.gpu else "SKIP", device,
              f"PyTorch {torch.__version__}" + (", tiny" if a.tiny else ""))
    for part in PARTS:
        if a.part not in (part, "all"):
            continue
        with open(os.path.join(a.out, "train.log"), "a") as log:
            try:
                with contextlib.redirect_stderr(log):
                    globals()[part](a, table)
            except Exception as e:
                traceback.print_exc(file=log)
                table.row(part, "FAIL", f"{type(e).__name__}: {e}".split("\n")[0][:70])
    return 1 if table.failed else 0 if a.gpu else 77


if __name__ == "__main__":
    sys.exit(main())
