#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The parts of gpu_train.sh, which describes them."""
import argparse
import contextlib
import gc
import glob
import json
import os
import re
import shutil
import statistics
import sys
import time
import traceback
from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "data"), os.path.join(ROOT, "tests", "data")]
import torch

from rvos_train import cells, config, prepare, recipe
import shapes
from rvos_train import train, trainer

PARTS = ("numbers", "speed", "learn", "compiled")  # "all"; recipe is not one of them
TARGET_MS, PROTOTYPE_MS = 80, 154  # of a step; the latter as measured on one H100
BARS = {"loss one-shot": 0.30, "loss zero-shot": 0.80}
STEPS, JUDGED = 9700, 3000  # steps of the schedule; the step whose losses are checked
TINY = dict(hidden=8, base_width=8, size="64x48", batch=2, length=2, objects=2, warmup=2,
            cut_outs=2, log_every=4, steps=40, check_every=5)
TINY_JUDGED = 12
# (name, settings): the second is compared with the first
WAYS = (("plain cells, graphs", dict(cells="torch", graph=True)),
        ("fused cells, graphs", dict(cells="auto", graph=True)),
        ("fused cells, no graphs", dict(cells="auto", graph=False)))
AGAIN = ("plain cells, again", WAYS[0][1])  # has the machine become slower meanwhile?
COMPILED = (("fused, graphs, compiled encoder", dict(cells="auto", graph=True,
                                                     compile=True)),
            ("compiled cells, graphs", dict(cells="compile", graph=True)))
SMALL = ("log.csv", "config.yaml", "plot.png", "model.md")  # results to bring back


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


def made_up(work):
    """Make a few small packs, so that the test needs no data."""
    folder = os.path.join(work, "made-up")
    shapes.videos(os.path.join(folder, "v"), 2, 8, 48, 64)
    shapes.stills(os.path.join(folder, "s"), 4, 48, 64)
    for name, kind in (("v", "video"), ("s", "stills"), ("s", "backgrounds")):
        prepare.prepare([f"folder:{folder}/{name}"], f"{folder}/{kind}.zip", (64, 48),
                        say=lambda s: None)
    return folder


def settings(a):
    """The prototype's settings, with the packs that were found."""
    find = lambda kind: sorted(f"pack:{p}" for p in glob.glob(
        os.path.join(a.data, kind + "*.zip")))
    values = dict(config.PRESETS["prototype"], video=find("video"), stills=find("stills"),
                  backgrounds=find("backgrounds") + find("video"), steps=STEPS,
                  check_every=500)
    if not values["video"] or not values["stills"]:
        raise ValueError(f"{a.data}: no video*.zip or no stills*.zip")
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
    # TF32 has ten bits, too few for the bar of float32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
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
    """Milliseconds of a step in each of several blocks, by the host's clock."""
    out = []
    for _ in range(blocks):
        wait(a)
        begin = time.perf_counter()
        for _ in range(steps):
            t.advance()
        wait(a)
        out.append((time.perf_counter() - begin) / steps * 1e3)
    return out


def make_trainer(a, values, data):
    c = config.merge(dict(values))
    if not a.gpu:
        c.graph = c.compile = False
    return trainer.Trainer(c, lambda s: None, data)


def one_way(a, values, data):
    """(ms a step, losses of the first step, GiB, ms of data)"""
    if a.gpu:
        torch.cuda.reset_peak_memory_stats()
    t = make_trainer(a, values, data)
    first = {k: v.item() for k, v in t.advance().items()}
    warm, steps = (14, 20) if a.gpu else (1, 1)
    for _ in range(warm):
        t.advance()
    times = measure(a, t, steps)
    wait(a)
    begin = time.perf_counter()
    for n in range(steps):
        t.prepare(n, data.plan(n, t.c.length))
    wait(a)
    made = (time.perf_counter() - begin) / steps * 1e3
    peak = torch.cuda.max_memory_allocated() / 2 ** 30 if a.gpu else 0.0
    return times, first, peak, made


def time_ways(a, values, data, ways, table):
    """A row for each way; {name: (ms a step, losses of the first step, ms of data)}"""
    found = {}
    for name, more in ways:
        gc.collect()
        try:
            times, first, peak, made = one_way(a, dict(values, **more), data)
        except Exception as e:  # one way may fail; the others still count
            traceback.print_exc()
            # an optional way that fails is not a failure
            must = a.gpu and name in (WAYS[0][0], WAYS[1][0])
            table.row(f"step: {name}", "FAIL" if must else "SKIP", brief(e))
            continue
        found[name] = statistics.median(times), first, made
        table.row(f"step: {name}", "PASS" if a.gpu else "SKIP",
                  f"{found[name][0]:.1f} ms", f"{min(times):.1f}-{max(times):.1f} ms, "
                  f"data {made:.1f} ms, {peak:.1f} GiB")
    return found


