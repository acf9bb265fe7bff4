#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Losses and matching against brute force; the training decoder against data/rvos_train/model.py."""
import itertools
import math
import unittest

import common

common.need("numpy", "torch", "scipy")
import numpy as np
import torch

from rvos_train import losses, model, recurrent

torch.set_num_threads(1)  # teams of threads crawl on a busy machine


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed),
                      dtype=torch.float64)


class Values(unittest.TestCase):
    def setUp(self):
        self.z = random(2, 3, 4, 5, 6) * 6 - 3
        self.y = (random(2, 3, 4, 5, 6, seed=1) > 0.6).double()
        self.valid = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0]]).bool()

    def sigmoid(self, z):
        return 1 / (1 + math.exp(-z))

    def brute_iou(self, b, n, k, frames, z, y, eps_up, eps_down):
        inter = union = 0.0
        for t in frames:
            for i in range(5):
                for j in range(6):
                    p, g = self.sigmoid(z[b, t, n, i, j].item()), y[b, t, k, i, j].item()
                    inter += p * g
                    union += p + g - p * g
        return (inter + eps_up) / (union + eps_down)

    def test_paper_loss(self):
        want = 0.0
        for t in range(3):
            pairs = [(b, n) for b in range(2) for n in range(4) if self.valid[b, n]]
            want += sum(1 - self.brute_iou(b, n, n, [t], self.z, self.y, 0, 1e-6)
                        for b, n in pairs) / len(pairs)
        self.assertAlmostEqual(losses.paper_loss(self.z, self.y, self.valid).item(),
                               want, 9)

    def test_paper_loss_without_valid(self):
        none = torch.zeros_like(self.valid)
        every = torch.ones_like(self.valid)
        self.assertEqual(losses.paper_loss(self.z, self.y, none),
                         losses.paper_loss(self.z, self.y, every))

    def test_paper_empty_target(self):
        """Cost 1, gradient exactly 0."""
        z = self.z.clone().requires_grad_()
        cost = losses.paper_cost(z.sigmoid(), torch.zeros_like(z))
        self.assertTrue((cost == 1).all())
        cost.sum().backward()
        self.assertEqual(z.grad.abs().max().item(), 0)

    def test_soft_iou(self):
        have = losses.soft_iou(self.z.sigmoid(), self.y)
        for b, n, k in itertools.product(range(2), range(4), range(4)):
            want = self.brute_iou(b, n, k, range(3), self.z, self.y, 1, 1)
            self.assertAlmostEqual(have[b, n, k].item(), want, 9)

    def test_soft_iou_in_pieces(self):
        """The sums are the same, whether or not 64 divides the number of pixels."""
        for frames in (2, 3):
            p, g = (random(2, frames, 5, 8, 4, seed=s) for s in (1, 2))
            inter = torch.einsum("btnij,btkij->bnk", p, g)
            union = p.sum((1, 3, 4))[..., None] + g.sum((1, 3, 4))[:, None] - inter
            torch.testing.assert_close(losses.soft_iou(p, g), (inter + 1) / (union + 1))

    def test_pair_loss(self):
        have = losses.pair_loss(self.z, self.y)
        since = torch.ones(2, 3, 4, dtype=torch.float64)
        torch.testing.assert_close(have, losses.pair_loss(self.z, self.y, since))
        since[1, 0, 2] = 0
        part = losses.pair_loss(self.z, self.y, since)
        for frames, value in ((range(3), have), (range(1, 3), part)):
            bce = [-math.log(self.sigmoid(z if y else -z)) for t in frames for z, y in
                   zip(self.z[1, t, 2].flatten().tolist(),
                       self.y[1, t, 2].flatten().tolist())]
            want = 1 - self.brute_iou(1, 2, 2, frames, self.z, self.y, 1,
                                      1) + 2 * np.mean(bce)
            self.assertAlmostEqual(value[1, 2].item(), want, 9)
        self.assertEqual(part[0, 0], have[0, 0])

    def test_one_shot_loss(self):
        given = torch.zeros(2, 3, 4, dtype=torch.float64)
        given[0, :, 0] = given[0, 1:, 1] = given[1, :, 2] = 1
        pair = losses.pair_loss(self.z, self.y, given)
        matched = (pair[0, 0] + pair[0, 1] + pair[1, 2]) / 3
        bce = torch.log1p(self.z.exp()).mean((3, 4)) * (1 - given)
        want = matched + bce.mean(1).mean()
        self.assertAlmostEqual(losses.one_shot_loss(self.z, self.y, given).item(),
                               want.item(), 9)

    def test_zero_shot_loss(self):
        """Compare with the formula for slots that match exactly, in another order."""
        order = [2, 0, 3, 1]
        y = self.y.clone()
        y[~self.valid[:, None, :].expand(2, 3, 4)] = 0
        z = (y[:, :, order] * 2 - 1) * 4
        exhaustive = torch.tensor([1.0, 0.0], dtype=torch.float64)
        have = losses.zero_shot_loss(z, y, self.valid, exhaustive)
        pair = losses.pair_loss(z, y[:, :, order])
        v = self.valid[:, order]
        empty = losses.empty_loss(z).mean(1)
        weight = torch.tensor([[1.0], [0.1]]).double() * (~v)
        want = pair[v].mean() + 2 * (empty * weight).sum() / (~v).sum()
        self.assertAlmostEqual(have.item(), want.item(), 9)

    def test_gradients(self):
        """Compare with finite differences, in double precision."""
        z = self.z[:1, :2, :3, :3, :3].clone().requires_grad_()
        y, valid = self.y[:1, :2, :3, :3, :3], torch.tensor([[True, False, True]])
        given = (random(1, 2, 3, seed=3) > 0.4).double()
        one = torch.ones(1, dtype=torch.float64)
        for f in (lambda z: losses.paper_loss(z, y, valid),
                  lambda z: losses.pair_loss(z, y),
                  lambda z: losses.one_shot_loss(z, y, given),
                  lambda z: losses.zero_shot_loss(z, y, valid, one)):
            self.assertTrue(torch.autograd.gradcheck(f, (z,)))


