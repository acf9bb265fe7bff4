#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the recipe's phases, which give the same result when interrupted and resumed, their
output files, losses and seeds."""
import json
import os
import unittest
import zipfile

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")
import numpy as np
import torch

from rvos_train import clips, imperfect, losses, prepare, recipe, safetensors_io
import shapes
from rvos_train import trainer
from shapes import fresh

torch.set_num_threads(1)  # teams of threads crawl on a busy machine
TINY = dict(hidden=8, base_width=8, size="64x36", batch=2, objects=3, warmup=2, cut_outs=2,
            length=3, log_every=3, check_every=4, validation_frames=4)
STEPS = (4, 3, 4)


def data():
    """A folder of packs."""
    folder = common.scratch("packs")
    if not os.path.isdir(folder):
        os.mkdir(folder)
        for source, name in zip(shapes.folders(), ("video", "stills")):
            prepare.prepare([source], f"{folder}/{name}-1.zip", (64, 36),
                            say=lambda s: None)
    return folder


def make(out, **more):
    return recipe.Recipe(out, data(), validation=[shapes.folders()[0]], steps=STEPS,
                         more=dict(TINY, **more), say=lambda s: None)


def weights(folder):
    return trainer.load(os.path.join(folder, "checkpoint.pt"))


class Phases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.whole = make(fresh("whole"))
        cls.done = cls.whole.go()

    def test_resume(self):
        """Interrupted in the first and in the last phase, the recipe gives the same weights,
        bit for bit, in the runs' checkpoints and in the best model."""
        self.assertTrue(self.done)
        out = fresh("parts")
        for stop in ((0, 2), (2, 3)):
            part = make(out)
            self.assertFalse(part.go(stop_at=stop))
            self.assertEqual(len(part.state["done"]), stop[0])
            self.assertEqual(weights(part.folder(stop[0]))["meta"]["step"], stop[1])
        last = make(out)
        self.assertTrue(last.go())
        for n in range(3):
            a, b = (weights(r.folder(n)) for r in (self.whole, last))
            for kind in ("net", "ema"):
                for k in a[kind]:
                    self.assertTrue(torch.equal(a[kind][k], b[kind][k]), (n, kind, k))
            self.assertEqual(a["meta"]["scores"], b["meta"]["scores"])
        one, two = (safetensors_io.read(r.path("best.safetensors"))[0]
                    for r in (self.whole, last))
        for k in one:
            self.assertTrue(np.array_equal(one[k], two[k]), k)
        self.assertEqual(self.whole.state, last.state)

    def test_results(self):
        """Each phase starts from the one before; its pack has a model, a card and the
        rest; the best is kept; a call after the last one only says so."""
        out = self.whole.out
        first, second = (make(out).settings(n) for n in (0, 1))
        self.assertEqual(second.init, os.path.join(make(out).folder(0), "checkpoint.pt"))
        self.assertEqual((first.feed, second.feed), ("ramp", "own"))
        for n in range(3):
            with zipfile.ZipFile(os.path.join(out, f"phase-{n + 1}.zip")) as z:
                names = z.namelist()
            for name in recipe.SMALL:
                self.assertIn(name, names)
            self.assertEqual(sum(n.endswith(".jpg") for n in names), 1)
        with open(os.path.join(out, "recipe.json")) as f:
            state = json.load(f)
        self.assertEqual([r["phase"] for r in state["done"]], ["short", "rollouts", "long"])
        self.assertEqual([r["steps"] for r in state["done"]], list(STEPS))
        mean = lambda s: sum(v["J"] for v in s.values()) / 2
        self.assertAlmostEqual(state["best"]["J"],
                               max(mean(r["scores"]) for r in state["done"]))
        self.assertEqual(set(state["start"]), {"J zero-shot", "F zero-shot", "J one-shot",
                                               "F one-shot"})
        meta = safetensors_io.read(os.path.join(out, "best.safetensors"))[1]
        self.assertIn("[", meta["rvos.provenance"])  # the licence of each source
        again = make(out)
        self.assertTrue(again.go())
        self.assertIn("done", again.summary(True, "x")[-1])

    def test_command(self):
        """It says what to run next, and refuses bad arguments."""
        out = fresh("command")
        args = [out, "--data", data(), "--steps", "2", "2", "2", "--minutes", "0", "--set",
                *(f"{k}={v}" for k, v in TINY.items())]
        status, text, _ = common.captured(recipe.main, *args)
        self.assertEqual(status, 0)
        self.assertIn("next: python3 data/rvos_train recipe " + out, text)
        for args, words in (([out, "--data", common.scratch()], "no video*.zip"),
                            ([out, "--data", data(), "--set", "nose=1"], "nose"),
                            ([out, "--data", data(), "--set", "nose"], "NAME=VALUE")):
            status, _, err = common.captured(recipe.main, *args)
            self.assertEqual(status, 1)
            self.assertIn(words, err)