def brief(e):
    return f"{type(e).__name__}: {e}".split("\n")[0][:70]


def made_to_wait(a, t):
    """The line at which a step makes the host wait for the device, or ""."""
    if a.gpu:
        torch.cuda.set_sync_debug_mode("error")
    try:
        t.advance()
    except RuntimeError as e:
        traceback.print_exc()
        frames = [f for f in traceback.extract_tb(e.__traceback__)
                  if f.filename.startswith(ROOT)]
        return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno} {brief(e)}"
    finally:
        if a.gpu:
            torch.cuda.set_sync_debug_mode("default")
    return ""


def profile(a, t, name):
    """List kernels by their time. If convolutions to one channel (conv_out, in bf16 with
    channels innermost) are near the top, write a kernel for them next."""
    from torch.profiler import ProfilerActivity
    kind = "cuda" if a.gpu else "cpu"
    with torch.profiler.profile(activities=[getattr(ProfilerActivity,
                                                    kind.upper())]) as p:
        for _ in range(3 if a.gpu else 1):
            t.advance()
        wait(a)
    path = os.path.join(a.out, f"profile-{re.sub('[^a-z]+', '-', name)}.txt")
    Path(path).write_text(p.key_averages().table(sort_by=f"{kind}_time_total", row_limit=40,
                                                 max_name_column_width=80))


def look_inside(a, values, data, table):
    """Profile steps. This is slow, so it comes after the timed steps."""
    for name, more in (WAYS[1], WAYS[0]):
        gc.collect()
        try:
            t = make_trainer(a, dict(values, **more), data)
            for _ in range(4 if a.gpu else 1):  # the first ones capture graphs and initialise
                t.advance()
            where = made_to_wait(a, t)
            verdict = "FAIL" if where and name == WAYS[1][0] else "PASS"
            table.row(f"no waits: {name}", verdict if a.gpu else "SKIP", where)
            profile(a, t, name)
        except Exception as e:  # the machine may forbid profiling
            traceback.print_exc()
            table.row(f"watched steps: {name}", "SKIP", brief(e))
        t = None


def data_of(a, values):
    c = config.merge(dict(values))
    return trainer.Data(c, config.check(c), "cuda" if a.gpu else "cpu")


def speed(a, table):
    values = settings(a)
    data = data_of(a, values)
    found = time_ways(a, values, data, (*WAYS, AGAIN), table)
    plain, fused = (found.get(w[0]) for w in WAYS[:2])
    if plain and fused:
        table.row("step: plain / fused", "PASS" if a.gpu else "SKIP",
                  f"{plain[0] / fused[0]:.2f} x",
                  f"the prototype itself took {PROTOTYPE_MS} ms")
        for task, loss in fused[1].items():
            table.judge(f"same loss at step 0, {task}", abs(loss / plain[1][task] - 1),
                        0.02, "{:.4f}")
    found.pop(AGAIN[0], None)
    if found:
        name = min(found, key=lambda n: found[n][0])
        table.judge(f"step: best ({name})", found[name][0], TARGET_MS, "{:.1f} ms",
                    a.gpu and not a.tiny)
        table.judge("data, share of a step", found[name][2] / found[name][0], 0.25,
                    "{:.2f}", a.gpu and not a.tiny)
    look_inside(a, values, data, table)


def compiled(a, table):
    values = settings(a)
    time_ways(a, values, data_of(a, values), COMPILED, table)


# ---- learning --------------------------------------------------------------------------

def say(text):
    """Print, and write into train.log."""
    for f in (sys.stdout, sys.stderr):
        print(text, file=f, flush=True)


def new_or_resumed(a):
    """Make or resume a Run. Settings are made anew, because the data may have moved."""
    c = config.merge(dict(settings(a), graph=a.gpu))
    folder = os.path.join(a.work, "run")
    os.makedirs(folder, exist_ok=True)
    Path(folder, "config.yaml").write_text(config.dump(c))
    run = train.Run(folder, trainer.Trainer(c, say), say)
    if os.path.exists(run.path("checkpoint.pt")):
        run.restore(trainer.load(run.path("checkpoint.pt")))
        say(f"goes on at step {run.trainer.step}")
    return run


def bring(a, run):
    """Copy the small results out of the run's folder."""
    for path in [run.path(n) for n in SMALL] + sorted(
            glob.glob(run.path("samples/*.jpg")))[-1:]:
        if os.path.exists(path):
            shutil.copy(path, a.out)


