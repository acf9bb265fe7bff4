#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs tests/gpu_train.sh with a tiny network, in one call and in several."""
import contextlib
import io
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")

import gpu_train
from rvos_train import prepare
import shapes

STEP = 12  # the one that is judged, with a tiny network
LOSS = f"one-shot loss, mean of 100 to step {STEP}"


def by_script(out, arguments, env):
    done = subprocess.run([os.path.join(common.ROOT, "tests", "gpu_train.sh"), out, *arguments],
                          env=dict(os.environ, PYTHON=sys.executable, **env),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def here(out, arguments, env):
    """In this process: PyTorch starts longer than a part with a tiny network takes."""
    os.makedirs(out, exist_ok=True)
    minutes, part = arguments
    said = io.StringIO()
    with mock.patch.dict(os.environ, env), contextlib.redirect_stdout(said), \
            mock.patch("sys.argv", ["gpu_train.py", out, "--minutes", minutes, "--part", part]):
        status = gpu_train.main()
    return status, said.getvalue()


def call(how, out, *arguments, **env):
    """(status, what it prints, {name: row} of this call)"""
    path = os.path.join(out, "rows.jsonl")
    before = os.path.getsize(path) if os.path.exists(path) else 0
    status, text = how(out, arguments, dict(env, RVOS_TINY="1"))
    with open(path) as f:
        f.seek(before)
        rows = {r["name"]: r for r in map(json.loads, f)}
    return status, text, rows


class Script(unittest.TestCase):
    def passed(self, rows, names, text):
        for name in names:
            self.assertEqual(rows[name]["verdict"], "PASS", text)

    def test_all(self):
        """With synthetic data."""
        out = shapes.fresh("out")
        status, text, rows = call(by_script, out)
        self.assertIn(status, (0, 77), text)
        for name in ("step: plain cells, graphs", "step: fused cells, graphs",
                     "step: plain cells, again", "step: plain / fused",
                     "no waits: fused cells, graphs", "step: compiled cells, graphs"):
            self.assertIn(name, rows)
        self.passed(rows, ("training run", "model, card, plot, samples",
                           "same loss at step 0, zero-shot",
                           "same loss at step 0, one-shot"), text)
        self.assertEqual(rows[LOSS]["verdict"], "SKIP")  # a tiny network cannot be judged
        for name in ("fused-cells-graphs", "plain-cells-graphs"):
            self.assertIn("conv", Path(out, f"profile-{name}.txt").read_text())

    def test_learning_in_two_calls(self):
        """With existing packs, one file each; large files stay out of OUT."""
        out, data, work = (shapes.fresh(n) for n in ("small", "packs", "large"))
        os.mkdir(data)
        for source, name in zip(shapes.folders(), ("video", "stills")):
            prepare.prepare([source], f"{data}/{name}.zip", (64, 48), say=lambda s: None)
        env = dict(RVOS_TRAIN_DATA=data, RVOS_TRAIN_WORK=work)
        status, text, rows = call(by_script, out, "0", "learn", **env)
        self.assertIn(status, (0, 77), text)
        self.assertEqual((rows["training run"]["verdict"], rows["training run"]["value"]),
                         ("SKIP", f"step 0 of {STEP + 1}"))
        # the packs may have moved meanwhile
        os.rename(data, data + "-moved")
        env["RVOS_TRAIN_DATA"] = data + "-moved"
        status, text, rows = call(here, out, "1", "learn", **env)
        self.assertIn(status, (0, 77), text)
        self.assertIn("goes on at step 0", text)
        self.passed(rows, ("training run", "model, card, plot, samples"), text)
        # another call only checks the bars
        again = call(here, out, "1", "learn", **env)[2]
        self.assertEqual(again[LOSS]["value"], rows[LOSS]["value"])
        self.assertTrue(os.path.exists(f"{work}/run/checkpoint.pt"))
        self.assertEqual(set(os.listdir(out)), {
            "table.txt", "rows.jsonl", "train.log", "log.csv", "config.yaml", "plot.png",
            "model.md", f"{STEP + 1:06d}.jpg"})

    def test_recipe(self):
        """Each call says what to run next; each phase's result is in OUT."""
        out, env = shapes.fresh("recipe"), dict(RVOS_TRAIN_VALIDATION=shapes.folders()[0])
        status, text, rows = call(by_script, out, "0", "recipe", **env)
        self.assertIn(status, (0, 77), text)
        self.assertIn(f"next: tests/gpu_train.sh {out} 0 recipe", text)
        self.assertEqual(rows["recipe"]["verdict"], "SKIP")
        status, text, rows = call(here, out, "9", "recipe", **env)
        self.assertIn("done: ", text)
        self.passed(rows, ("recipe", "recipe: short", "recipe: rollouts", "recipe: long"),
                    text)
        self.assertLessEqual({*(f"best.{end}" for end in ("safetensors", "md")), "recipe.json",
                              *(f"phase-{n}.zip" for n in (1, 2, 3))}, set(os.listdir(out)))

    def test_failure(self):
        """The table has the error, and the log the details."""
        empty = shapes.fresh("empty")
        os.mkdir(empty)
        status, text, rows = call(here, shapes.fresh("failed"), "1", "learn",
                                  RVOS_TRAIN_DATA=empty)
        self.assertEqual((status, rows["learn"]["verdict"]), (1, "FAIL"))
        self.assertIn("no video*.zip", rows["learn"]["value"])
        self.assertIn("Traceback", text)


if __name__ == "__main__":
    common.main()
