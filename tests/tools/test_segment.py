#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests rvos-segment and rvos-info: results on tiny random networks, every option, every
message."""
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import common
import numpy as np
from PIL import Image
from common import ROOT, clip_frames, read_mask, scratch, tiny_model, write_mask

SIZE = (60, 90)  # of the frames


class SegmentTest(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        common.tool("rvos-segment")
        cls.model = tiny_model()
        cls.frames = scratch("frames", "x")[:-2]
        cls.masks = clip_frames(cls.frames, 5, *SIZE)

    def segment(self, out, *args, frames=None):
        path = scratch(out)
        shutil.rmtree(path, ignore_errors=True)
        self.ok("rvos-segment", "-q", "-m", self.model, *args, frames or self.frames,
                path)
        return path

    def labels(self, folder):
        return np.stack([read_mask(os.path.join(folder, f))
                         for f in sorted(os.listdir(folder))])

    def refused(self, code, words, *args, frames=None, model=None):
        self.fault(code, words, "rvos-segment", "-q", "-m", model or self.model, *args,
                   frames or self.frames, scratch("refused"))


class Results(SegmentTest):
    def test_palette_png(self):
        out = self.segment("plain", "--objects", 3)
        self.assertEqual(sorted(os.listdir(out)), [f"{t:05d}.png" for t in range(5)])
        with Image.open(os.path.join(out, "00002.png")) as image:
            self.assertEqual((image.mode, image.size), ("P", SIZE[::-1]))
            self.assertEqual(image.getpalette()[:99], common.davis_palette()[:99])
        labels = self.labels(out)
        self.assertLessEqual(labels.max(), 3)
        self.assertGreater(labels.max(), 0, "the random network finds nothing: no test")

    def test_same_again(self):
        a = self.labels(self.segment("same1", "-j", 1))
        np.testing.assert_array_equal(a, self.labels(self.segment("same1b", "-j", 1)))
        np.testing.assert_array_equal(a, self.labels(self.segment("same2", "-j", 2)))

    def test_probs(self):
        path = scratch("probs.npy")
        labels = self.labels(self.segment("probs", "-n", 2, "--dump-probs", path,
                                          "--size", "96x64"))
        probs = np.load(path)
        self.assertEqual((probs.shape, probs.dtype), ((5, 2, 64, 96), np.float32))
        self.assertTrue((probs > 0).all() and (probs < 1).all())
        # at network size labels and probabilities agree, except near the threshold
        small = self.labels(self.segment("probs2", "-n", 2, "--size", "90x60", "-d",
                                         path))
        probs = np.load(path)
        want = np.where(probs.max(1) >= 0.5, probs.argmax(1) + 1, 0)
        near = np.sort(probs, 1)
        clear = (abs(near[:, 1] - 0.5) > 1e-4) & (near[:, 1] - near[:, 0] > 1e-5)
        np.testing.assert_array_equal(small[clear], want[clear])
        self.assertEqual(labels.shape, small.shape)

    def test_picture_kinds(self):
        """The same frames as PPM, 16-bit-free PNG with alpha, and palette PNG."""
        want = self.labels(self.segment("kinds"))
        for ext, convert in (("ppm", None), ("png", "RGBA")):
            folder = scratch("kinds-" + ext, "x")[:-2]
            for f in sorted(os.listdir(self.frames)):
                with Image.open(os.path.join(self.frames, f)) as image:
                    image = image.convert(convert) if convert else image
                    image.save(os.path.join(folder, f[:-3] + ext))
            have = self.labels(self.segment("kinds2", frames=folder))
            np.testing.assert_array_equal(have, want)

    def test_grey_frames(self):
        """Grey PNG, 16-bit grey PNG and PGM are the same picture; JPEG is one, too."""
        out = []
        grey = np.stack([np.array(Image.open(os.path.join(self.frames, f)).convert("L"))
                         for f in sorted(os.listdir(self.frames))])
        for ext, deep in (("png", False), ("png", True), ("pgm", False)):
            folder = scratch(f"grey-{ext}-{deep}", "x")[:-2]
            for t, a in enumerate(grey):
                image = Image.fromarray(a.astype(np.uint16) * 257 if deep else a)
                image.save(os.path.join(folder, f"{t}.{ext}"))
            out.append(self.labels(self.segment(f"grey-out-{ext}-{deep}", frames=folder)))
        np.testing.assert_array_equal(out[0], out[1])
        np.testing.assert_array_equal(out[0], out[2])
        folder = scratch("grey-jpg", "x")[:-2]
        for t, a in enumerate(grey):
            Image.fromarray(a).save(os.path.join(folder, f"{t}.JPG"), quality=95)
        self.segment("grey-out-jpg", frames=folder)

    def test_natural_order(self):
        """2.png comes before 10.png: the network sees frames in that order."""
        want = self.labels(self.segment("order"))
        folder = scratch("order-frames", "x")[:-2]
        names = ["1.png", "2.png", "9.png", "10.png", "100.png"]
        for f, name in zip(sorted(os.listdir(self.frames)), names):
            shutil.copy(os.path.join(self.frames, f), os.path.join(folder, name))
        out = self.segment("order2", frames=folder)
        have = np.stack([read_mask(os.path.join(out, name)) for name in names])
        np.testing.assert_array_equal(have, want)

    def test_options_reach_the_engine(self):
        """Each option gives other probabilities than the default, or an error."""
        def probs(*args):
            path = scratch("reach.npy")
            self.segment("reach", "-n", 3, "-d", path, *args)
            return np.load(path)

        base = probs()
        for args in (["--variant", "spatial"], ["--variant", "temporal"]):
            self.assertGreater(abs(probs(*args)[1:] - base[1:]).max(), 1e-3, args)
        np.testing.assert_allclose(probs("--engine", "reference"), base, atol=5e-4)
        np.testing.assert_array_equal(probs("--precision", "fp32"), base)
        np.testing.assert_allclose(probs("-n", 1)[:, 0], base[:, 0], atol=1e-6)
        out = self.segment("env", "--objects", 3)
        self.ok("rvos-segment", "-q", "--objects", 3, self.frames, scratch("env2"),
                env={"RVOS_MODEL": self.model})
        np.testing.assert_array_equal(self.labels(out), self.labels(scratch("env2")))

    def test_progress(self):
        code, out, err = common.run("rvos-segment", "-m", self.model, self.frames,
                                    scratch("progress"))
        self.assertEqual((code, out), (0, ""))
        self.assertRegex(err, r"^5 frames in [\d.]+ s \([\d.]+ fps\): .*progress\n$")
        code, out, err = common.run("rvos-segment", "-q", "-m", self.model, self.frames,
                                    scratch("progress"))
        self.assertEqual((code, out, err), (0, "", ""))

    def test_terminal(self):
        """On a terminal the progress line is overwritten."""
        parent, child = os.openpty()
        done = subprocess.run([common.tool("rvos-segment"), "-m", self.model, "-e",
                               "reference", "-n", "8", "-s", "256x256", self.frames,
                               scratch("terminal")], stderr=child, timeout=600)
        os.close(child)
        text = os.read(parent, 1 << 16).decode()
        os.close(parent)
        self.assertEqual(done.returncode, 0)
        self.assertIn("5 frames in", text)
        self.assertIn("\r", text)

    def test_killed_run_leaves_whole_pictures(self):
        out = scratch("killed")
        shutil.rmtree(out, ignore_errors=True)
        folder = scratch("killed-frames", "x")[:-2]
        clip_frames(folder, 60, 240, 320)
        p = subprocess.Popen([common.tool("rvos-segment"), "-q", "-m", self.model, folder,
                              out])
        for _ in range(1000):
            if os.path.isdir(out) and len(os.listdir(out)) > 3:
                break
            time.sleep(0.01)
        p.send_signal(signal.SIGKILL)
        p.wait()
        done = [f for f in os.listdir(out) if f.endswith(".png")]
        self.assertGreater(len(done), 2)
        for f in done:
            self.assertEqual(read_mask(os.path.join(out, f)).shape, (240, 320))


class OneShot(SegmentTest):
    def seed(self, name, *objects):
        """A palette PNG with boxes of the objects."""
        mask = np.zeros(SIZE, int)
        for i in objects:
            mask[10 + 5 * i:35 + 5 * i, 20 * i - 15:20 * i + 3] = i
        path = scratch("seeds", name)
        write_mask(path, mask)
        return path

    def probs(self, *args):
        path = scratch("one.npy")
        self.segment("one", "-d", path, *args)
        return np.load(path)

    def test_first_frame(self):
        one = self.probs("-i", self.seed("a.png", 1))
        self.assertEqual(one.shape[1], 1)
        three = self.probs("-i", self.seed("b.png", 1, 3))
        self.assertEqual(three.shape[1], 3)  # slot 2 runs too, without a mask
        np.testing.assert_allclose(three[:, 0], one[:, 0], atol=1e-6)
        more = self.probs("-i", self.seed("b.png", 1, 3), "--objects", 5)
        np.testing.assert_allclose(more[:, :3], three, atol=1e-6)
        other = self.probs("-i", self.seed("c.png", 2), "-n", 2)[:, :1]  # 1 is not shown
        self.assertGreater(abs(other[:, 0] - one[:, 0]).max(), 1e-3)

    def test_kinds_of_masks(self):
        """Palette, grey, 4-bit palette PNG and PGM; 255 is background."""
        path = self.seed("kinds.png", 1, 2)
        want = self.probs("-i", path)
        array = read_mask(path)
        array[0] = 255
        for name, save in (("grey.png", lambda p: Image.fromarray(array).save(p)),
                           ("grey.pgm", lambda p: Image.fromarray(array).save(p)),
                           ("bits.png", lambda p: Image.open(path).save(p, bits=4))):
            other = scratch("seeds", name)
            save(other)
            np.testing.assert_array_equal(self.probs("-i", other), want, name)

    def test_scaled_mask(self):
        """Nearest neighbour, from any size."""
        path = self.seed("scaled.png", 1)
        big = scratch("seeds", "big.png")
        write_mask(big, read_mask(path).repeat(2, 0).repeat(2, 1))
        np.testing.assert_array_equal(self.probs("-i", big), self.probs("-i", path))

    def test_late_objects(self):
        """With a folder of masks an object is given at the frame of its first mask only."""
        folder = scratch("late", "x")[:-2]
        shutil.copy(self.seed("l1.png", 1), os.path.join(folder, "00000.png"))
        shutil.copy(self.seed("l2.png", 1, 2), os.path.join(folder, "00002.png"))
        late = self.probs("-i", folder)
        first = self.probs("-i", self.seed("l1.png", 1), "-n", 2)
        self.assertEqual(late.shape, first.shape)
        np.testing.assert_array_equal(late[:2], first[:2])
        np.testing.assert_array_equal(late[2:, 0], first[2:, 0])  # not shown again
        self.assertGreater(abs(late[2, 1] - first[2, 1]).max(), 1e-3)
        # complete annotations give the same result as first appearances
        for t in (1, 3, 4):
            shutil.copy(self.seed("l1.png" if t < 2 else "l2.png",
                                  *([1] if t < 2 else [1, 2])),
                        os.path.join(folder, f"{t:05d}.png"))
        np.testing.assert_array_equal(self.probs("-i", folder), late)

    def test_refused_masks(self):
        def spoiled(name, image):
            path = scratch("seeds", name)
            image.save(path)
            return path
        rgb = spoiled("rgb.png", Image.fromarray(
            (np.arange(SIZE[0] * SIZE[1] * 3) % 251).reshape(*SIZE, 3).astype(np.uint8)))
        self.refused(2, ["rgb.png", "has colours", "palette or grey PNG"], "-i", rgb)
        deep = spoiled("deep.png", Image.fromarray(
            np.arange(SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)))
        self.refused(2, ["deep.png", "0, 1, 2, 3, 4"], "-i", deep)
        self.refused(2, ["lossy.jpg", "palette PNG"], "-i",
                     spoiled("lossy.jpg", Image.fromarray(np.zeros(SIZE, np.uint8))))
        white = spoiled("white.png", Image.fromarray(np.full(SIZE, 255, np.uint8)))
        self.refused(2, ["white.png", "shows no object", "value 1"], "-i", white)
        many = scratch("seeds", "many.png")
        write_mask(many, np.full(SIZE, 40))
        self.refused(2, ["many.png", "object 40", "--objects"], "-i", many)
        self.refused(2, ["c.png", "no object up to 1", "--objects"], "-i",
                     self.seed("c.png", 2), "-n", 1)
        self.refused(2, ["nowhere.png", "No such file"], "-i", "nowhere.png")
        folder = scratch("strange", "x")[:-2]
        write_mask(os.path.join(folder, "first.png"), np.ones(SIZE))
        self.refused(2, ["strange", "name of a frame"], "-i", folder)

    def test_auto(self):
        """auto shows zero-shot's pieces from the first frame on. With given objects in all
        slots it equals one-shot."""
        zero = self.labels(self.segment("auto-zero", "-n", 3, "-t", "zero-shot"))
        auto = self.labels(self.segment("auto", "-n", 3, "-t", "auto"))
        self.assertGreater((auto[0] > 0).sum(), 0, "nothing is found: no test")
        self.assertFalse(((auto > 0) & (zero == 0)).any())  # 5 frames: all belong to the start
        seed = ("-n", 2, "-i", self.seed("auto.png", 1, 2))
        one = self.labels(self.segment("auto-one", *seed))
        for interval in ((), ("--discovery-interval", 0), ("--discovery-interval", 2)):
            auto = self.labels(self.segment("auto-seeded", "-t", "auto", *interval, *seed))
            np.testing.assert_array_equal(auto, one)

    def test_notes(self):
        code, _, err = common.run("rvos-segment", "-m", self.model, "-n", 1, "-i",
                                  self.seed("notes.png", 1, 2), self.frames,
                                  scratch("notes"))
        self.assertEqual(code, 0)
        self.assertIn("objects above 1 (--objects) are left out", err)


class Refusals(SegmentTest):
    def test_command_line(self):
        self.fault(1, "give the folder", "rvos-segment", "-m", self.model, self.frames)
        for option, word, told in (("-t", "no-shot", "zero-shot, one-shot or auto"),
                                   ("-v", "x", "spatio-temporal"), ("-e", "gpu", "cuda"),
                                   ("-p", "fp8", "bf16"), ("-s", "448", "448x256"),
                                   ("-s", "10x10", "448x256"),
                                   ("-s", "448x256x3", "448x256"), ("-n", "0", "1 to 32"),
                                   ("-n", "33", "1 to 32"), ("-n", "3x", "1 to 32"),
                                   ("-j", "0", "1 to 1024")):
            self.refused(1, [told, word], option, word)
        self.refused(1, "needs --init-mask", "-t", "one-shot")
        self.refused(1, "belongs to --task one-shot", "-t", "zero-shot", "-i", "x.png")
        self.refused(1, ["a number from 0", "-1"], "-t", "auto", "--discovery-interval", "-1")
        self.refused(1, "belongs to --task auto", "--discovery-interval", 5)
        for words in (["--split", "val"], ["--sequences", "x"], ["--jobs", 2], ["--strict"],
                      ["--force"]):
            self.refused(1, f"{words[0]} belongs to --dataset", *words)
        one = tiny_model(tasks=["one-shot"])
        self.refused(3, ["no zero-shot decoder", "auto", "--task"], "-t", "auto", model=one)
        code, _, err = common.run("rvos-segment", "--bogus")
        self.assertEqual(code, 1)
        self.assertIn("bogus", err)
        self.assertIn("Usage", self.ok("rvos-segment", "--help"))

    def test_frames(self):
        self.refused(2, ["nowhere", "No such file"], frames="nowhere")
        self.refused(2, ["a-file.txt", "folder"], frames=self.file("a-file.txt", b"x"))
        self.refused(2, ["empty", "no picture"], frames=self.folder("empty"))
        self.refused(2, ["0.png", "no PNG"],
                     frames=self.folder("text", {"0.png": b"text"}))
        self.refused(2, ["0.png", "no PNG"], frames=self.folder("none", {"0.png": b"abc"}))
        self.refused(2, ["0.png", "is empty"], frames=self.folder("none", {"0.png": b""}))
        png = Path(self.frames, "00000.png").read_bytes()
        for cut in (20, 100, len(png) - 20):
            self.refused(2, ["0.png", "damaged"],
                         frames=self.folder(f"cut{cut}", {"0.png": png[:cut]}))
        path = scratch("x.jpg")
        Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(path)
        jpeg = Path(path).read_bytes()
        self.refused(2, ["0.jpg", "damaged"],
                     frames=self.folder("cutj", {"0.jpg": jpeg[:len(jpeg) // 2]}))
        self.refused(2, ["0.ppm", "ends early"],
                     frames=self.folder("cutp", {"0.ppm": b"P6 9 9 255\nabc"}))
        self.refused(2, ["0.ppm", "damaged"],
                     frames=self.folder("headp", {"0.ppm": b"P6 9 x 255\nabc"}))
        self.refused(2, ["0.ppm", "no size"],
                     frames=self.folder("bigp", {"0.ppm": b"P6 65000 65000 255\nabc"}))
        self.refused(2, ["one frame twice", "0.jpg", "0.png"],
                     frames=self.folder("twice", {"0.png": png, "0.jpg": jpeg}))
        self.refused(2, ["1.jpg", "64x64", "90x60", "one video"],
                     frames=self.folder("sizes", {"0.png": png, "1.jpg": jpeg}))
        os.makedirs(os.path.join(self.folder("dir"), "0.png"), exist_ok=True)
        self.refused(2, "is a folder, not the file of a picture", frames=scratch("dir"))

    def file(self, name, data):
        path = scratch(name)
        Path(path).write_bytes(data)
        return path

    def folder(self, name, files=None):
        for file, data in (files or {}).items():
            self.file(os.path.join(name, file), data)
        os.makedirs(scratch(name), exist_ok=True)
        return scratch(name)

    def test_models(self):
        self.refused(3, ["nowhere", "another .safetensors file"], model="nowhere.safetensors")
        self.refused(3, [ROOT], model=ROOT)
        self.refused(3, ["empty.st"], model=self.file("empty.st", b""))
        self.refused(3, ["noise.st", "convert.py"],
                     model=self.file("noise.st", bytes(range(256)) * 9))
        data = Path(self.model).read_bytes()
        self.refused(3, ["cut.st"], model=self.file("cut.st", data[:len(data) // 2]))
        zero_only = tiny_model(tasks=("zero-shot",))
        seed = scratch("seeds", "task.png")
        write_mask(seed, np.ones(SIZE))
        self.refused(3, ["zero-shot", "--task"], "-i", seed, model=zero_only)

    def test_engines(self):
        code, out, err = common.run("rvos-segment", "-q", "-m", self.model, "-e", "cuda",
                                    self.frames, scratch("cuda"))
        if code:
            self.assertEqual(code, 3)
            self.assertIn("cuda", err)
        self.refused(3, "--precision", "-e", "reference", "-p", "fp16")

    def test_output(self):
        self.fault(1, "is the folder of the frames", "rvos-segment", "-m", self.model,
                   self.frames, os.path.join(self.frames, "."))
        taken = self.file("taken", b"x")
        self.fault(4, ["taken"], "rvos-segment", "-q", "-m", self.model, self.frames,
                   taken)
        self.fault(4, ["taken"], "rvos-segment", "-q", "-m", self.model, self.frames,
                   os.path.join(taken, "below"))
        self.refused(4, ["/no/such/p.npy"], "-d", "/no/such/p.npy")
        # an error leaves no partial array
        png = os.path.join(self.frames, "00000.png")
        folder = self.folder("half", {"1.png": b"text"})
        shutil.copy(png, os.path.join(folder, "0.png"))
        path = scratch("half.npy")
        self.refused(2, "1.png", "-d", path, frames=folder)
        self.assertFalse(os.path.exists(path) or os.path.exists(path + ".part"))


class Info(common.ToolTest):
    def test_tiny(self):
        text = self.ok("rvos-info", tiny_model())
        for words in ("resnet18", "zero-shot, one-shot", "8, 4, 2, 1 channels", "3x3",
                      "concat", "parameters", "MACs a frame", "licence", "provenance",
                      "reference"):
            self.assertIn(words, text)
        self.assertIn("engines of this build", self.ok("rvos-info"))

    @unittest.skipUnless(os.path.exists(common.MODEL), "no model in the tree")
    def test_shipped(self):
        text = self.ok("rvos-info", common.MODEL)
        line = {l.split("  ")[0]: l for l in text.splitlines()}
        self.assertIn("448x256", line["network size"])
        self.assertIn("128, 64, 32, 16", line["hidden"])
        # encoder 4.61 G, and 5 objects
        self.assertIn("(encoder 4.6", line["MACs a frame"])
        self.assertIn("5 objects of 1.39", line["MACs a frame"])
        self.assertIn("esearch", line["licence"])
        for words in ("DAVIS-2016 train [CC BY-NC 4.0]", "COCO 2017 subset [annotations CC BY",
                      "Oxford-IIIT Pet subset [CC BY-SA 4.0]", "Weizmann horses [research]"):
            self.assertIn(words, line["provenance"])

    def test_refusals(self):
        for tool in ("rvos-info", "rvos-bench"):  # neither has an option --model
            self.fault(3, "nowhere: ", tool, "nowhere")
            err = common.run(tool, "nowhere")[2]
            self.assertIn("; name another .safetensors file", err)
            self.assertNotIn("--", err)
        self.fault(1, "one file", "rvos-info", "a", "b")


if __name__ == "__main__":
    common.main()
