#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests that no tool overwrites its input, however paths are spelt or linked."""
import json
import os
import shutil
import subprocess

import common
import numpy as np
from common import write_mask
from filetest import FileTest, fresh, put, snapshot
from test_dataset import make_davis, make_youtube


class Inputs(FileTest):
    def one(self, words, *args, code=1):
        self.unchanged(self.top, code, words, "rvos-segment", "-q", "-n", 1, *args)

    def setUp(self):
        self.top = fresh("inputs")
        self.frames = os.path.join(self.top, "frames")
        common.clip_frames(self.frames, 2)
        self.masks = os.path.join(self.top, "masks")
        write_mask(os.path.join(self.masks, "00000.png"), np.ones((60, 90)))
        self.own = shutil.copy(self.model, os.path.join(self.top, "m.safetensors"))

    def test_folders(self):
        m, one = ("-m", self.own), os.path.join(self.masks, "00000.png")
        os.symlink(self.frames, os.path.join(self.top, "link"))
        os.symlink("link", os.path.join(self.top, "link2"))
        for out in (self.frames, self.frames + "/", self.frames + "/.", self.masks + "/../frames",
                    os.path.join(self.top, "link"), os.path.join(self.top, "link2") + "/"):
            self.one("is the folder of the frames", *m, self.frames, out)
        self.one("leads out of a folder that does not exist", *m, self.frames,
                 self.top + "/new/../frames")
        self.one("is the folder of", *m, "-i", self.masks, self.frames, self.masks)
        self.one("00000.png: is read", *m, "-i", one, self.frames, self.masks)
        self.one("is the folder of", *m, "-i", one, "-a", self.masks, self.frames,
                 self.masks)

    def test_relative(self):
        before = snapshot(self.top)
        p = subprocess.run([common.tool("rvos-segment"), "-q", "-m", self.own, ".",
                            "../frames"], cwd=self.frames, capture_output=True, text=True)
        self.assertEqual((p.returncode, snapshot(self.top)), (1, before), p.stderr)

    def test_links_to_files(self):
        """A mask's path is a hard link to a frame."""
        out = os.path.join(self.top, "out")
        for link in (os.link, os.symlink):
            os.makedirs(out)
            link(os.path.join(self.frames, "00001.png"), os.path.join(out, "00001.png"))
            self.one("00001.png: is read", "-m", self.own, self.frames, out)
            shutil.rmtree(out)

    def test_probs(self):
        out = os.path.join(self.top, "out")
        for path in (self.own, os.path.join(self.frames, "00000.png"),
                     os.path.join(self.frames, "..", "masks", "00000.png")):
            self.one("is read by this command", "-m", self.own, "-i", self.masks, "-d", path,
                     self.frames, out)
        self.one("is to hold a mask", "-m", self.own, "-d", out + "/00001.png", self.frames,
                 out)
        self.assertFalse(os.path.exists(out))

    def test_beside_is_fine(self):
        """Folders may lie in one another as long as no file is overwritten."""
        for out in (self.frames + "/out", self.top):
            before = snapshot(self.frames)
            for _ in range(2):
                self.ok("rvos-segment", "-q", "-n", 1, "-m", self.own, self.frames, out)
            after = snapshot(self.frames)
            self.assertEqual({k: after[k] for k in before}, before)

    def test_dataset(self):
        root = make_davis(os.path.join(self.top, "root"))
        sets = ("--force", "-m", self.own, "--dataset", "davis2017", root)
        for below in ("JPEGImages/480p", "Annotations/480p", "JPEGImages/480p/ant",
                      "Annotations/480p/new/deep", "./Annotations/../Annotations/480p/"):
            for more in ((), ("--task", "zero-shot")):
                self.one("is a folder of the data set", *more, *sets,
                         os.path.join(root, below))
        out = os.path.join(self.top, "out")
        for target in ("Annotations/480p/ant", "JPEGImages/480p/cow", "JPEGImages/480p"):
            os.makedirs(out)
            os.symlink(os.path.join(root, target), os.path.join(out, "ant"))
            self.one("the", *sets, out)
            shutil.rmtree(out)
        for link in (os.link, os.symlink):
            os.makedirs(os.path.join(out, "ant"))
            link(os.path.join(root, "Annotations/480p/bee/00000.png"),
                 os.path.join(out, "ant", "00002.png"))
            self.one("00002.png: is read", *sets, out)
            shutil.rmtree(out)
        self.ok("rvos-segment", "-q", "-n", 1, *sets, out)

    def test_dataset_that_looks_done(self):
        """Annotations of all frames look like results: they are not counted as such."""
        root = make_davis(os.path.join(self.top, "root"))
        self.one("is a folder of the data set", "-m", self.own, "--dataset", "davis2017",
                 root, os.path.join(root, "Annotations/480p"))

    def test_youtube(self):
        root = make_youtube(os.path.join(self.top, "root"))
        for below in ("valid/JPEGImages", "valid/Annotations"):
            self.one("is a folder of the data set", "-m", self.own, "--dataset",
                     "youtube-vos", root, os.path.join(root, below))

    def test_sequence_named_like_a_folder(self):
        """OUT/SEQUENCE is the folder of all frames."""
        root = make_davis(os.path.join(self.top, "root"))
        common.clip_frames(os.path.join(root, "JPEGImages/480p/480p"), 1)
        put(os.path.join(root, "list"), "480p\n")
        self.one("is the folder of", "-m", self.own, "--task", "zero-shot", "--dataset",
                 "davis2017", "--sequences", root + "/list", root, root + "/JPEGImages")