def learn(a, table):
    judged, until = TINY_JUDGED if a.tiny else JUDGED, time.monotonic() + a.minutes * 60
    last = judged + 1
    run = new_or_resumed(a)
    run.go(last, until)
    if run.trainer.step < last:
        bring(a, run)
        return table.row("training run", "SKIP", f"step {run.trainer.step} of {last}",
                         "call again to go on")
    run.check(final=True)
    bring(a, run)
    table.row("training run", "PASS", f"{run.trainer.step} steps")
    rows = [r for r in run.rows if "loss one-shot" in r]
    at = next(r for r in rows if r["step"] == judged)
    for key, bar in BARS.items():
        table.judge(f"{key[5:]} loss, mean of 100 to step {judged}", at[key], bar,
                    judged=not a.tiny)
    times = [r["ms/step"] for r in rows[1:]] or [rows[0]["ms/step"]]
    table.row("step in the run", "PASS" if a.gpu else "SKIP",
              f"{statistics.median(times):.1f} ms")
    made = [n for n in ("model.safetensors", "model.md", "plot.png", "samples")
            if os.path.exists(run.path(n))]
    table.row("model, card, plot, samples", "PASS" if len(made) == 4 else "FAIL",
              f"{len(made)} of 4")


# ---- the recipe ------------------------------------------------------------------------

def validation():
    """Sources: RVOS_TRAIN_VALIDATION, else the development videos, if they are there."""
    given = os.environ.get("RVOS_TRAIN_VALIDATION")
    if given is not None:
        return given.split()
    near = os.path.join(os.path.dirname(ROOT), "shared", "dev-video")
    return ["davis2016:" + near] if os.path.isdir(near) else []


def train_by_recipe(a, table):
    """Train for one call; report the results and the command that continues."""
    more = dict(graph=a.gpu)
    if os.environ.get("RVOS_TRAIN_BASE"):
        more["base"] = os.environ["RVOS_TRAIN_BASE"]
    if a.tiny:
        more.update({k: v for k, v in TINY.items() if k != "steps"}, validation_frames=3)
    made = recipe.Recipe(os.path.join(a.work, "recipe"), a.data,
                         os.environ.get("RVOS_TRAIN_INIT", ""), validation(),
                         (4, 3, 3) if a.tiny else None, more, say)
    done = made.go(a.minutes)
    for name in (*(f"best.{end}" for end in ("safetensors", "md")), "recipe.json", *(
            f"phase-{n + 1}.zip" for n in range(len(recipe.PHASES)))):
        if os.path.exists(made.path(name)):
            shutil.copy(made.path(name), a.out)
    for row in made.state["done"]:
        scores = "".join(f" {t} J {s['J']:.1f}" for t, s in row["scores"].items())
        table.row(f"recipe: {row['phase']}", "PASS", f"{row['steps']} steps", scores.strip())
    for line in made.summary(done, f"tests/gpu_train.sh {a.out} {a.minutes:g} recipe"):
        print(line, flush=True)
    table.row("recipe", "PASS" if done else "SKIP", "" if done else "call again to go on")


# ---- all -------------------------------------------------------------------------------

def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("out")
    p.add_argument("--minutes", type=float, default=8)
    p.add_argument("--part", choices=(*PARTS, "recipe", "all"), default="all")
    a = p.parse_args()
    a.gpu, a.tiny = torch.cuda.is_available(), os.environ.get("RVOS_TINY") == "1"
    a.work = os.environ.get("RVOS_TRAIN_WORK", os.path.join(a.out, "work"))
    given = os.environ.get("RVOS_TRAIN_DATA")
    a.data = given or os.path.join(ROOT, "train-data")
    if not os.path.isdir(a.data) and not a.gpu:
        a.tiny = True
    if a.tiny:
        torch.set_num_threads(1)
        if not given or not os.path.isdir(given):
            a.data = made_up(a.work)
    return a


def tail(path, lines=25):
    with open(path, errors="replace") as f:
        print("".join(f.readlines()[-lines:]), end="", flush=True)


def main():
    a = arguments()
    table = Table(a.out)
    device = torch.cuda.get_device_name() if a.gpu else "CPU"
    table.row("machine", "PASS" if a.gpu else "SKIP", device,
              f"PyTorch {torch.__version__}" + (", tiny" if a.tiny else ""))
    path = os.path.join(a.out, "train.log")
    parts = {name: globals()[name] for name in PARTS}
    if a.part != "all":
        parts = {a.part: parts.get(a.part, train_by_recipe)}
    for part, work in parts.items():
        failed, table.failed = table.failed, False
        with open(path, "a") as log:
            try:
                with contextlib.redirect_stderr(log):
                    work(a, table)
            except Exception as e:
                traceback.print_exc(file=log)
                table.row(part, "FAIL", brief(e))
        if table.failed:
            tail(path)
        table.failed |= failed
    return 1 if table.failed else 0 if a.gpu else 77


if __name__ == "__main__":
    sys.exit(main())
