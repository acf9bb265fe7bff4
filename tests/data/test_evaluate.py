#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests J and F, the evaluation during training, and the pictures of a run."""
import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

import common

common.need("numpy", "torch", "PIL", "scipy")
import numpy as np
import torch
from PIL import Image

from rvos_train import datasets, evaluate, metrics, model, report
from common import GOLDEN, shared_golden
import shapes
from shapes import folders, fresh

torch.set_num_threads(1)  # teams of threads crawl on a busy machine


class Metrics(unittest.TestCase):
    @shared_golden
    def test_golden(self):
        """All pairs of masks agree to 1e-6."""
        folder = os.path.join(GOLDEN, "j_metrics")
        scores = json.loads(Path(folder, "scores.json").read_text())
        load = lambda n: np.array(Image.open(os.path.join(folder, n + ".png"))) > 0
        for s in scores:
            a, b = load(s["name"] + "_pred"), load(s["name"] + "_gt")
            self.assertAlmostEqual(metrics.jaccard(a, b), s["J"], 6, s["name"])
            self.assertAlmostEqual(metrics.contour(a, b), s["F"], 6, s["name"])
        self.assertEqual(len(scores), 15)

    def setting(self):
        torch.manual_seed(0)
        net = model.RVOS("resnet18", 8, width=8)
        net.settings.update(size=(48, 64), objects=3)
        video = datasets.read_source(folders()[0])[0]
        return net.eval(), video

    def test_sizes_of_masks(self):
        root = shapes.videos(fresh("sizes"), 1, 2)
        load = lambda _: evaluate.load_video(datasets.read_source(f"folder:{root}")[0][0],
                                             (48, 64)) and 0
        paint = lambda t, h, w: shapes.save_labels(f"{root}/video0/{t:05d}.png",
                                                   shapes.picture(h, w, (1, 2))[1])
        self.assertEqual(common.captured(load)[2], "")
        for t in range(2):
            paint(t, 64, 64)
        self.assertIn("video0/00000.png: the mask is of 64x64 and its picture of 96x64",
                      common.captured(load)[2])
        paint(1, 60, 64)
        with self.assertRaisesRegex(datasets.DataError, "video0/00001.png: is of 64x60, the "
                                                        "masks before it of 64x64"):
            load(None)

    def test_evaluate(self):
        """A perfect one-shot result scores 100; first and last frame do not count; slots
        are chosen."""
        truth = np.zeros((4, 48, 64), np.uint8)
        truth[:, 5:20, 5:20], truth[:, 25:40, 30:60] = 1, 2
        self.assertEqual(metrics.sequence(truth, truth, (1, 2)), [(1, 1), (1, 1)])
        bad = truth.copy()
        bad[0] = bad[3] = 0
        self.assertEqual(metrics.sequence(truth, bad, (1, 2)), [(1, 1), (1, 1)])
        bad[1] = 0
        self.assertEqual(metrics.sequence(truth, bad, (1, 2)), [(0.5, 0.5)] * 2)
        masks = [truth[0] == 2, truth[0] == 0, truth[0] == 1]
        self.assertEqual(metrics.assign([truth[0] == 1, truth[0] == 2], masks),
                         {0: 2, 1: 0})
        net, video = self.setting()
        scores = evaluate.evaluate(net, video, model.TASKS, (48, 64), slots=3, frames=4)
        self.assertEqual(scores["one-shot"]["objects"], 5)  # ids 1, 2 and 1, (2), 3

    def test_as_rvos_eval(self):
        """rvos-eval scores the same masks equally, within 1e-3."""
        tool = os.environ.get("RVOS_EVAL") or shutil.which("rvos-eval")
        if not tool or not os.path.exists(tool):
            self.skipTest("no rvos-eval: name it in RVOS_EVAL")
        net, video = self.setting()
        truth, result = fresh("truth"), fresh("result")

        def imperfect(net, task, images, truth, slots, size):
            """Masks that are shifted, with a hole, and for zero-shot in other slots."""
            out = np.roll(truth, 3, 2)
            out[2, :20] = out[3] = 0
            return np.where(out, (out + 1) % 3 + 1,
                            0).astype(np.uint8) if slots == 3 and (
                task == "zero-shot") else out

        old, evaluate.label_maps = evaluate.label_maps, imperfect
        self.addCleanup(setattr, evaluate, "label_maps", old)
        protocols = {"one-shot": "davis2017", "zero-shot": "davis2017-zero-shot"}

        def keep(name, task, images, labels):
            if task == wanted:
                shutil.copytree(os.path.join(folders()[0][7:], name),
                                os.path.join(truth, name),
                                dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("*.jpg"))
                os.makedirs(os.path.join(result, name), exist_ok=True)
                for t, m in enumerate(labels):
                    shapes.save_labels(
                        os.path.join(result, name, f"{t:05d}.png"), m)

        for wanted, protocol in protocols.items():
            scores = evaluate.evaluate(net, video, [wanted], (48, 64), 3,
                                       keep=keep)[wanted]
            done = subprocess.run([tool, "-q", "--protocol", protocol, "--json",
                                   "-", truth,
                                   result], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT,
                                  text=True)
            self.assertEqual(done.returncode, 0, done.stdout)
            mean = json.loads(done.stdout)["mean"]
            self.assertEqual(mean["objects"], scores["objects"])
            for letter in "JF":
                error = abs(mean[letter]["mean"] - scores[letter] / 100)
                self.assertLess(error, 1e-3, (protocol, letter, mean, scores))
                self.assertGreater(scores[letter], 0)


class Report(unittest.TestCase):
    def test_palette_and_plot(self):
        self.assertEqual(report.palette()[:4].tolist(),
                         [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]])
        rows = [{"step": 2, "loss a": 1.0}, {"step": 4, "loss a": 0.5},
                {"step": 4, "J a": 50.0}]
        rows.append({"step": 6, "loss a": 0.4})
        path = fresh("plot.png")
        report.write_plot(path, rows)
        with Image.open(path) as im:
            self.assertEqual(im.size, (900, 600))
        log = fresh("log.csv")
        report.write_csv(log, rows)
        self.assertEqual(Path(log).read_text().splitlines()[:2], ["step,loss a,J a", "2,1.0,"])


if __name__ == "__main__":
    common.main()
