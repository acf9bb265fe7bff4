#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readers, packs, stores, clip samplers and the composer of synthetic clips."""
import json
import os
import unittest
from pathlib import Path

import common

common.need("numpy", "torch", "PIL", "scipy")
import numpy as np
import torch
from PIL import Image

from rvos_train import clips, compose, datasets, prepare
import shapes
from rvos_train.datasets import DataError
from shapes import fresh
from rvos_train.store import Store

SIZE = (64, 96)
torch.set_num_threads(1)  # teams of threads crawl on a busy machine


class Readers(unittest.TestCase):
    def davis(self, year):
        root = fresh("davis")
        for t in range(3):
            image, labels = shapes.picture(*SIZE, (1, 2))
            if year == 2016:
                labels[labels > 0] = 255
            shapes.save(f"{root}/JPEGImages/480p/bear/{t:05d}", image)
            os.makedirs(f"{root}/Annotations/480p/bear", exist_ok=True)
            labels[0, :5] = 255
            Image.fromarray(labels).save(f"{root}/Annotations/480p/bear/{t:05d}.png")
        for split in ("train", "val"):
            os.makedirs(f"{root}/ImageSets/{year}", exist_ok=True)
            with open(f"{root}/ImageSets/{year}/{split}.txt", "w") as f:
                f.write("bear\n" if split == "train" else "wolf\n")
        return root

    def test_davis(self):
        for year, ids in ((2016, [0, 1]), (2017, [0, 1, 2])):
            root = self.davis(year)
            (s,), kind, licence = datasets.read_source(f"davis{year}:{root}:train")
            self.assertEqual((s.name, len(s.frames), licence),
                             ("bear", 3, "CC BY-NC 4.0"))
            self.assertEqual(np.unique(s.frames[0].mask()).tolist(), ids)
            # void or object
            self.assertEqual(int(s.frames[0].mask()[0, 0]), year == 2016)
            with self.assertRaisesRegex(DataError, "wolf"):
                datasets.read_source(f"davis{year}:{root}:val")

    def test_youtube(self):
        root = fresh("youtube")
        for t in range(0, 15, 5):
            image, labels = shapes.picture(*SIZE, (1, 2))
            shapes.save(f"{root}/valid/JPEGImages/abc/{t:05d}", image)
            if t == 0:
                os.makedirs(f"{root}/valid/Annotations/abc")
                shapes.save_labels(f"{root}/valid/Annotations/abc/{t:05d}.png", labels)
        with open(f"{root}/valid/meta.json", "w") as f:
            json.dump({"videos": {"abc": {"objects": {
                "2": {"category": "cat"}, "1": {"category": "dog"}}}}}, f)
        (s,), _, _ = datasets.read_source(f"youtube:{root}:valid")
        self.assertEqual((s.name, s.objects, len(s.frames)), ("abc", [1, 2], 3))
        self.assertEqual([f.mask() is not None for f in s.frames], [True, False, False])
        with self.assertRaisesRegex(DataError, "meta.json"):
            datasets.read_source(f"youtube:{root}:train")

    def test_coco(self):
        root = fresh("coco")
        shapes.save(f"{root}/images/1", np.zeros((*SIZE, 3), np.uint8))
        box = lambda x0, y0, x1, y1: [x0, y0, x1, y0, x1, y1, x0, y1]
        # a column-wise run-length mask of the last two columns
        counts = [94 * 64, 2 * 64]
        annotations = [
            dict(image_id=1, area=900, segmentation=[box(10, 10, 40, 40)]),
            dict(image_id=1, area=100, segmentation=[box(20, 20, 30, 30)]),
            dict(image_id=1, area=128, segmentation=dict(size=SIZE, counts=counts)),
            dict(image_id=1, area=5, iscrowd=1,
                 segmentation=dict(size=SIZE, counts=[6144]))]
        with open(f"{root}/a.json", "w") as f:
            json.dump(dict(images=[dict(id=1, file_name="1.jpg", height=64, width=96),
                                   dict(id=2, file_name="2.jpg", height=64, width=96)],
                           annotations=annotations), f)
        (s,), _, _ = datasets.read_source(f"coco:{root}/a.json:{root}/images")
        m = s.frames[0].mask()
        self.assertEqual(np.unique(m).tolist(), [0, 1, 2, 3])
        # the small one in front
        self.assertEqual((m[25, 25], m[12, 12], m[5, 5]), (3, 1, 0))
        self.assertTrue((m[:, 94:] == 2).all() and (m[:, 93] != 2).all())

    def test_odd_segmentations(self):
        """A mistake names the picture; the area may be missing."""
        large, small = [[1, 1, 30, 1, 30, 30]], [[20, 4, 26, 4, 26, 9]]
        frame = datasets.CocoFrame("1.jpg", SIZE, [dict(segmentation=small),
                                                   dict(segmentation=large)])
        self.assertEqual((frame.mask()[5, 25], frame.mask()[5, 10]), (2, 1))
        runs = lambda counts: dict(size=SIZE, counts=counts)
        for wrong in (None, "x", [["a"] * 6], [[float("nan")] * 6], [[1, 2, 10 ** 400] * 2],
                      runs([-5, 6149]), runs([0.5, 6143.5]), runs("zz"), dict(counts=[6144])):
            frame.annotations = [dict(segmentation=wrong, area=1)]
            with self.assertRaisesRegex(DataError, "1.jpg: a segmentation of it cannot be read"):
                frame.mask()
        frame.annotations = [dict(segmentation=large, area="x")]
        self.assertRaisesRegex(DataError, "1.jpg: ", frame.mask)

    def test_names_of_pictures(self):
        """Cameras write .JPG; no picture of a folder is left out silently."""
        root = fresh("names")
        os.makedirs(f"{root}/seq")
        for t, (jpg, png) in enumerate((("jpg", "png"), ("JPG", "PNG"), ("jpeg", "png"))):
            image, labels = shapes.picture(*SIZE, (1, 2))
            Image.fromarray(image).save(f"{root}/seq/{t}.{jpg}", "JPEG")
            Image.fromarray(labels).save(f"{root}/seq/{t}.{png}", "PNG")
        (s,), _, _ = datasets.read_source(f"folder:{root}")
        self.assertEqual([sorted(np.unique(f.mask())) for f in s.frames], [[0, 1, 2]] * 3)
        os.makedirs(f"{root}/other/empty")
        with self.assertRaisesRegex(DataError, "has no pictures .NAME.jpg"):
            datasets.read_source(f"folder:{root}/other")

    def test_packed_run_lengths(self):
        """Compare with a packer written from the format's description."""
        def pack(counts):
            out = ""
            for i, c in enumerate(counts):
                x = c - (counts[i - 2] if i > 2 else 0)
                more = True
                while more:
                    low = x & 31
                    x >>= 5
                    more = x != (-1 if low & 16 else 0)
                    out += chr((low | 32 if more else low) + 48)
            return out
        for counts in ([5, 3, 2, 100, 4, 1, 2000, 7], [0, 1, 0, 33, 1, 31, 32]):
            self.assertEqual(datasets.unpack_counts(pack(counts)), counts)
        m = np.random.RandomState(0).rand(9, 7) > 0.5
        flat = np.concatenate([[False], m.T.flatten(), [True]])
        ends = np.flatnonzero(np.diff(flat.astype(int)))
        runs = np.diff(np.concatenate([[0], ends, [63]])).tolist()
        got = datasets.decode_segmentation(dict(size=[9, 7], counts=pack(runs)), 9, 7)
        np.testing.assert_array_equal(got, m)
        with self.assertRaises(DataError):
            datasets.decode_segmentation(dict(size=[9, 7], counts=[5]), 9, 7)

    def test_pascal_and_folder(self):
        root = fresh("voc")
        image, labels = shapes.picture(*SIZE, (1, 2))
        labels[:3] = 255
        shapes.save(f"{root}/JPEGImages/a", image)
        shapes.save(f"{root}/JPEGImages/b", image)
        os.makedirs(f"{root}/SegmentationObject")
        shapes.save_labels(f"{root}/SegmentationObject/a.png", labels)
        (s,), _, _ = datasets.read_source(f"pascal:{root}")
        self.assertEqual(np.unique(s.frames[0].mask()).tolist(), [0, 1, 2])
        root = fresh("folder")
        shapes.videos(root, 2, 3)
        shapes.stills(root, 1)
        found, _, licence = datasets.read_source(f"folder:{root}")
        self.assertEqual([(s.name, len(s.frames)) for s in found],
                         [("still0", 1), ("video0", 3), ("video1", 3)])
        self.assertEqual(licence, "unknown")

    def test_masks_and_pictures_as_people_have_them(self):
        """A user's mask may be black and white; in a published data set 255 is void.
        Pictures are turned as their EXIF says."""
        root = fresh("own")
        os.makedirs(root)
        rgb, ids = shapes.picture(*SIZE, (1,))
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(rgb).save(f"{root}/a.jpg", exif=exif)
        Image.fromarray(((ids > 0) * 255).astype(np.uint8)).save(f"{root}/a.png")
        frame = datasets.read_source(f"folder:{root}")[0][0].frames[0]
        np.testing.assert_array_equal(frame.mask(), ids > 0)
        self.assertEqual(frame.image().size, SIZE)  # width, height: exchanged
        self.assertEqual(datasets.open_mask(f"{root}/a.png", "a.png").max(), 0)
        self.assertEqual(datasets.open_mask(f"{root}/a.png", "a.png", True).max(), 1)

    def test_mistakes(self):
        root = fresh("bad")
        shapes.save(f"{root}/a", shapes.picture(*SIZE, ())[0])
        Image.fromarray(shapes.picture(*SIZE, (1,))[0]).save(f"{root}/a.png")
        Path(f"{root}/b.jpg").write_text("no picture")
        a, b = datasets.read_source(f"folder:{root}")[0]
        with self.assertRaisesRegex(DataError, "a.png: has colours"):
            a.frames[0].mask()
        with self.assertRaisesRegex(DataError, "b.jpg: not a picture"):
            b.frames[0].image()
        for source, words in (("dvais:x", "unknown kind"),
                              ("folder:/no/where", "/no/where"),
                              ("coco:x", "must be coco:INSTANCES.json:IMAGES"),
                              (f"pack:{root}/b.jpg", "not a pack"),
                              ("davis2017", "wrong number of parts: it must be davis2017:ROOT")):
            with self.assertRaisesRegex(DataError, words):
                datasets.read_source(source)


