#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares data/rvos_train/model.py with the original's outputs and with docs/network.md."""
import os
import unittest

import common

common.need("numpy", "torch", "PIL")
import numpy as np
import torch
from PIL import Image

from rvos_train import convert, layout, model, pixels
from common import GOLDEN, MODEL, shared_golden, shared_model

PROB, LOGIT = 5e-4, 2e-4  # docs/numerics.md, "Tolerances"
torch.set_grad_enabled(False)
torch.set_num_threads(1)  # teams of threads crawl on a busy machine


def random_net(seed=0, **settings):
    """Random weights; batch norms have gains of both signs and random statistics."""
    torch.manual_seed(seed)
    settings = dict(dict(base="resnet18", hidden=8, width=8), **settings)
    net = model.RVOS(**settings).eval()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.weight.copy_(torch.rand_like(m.weight) * 2 - 1)
            m.bias.copy_(torch.rand_like(m.bias) - 0.5)
            m.running_mean.copy_(torch.rand_like(m.bias) * 0.4 - 0.2)
            m.running_var.copy_(torch.rand_like(m.bias) + 0.3)
    return net


def noise(count, h, w, seed=1):
    return np.random.RandomState(seed).randint(0, 256, (count, h, w, 3), np.uint8)


def golden_net(case):
    tensors, settings = convert.load(common.golden_checkpoint(case))
    meta = convert.metadata(settings, (112, 64), "", "")
    return model.from_tensors(tensors, meta), settings["task"]


@shared_golden
class Golden(unittest.TestCase):
    """The recorded cases of the original network."""
    VARIANTS = {"e1_small_only_spatial_zeroshot": "spatial",
                "e3_small_only_temporal_zeroshot": "temporal"}

    def near(self, got, want, limit, what):
        error = float(np.abs(np.asarray(got, np.float64) - want).max())
        self.assertLessEqual(error, limit, what)

    def check_frame0(self, case, step, net):
        load = lambda name: np.load(os.path.join(GOLDEN, case, "frame0", name + ".npy"))
        self.near(step.input, load("input"), 1e-6, "input")
        x = torch.from_numpy(step.input)[None]
        for n, got in enumerate(net.encoder.base(x), 1):
            want = load(f"encoder_x{n}_s{1 << n}")
            self.near(got[0], want, 1e-3 * np.abs(want).max(), f"x{n}")
        for k, n in enumerate((5, 4, 3, 2)):
            want = load(f"skip_{n}_s{1 << n}")
            self.assertLess(want.min(), 0)  # no activation behind the batch norm
            self.near(step.features[k][0], want, 1e-3 * np.abs(want).max(), f"skip {n}")
            self.near(step.hidden[k][0], load(f"hidden_level{k}"), PROB, f"hidden {k}")
            self.near(step.cell[k][0], load(f"cell_level{k}"), PROB, f"cell {k}")
            if net.decoder(net.settings["tasks"][0]).mask:
                got = model.mask_pyramid(step.fed[None])[k][0]
                self.near(got, load(f"prev_mask_s{1 << n}"), 0, f"mask {k}")

    def check(self, case):
        load = lambda *name: np.load(os.path.join(GOLDEN, case, *name))
        net, task = golden_net(case)
        seeds = {}
        if task == "one-shot":
            path = os.path.join(GOLDEN, case, "annotations", "00000.png")
            seeds[0] = pixels.read_labels(path), None
            self.near(pixels.object_planes(seeds[0][0], 3), load("init_mask.npy"),
                      0, "init")
        half, probs = load("logits_half_f64.npy"), load("probs.npy")
        steps = model.run(net, task, load("frames.npy"), 3, self.VARIANTS.get(case,
                          "spatio-temporal"), seeds=seeds)
        for t, step in enumerate(steps):
            if t == 0:
                self.check_frame0(case, step, net)
            self.near(step.logits_half, half[t], LOGIT, f"logits {t}")
            self.near(step.prob, probs[t], PROB, f"probabilities {t}")
            if task == "one-shot":
                self.near(step.fed, load("prev_mask_fed.npy")[t],
                          PROB if t > 1 else 0, "fed")
            for i in range(3):
                name = os.path.join(GOLDEN, case, "masks_out",
                                    f"{t:05d}_instance_{i:02d}.png")
                want = np.array(Image.open(name)) > 0
                sure = np.abs(probs[t, i] - 0.5) >= PROB
                self.assertTrue((((step.prob[i] > 0.5).numpy() == want) | ~sure).all())
        for k in range(4):
            self.near(step.hidden[k][0], load("last", f"hidden_level{k}.npy"),
                      PROB, "last")
        self.assertEqual(t + 1, len(half))

    def test_a_zero_shot(self):
        self.check("a_small_zeroshot")

    def test_b_one_shot(self):
        self.check("b_small_oneshot")

    def test_e1_spatial(self):
        self.check("e1_small_only_spatial_zeroshot")

    def test_e3_temporal(self):
        self.check("e3_small_only_temporal_zeroshot")

    def test_f1_sum(self):
        self.check("f1_small_skip_sum")

    def test_h_resizes(self):
        folder = os.path.join(GOLDEN, "h_e2e_davis_zeroshot")
        want = np.load(os.path.join(folder, "frames_240x427.npy"))
        for t in range(len(want)):
            image = np.array(Image.open(os.path.join(folder, "frames", f"{t:05d}.png")))
            np.testing.assert_array_equal(pixels.resize_bilinear(image, 240, 427),
                                          want[t])
        labels = pixels.read_labels(os.path.join(folder, "annotations", "00000.png"))
        np.testing.assert_array_equal(pixels.resize_nearest(labels, 240, 427),
                                      np.load(os.path.join(folder,
                                                           "annotation_240x427.npy")))

    def test_h_masks(self):
        case = "h_e2e_davis_zeroshot"
        net, task = golden_net(case)
        frames = np.load(os.path.join(GOLDEN, case, "frames_240x427.npy"))[:2]
        for t, step in enumerate(model.run(net, task, frames, 10, size=(240, 427))):
            for i in range(10):
                name = os.path.join(GOLDEN, case, "masks_sep",
                                    f"{t:05d}_instance_{i:02d}.png")
                want = np.array(Image.open(name)) > 0
                differ = (step.prob[i].numpy() > 0.5) != want
                self.assertTrue((np.abs(step.prob[i].numpy()[differ] - 0.5) < PROB).all())
                self.assertLess(differ.mean(), 1e-3)


