# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains RVOS: one encoder with a zero-shot decoder, a one-shot decoder, or both.

    python3 data/rvos_train train RUN --video SOURCE... --stills SOURCE... --minutes 25 [--validation SOURCE]
    python3 data/rvos_train train RUN --preset paper --stage 1 --video davis2017:ROOT --epochs 20
    python3 data/rvos_train train RUN --resume

RUN is a new folder: config.yaml, log.csv, plot.png, samples/, checkpoint.pt, and at the
end model.safetensors with its card model.md. You may interrupt a run (Ctrl-C); --resume
continues it with the same result. SOURCE is KIND:PATH, see datasets.py. docs/training.md
describes the training.
"""
import datetime
import json
import math
import os
import platform
import signal
import time

import torch
import yaml

from . import config, datasets, evaluate, export, files, report
from .files import atomic
from .trainer import Trainer, TrainError, load, save

MEASURE = (20, 60)  # steps whose duration sets the length of a schedule given in minutes


class Stop:
    """Ctrl-C or SIGTERM ends the run after the current step; a second one at once."""

    def __init__(self):
        self.asked = False
        self.old = {s: signal.signal(s, self.ask)
                    for s in (signal.SIGINT, signal.SIGTERM)}

    def ask(self, number, _):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def restore(self):
        for s, handler in self.old.items():
            signal.signal(s, handler)


def device_name(trainer):
    if trainer.device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


class Run:
    def __init__(self, folder, trainer, say=print):
        self.folder, self.trainer, self.say = folder, trainer, say
        self.rows, self.scores, self.sums, self.count = [], {}, {}, 0
        self.best, self.validation = -1.0, []
        self.took = 0.0  # seconds of the last validation
        for source in trainer.c.validation:
            sequences, kind, licence = datasets.read_source(source)
            evaluate.check(sequences, trainer.c.validation_frames or None)
            self.validation += sequences
            trainer.data.sources.append(dict(
                name=f"{kind}:{os.path.basename(source.split(':')[1].rstrip('/'))}",
                use="validation", licence=licence, sequences=len(sequences),
                frames=sum(len(s.frames) for s in sequences)))
        self.mark = self.begin = time.monotonic()
        self.images = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    # ---- the loop ----------------------------------------------------------------------

    def go(self, stop_at=None, until=math.inf):
        """Train to the end of the schedule, to step stop_at, or until a time of
        time.monotonic(). Return True if the schedule is done."""
        t = self.trainer
        self.start, self.spent = time.monotonic(), t.elapsed
        stop, plan = Stop(), None
        try:
            if not t.step and self.validation:
                self.validate()  # the score at the start, and the time of a validation
            while not t.total or t.step < t.total:
                if stop.asked or t.step == stop_at or time.monotonic() > until:
                    self.checkpoint()
                    return False
                plan = plan or t.data.plan(t.step, t.length(t.step))
                at, length = t.step, t.length(t.step)
                losses = t.advance(plan)
                # the next clips are decoded while the device still computes this step
                plan = None if t.total and t.step >= t.total else t.data.plan(
                    t.step, t.length(t.step))
                self.note(at, losses, length)
                self.measure()
                if t.step % t.c.check_every == 0 and t.step != t.total:
                    self.check()
            if self.count:  # the last steps are not logged yet
                self.log(t.step - 1)
            self.check(final=True)
            return True
        finally:
            stop.restore()

    def note(self, step, losses, length):
        """Sum losses on the device, because reading one each step would stall it."""
        t = self.trainer
        for k, v in losses.items():
            self.sums[k] = self.sums.get(k, 0.0) + v
        self.count += 1
        self.images += t.c.batch * length
        t.elapsed = self.spent + time.monotonic() - self.start
        if t.step % t.c.log_every == 0:
            self.log(step)

    def log(self, step):
        """Write a line of the log: means since the last line."""
        t = self.trainer
        row = {"step": t.step}
        row.update({f"loss {k}": float(v) / self.count for k, v in self.sums.items()})
        now = time.monotonic()  # now the device has caught up
        if not all(v == v and abs(v) < 1e9 for v in row.values()):
            raise TrainError(f"the loss is not finite at step {t.step}: lower --lr, or "
                             "look at the data; the last checkpoint is kept")
        speed = now - self.mark
        row.update({"lr": t.c.lr * t.rate(step), "ms/step": speed / self.count * 1e3,
                    "images/s": self.images / max(speed, 1e-9)})
        self.rows.append(row)
        self.sums, self.count, self.images, self.mark = {}, 0, 0, now
        report.write_csv(self.path("log.csv"), self.rows)
        self.progress(row)

    def progress(self, row):
        t = self.trainer
        words = [f"step {t.step}" + (f"/{t.total}" if t.total else "")]
        words += [f"{k[5:]} {v:.4f}" for k, v in row.items() if k.startswith("loss ")]
        words += [f"J {k} {s['J']:.1f}" for k, s in self.scores.items()]
        words += [f"{row['images/s']:.0f} images/s"]
        if t.total:
            left = (t.total - t.step) * t.elapsed / max(1, t.step)
            words += [f"{datetime.timedelta(seconds=round(left))} left"]
        self.say("  ".join(words))

    def measure(self):
        """For --minutes, fix the number of steps, once. From then on the run repeats
        exactly."""
        t = self.trainer
        if not t.c.minutes or t.total:
            return
        if t.step in MEASURE and t.device.startswith("cuda"):
            torch.cuda.synchronize()
        now = time.monotonic()
        if t.step == MEASURE[0]:
            self.tick = now
        used = t.elapsed
        if t.step >= MEASURE[1] and hasattr(self, "tick"):
            each = (now - self.tick) / (t.step - MEASURE[0])
            # one validation each check_every steps, and one at the end
            left = t.c.minutes * 60 - used - self.took
            t.total = t.step + max(0, int(left / (each + self.took / t.c.check_every)))
            self.say(f"{each * 1e3:.0f} ms a step: {t.total} steps in {t.c.minutes:g} "
                     "minutes")
        elif used > t.c.minutes * 60:
            t.total = t.step

    # ---- now and then ------------------------------------------------------------------

    def validate(self):
        t, begin = self.trainer, time.monotonic()
        self.scores = evaluate.evaluate(
            t.best_net(), self.validation, t.c.tasks, t.size, max(10, t.c.objects),
            t.c.validation_frames or None)
        row = {"step": t.step}
        for task, s in self.scores.items():
            row.update({f"J {task}": s["J"], f"F {task}": s["F"]})
            self.say(f"step {t.step}  validation {task}: J {s['J']:.1f} F {s['F']:.1f}")
        self.rows.append(row)
        report.write_csv(self.path("log.csv"), self.rows)
        self.took = time.monotonic() - begin
        self.mark = time.monotonic()

    def check(self, final=False):
        """Validate, and write a sample and a checkpoint; at the end also the model."""
        t = self.trainer
        if self.validation:
            self.validate()
        os.makedirs(self.path("samples"), exist_ok=True)
        # a clip that no step trains on
        plan = t.data.plan(0 if t.data.epochs else -1, t.c.length)
        report.write_sample(self.path(f"samples/{t.step:06d}.jpg"), t, plan, -1)
        report.write_plot(self.path("plot.png"), self.rows)
        mean = sum(s["J"] for s in self.scores.values()) / max(1, len(self.scores))
        if self.scores and mean > self.best:
            self.best = mean
            export.write(t.best_net(), t.c, self.facts(), self.path("best.safetensors"))
        if final:
            export.write(t.best_net(), t.c, self.facts(), self.path("model.safetensors"))
        self.checkpoint()  # last, so that a resumed run knows the best model
        self.mark = time.monotonic()

    def facts(self):
        t = self.trainer
        losses = next((r for r in reversed(self.rows)
                       if any(k.startswith("loss") for k in r)), {})
        return dict(sources=t.data.sources, start_licence=t.start_licence,
                    scores=self.scores, step=t.step, total=t.total, elapsed=t.elapsed,
                    commit=export.commit(), device=device_name(t),
                    date=datetime.date.today().isoformat(),
                    losses={k[5:]: v for k, v in losses.items() if k.startswith("loss ")})

    def checkpoint(self):
        state = self.trainer.state()
        state["meta"].update(rows=self.rows, scores=self.scores, best=self.best,
                             count=self.count, took=self.took)
        state["sums"] = {k: torch.as_tensor(v) for k, v in self.sums.items()}
        save(self.path("checkpoint.pt"), state)
        with atomic(self.path("facts.json")) as f:
            f.write(json.dumps(self.facts(), indent=1).encode())

    def restore(self, state):
        self.trainer.restore(state)
        meta = state["meta"]
        self.rows, self.scores = meta["rows"], meta["scores"]
        self.best, self.count = meta["best"], meta["count"]
        self.took = meta["took"]
        self.sums = {k: v.to(self.trainer.device) for k, v in state["sums"].items()}


RESULTS = ("", "samples", "config.yaml", "log.csv", "plot.png", "checkpoint.pt",
           "facts.json", *(f"{name}.{end}" for name in ("best", "model")
                           for end in ("safetensors", "md")))


def check_places(folder, c, *more):
    """A run must not overwrite its own inputs."""
    guard = files.Guard(c.init, c.weights, *more)
    for source in c.video + c.stills + c.backgrounds + c.validation:
        found = datasets.paths(datasets.read_source(source)[0])
        guard.read(*datasets.roots(source), *found, *{os.path.dirname(p) for p in found})
    for name in RESULTS:
        guard.write(os.path.join(folder, name), TrainError)


def start(a, say=print):
    """Make a Run from a parsed command line."""
    old = os.path.join(a.out, "checkpoint.pt")
    if a.resume:
        state = load(old)
        c = config.merge(yaml.safe_load(state["meta"]["config"]))
        if a.device:
            c.device = a.device
        run = Run(a.out, Trainer(c, say), say)
        run.restore(state)
        say(f"{a.out}: goes on at step {run.trainer.step} of {run.trainer.total or '?'}")
        return run
    if os.path.exists(old):
        raise TrainError(f"{a.out}: holds a run: --resume goes on with it")
    c = config.from_args(a)
    config.check(c)
    check_places(a.out, c, a.config)
    os.makedirs(a.out, exist_ok=True)
    run = Run(a.out, Trainer(c, say), say)
    with atomic(os.path.join(a.out, "config.yaml")) as f:
        f.write(config.dump(c).encode())
    count = sum(p.numel() for p in run.trainer.net.parameters())
    say(f"{c.base}, hidden {c.hidden}, {count / 1e6:.1f} M parameters, on "
        f"{device_name(run.trainer)}; "
        + "; ".join(f"{s['name']} {s['frames']} frames"
                    for s in run.trainer.data.sources))
    return run


@files.refuses("train", ValueError, OSError, TrainError)
def main(argv=None):
    p = config.parser(__doc__)
    p.add_argument("--resume", action="store_true",
                   help="go on with the run in this folder")
    a = p.parse_args(argv)
    run = start(a)
    done = run.go()
    if not done:
        print(f"stopped at step {run.trainer.step}; go on with: python3 data/rvos_train train {a.out} "
              "--resume")
        return 0
    print(f"{run.path('model.safetensors')}: done, {run.trainer.step} steps")
    return 0