class Packs(unittest.TestCase):
    def make(self, name, **options):
        root = shapes.videos(fresh("videos"), 2, 6)
        file = common.scratch(name)
        manifest = prepare.prepare([f"folder:{root}"], file, (48, 32), say=lambda s: None,
                                   **options)
        return file, manifest

    def test_round_trip(self):
        file, manifest = self.make("a.zip", every=2, licence="ours", exhaustive=True)
        self.assertEqual(manifest["sources"], [dict(name="folder-videos", licence="ours",
                                                    sequences=2, frames=6, objects=4)])
        found, kind, licence = datasets.read_source(f"pack:{file}")
        self.assertEqual(licence, "folder-videos: ours")
        self.assertEqual([(s.name, len(s.frames), s.exhaustive, s.objects)
                          for s in found],
                         [("folder-videos/video0", 3, True, [1, 2]),
                          ("folder-videos/video1", 3, True, [1, 3])])
        self.assertEqual(found[0].frames[0].image().size, (48, 32))
        want = Image.fromarray(shapes.picture(64, 96, (1, 2), 4)[1]).resize((48, 32), 0)
        np.testing.assert_array_equal(found[0].frames[1].mask(), np.array(want))

    def test_same_bytes_and_verify(self):
        a, _ = self.make("a.zip")
        b, _ = self.make("b.zip")
        data = Path(a).read_bytes()
        self.assertEqual(data, Path(b).read_bytes())
        self.assertEqual(prepare.verify(a), [])
        at = data.index(b"video1/00002.png") + 60
        Path(a).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        self.assertEqual(prepare.verify(a), ["folder-videos/video1"])

    def test_masks_of_another_shape(self):
        """They are stretched, and that is told once for a sequence, and once for a store."""
        root = shapes.videos(fresh("stretched"), 2, 3)
        for t in range(3):
            for n, size in ((0, (48, 32)), (1, (64, 96))):  # 96x64 by half, and on its side
                shapes.save_labels(f"{root}/video{n}/{t:05d}.png",
                                   shapes.picture(*size[::-1], (1, 2))[1])
        source = f"folder:{root}"
        status, _, err = common.captured(prepare.main, source, "-o", common.scratch("s.zip"),
                                         "--size", "48x32")
        told = (f"{root}/video1/00000.png: the mask is of 64x96 and its picture of 96x64: the "
                "mask is stretched to the picture's shape")
        self.assertEqual((status, err), (0, f"{told} (and 2 more of this sequence)\n"))
        found = datasets.read_source(source)[0]
        for budget in (1 << 20, 0):
            store = lambda _: Store(found, (32, 48), budget=budget, workers=1).fetch(
                torch.arange(6)) and 0
            self.assertEqual(common.captured(store)[2], f"{told} (told once)\n")

    def test_command(self):
        status, _, err = common.captured(prepare.main, "folder:/no/where", "-o", "/tmp/x.zip")
        self.assertEqual((status, err),
                         (1, "rvos_train prepare: /no/where: No such file or directory\n"))