@shared_model
class Shipped(unittest.TestCase):
    """The trained model on eight real frames, both tasks."""

    def check(self, task, objects, seeds):
        net = model.load_bundle(os.path.join(MODEL, "rvos-resnet18-h128.safetensors"))
        folder = os.path.join(MODEL, "reference")
        frames = [np.array(Image.open(os.path.join(folder, f"{t:05d}.png")))
                  for t in range(8)]
        want = np.load(os.path.join(folder, task.replace("-", "_") + "_logits_half.npy"))
        for t, step in enumerate(model.run(net, task, frames, objects, seeds=seeds)):
            self.assertLessEqual(np.abs(step.logits_half.numpy() - want[t]).max(), 1e-3)
            full = model.upsample(torch.from_numpy(want[t])[None], (256, 448))[0]
            self.assertLessEqual(float((torch.sigmoid(full) - step.prob).abs().max()),
                                 PROB)

    def test_zero_shot(self):
        self.check("zero-shot", 5, None)

    def test_one_shot(self):
        labels = pixels.read_labels(os.path.join(MODEL, "reference", "init_mask.png"))
        self.check("one-shot", 1, {0: (labels, None)})


class Parts(unittest.TestCase):
    def test_layout_agrees(self):
        """layout.py lists exactly the tensors of the modules."""
        for base in model.BASES:
            for kernel, mode in ((3, "concat"), (1, "none")):
                want = layout.bundle(base, 16, kernel, mode, 8)
                net = model.RVOS(base, 16, kernel, mode, 8)
                have = {k: tuple(v.shape) for k, v in net.state_dict().items()
                        if "num_batches" not in k}
                self.assertEqual({k.replace("zero-shot", "zero_shot"): v
                                  for k, v in want.items()}, have)

    def test_published_counts(self):
        """Published numbers of parameters, without the classifier."""
        for base, encoder, classifier in (("resnet101", 48457800, 2049000),
                                          ("resnet50", 29465672, 2049000),
                                          ("resnet34", 22775624, 513000),
                                          ("vgg16", 139722568, 123642856),
                                          # published, and 1281000 + 412160 (the
                                          # last convolution, with its batch norm)
                                          ("mobilenetv2", 3504872 + 505632,
                                           1281000 + 412160),
                                          ("effnet-lite0", 4652008 + 528672,
                                           1281000 + 412160)):
            shapes = layout.encoder(base, 128, width=layout.standard_width(base))
            count = sum(int(np.prod(v)) for k, v in shapes.items() if "running" not in k)
            self.assertEqual(count, encoder - classifier, base)
        for one_shot, want in ((False, 2931793), (True, 2940433)):
            shapes = layout.decoder(128, one_shot=one_shot)
            self.assertEqual(sum(int(np.prod(v)) for v in shapes.values()), want)

    def test_upsampling(self):
        """Aligned corners, odd ratios, constants and ramps."""
        x = torch.rand(1, 2, 15, 27)
        for size in ((30, 54), (60, 107)):
            y = model.upsample(x, size)
            want = self.aligned(self.aligned(x.numpy(), size[0], 2), size[1], 3)
            # PyTorch's places are float32: off by up to 54 * 2^-24 of a pixel here.
            np.testing.assert_allclose(y.numpy(), want, atol=4e-6)
            x = y
        ramp = torch.linspace(0, 1, 15)[:, None].expand(15, 27)[None, None]
        want = torch.linspace(0, 1, 30)[:, None].expand(30, 54)
        self.assertLess(float((model.upsample(ramp, (30, 54))[0, 0] - want).abs().max()),
                        1e-6)

    @staticmethod
    def aligned(x, size, axis):
        n = x.shape[axis]
        at = np.arange(size) * ((n - 1) / (size - 1) if size > 1 else 0.0)
        lo = np.floor(at).astype(int)
        hi = np.minimum(lo + 1, n - 1)
        w = (at - lo).reshape([-1 if a == axis else 1 for a in range(4)])
        return x.take(lo, axis) * (1 - w) + x.take(hi, axis) * w

    def test_mask_pyramid_sizes(self):
        got = [tuple(m.shape[-2:])
               for m in model.mask_pyramid(torch.zeros(1, 1, 60, 107))]
        self.assertEqual(got, [(2, 4), (4, 7), (8, 14), (15, 27)])

    def test_resize_is_pillows(self):
        for (h, w), (oh, ow) in (((50, 71), (31, 40)), ((20, 30), (47, 64)),
                                 ((64, 64), (64, 33))):
            image = noise(1, h, w)[0]
            want = np.array(Image.fromarray(image).resize((ow, oh), Image.BILINEAR))
            np.testing.assert_array_equal(pixels.resize_bilinear(image, oh, ow), want)

    def test_labels(self):
        """Lowest slot of equal logits; background below the threshold."""
        logits = torch.tensor([[-1.0, 2.0, 3.0], [-2.0, 2.0, 4.0]]).reshape(2, 1, 3)
        got = model.label_map(logits, (1, 3))
        self.assertEqual(got.tolist(), [[0, 1, 2]])
        self.assertEqual(model.label_map(logits, (1, 3), threshold=0.9).tolist(),
                         [[0, 0, 2]])

    def test_read_labels_rejects_colour(self):
        path = common.scratch("colour.png")
        Image.fromarray(noise(1, 4, 4)[0]).save(path)
        with self.assertRaisesRegex(ValueError, "colour.png.*colours"):
            pixels.read_labels(path)