class EvalInputs(FileTest):
    def setUp(self):
        common.tool("rvos-eval")
        self.top = fresh("eval-inputs")
        self.gt, self.pred = (os.path.join(self.top, n, "a") for n in ("gt", "pred"))
        for folder in (self.gt, self.pred):
            for t in range(4):
                write_mask(os.path.join(folder, f"{t:05d}.png"), np.ones((40, 40)))
        self.list = put(os.path.join(self.top, "list"), "a\n")
        meta = {"videos": {"a": {"objects": {"1": {"category": "c"}}}}}
        self.meta = put(os.path.join(self.top, "meta.json"), json.dumps(meta))
        self.args = ("-q", "-l", self.list, "-m", self.meta, "-k", self.meta,
                     os.path.dirname(self.gt), os.path.dirname(self.pred))

    def test_reports(self):
        os.link(self.list, os.path.join(self.top, "hard"))
        os.symlink("pred", os.path.join(self.top, "soft"))
        for path in (self.list, self.meta, self.top + "/gt/../list", self.top + "/hard",
                     self.gt + "/00001.png", self.top + "/soft/a/00002.png"):
            for option in ("-J", "-C", "-H"):
                self.unchanged(self.top, 1, "is read by this command", "rvos-eval", option,
                               path, *self.args)
        for path in ("x", "./x"):
            self.unchanged(self.top, 1, "two reports", "rvos-eval", "-J", self.top + "/x",
                           "-C", os.path.join(self.top, path), *self.args)

    def test_again(self):
        """A report among the results is not an input."""
        common.need_report("page")
        path = os.path.join(self.pred, "scores.json")
        for _ in range(2):
            self.ok("rvos-eval", "-J", path, "-C", self.top + "/x.csv", "-H",
                    self.top + "/x.html", *self.args)
        self.no_leftovers(self.top)

    def test_bench(self):
        common.tool("rvos-bench")
        path = put(os.path.join(self.top, "a.json"), '{"results": []}')
        model = shutil.copy(self.model, os.path.join(self.top, "m.safetensors"))
        for args in (("--plot", path, path), ("--json", model, model),
                     ("--json", self.gt + "/00000.png", "--images", self.gt, model)):
            self.unchanged(self.top, 1, "is read by this command", "rvos-bench", *args)
        self.unchanged(self.top, 1, "another file", "rvos-bench", "--json", path, "--plot",
                       path, model)


if __name__ == "__main__":
    common.main()