class Matching(unittest.TestCase):
    def best(self, cost):
        """The column of each row with the least total over all permutations."""
        n = len(cost)
        return min(itertools.permutations(range(n)),
                   key=lambda p: sum(cost[i][p[i]] for i in range(n)))

    def test_assign(self):
        """Up to six slots all orders are tried; above, SciPy is used."""
        for n in range(1, losses.FEW + 2):
            orders = losses._orders(n, "cpu").tolist()
            self.assertEqual(sorted(map(tuple, orders)),
                             sorted(itertools.permutations(range(n))))
            cost = random(2, n, n, seed=n)
            for c, have in zip(cost.tolist(), losses.assign(cost).tolist()):
                self.assertEqual(tuple(have), self.best(c))
        cost[0, 0, 0] = math.nan  # the trainer detects it
        self.assertEqual(sorted(losses.assign(cost)[0].tolist()), list(range(n)))

    def test_clip_match(self):
        for seed in range(20):
            z = random(2, 2, 4, 4, 4, seed=seed) * 8 - 4
            y = (random(2, 2, 4, 4, 4, seed=seed + 99) > 0.5).double()
            valid = random(2, 4, seed=seed) > 0.3
            score = losses.soft_iou(z.sigmoid(), y)
            have = losses.clip_match(z, y, valid)
            for b in range(2):
                total = lambda p: sum(-score[b, n, p[n]].item() if valid[b, p[n]] else 1
                                      for n in range(4))
                best = min(map(total, itertools.permutations(range(4))))
                self.assertAlmostEqual(total(have[b].tolist()), best, 9)

    def test_paper_match(self):
        """The first frame decides, and n objects are matched among the first n slots."""
        for seed in range(20):
            z = random(1, 2, 4, 4, 4, seed=seed) * 8 - 4
            y = (random(1, 2, 4, 4, 4, seed=seed + 99) > 0.5).double()
            valid = torch.tensor([[True, True, seed % 2 == 0, False]])
            have = losses.paper_match(z, y, valid)[0].tolist()
            n = int(valid.sum())
            cost = [[losses.paper_cost(z[0, 0, s].sigmoid(), y[0, 0, k]).item()
                     for k in range(n)] for s in range(n)]
            self.assertEqual(tuple(have[:n]), self.best(cost))
            targets, v = losses.permute(y, valid, torch.tensor([have]))
            for slot, k in enumerate(have):
                self.assertTrue(torch.equal(targets[0, :, slot], y[0, :, k]))
            self.assertEqual(v[0].tolist(), [True] * n + [False] * (4 - n))