class Loops(unittest.TestCase):
    """Rules of docs/network.md on random networks: slots, fed masks, variants, sizes."""

    def outputs(self, *args, **named):
        return [s.logits_half for s in model.run(*args, **named)]

    def test_more_objects_same_rows(self):
        net = random_net()
        frames = noise(3, 64, 96)
        labels = np.zeros((64, 96), np.uint8)
        labels[10:30, 10:40], labels[30:50, 50:90] = 1, 2
        for task, seeds in (("zero-shot", None), ("one-shot", {0: (labels, None)})):
            all10 = self.outputs(net, task, frames, 10, size=(64, 96), seeds=seeds,
                                 all_slots=True)
            for n in (1, 2, 3):
                few = self.outputs(net, task, frames, n, size=(64, 96), seeds=seeds)
                for a, b in zip(all10, few):
                    top = min(n, 2) if task == "one-shot" else n
                    self.assertLessEqual(float((a[:top] - b[:top]).abs().max()), 1e-6)

    def test_late_object(self):
        """A late row leaves the rows before it unchanged; with all_slots it has a
        history."""
        net = random_net(1)
        frames = noise(5, 64, 96)
        first, late = np.zeros((2, 64, 96), np.uint8)
        first[8:40, 8:40], late[20:60, 50:90] = 1, 2
        seeds = {0: (first, (1, 0)), 2: (late, (0, 1))}
        one = self.outputs(net, "one-shot", frames, 1, size=(64, 96),
                           seeds={0: (first, None)})
        lazy = list(model.run(net, "one-shot", frames, 2, size=(64, 96), seeds=seeds))
        full = list(model.run(net, "one-shot", frames, 2, size=(64, 96), seeds=seeds,
                              all_slots=True))
        for a, b, c in zip(one, lazy, full):
            self.assertLessEqual(float((a[0] - b.logits_half[0]).abs().max()), 1e-6)
            self.assertLessEqual(float((a[0] - c.logits_half[0]).abs().max()), 1e-6)
        self.assertEqual([s.live for s in lazy], [1, 1, 2, 2, 2])
        self.assertEqual(float(lazy[1].logits_half[1].abs().max()), 0)
        # pasted at frame 2 alone, its own output before and after
        for steps in (lazy, full):
            np.testing.assert_array_equal(steps[2].fed[1].numpy(), late == 2)
            np.testing.assert_array_equal(steps[3].fed[1], steps[2].prob[1])
            np.testing.assert_array_equal(steps[2].fed[0], steps[1].prob[0])
        np.testing.assert_array_equal(full[1].fed[1].numpy(), np.zeros((64, 96)))
        self.assertGreater(float((lazy[2].logits_half[1]
                                  - full[2].logits_half[1]).abs().max()),
                           1e-4)  # the history changes the result

    def test_fed_masks(self):
        """Frames 0 and 1 are fed the annotation, then soft probabilities."""
        net = random_net(2)
        labels = np.zeros((32, 48), np.uint8)
        labels[5:20, 5:20] = 1
        steps = list(model.run(net, "one-shot", noise(4, 64, 96), 1, size=(64, 96),
                               seeds={0: (labels, None)}))
        given = pixels.resize_nearest(labels, 64, 96)
        for t in (0, 1):
            np.testing.assert_array_equal(steps[t].fed[0].numpy(), given)
        for t in (2, 3):
            np.testing.assert_array_equal(steps[t].fed[0], steps[t - 1].prob[0])

    def test_seed_before_any(self):
        """Before the first seed nothing runs and time does not count."""
        net = random_net(3)
        labels = np.zeros((64, 96), np.uint8)
        labels[5:40, 5:40] = 1
        frames = noise(4, 64, 96)
        late = self.outputs(net, "one-shot", frames, 1, size=(64, 96),
                            seeds={1: (labels, None)})
        now = self.outputs(net, "one-shot", frames[1:], 1, size=(64, 96),
                           seeds={0: (labels, None)})
        self.assertEqual(float(late[0].abs().max()), 0)
        for a, b in zip(late[1:], now):
            np.testing.assert_array_equal(a, b)

    def test_temporal_keeps_spatial_at_frame_0(self):
        net = random_net(4)
        frames = noise(2, 64, 96)
        st = self.outputs(net, "zero-shot", frames, 2, size=(64, 96))
        t = self.outputs(net, "zero-shot", frames, 2, "temporal", size=(64, 96))
        s = self.outputs(net, "zero-shot", frames, 2, "spatial", size=(64, 96))
        np.testing.assert_array_equal(st[0], t[0])
        np.testing.assert_array_equal(st[0], s[0])
        self.assertGreater(float((st[1][1] - t[1][1]).abs().max()), 1e-4)
        self.assertGreater(float((st[1][0] - s[1][0]).abs().max()), 1e-4)
        # without a temporal state every frame stands alone
        alone = self.outputs(net, "zero-shot", frames[1:], 2, size=(64, 96))
        np.testing.assert_array_equal(s[1], alone[0])

    def test_wrong_task(self):
        net = random_net(tasks=("zero-shot",))
        with self.assertRaisesRegex(ValueError, "no one-shot decoder"):
            self.outputs(net, "one-shot", noise(1, 64, 96), 1, size=(64, 96))

    def test_odd_sizes_and_settings(self):
        """Every base, kernel and skip mode runs and gives outputs of exactly the input
        size."""
        labels = np.ones((60, 107), np.uint8)
        for settings in (dict(base="resnet34"), dict(base="resnet50"),
                         dict(base="resnet101"),
                         dict(base="vgg16"), dict(base="mobilenetv2"),
                         dict(base="effnet-lite2"), dict(kernel_size=1), dict(skip_mode="sum"),
                         dict(skip_mode="mul"), dict(skip_mode="none")):
            net = random_net(**settings)
            size = (64, 96) if settings.get("base") == "vgg16" else (60, 107)
            for task in model.TASKS:
                step = next(model.run(net, task, noise(1, 60, 107), 2, size=size,
                                      seeds={0: (labels, None)}))
                self.assertEqual(tuple(step.prob.shape), (2, *size))
                self.assertTrue(bool(torch.isfinite(step.logits_half).all()))


if __name__ == "__main__":
    common.main()