class Stores(unittest.TestCase):
    def test_streamed_equals_resident(self):
        found = datasets.read_source("folder:" + shapes.videos(fresh("videos"), 3, 5))[0]
        a = Store(found, (32, 48))
        b = Store(found, (32, 48), budget=0, workers=2)
        self.assertTrue(a.resident and not b.resident)
        index = torch.tensor([[0, 7, 14], [3, 3, 1]])
        b.prefetch(index)
        for x, y in zip(a.fetch(index), b.fetch(index)):
            self.assertTrue(torch.equal(x, y))
        self.assertEqual(tuple(x.shape), (2, 3, 32, 48))
        b.room = 2
        b.fetch(torch.arange(15))
        b.fetch(torch.arange(4))
        self.assertLessEqual(len(b.cache), 6)


class Sampling(unittest.TestCase):
    def setUp(self):
        found = datasets.read_source("folder:" + shapes.videos(fresh("videos"), 3, 9))[0]
        found[2].frames = found[2].frames[:3]  # too short for clips of 4
        self.store = Store(found, SIZE)

    def test_plans(self):
        """Inside one sequence, evenly spaced, both directions, every allowed stride."""
        source, seen, backwards = clips.VideoClips(self.store, 4), set(), 0
        for step in range(40):
            index, which = source.plan(4, 4, clips.Draw("cpu", 0, step))
            for row, k in zip(index.tolist(), which.tolist()):
                first, n = self.store.spans[k]
                self.assertTrue(all(first <= i < first + n for i in row))
                gaps = set(np.diff(row).tolist())
                self.assertEqual(len(gaps), 1)
                seen.add(abs(gaps.pop()))
                backwards += row[0] > row[-1]
                self.assertIn(k, (0, 1))
        self.assertEqual(seen, {1, 2})  # 9 frames hold 4 at strides 1 and 2
        self.assertTrue(50 < backwards < 110)
        with self.assertRaisesRegex(ValueError, "no video has 10 frames, the length of a clip"):
            source.plan(1, 10, clips.Draw("cpu", 0))

    def test_deterministic(self):
        source = clips.VideoClips(self.store)
        make = lambda step: source.make(source.plan(2, 3,
                                                    clips.Draw("cpu", 7, step, "plan")),
                                        clips.Draw("cpu", 7, step, "make"))
        for a, b in zip(make(3), make(3)):
            self.assertTrue(torch.equal(a, b))
        self.assertFalse(torch.equal(make(3)[0], make(4)[0]))

    def test_epochs(self):
        """Every clip comes once an epoch; starts are multiples of the length, shuffled; an
        incomplete batch is dropped."""
        source = clips.EpochClips(self.store, 3, 4, seed=1)
        self.assertEqual((len(source.clips), source.steps), (4, 1))
        source = clips.EpochClips(self.store, 2, 4, seed=1)
        orders = []
        for epoch in range(6):
            steps = [source.plan_step(epoch * 2 + s)[0] for s in range(2)]
            starts = torch.cat(steps)[:, 0].tolist()
            self.assertEqual(sorted(starts), [0, 4, 9, 13])
            orders.append(tuple(starts))
        self.assertGreater(len(set(orders)), 2)

    def test_augmentations_keep_masks_on_objects(self):
        """Pixels labelled k have object k's colour, whatever the map."""
        x, y = self.store.fetch(torch.tensor([[0, 1, 2], [9, 10, 11]]))
        x = x.float() / 255
        tell = torch.tensor(shapes.COLOURS).float() / 255
        for name in ("paper", "strong"):
            moved = 0
            for step in range(5):
                draw = clips.Draw("cpu", step)
                if name == "strong":
                    old, clips.photometric = clips.photometric, lambda x, draw: x
                a, b = clips.AUGMENT[name](x, y, draw)
                if name == "strong":
                    clips.photometric = old
                nearest = (a[:, :, None] - tell[None, None, :, :, None, None]).pow(2).sum(
                    3).argmin(2)
                agree = (nearest == b).float().mean().item()
                self.assertGreater(agree, 0.93)  # the rest: blurred and JPEG borders
                moved += (b != y).float().mean().item() > 0.01
                if name == "paper":  # one map for all frames of a clip
                    same, _ = clips.paper(x[:, :1].expand(-1, 3, -1, -1, -1), y,
                                          clips.Draw(
                        "cpu", step))
                    self.assertTrue(torch.equal(same[:, 0], same[:, 2]))
            self.assertGreater(moved, 3)

    def test_histogram(self):
        """Counts are exact for few clips, with many bins, and for many, with few bins."""
        gen = torch.Generator().manual_seed(0)
        for b, n in ((1, 1), (3, 1000), (16, 5000), (63, 300), (100, 300), (5000, 7)):
            labels = torch.randint(256, (b, n), generator=gen, dtype=torch.uint8)
            labels[torch.rand(b, n, generator=gen) < 0.6] = 0
            labels[-1, -1] = 255
            want = torch.stack([torch.bincount(v, minlength=256) for v in labels])
            self.assertTrue(torch.equal(clips.histogram(labels), want.float()), b)

    def test_select_objects(self):
        labels = torch.zeros(2, 3, 40, 40, dtype=torch.uint8)
        labels[0, :, :20, :20], labels[0, 1, 30:, 30:], labels[0, 0, 25, 25] = 5, 200, 7
        labels[1, :, 2:30, 2:30], labels[1, :, 30:35, :] = 1, 2
        labels[1, :, 36:, :10] = 3
        orders = set()
        for step in range(20):
            targets, valid = clips.select_objects(labels, 2,
                                                  clips.Draw("cpu", step), 0.01)
            rows = [{tuple(map(int, torch.nonzero(targets[b, 1, n])[0])) for n in range(2)
                     if valid[b, n]} for b in range(2)]
            self.assertEqual(rows, [{(0, 0), (30, 30)}, {(2, 2), (30, 0)}])
            orders.add(bool(targets[1, 0, 0, 2, 2]))
            self.assertTrue(valid.all())
        self.assertEqual(orders, {True, False})
        targets, valid = clips.select_objects(labels, 4, clips.Draw("cpu", 0), 0.01)
        self.assertEqual(valid.sum(1).tolist(), [2, 3])
        self.assertEqual(float(targets[0][:, ~valid[0]].sum()), 0)

    def test_ordered_objects(self):
        labels = torch.zeros(1, 2, 4, 4, dtype=torch.uint8)
        labels[0, 1, 0, 0], labels[0, 0, 1, 1], labels[0, 0, 2, 2] = 3, 1, 9
        targets, valid = clips.ordered_objects(labels, 4)
        self.assertEqual(valid.tolist(), [[True, False, True, False]])
        self.assertEqual(targets.sum((3, 4)).tolist(), [[[1, 0, 0, 0], [0, 0, 1, 0]]])


