# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains by the recipe for a better model: three phases, 12 minutes of one large GPU in
total, in calls of a few minutes each.

    python3 data/rvos_train recipe OUT --data PACKS [--init MODEL] [--minutes 8] [--validation SOURCE]

PACKS is a folder with video*.zip, stills*.zip and labelled*.zip, and optionally
backgrounds*.zip and an encoder to start from (*.pt, *.pth). --init starts from a whole
model instead. Call it again with the same OUT until it says that it is done. It continues
at the step where it stopped, with the same result as in one call.

    short      clips of 5 frames; true masks are fed at first, then the network's own
    rollouts   8 frames, all masks its own; seeds with faults; slots must not swap
    long       12 frames, more faults, half of them what the zero-shot decoder found

After each phase the averaged weights are validated, and the best so far are kept as
OUT/best.safetensors. OUT/phase-N.zip has the results to bring back: model, card, log,
plot, settings, sample.
"""
import glob
import json
import math
import os
import sys
import time
import zipfile

from . import config, encoder_init, export, files, train, trainer
from .trainer import TrainError

# Minutes of a budget of 12; the rest is for starting, validation and saving.
PHASES = (
    ("short", 4.5, dict(length=5, batch=16, feed="ramp", ramp=0.4, lr=4e-4,
                        lr_encoder=1.5e-4, warmup=200, imperfect=0.2)),
    ("rollouts", 3.0, dict(length=8, batch=12, feed="own", lr=2e-4, lr_encoder=6e-5,
                           warmup=50, imperfect=0.5, found=0.25, swaps=0.5)),
    ("long", 2.5, dict(length=12, batch=8, feed="own", lr=1e-4, lr_encoder=3e-5,
                       warmup=50, imperfect=0.6, found=0.5, swaps=1.0)),
)
SHARED = dict(objects=5, late_objects=0.5, ema=0.999, clip_norm=1.0, max_stride=4,
              validation_frames=24, log_every=50, check_every=1000)
RESERVE = 35  # seconds at the end of a call, for the current step and for saving
MOST = 55_000_000  # bytes of a phase's zip file
SMALL = ("model.safetensors", "model.md", "log.csv", "plot.png", "config.yaml")


def packs(folder):
    """The settings for the packs of a folder."""
    find = lambda *kinds: [f"pack:{p}" for k in kinds for p in sorted(
        glob.glob(os.path.join(folder, k + "*.zip")))]
    found = dict(video=find("video"), stills=find("stills", "labelled"),
                 backgrounds=find("backgrounds"))
    if not found["video"] or not found["stills"]:
        raise TrainError(f"{folder}: no video*.zip or no stills*.zip")
    encoders = sorted(glob.glob(os.path.join(folder, "*.pt*")))
    return dict(found, weights=encoders[0] if encoders else "")


class Recipe:
    """more: settings for all phases, which override the recipe's. steps: of each phase,
    instead of minutes."""

    def __init__(self, out, data, init="", validation=(), steps=None, more=None, say=print):
        self.out, self.data, self.init, self.say = out, data, init, say
        self.validation, self.steps, self.more = list(validation), steps, more or {}
        os.makedirs(out, exist_ok=True)
        self.state = dict(format="rvosseg-recipe-1", done=[], best=None, start=None)
        if os.path.exists(self.path("recipe.json")):
            self.state = json.loads(files.read_text(self.path("recipe.json"), 1 << 20))

    def path(self, name):
        return os.path.join(self.out, name)

    def folder(self, n):
        return self.path(f"{n + 1}-{PHASES[n][0]}")

    def settings(self, n):
        name, minutes, values = PHASES[n]
        c = dict(SHARED, **values)
        c.update(packs(self.data))
        start = self.init or c["weights"]
        if start:  # later phases start from the one before, but depend on this one, too
            c["start_licence"] = encoder_init.licence_of(start)
        c.update(validation=self.validation, seed=n)
        if n:
            c.update(init=os.path.join(self.folder(n - 1), "checkpoint.pt"), weights="")
        elif self.init:
            c.update(init=self.init, weights="")
        c.update(dict(steps=self.steps[n]) if self.steps else dict(minutes=minutes))
        c.update(self.more)
        return config.merge(c)

    def run_of(self, n):
        """The phase's run, new or resumed."""
        folder = self.folder(n)
        os.makedirs(folder, exist_ok=True)
        c = self.settings(n)
        with files.atomic(os.path.join(folder, "config.yaml")) as f:
            f.write(config.dump(c).encode())
        run = train.Run(folder, trainer.Trainer(c, self.say), self.say)
        old = run.path("checkpoint.pt")
        if os.path.exists(old):
            run.restore(trainer.load(old))
            self.say(f"phase {n + 1} ({PHASES[n][0]}): goes on at step {run.trainer.step}")
        else:
            self.say(f"phase {n + 1} ({PHASES[n][0]}): begins")
        return run

    def go(self, minutes=math.inf, stop_at=None):
        """Train for so many minutes, or until stop_at = (phase from 0, step). Return True
        if all is done."""
        until = time.monotonic() + minutes * 60 - (RESERVE if minutes < math.inf else 0)
        for n in range(len(self.state["done"]), len(PHASES)):
            run = self.run_of(n)
            step = stop_at[1] if stop_at and stop_at[0] == n else None
            if not run.go(step, until):
                self.say(f"phase {n + 1}: stopped at step {run.trainer.step}"
                         + (f" of {run.trainer.total}" if run.trainer.total else ""))
                return False
            self.finish(n, run)
            if n + 1 < len(PHASES) and time.monotonic() > until:
                return False
        return True

    def finish(self, n, run):
        """Keep the phase's results, once, even if the call before ended in between."""
        scores = run.scores
        score = sum(s["J"] for s in scores.values()) / max(1, len(scores))
        first = next((r for r in run.rows if any(k.startswith("J ") for k in r)), None)
        if n == 0 and first:
            self.state["start"] = {k: v for k, v in first.items() if k != "step"}
        best = self.state["best"]
        if not best or score > best["J"] or not scores:
            export.write(run.trainer.best_net(), run.trainer.c, run.facts(),
                         self.path("best.safetensors"))
            self.state["best"] = dict(phase=PHASES[n][0], J=score, scores=scores)
        self.pack(n, run)
        self.state["done"].append(dict(phase=PHASES[n][0], steps=run.trainer.step,
                                       scores=scores))
        with files.atomic(self.path("recipe.json")) as f:
            f.write(json.dumps(self.state, indent=1).encode())
        self.say(f"phase {n + 1} ({PHASES[n][0]}): done, {run.trainer.step} steps"
                 + "".join(f", {t} J {s['J']:.1f} F {s['F']:.1f}"
                           for t, s in scores.items()))

    def pack(self, n, run):
        path = self.path(f"phase-{n + 1}.zip")
        samples = sorted(glob.glob(run.path("samples/*.jpg")))[-1:]
        with files.atomic(path) as f, zipfile.ZipFile(f, "w", zipfile.ZIP_DEFLATED) as z:
            for file in [run.path(name) for name in SMALL] + samples:
                if os.path.exists(file):
                    z.write(file, os.path.basename(file))
        size = os.path.getsize(path)
        if size > MOST:
            self.say(f"{path}: {size / 1e6:.0f} MB, more than {MOST / 1e6:.0f}")

    def summary(self, done, command):
        """The results so far, and what to do next."""
        lines = []
        if self.state["start"]:
            lines.append("start: " + ", ".join(f"{k} {v:.1f}"
                                               for k, v in self.state["start"].items()))
        for row in self.state["done"]:
            lines.append(f"{row['phase']}: {row['steps']} steps" + "".join(
                f", J {t} {s['J']:.1f}" for t, s in row["scores"].items()))
        best = self.state["best"]
        if best:
            lines.append(f"best so far: {best['phase']}, {self.path('best.safetensors')}")
        lines.append("done: read the card of the best model, and bring phase-*.zip" if done else
                     f"next: {command}")
        return lines


@files.refuses("recipe", ValueError, OSError, TrainError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("out")
    p.add_argument("--data", required=True, help="folder of packs")
    p.add_argument("--init", default="", help="model to start from")
    p.add_argument("--validation", nargs="*", default=[], metavar="SOURCE")
    p.add_argument("--minutes", type=float, default=math.inf, help="minutes of this call")
    p.add_argument("--steps", type=int, nargs=len(PHASES), help="steps of each phase")
    p.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE",
                   help="settings of all phases, such as base=effnet-lite0 graph=true")
    a = p.parse_args(argv)
    more = config.load_words(a.set)
    r = Recipe(a.out, a.data, a.init, a.validation, a.steps, more)
    done = r.go(a.minutes)
    words = " ".join(["python3 data/rvos_train recipe", *(sys.argv[1:] if argv is None else argv)])
    print("\n".join(r.summary(done, words)))
    return 0
