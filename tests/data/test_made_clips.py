#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests data/rvos_train/made_clips.py: exact masks, the stories, the layout, repeatable files."""
import filecmp
import glob
import os
import shutil
import tempfile
import unittest

import common

common.need("numpy", "PIL")
import numpy as np
from PIL import Image, ImageFilter

from rvos_train import made_clips

STILLS = os.path.join(common.SHARED, "data-sample", "stills")
SIZE, FRAMES = (240, 136), 60


def clips(story, count=6):
    for i in range(count):
        yield made_clips.Clip(made_clips.Drawn(), story, [7, i], SIZE, FRAMES)


def areas(clip, number, *at):
    """The object's pixels in these frames, which may count from the end; else in all."""
    return np.array([(clip.frame(t % clip.frames, 0)[1] == number).sum()
                     for t in at or range(clip.frames)])


def touching(labels):
    """Whether objects 1 and 2 are within 3 pixels of each other."""
    grown = Image.fromarray((labels == 1).astype(np.uint8)).filter(
        ImageFilter.MaxFilter(7))
    return bool((np.asarray(grown) & (labels == 2)).any())


class Masks(unittest.TestCase):
    def test_exact(self):
        """A frame differs from its background only where it has labels and on the soft
        outline."""
        for clip in clips("wander"):
            for t in (0, FRAMES // 2):
                picture, labels = clip.frame(t, 0)
                changed = (np.asarray(picture) != np.asarray(clip.scene(t))).any(2)
                shown = np.pad(labels > 0, 1)
                near = np.logical_or.reduce([np.roll(shown, s, (0, 1)) for s in
                                             np.ndindex(3, 3)])[2:, 2:]
                self.assertFalse((changed & ~near[:SIZE[1], :SIZE[0]]).any())
                self.assertGreater(changed[labels > 0].mean(), 0.97)

    def test_count(self):
        counts = {len(c.actors) for c in clips("wander", 12)}
        self.assertEqual(counts, {2, 3, 4})
        for clip in clips("wander"):
            self.assertLessEqual(clip.frame(5)[1].max(), len(clip.actors))


class Stories(unittest.TestCase):
    def test_enter(self):
        for clip in clips("enter"):
            self.assertEqual(areas(clip, 2, *range(6)).max(), 0)
            self.assertGreater(areas(clip, 2, *range(-6, 0)).min(), 0)

    def test_leave(self):
        """Object 1 leaves and comes back with its number."""
        for clip in clips("leave"):
            self.assertGreater(areas(clip, 1, *range(-6, 6)).min(), 0)
            self.assertEqual(areas(clip, 1, 27, 28, 29).max(), 0)

    def test_cross(self):
        for clip in clips("cross"):
            x = clip.paths[0][:, 0] - clip.paths[1][:, 0]
            self.assertLess(x[0] * x[-1], 0)
            area = areas(clip, 2)  # behind object 1 for a while
            self.assertLess(area.min(), 0.6 * max(area[0], area[-1]))

    def test_touch(self):
        for clip in clips("touch"):
            at = [touching(clip.frame(t, 0)[1]) for t in (0, FRAMES // 2, FRAMES - 1)]
            self.assertEqual(at, [False, True, False])

    def test_hide(self):
        for clip in clips("hide"):
            first, *hidden, last = areas(clip, 2, 0, *range(28, 32), -1)
            self.assertGreater(first, 0)
            self.assertLess(max(hidden), 0.1 * first)
            self.assertGreater(last, 0.8 * first)


class Files(unittest.TestCase):
    def folder(self):
        root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, root)
        return root

    def make(self, *more):
        root = self.folder()
        made_clips.main([root, "--clips", "2", "--frames", "3", "--size", "160x96",
                         *more])
        return root

    def files(self, root):
        return sorted(os.path.relpath(p, root) for p in
                      glob.glob(os.path.join(root, "**", "*.*"), recursive=True))

    def test_layout(self):
        root = self.make()
        with open(os.path.join(root, "ImageSets", "2017", "val.txt")) as f:
            names = f.read().split()
        self.assertEqual(names, ["made-000-enter", "made-001-leave"])
        for name in names:
            for t in range(3):
                path = os.path.join(root, "{}", "480p", name, f"{t:05d}")
                with Image.open(path.format("JPEGImages") + ".jpg") as frame:
                    self.assertEqual(frame.size, (160, 96))
                with Image.open(path.format("Annotations") + ".png") as mask:
                    self.assertEqual((mask.size, mask.mode), ((160, 96), "P"))
                    self.assertEqual(mask.getpalette()[:9],
                                     [0, 0, 0, 128, 0, 0, 0, 128, 0])

    def test_by_seed(self):
        a, b, c = self.make(), self.make(), self.make("--seed", "2")
        self.assertEqual(self.files(a), self.files(b))
        same = lambda x, y: [filecmp.cmp(os.path.join(x, f), os.path.join(y, f), False)
                             for f in self.files(a) if not f.endswith(".txt")]
        self.assertTrue(all(same(a, b)))
        self.assertFalse(any(same(a, c)[:6]))

    def test_faults(self):
        with self.assertRaisesRegex(SystemExit, "is not empty"):
            made_clips.main([common.ROOT])
        with self.assertRaisesRegex(SystemExit, "shows an object"):
            made_clips.main([tempfile.gettempdir() + "/none", "--stills",
                             os.path.dirname(__file__)])

    def test_own_stills(self):
        """The cut-out is a whole object of a still, over a picture without it."""
        root = self.folder()
        picture = np.full((80, 120, 3), (40, 160, 60), np.uint8)
        mask = np.zeros((80, 120), np.uint8)
        mask[20:60, 40:80] = 3
        picture[mask == 3] = (250, 20, 20)
        Image.fromarray(picture).save(os.path.join(root, "a.jpg"), quality=95)
        Image.fromarray(mask).save(os.path.join(root, "a.png"))
        source = made_clips.Stills(root)
        self.assertEqual([k for _, _, k in source.objects], [3])
        clip = made_clips.Clip(source, "wander", [1, 1], SIZE, 2)
        scene = np.asarray(clip.scene(0), int)
        self.assertLess(abs(scene - (40, 160, 60)).max(), 25)  # painted over
        frame, labels = clip.frame(0, 0)
        inside = np.asarray(frame, int)[labels > 0]
        self.assertGreater((abs(inside - (250, 20, 20)).max(1) < 60).mean(), 0.85)

    def test_backgrounds(self):
        """Backgrounds have a folder of their own: it gives no cut-outs, and none is blurred."""
        roots = [self.folder() for _ in range(2)]
        stripes = np.indices((80, 120))[1] // 4 % 2 * 200
        for root, number in zip(roots, (3, 5)):
            mask = np.zeros((80, 120), np.uint8)
            mask[20:60, 40:80] = number
            picture = np.repeat(stripes[..., None], 3, 2) if number == 5 else mask
            Image.fromarray(picture.astype(np.uint8)).save(os.path.join(root, "a.jpg"))
            Image.fromarray(mask).save(os.path.join(root, "a.png"))
        source = made_clips.Stills(*roots)
        self.assertEqual([(path, k) for _, path, k in source.objects],
                         [(os.path.join(roots[0], "a.png"), 3)])
        scene = np.asarray(source.background(np.random.default_rng(1), 120, 80), int)
        self.assertGreater(np.ptp(scene[5, :, 0]), 150)
        with self.assertRaisesRegex(SystemExit, "2"):
            made_clips.main([roots[0] + "/out", "--backgrounds", roots[1]])

    @unittest.skipUnless(os.path.isdir(STILLS), f"no {STILLS}")
    def test_stills(self):
        root = self.make("--stills", STILLS)
        self.assertEqual(len(self.files(root)), 13)


if __name__ == "__main__":
    common.main()
