#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests rvos-segment --assign, the result step of the published evaluation: against numpy, and
end to end against the original's files."""
import os
import shutil
import subprocess
import sys
import unittest

import common
import test_segment
import numpy as np
from common import GOLDEN, ROOT, read_mask, scratch, write_mask

SIZE = test_segment.SIZE


class Assign(test_segment.SegmentTest):
    """The result step of the published evaluation, computed here from the probabilities."""

    def restated(self, probs, annotations):
        """annotations: {frame: labels}. Needs scipy."""
        from scipy.optimize import linear_sum_assignment
        masks = probs > 0.5
        h, w = probs.shape[2:]
        y = (2 * np.arange(SIZE[0]) + 1) * h // (2 * SIZE[0])
        x = (2 * np.arange(SIZE[1]) + 1) * w // (2 * SIZE[1])
        masks = masks[:, :, y][:, :, :, x]
        pairs, out = [], []  # pairs: (cost, id, mask)
        for t in range(len(probs)):
            image = np.zeros(SIZE, int)
            for _, i, k in sorted(pairs, key=lambda p: (-p[0], p[1])):
                image[masks[t, k]] = i
            if t in annotations:
                truth = annotations[t]
                known = {i for _, i, _ in pairs}
                ids = [i for i in np.unique(truth) if i not in (0, 255) and
                       i not in known]
                free = [k for k in range(probs.shape[1])
                        if k not in {k for _, _, k in pairs}]
                cost = np.array([[1 - self.iou(truth == i, masks[t, k]) for k in free]
                                 for i in ids])
                for r, c in zip(*linear_sum_assignment(cost)):
                    pairs.append((cost[r, c], ids[r], free[c]))
                for i in ids:
                    image[truth == i] = i
                if t == 0:
                    image = truth
            out.append(image)
        return np.stack(out)

    def iou(self, a, b):
        either = np.count_nonzero(a | b)
        return np.count_nonzero(a & b) / either if either else 1.0

    def test_restated(self):
        try:
            import scipy.optimize  # noqa: F401
        except ImportError:
            self.skipTest("no scipy")
        rng = np.random.default_rng(3)
        for seed in range(3):
            first, late = np.zeros(SIZE, int), np.zeros(SIZE, int)
            for i in (1, 2, 5):
                y, x = rng.integers(0, 40), rng.integers(0, 60)
                first[y:y + 20, x:x + 30] = i
            first[:3] = 255
            late[30:50, 40:80] = 3
            folder = scratch(f"assign{seed}", "x")[:-2]
            write_mask(os.path.join(folder, "00000.png"), first)
            one = os.path.join(folder, "00000.png")
            path = scratch("assign.npy")
            model = common.tiny_model(seed=20 + seed)
            for annotations, given in (({0: first}, one), ({0: first, 2: late}, folder)):
                if given == folder:
                    write_mask(os.path.join(folder, "00002.png"), late)
                out = self.segment("assign", "-m", model, "-n", 6, "-d", path, "-a",
                                   given)
                probs = np.load(path)
                self.assertGreater(np.ptp((probs > 0.5).sum((0, 2, 3))), 0)
                np.testing.assert_array_equal(self.labels(out),
                                              self.restated(probs, annotations))

    def test_more_labels_than_masks(self):
        """An object without a mask is not painted at later frames."""
        mask = np.zeros(SIZE, int)
        for i in range(4):
            mask[:, 20 * i:20 * i + 15] = i + 1
        path = scratch("many-labels.png")
        write_mask(path, mask)
        labels = self.labels(self.segment("many", "-n", 2, "-a", path))
        np.testing.assert_array_equal(labels[0], mask)
        self.assertLessEqual(len(np.unique(labels[1:])), 3)

    def test_refused(self):
        path = scratch("small.png")
        write_mask(path, np.ones((30, 40)))
        self.refused(2, ["small.png", "40x30", "90x60"], "-a", path)


@unittest.skipUnless(os.path.isdir(GOLDEN), f"no {GOLDEN}")
class Published(common.ToolTest):
    """End to end against the original's files: golden/h_e2e_davis_zeroshot."""

    @classmethod
    def setUpClass(cls):
        common.need("torch")
        common.tool("rvos-segment")
        import lzma
        case = os.path.join(GOLDEN, "h_e2e_davis_zeroshot")
        checkpoint = scratch("h", "x")[:-2]
        for name in os.listdir(os.path.join(case, "model")):
            shutil.copy(os.path.join(case, "model", name), checkpoint)
        with lzma.open(os.path.join(GOLDEN, "encoder_resnet34.pt.xz")) as f, \
                open(os.path.join(checkpoint, "encoder.pt"), "wb") as to:
            shutil.copyfileobj(f, to)
        cls.case, cls.model = case, scratch("h.safetensors")
        done = subprocess.run([sys.executable, os.path.join(ROOT, "data", "convert.py"),
                               checkpoint, "-o", cls.model, "--size", "427x240",
                               "--dtype", "f32"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        cls.probs = scratch("h.npy")
        cls.out = scratch("h-out")
        code, _, err = common.run("rvos-segment", "-q", "-m", cls.model, "-t",
                                  "zero-shot", "--objects", 10, "--assign",
                                  os.path.join(case, "annotations", "00000.png"),
                                  "--dump-probs", cls.probs, os.path.join(case, "frames"),
                                  cls.out)
        assert code == 0, err

    def test_masks(self):
        probs = np.load(self.probs)
        self.assertEqual(probs.shape, (5, 10, 240, 427))
        worst = 1.0
        for i in range(10):
            have = probs[:, i] > 0.5
            want = np.stack([read_mask(os.path.join(
                self.case, "masks_sep", f"{t:05d}_instance_{i:02d}.png")) > 0
                for t in range(5)])
            either = np.count_nonzero(have | want)
            worst = min(worst, np.count_nonzero(have & want) / either if either else 1.0)
        print(f"worst IoU of an object's masks: {worst:.6f}")
        self.assertGreaterEqual(worst, 0.999)

    def test_label_images(self):
        equal = []
        for t in range(5):
            have = read_mask(os.path.join(self.out, f"{t:05d}.png"))
            want = read_mask(os.path.join(self.case, "submission", f"{t:05d}.png"))
            equal.append((have == want).mean())
            for i in range(1, 4):
                a, b = have == i, want == i
                self.assertGreaterEqual((a & b).sum() / max((a | b).sum(), 1), 0.999,
                                        (t, i))
        print(f"equal pixels of the worst label image: {min(equal):.6f}")
        self.assertEqual(equal[0], 1.0)
        self.assertGreaterEqual(min(equal), 0.999)


if __name__ == "__main__":
    common.main()
