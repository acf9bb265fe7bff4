#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests users' masks and pictures with rvos-segment and rvos-eval: the values of masks, paths
and patterns, EXIF orientations, and files that would need too much memory."""
import os
import struct
import subprocess

import common
import numpy as np
from common import read_mask, scratch
from PIL import Image

H, W = 60, 90


class MaskTest(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        cls.model = common.tiny_model()
        cls.frames = os.path.join(scratch("mask-frames", "x")[:-2])
        cls.masks = common.clip_frames(cls.frames, 4, H, W)

    def segment(self, name, *args, frames=None, **more):
        out = scratch("mask-out", name)
        self.ok("rvos-segment", "-q", "-m", self.model, *args, frames or self.frames, out,
                **more)
        return {f: read_mask(os.path.join(out, f)) for f in sorted(os.listdir(out))
                if f.endswith(".png")}

    def saved(self, name, array, **more):
        path = scratch("mask-files", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(array).save(path, **more)
        return path

    def same(self, have, want):
        self.assertEqual(list(have), list(want))
        for name in want:
            np.testing.assert_array_equal(have[name], want[name], name)


class Values(MaskTest):
    def test_one_object(self):
        """White, soft, 16-bit, RGB and alpha masks give the same object as an index mask."""
        disk = self.masks[0]
        want = self.segment("index", "-i", self.saved("index.png", disk.astype(np.uint8)))
        white = disk.astype(np.uint8) * 255
        soft = white.copy()
        edge = disk & ~(np.roll(disk, 1, 1) & np.roll(disk, -1, 1))
        soft[edge] = 190
        kinds = {"white": white, "grey": white // 2, "soft": soft,
                 "deep": disk.astype(np.uint16) * 65535, "rgb": np.dstack([white] * 3),
                 "red": np.dstack([white, white * 0, white * 0]),
                 "alpha": np.dstack([white, np.full_like(white, 255)]),
                 "cut": np.dstack([np.full_like(white, 255), white])}
        for name, array in kinds.items():
            path = self.saved(f"{name}.png", array)
            self.same(self.segment(name, "-i", path), want)

    def test_unclear(self):
        a = np.zeros((H, W), np.uint8)
        a[:, :20], a[:, 30:50], a[:, 60:70] = 100, 200, 255
        for name, array, words in (
                ("grey.png", a, "100, 200 and 255"),
                ("colours.png", np.dstack([a, a.T.reshape(H, W), 255 - a]), "has colours")):
            self.fault(2, [name, words] if name != "grey.png" else [name, "200"],
                       "rvos-segment", "-m", self.model, "-i", self.saved(name, array),
                       self.frames, scratch("mask-out", "unclear"))

    def test_eval_of_white_masks(self):
        """Results and annotations of one object in white."""
        truth, guess = scratch("white-truth"), scratch("white-guess")
        for folder, value in ((truth, 255), (guess, 255)):
            os.makedirs(os.path.join(folder, "a"), exist_ok=True)
            for t, mask in enumerate(self.masks):
                Image.fromarray(mask.astype(np.uint8) * value).save(
                    os.path.join(folder, "a", f"{t:05d}.png"))
        out = self.ok("rvos-eval", "-p", "davis2017", truth, guess)
        self.assertIn(" 100.0   100.0  100.0 ", out)


class Paths(MaskTest):
    def test_patterns_and_per_cent(self):
        mask = self.masks[0].astype(np.uint8)
        plain = self.segment("plain", "-i", self.saved("plain.png", mask))
        for name in ("at 100%.png", "take 50%d/00000.png"):
            self.same(self.segment(name.replace("/", "-"), "-i", self.saved(name, mask)),
                      plain)
        folder = os.path.dirname(scratch("mask-files", "take 50%d", "x"))
        self.same(self.segment("folder", "-i", folder), plain)
        self.same(self.segment("pattern", "-i", os.path.join(folder, "%05d.png")), plain)
        late = self.saved("late/7.png", mask)
        self.fault(2, ["late", "no mask has the number"], "rvos-segment", "-m", self.model,
                   "-i", os.path.join(os.path.dirname(late), "%d.png"), self.frames,
                   scratch("mask-out", "late"))

    def test_notes(self):
        """Notes name a mask without a frame, and one of another aspect ratio."""
        self.saved("more/00000.png", self.masks[0].astype(np.uint8).T)
        folder = os.path.dirname(self.saved("more/00077.png", self.masks[0] * np.uint8(1)))
        code, _, err = common.run("rvos-segment", "-m", self.model, "-i", folder,
                                  self.frames, scratch("mask-out", "more"))
        self.assertEqual(code, 0, err)
        self.assertIn("00077.png", err)
        self.assertIn("lies on its side", err)


class Pictures(MaskTest):
    def test_orientations(self):
        """JPEG and PNG pictures that are stored turned give the upright picture's masks."""
        upright, turned = [os.path.join(scratch("turned", n, "x")[:-2])
                           for n in ("upright", "turned")]
        for folder in (upright, turned):
            os.makedirs(folder, exist_ok=True)
        mask = self.saved("upright.png", self.masks[0].astype(np.uint8))
        for t in range(2):
            image = Image.open(os.path.join(self.frames, f"{t:05d}.png"))
            image.save(os.path.join(upright, f"{t:05d}.png"))
            exif = Image.Exif()
            exif[0x0112] = 6  # to be turned to the right
            image.transpose(Image.Transpose.ROTATE_90).save(
                os.path.join(turned, f"{t:05d}.png"), exif=exif)
        want = self.segment("upright", "-i", mask, frames=upright)
        self.assertEqual(want["00000.png"].shape, (H, W))
        self.same(self.segment("turned", "-i", mask, frames=turned), want)
        for name in os.listdir(turned):
            path = os.path.join(turned, name)
            with Image.open(path) as image:
                image.save(path[:-4] + ".jpg", quality=95, exif=image.getexif())
            os.remove(path)
        have = self.segment("jpeg", "-i", mask, frames=turned)
        self.assertEqual(have["00000.png"].shape, (H, W))

    def memory_of(self, *args):
        """(exit status, words, the most memory in MB)"""
        p = subprocess.Popen([common.tool("rvos-segment"), *args], stderr=subprocess.PIPE,
                             text=True)
        err = p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        p.stderr.close()
        return p.returncode, err, usage.ru_maxrss >> 10

    def test_progressive_bomb(self):
        """A small file with very many pixels is refused before the decoder takes memory."""
        seg = lambda m, body: struct.pack(">BBH", 255, m, len(body) + 2) + body
        path = scratch("bomb", "0.jpg")
        for side, words in ((32768, "no size from"), (16384, "too large")):
            with open(path, "wb") as f:
                f.write(b"\xff\xd8" + seg(0xDB, bytes([0] + [1] * 64)) +
                        seg(0xC2, struct.pack(">BHHB", 8, side, side, 3) +
                            bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])) +
                        seg(0xC4, bytes([0, 1] + [0] * 16)) +
                        seg(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 0, 0])) + bytes(1000) +
                        b"\xff\xd9")
            code, err, used = self.memory_of("-m", self.model, "-j", "1",
                                             os.path.dirname(path),
                                             scratch("mask-out", "bomb"))
            self.assertEqual(code, 2, err)
            self.assertIn(words, err)
            self.assertLess(used, 1000)


class Fifos(MaskTest):
    def test_mask_and_frame(self):
        folder = os.path.dirname(scratch("fifos", "x"))
        for name in ("0.png",):
            path = os.path.join(folder, name)
            if not os.path.exists(path):
                os.mkfifo(path)
        out = scratch("mask-out", "fifo")
        for args in (("-i", path, self.frames), ("-i", folder, self.frames), (folder,)):
            status, _, err = common.run("rvos-segment", "-m", self.model, *args, out)
            self.assertEqual(status, 2, err)


if __name__ == "__main__":
    common.main()
