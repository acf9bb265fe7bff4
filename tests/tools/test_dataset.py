#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests rvos-segment --dataset: layouts, resuming, sequences that fail, and equal masks of the
GStreamer element and the engine."""
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import common
import numpy as np
from common import read_mask, scratch, tiny_model, write_mask

H, W = 60, 90


def make_davis(root, names=("ant", "bee", "cow"), count=4, value=1, years=("2017",)):
    shutil.rmtree(root, ignore_errors=True)
    for k, name in enumerate(names):
        masks = common.clip_frames(os.path.join(root, "JPEGImages", "480p", name), count,
                                   H, W, seed=k)
        for t, mask in enumerate(masks):
            label = mask * value
            if value == 1:
                label = label.copy()
                label[:9, -9:] = 2
            write_mask(os.path.join(root, "Annotations", "480p", name, f"{t:05d}.png"),
                       label)
    for year in years:
        os.makedirs(os.path.join(root, "ImageSets", year))
        with open(os.path.join(root, "ImageSets", year, "val.txt"), "w") as f:
            for name in names[:2]:
                if year == "2017":
                    f.write(name + "\n")
                else:
                    for t in range(count):
                        f.write(f"/JPEGImages/480p/{name}/{t:05d}.jpg "
                                f"/Annotations/480p/{name}/{t:05d}.png\n")
    return root


def make_youtube(root):
    """dog: object 2 appears at the third frame."""
    shutil.rmtree(root, ignore_errors=True)
    for name in ("cat", "dog"):
        masks = common.clip_frames(os.path.join(root, "valid", "JPEGImages", name), 6, H,
                                   W)
        notes = os.path.join(root, "valid", "Annotations", name)
        label = masks[0] * 1
        write_mask(os.path.join(notes, "00000.png"), label)
        if name == "dog":
            late = np.zeros((H, W), int)
            late[40:55, 10:30] = 2
            write_mask(os.path.join(notes, "00002.png"), late)
    return root


def tree(folder):
    """{path below the folder: labels}"""
    out = {}
    for at, _, files in os.walk(folder):
        for f in files:
            if f.endswith(".png"):
                path = os.path.join(at, f)
                out[os.path.relpath(path, folder)] = read_mask(path)
    return out


class DatasetTest(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        common.tool("rvos-segment")
        cls.model = tiny_model()

    def segment(self, out, *args, **more):
        path = scratch(out)
        self.ok("rvos-segment", "-q", "-m", self.model, *args, path, **more)
        return tree(path)

    def same(self, a, b):
        self.assertEqual(sorted(a), sorted(b))
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], name)


class Layouts(DatasetTest):
    def test_davis2017(self):
        root = make_davis(scratch("d17"))
        have = self.segment("d17-out", "-D", "davis2017", root)
        self.assertEqual({k.split("/")[0] for k in have}, {"ant", "bee"})
        for name in ("ant", "bee"):
            one = self.segment("d17-one", "-i",
                               os.path.join(root, "Annotations", "480p", name,
                                            "00000.png"),
                               os.path.join(root, "JPEGImages", "480p", name))
            self.same({k.split("/")[1]: v for k, v in have.items() if k.startswith(name)},
                      one)
        self.assertGreater(max(v.max() for v in have.values()), 0)
        self.same(have, self.segment("d17-jobs", "-D", "davis2017", "--jobs", 3, root))

    def test_lists(self):
        root = make_davis(scratch("lists"), years=("2017", "480p"))
        names = scratch("names.txt")
        Path(names).write_text("cow\n")
        have = self.segment("lists-a", "-D", "davis2017", "--sequences", names, root)
        self.assertEqual({k.split("/")[0] for k in have}, {"cow"})
        have = self.segment("lists-b", "-D", "davis2016", root)
        self.assertEqual({k.split("/")[0] for k in have}, {"ant", "bee"})
        shutil.rmtree(os.path.join(root, "ImageSets"))
        have = self.segment("lists-c", "-D", "davis2017", root)
        self.assertEqual({k.split("/")[0] for k in have}, {"ant", "bee", "cow"})
        self.fault(2, "test-dev.txt", "rvos-segment", "-q", "-m", self.model, "-D",
                   "davis2017", "--split", "test-dev", root, scratch("lists-d"))
        self.fault(2, ["JPEGImages", "root folder"], "rvos-segment", "-q", "-m",
                   self.model, "-D", "davis2017", os.path.join(root, "Annotations"),
                   scratch("lists-e"))

    def test_davis2016(self):
        """255 is the object; the other data set calls it void."""
        have = self.segment("d16-out", "-D", "davis2016",
                            make_davis(scratch("d16"), value=255))
        want = self.segment("d16-one", "-D", "davis2016",
                            make_davis(scratch("d16b"), value=3))
        self.same(have, want)
        self.assertEqual({int(v.max()) for v in have.values()} | {0, 1}, {0, 1})
        self.fault(2, "shows no object", "rvos-segment", "-q", "-m", self.model, "-D",
                   "davis2017", scratch("d16"), scratch("d16-17"), lines=2)

    def test_youtube(self):
        root = make_youtube(scratch("yt"))
        have = self.segment("yt-out", "-D", "youtube-vos", root)
        want = self.segment("yt-one", "-i",
                            os.path.join(root, "valid", "Annotations", "dog"),
                            os.path.join(root, "valid", "JPEGImages", "dog"))
        self.same({k[4:]: v for k, v in have.items() if k.startswith("dog")}, want)
        again = self.segment("yt-split", "-D", "youtube-vos", os.path.join(root, "valid"))
        self.same(have, again)

    def test_zero_shot(self):
        root = make_davis(scratch("zs"))
        have = self.segment("zs-out", "-D", "davis2017", "-t", "zero-shot", "-n", 4, root)
        frames = os.path.join(root, "JPEGImages", "480p", "ant")
        want = self.segment("zs-one", "-n", 4, frames)
        self.same({k[4:]: v for k, v in have.items() if k.startswith("ant")}, want)
        chosen = self.segment("zs-a", "-D", "davis2017", "-t", "zero-shot", "-n", 4, "-a",
                              "annotations", root)
        truth = os.path.join(root, "Annotations", "480p", "ant", "00000.png")
        np.testing.assert_array_equal(chosen["ant/00000.png"], read_mask(truth))
        self.same({k[4:]: v for k, v in chosen.items() if k.startswith("ant")},
                  self.segment("zs-b", "-n", 4, "-a", truth, frames))


class Resuming(DatasetTest):
    def times(self, folder):
        return {os.path.join(at, f): os.stat(os.path.join(at, f)).st_mtime_ns
                for at, _, files in os.walk(folder) for f in files if f.endswith(".png")}

    def test_finished_sequences_stay(self):
        root, out = make_davis(scratch("res")), scratch("res-out")
        want = self.segment("res-out", "-D", "davis2017", root)
        before = self.times(out)
        os.remove(os.path.join(out, "bee", "00002.png"))
        code, _, err = common.run("rvos-segment", "-m", self.model, "-D", "davis2017",
                                  root, out)
        self.assertEqual(code, 0)
        self.assertIn("1 of 2 sequences were done before", err)
        self.assertIn("4 frames in", err)
        after = self.times(out)
        for path in before:
            self.assertEqual(before[path] == after[path], "/ant/" in path, path)
        self.same(tree(out), want)
        self.ok("rvos-segment", "-q", "-m", self.model, "-D", "davis2017", "--force",
                root, out)
        self.assertTrue(all(after[p] != t for p, t in self.times(out).items()))

    def test_other_settings(self):
        root, out = make_davis(scratch("set")), scratch("set-out")
        self.segment("set-out", "-D", "davis2017", root)
        args = ["rvos-segment", "-q", "-m", self.model, "-D", "davis2017", "-v",
                "spatial", root, out]
        self.fault(4, ["set-out", "--force"], *args)
        self.ok(*args[:-2], "--force", root, out)

    def test_interrupted(self):
        root = make_davis(scratch("int"), names=("ant", "bee", "cow", "doe"), count=12,
                          years=())
        want = self.segment("int-want", "-D", "davis2017", root)
        out = scratch("int-out")
        command = [common.tool("rvos-segment"), "-q", "-m", self.model, "-s", "256x256",
                   "-D", "davis2017", root, out]
        p = subprocess.Popen(command)
        for _ in range(3000):
            if len(tree_names(out)) > 14 or p.poll() is not None:
                break
            time.sleep(0.005)
        p.send_signal(signal.SIGKILL)
        p.wait()
        left = len(tree_names(out))
        self.assertTrue(14 < left < 48, left)
        for path in tree_names(out):
            self.assertEqual(read_mask(path).shape, (H, W))
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(tree(out)), sorted(want))
        for at, _, files in os.walk(out):
            self.assertFalse([f for f in files if f.endswith(".part")], at)
        whole = self.segment("int-whole", "-s", "256x256", "-D", "davis2017", root)
        self.same(tree(out), whole)


def tree_names(folder):
    return [os.path.join(at, f) for at, _, files in os.walk(folder) for f in files
            if f.endswith(".png")]


class BadSequences(DatasetTest):
    def broken(self, words, spoil, name):
        root = make_davis(scratch("bad"), names=("ant", "bee", "cow"), years=())
        out = scratch("bad-out")
        shutil.rmtree(out, ignore_errors=True)
        spoil(os.path.join(root, "{}", "480p", "ant", name))
        self.fault(2, [words, f"ant/{name}"], "rvos-segment", "-q", "-m", self.model,
                   "-D", "davis2017", root, out)
        self.assertEqual(sum("/ant/" not in p for p in tree_names(out)), 8)
        shutil.rmtree(out)
        self.fault(2, f"ant/{name}", "rvos-segment", "-q", "-m", self.model, "--jobs", 1,
                   "--strict", "-D", "davis2017", root, out)
        self.assertEqual([p for p in tree_names(out) if "/ant/" not in p], [])

    def test_missing_mask(self):
        self.broken("No such file", lambda p: os.remove(p.format("Annotations")),
                    "00000.png")

    def test_rgb_mask(self):
        self.broken("colours", lambda p: common.clip_frames(
            os.path.dirname(p.format("Annotations")), 1, H, W), "00000.png")

    def test_corrupt_frame(self):
        self.broken("damaged", lambda p: common.cut(p.format("JPEGImages")), "00002.png")

    def test_other_size(self):
        self.broken("one video", lambda p: common.write_frame(
            p.format("JPEGImages"), np.zeros((H, W + 1, 3))), "00003.png")

    def test_no_frames(self):
        root, out = make_davis(scratch("nof"), years=()), scratch("nof-out")
        shutil.rmtree(os.path.join(root, "JPEGImages", "480p", "ant"))
        os.makedirs(os.path.join(root, "JPEGImages", "480p", "ant"))
        self.fault(2, ["ant", "no picture"], "rvos-segment", "-q", "-m", self.model, "-D",
                   "davis2017", root, out)
        self.assertEqual(len(tree_names(out)), 8)

    def test_command_line(self):
        for args, words in ((["-D", "davis"], "davis2016"), (["--jobs", "0"], "1 to 64"),
                            (["-D", "davis2017", "-i", "x.png"], "--init-mask"),
                            (["-D", "davis2017", "-a", "x.png"], "--assign annotations")):
            self.fault(1, words, "rvos-segment", "-m", self.model, *args, "in", "out")


class ThroughGst(DatasetTest):
    """With the element instead of the engine, masks are the same, pixel by pixel."""

    def setUp(self):
        common.clip_frames(scratch("probe"), 1, H, W)
        _, _, err = common.run("rvos-segment", "-q", "-m", self.model, "--through-gst",
                               scratch("probe"), scratch("gst-probe"))
        if "without GStreamer" in err or "no such GStreamer element" in err:
            self.skipTest(err.strip())

    def test_davis(self):
        root = make_davis(scratch("gd"))
        for task, *more in (("one-shot",), ("zero-shot", "-n", 3),
                            ("zero-shot", "-n", 3, "-v", "spatial"),
                            ("zero-shot", "-n", 3, "-v", "temporal")):
            args, name = ["-D", "davis2017", "-t", task, *more, root], f"{task}{more}"
            self.same(self.segment(f"gd-e-{name}", *args),
                      self.segment(f"gd-g-{name}", "--through-gst", *args))

    def test_idle_slots(self):
        """The element skips slots above the highest object; so can the engine."""
        args = ["-D", "davis2017", "-n", 4, make_davis(scratch("gi"))]
        self.same(self.segment("gi-e", "--live-slots", *args),
                  self.segment("gi-g", "--through-gst", *args))

    def test_late_objects(self):
        """The element starts a late object's slot when it appears."""
        root = make_youtube(scratch("gy"))
        self.same(self.segment("gy-e", "--live-slots", "-D", "youtube-vos", root),
                  self.segment("gy-g", "--through-gst", "-D", "youtube-vos", root))

    def test_auto(self):
        """The pictures change slowly: at a cut, the element searches for objects."""
        folder, rng = scratch("ga"), np.random.default_rng(1)
        first, last = (np.kron(rng.integers(0, 256, (10, 15, 3)), np.ones((6, 6, 1)))
                       for _ in range(2))
        for t in range(12):
            common.write_frame(os.path.join(folder, f"{t:05d}.png"),
                               first + (last - first) * t / 11)
        for interval in ((), ("--discovery-interval", 0), ("--discovery-interval", 1)):
            args = ["-t", "auto", "-n", 4, *interval, folder]
            self.same(self.segment("ga-e", *args),
                      self.segment("ga-g", "--through-gst", *args))

    def test_precision(self):
        self.same(self.segment("gp-e", "-p", "fp32", scratch("probe")),
                  self.segment("gp-g", "--through-gst", "-p", "fp32", scratch("probe")))
        self.fault(3, "with these settings", "rvos-segment", "-q", "-m", self.model,
                   "--through-gst", "-e", "cpu", "-p", "fp16", scratch("probe"),
                   scratch("gst-probe"))

    def test_refusals(self):
        folder = scratch("probe")
        self.fault(1, "--through-gst", "rvos-segment", "-q", "-m", self.model,
                   "--through-gst", "-d", scratch("x.npy"), folder, scratch("gst-probe"))
        self.fault(3, "nowhere", "rvos-segment", "-q", "-m", "nowhere", "--through-gst",
                   folder, scratch("gst-probe"))


if __name__ == "__main__":
    common.main()