class Resize(unittest.TestCase):
    """Compare with PyTorch's own upsampling and its gradient."""
    SIZES = ((4, 7, 8, 14), (7, 5, 15, 11), (1, 1, 2, 3), (3, 4, 3, 4), (9, 8, 5, 3),
             (64, 112, 128, 224))

    def both(self, dtype, h, w, height, width, channels=6):
        """(value, gradient) of our code and, in double precision, of PyTorch's."""
        x = random(2, 3, h, w, channels, seed=h).to(dtype).permute(0, 1, 4, 2, 3)
        weight = random(2, 3, channels, height, width, seed=w).to(dtype) - 0.5
        out = []
        for f, kind in ((recurrent.resize, dtype), (lambda x, size: model.upsample(
                x.flatten(0, 1), size).unflatten(0, (2, 3)), torch.float64)):
            leaf = x.to(kind).detach().requires_grad_()
            y = f(leaf, [height, width])
            out.append((y, *torch.autograd.grad(y, leaf, weight.to(kind))))
        return out

    def test_values_and_gradients(self):
        # PyTorch 1.13 itself is coarse with bf16 on a CPU
        for dtype, *limits in ((torch.float64, 1e-12, 1e-12), (torch.float32, 1e-5, 1e-5),
                               (torch.bfloat16, 3e-2, 5e-3)):
            for size in self.SIZES:
                have, want = self.both(dtype, *size)
                for a, b, limit in zip(have, want, limits):
                    self.assertEqual(a.dtype, dtype)
                    error = (a.double() - b).norm() / b.norm()
                    self.assertLess(error.item(), limit, (dtype, size))

    def test_finite_differences(self):
        x = random(2, 1, 2, 3, 4).requires_grad_()
        self.assertTrue(torch.autograd.gradcheck(
            lambda x: recurrent.resize(x, (5, 7)), (x,)))

    def test_layout(self):
        """Channels stay innermost, forward and backward."""
        (y, grad), _ = self.both(torch.float32, 4, 6, 8, 12)
        for v in (y, grad):
            self.assertTrue(v.permute(0, 1, 3, 4, 2).is_contiguous())

    def test_autocast(self):
        """No tensor becomes float32 under autocast."""
        x = random(2, 3, 4, 6, 8).to(torch.bfloat16).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = recurrent.resize(x, (12, 16))
        self.assertEqual(y.dtype, torch.bfloat16)
        self.assertEqual(torch.autograd.grad(y.sum(), x)[0].dtype, torch.bfloat16)


class Decoder(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        # double precision, so that the order of sums does not matter
        self.net = model.RVOS("resnet18", 16, width=8).train().double()
        self.x = torch.randn(2, 3, 3, 64, 96).double()
        self.features = recurrent.EncodeClip(self.net.encoder)(self.x)
        self.truth = (torch.rand(2, 3, 2, 64, 96) > 0.7).double()

    def slow(self, decoder, variant, feed):
        hidden, out = None, []
        for t in range(3):
            logits, hidden, _ = decoder.frame(
                [f[t] for f in self.features], 2,
                None if variant == "spatial" else hidden,
                feed(t, out), spatial=variant != "temporal" or t == 0)
            out.append(logits)
        return torch.stack(out, 1)

    def same(self, have, want, parameters):
        torch.testing.assert_close(have, want, atol=1e-10, rtol=1e-8)
        grads = [torch.autograd.grad((v ** 2).sum(), parameters, retain_graph=True)
                 for v in (have, want)]
        for a, b in zip(*grads):
            torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)

    def test_zero_shot(self):
        """Values and gradients of all parameters, encoder included."""
        everything = [p for n, p in self.net.named_parameters() if "one_shot" not in n]
        for variant in model.VARIANTS:
            want = self.slow(self.net.zero_shot, variant, lambda t, out: None)
            have = recurrent.ZeroClip(self.net.zero_shot, 2, variant)(*self.features)
            self.same(have, want, everything)

    def test_one_shot(self):
        shown = torch.zeros(2, 3, 2).double()
        shown[:, 0, 0] = shown[0, 1, 1] = 1  # slot 1: late in clip 0, never in clip 1
        teach = torch.tensor([[0, 0, 1.0], [0, 0, 0]]).double()
        everything = [p for n, p in self.net.named_parameters() if "zero_shot" not in n]

        def feed(t, out):
            if t == 0:
                return self.truth[:, 0] * shown[:, 0, :, None, None]
            fed = feed(0, out) if t == 1 else torch.sigmoid(
                model.upsample(out[-1].detach(), (64, 96)))
            fed = fed.clone()
            if t == 1:
                fed[0, 1] = self.truth[0, 1, 1]
            else:
                fed[0] = self.truth[0, 1]
            return fed

        for variant in model.VARIANTS:
            want = self.slow(self.net.one_shot, variant, feed)
            have = recurrent.OneClip(self.net.one_shot, 2, variant)(
                self.truth, shown, teach, *self.features)
            self.same(have, want, everything)

    def test_paper_stages(self):
        """Stage 1 is fed the truth of the frame before, stage 2 its own output from
        frame 1."""
        shown = torch.zeros(2, 3, 2).double()
        shown[:, 0] = 1
        clip = recurrent.OneClip(self.net.one_shot, 2, twice=False)
        stage1 = lambda t, out: self.truth[:, max(t - 1, 0)]
        stage2 = lambda t, out: self.truth[:, 0] if t == 0 else torch.sigmoid(
            model.upsample(out[-1].detach(), (64, 96)))
        for teach, feed in ((1, stage1), (0, stage2)):
            have = clip(self.truth, shown, torch.full((2, 3), teach).double(),
                        *self.features)
            torch.testing.assert_close(have,
                                       self.slow(self.net.one_shot,
                                                 "spatio-temporal", feed),
                                       atol=1e-10, rtol=1e-8)


if __name__ == "__main__":
    common.main()