class Composer(unittest.TestCase):
    def setUp(self):
        self.store = Store(datasets.read_source("folder:"
                                                + shapes.stills(fresh("stills"), 6))[0],
                           SIZE)
        plain = datasets.read_source("folder:" + fresh_background())[0]
        self.bg = Store(plain, SIZE)

    def make(self, seed, photo=False, batch=4, length=5, count=4):
        source = compose.SyntheticClips(self.store, self.bg, count, photo)
        plan = source.plan(batch, length, clips.Draw("cpu", seed, "plan"))
        return source, plan, source.make(plan, clips.Draw("cpu", seed, "make"))

    def test_masks_and_pixels_agree(self):
        """Inside a label the colour is the cut-out's; outside it is the background's."""
        tell = torch.tensor(shapes.COLOURS).float() / 255
        labelled = 0
        for seed in range(4):
            source, plan, (x, y, exhaustive) = self.make(seed)
            near = (x[:, :, None] - tell[None, None, :, :, None,
                                         None]).pow(2).sum(3).argmin(2)
            for b in range(4):
                for k in range(4):
                    inside = y[b] == compose.FIRST + k
                    if inside.sum() < 50:
                        continue
                    labelled += 1
                    frame, which = plan[0][b, k, :2].long().tolist()
                    agree = (near[b][inside] == which).float().mean().item()
                    self.assertGreater(agree, 0.8, (seed, b, k))  # the border is blended
            outside = near[y == 0]
            self.assertGreater((outside == 0).float().mean().item(), 0.97)
            self.assertTrue(bool((exhaustive == 1).all()))
        self.assertGreater(labelled, 15)

    def test_deterministic(self):
        a, b, c = self.make(1, True)[2], self.make(1, True)[2], self.make(2, True)[2]
        for x, y in zip(a, b):
            self.assertTrue(torch.equal(x, y))
        self.assertFalse(torch.equal(a[0], c[0]))
        self.assertTrue(0 <= a[0].min() and a[0].max() <= 1)

    def test_motion(self):
        """Objects move, cover each other, leave, and some come back."""
        gone = back = covered = moved = 0
        for seed in range(30):
            _, _, (x, y, _) = self.make(seed, batch=4, length=8, count=3)
            for b in range(4):
                for k in range(3):
                    area = (y[b] == compose.FIRST + k).sum((1, 2)).tolist()
                    here = [a > 20 for a in area]
                    if not any(here):
                        continue
                    moved += bool((y[b, 0] != y[b, -1]).any())
                    gone += here[0] and not all(here)
                    first, last = here.index(True), 7 - here[::-1].index(True)
                    back += not all(here[first:last + 1])
                    covered += here[0] and max(area) > 1.3 * min(a for a in area
                                                                 if a > 20)
        self.assertGreater(moved, 100)
        self.assertGreater(gone, 5)
        self.assertGreater(back, 0)
        self.assertGreater(covered, 10)

    def test_no_objects(self):
        with self.assertRaisesRegex(ValueError, "no object"):
            compose.SyntheticClips(self.bg)


def fresh_background():
    path = fresh("background")
    shapes.save(os.path.join(path, "plain"), shapes.picture(*SIZE, ())[0],
                np.zeros(SIZE, np.uint8))
    return path


if __name__ == "__main__":
    common.main()