class Losses(unittest.TestCase):
    def test_swaps(self):
        """Two slots on their own objects cost almost nothing; if they swap in half of the
        frames, they cost a half; slots without an object do not count."""
        targets = torch.zeros(1, 4, 3, 8, 8)
        targets[:, :, 0, :4, :4] = 1
        targets[:, :, 1, 4:, 4:] = 1
        valid = torch.tensor([[True, True, False]])
        right = (targets * 2 - 1) * 20
        right[:, :, 2] = 20  # the empty slot covers everything, which another loss punishes
        self.assertLess(losses.swap_loss(right, targets, valid).item(), 1e-6)
        swapped = right.clone()
        swapped[:, 2:, :2] = right[:, 2:, :2].flip(2)
        self.assertAlmostEqual(losses.swap_loss(swapped, targets, valid).item(),
                               0.5 * 16 / 17, places=5)
        exhaustive = torch.ones(1)
        for loss in (lambda x, s: losses.zero_shot_loss(x, targets, valid, exhaustive, s),
                     lambda x, s: losses.one_shot_loss(
                         x, targets, valid.float()[:, None].expand(1, 4, 3), s)):
            self.assertGreater((loss(swapped, 1.0) - loss(swapped, 0.0)).item(), 0.3)
            self.assertLess((loss(right, 1.0) - loss(right, 0.0)).item(), 1e-5)


class Seeds(unittest.TestCase):
    def setUp(self):
        self.m = torch.zeros(6, 2, 72, 128)
        self.m[:, 0, 20:50, 30:60] = 1
        self.m[:, 1, 40:70, 70:120] = 1

    def iou(self, a, b):
        a, b = a > 0.5, b > 0.5
        return ((a & b).sum((-1, -2)) / (a | b).sum((-1, -2))).flatten()

    def test_faults(self):
        """Each fault changes the masks, but not most of their pixels; a seed repeats it."""
        draw = lambda: clips.Draw("cpu", 1, "seeds")
        for fault in (imperfect.shifted, imperfect.cut, imperfect.resized,
                      lambda m, d: imperfect.coarse(m)):
            got = self.iou(fault(self.m, draw()), self.m)
            self.assertGreater(got.min().item(), 0.4)
            self.assertLess(got.mean().item(), 0.99)
            self.assertTrue(torch.equal(fault(self.m, draw()), fault(self.m, draw())))
        tiny = torch.zeros(1, 1, 72, 128)
        tiny[0, 0, 5, 5] = 1
        for n in range(8):
            out = imperfect.degraded(tiny, clips.Draw("cpu", n, "seeds"))
            self.assertGreater(out.sum().item(), 0)

    def test_frames(self):
        """Only the frame at which a mask is given changes, in the given share of objects."""
        targets = self.m[:, None].repeat(1, 3, 1, 1, 1)
        shown = torch.zeros(6, 3, 2)
        shown[:, 0, 0] = shown[:, 2, 1] = 1
        make = lambda share: imperfect.seeds(targets, shown, share,
                                             draw=clips.Draw("cpu", 2, "seeds"))
        self.assertTrue(torch.equal(make(0.0), targets))
        changed = (make(1.0) != targets).flatten(3).any(3)
        self.assertFalse(changed[:, 1].any() or changed[:, 0, 1].any()
                         or changed[:, 2, 0].any())
        self.assertGreater(changed[:, 0, 0].float().mean().item(), 0.8)
        self.assertGreater(changed[:, 2, 1].float().mean().item(), 0.8)

    def test_found(self):
        """A mask that the zero-shot decoder found replaces that of its object. If it found
        none, the mask gets another fault."""
        targets = self.m[:1, None].repeat(1, 2, 1, 1, 1)
        shown = torch.tensor([[[1.0, 0], [0, 1]]])
        logits = torch.full((1, 2, 3, 36, 64), -9.0)
        logits[:, 0, 2, 10:25, 17:30] = 9  # slot 2: object 0, two pixels short
        out = imperfect.seeds(targets, shown, 1.0, logits, 1.0,
                              clips.Draw("cpu", 3, "seeds"))
        want = (imperfect.model.upsample(logits[:, 0], (72, 128)) > 0)[0, 2].float()
        self.assertTrue(torch.equal(out[0, 0, 0], want))
        self.assertGreater(self.iou(out[0, 1, 1], targets[0, 1, 1]).item(), 0.3)

    def test_training(self):
        """Faulty seeds reach the decoder: the loss differs, and repeats."""
        from rvos_train import config
        video, stills = shapes.folders()
        found = []
        for more in (dict(), dict(imperfect=1.0), dict(imperfect=1.0),
                     dict(imperfect=1.0, found=1.0, swaps=1.0)):
            c = config.merge(dict(TINY, video=[video], stills=[stills], steps=4, seed=3,
                                  **more))
            found.append({k: v.item() for k, v in
                          trainer.Trainer(c, lambda s: None).advance().items()})
        self.assertEqual(found[1], found[2])
        self.assertEqual(found[0]["zero-shot"], found[1]["zero-shot"])
        self.assertNotEqual(found[0]["one-shot"], found[1]["one-shot"])
        self.assertGreater(found[3]["zero-shot"], found[1]["zero-shot"])


if __name__ == "__main__":
    common.main()
