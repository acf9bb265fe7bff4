#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cells of a level: values and gradients against plain autograd, and in bf16."""
import unittest

import common

common.need("numpy", "torch")
import torch
import torch.nn.functional as F

from rvos_train import cells

torch.set_num_threads(1)  # teams of threads crawl on a busy machine
N, B, C, H, W = 3, 2, 4, 5, 6


def case(dtype=torch.float64, channels=C, alone=False, spatial=True):
    """The inputs of a level, as leaves of the graph: ahead, shared, weight."""
    gen = torch.Generator().manual_seed(channels)
    draw = lambda *s: torch.randn(*s, generator=gen, dtype=torch.float64).to(dtype)
    leaves = [None if alone else draw(N, B, 4 * channels, H, W),
              draw(B, 4 * channels, H, W),
              draw(4 * channels, channels, 3, 3) * 0.3 if spatial else None]
    return [v if v is None else v.requires_grad_() for v in leaves]


def by_the_book(ahead, shared, weight):
    """The equations of a ConvLSTM cell, one operation after another."""
    h = c = None
    out = []
    for i in range(N):
        gates = shared if ahead is None else shared + ahead[i]
        if h is not None and weight is not None:
            gates = gates + F.conv2d(h, weight, padding=1)
        else:
            c = torch.zeros_like(gates[:, ::4])
        i_, f, o, g = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i_) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        out.append(h)
    return torch.stack(out)


def gradients(out, leaves, seed=5):
    gen = torch.Generator().manual_seed(seed)
    weight = torch.randn(out.shape, generator=gen, dtype=torch.float64).to(out.dtype)
    return torch.autograd.grad((out * weight).sum(), [v for v in leaves if v is not None])


class Cells(unittest.TestCase):
    def test_by_the_book(self):
        for alone in (False, True):
            for spatial in (True, False):
                for channels in (1, 4):
                    leaves = case(channels=channels, alone=alone, spatial=spatial)
                    have = cells.Level.apply(cells.Plain, N, *leaves)
                    want = by_the_book(*leaves)
                    torch.testing.assert_close(have, want, atol=1e-12, rtol=1e-10)
                    for a, b in zip(gradients(have, leaves), gradients(want, leaves)):
                        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-9)

    def test_finite_differences(self):
        ahead, shared, weight = case()
        ahead, shared = (v[..., :3, :3].detach().requires_grad_()
                         for v in (ahead, shared))
        level = lambda *v: cells.Level.apply(cells.Plain, N, *v)
        self.assertTrue(torch.autograd.gradcheck(level, (ahead, shared, weight)))

    def test_one_object(self):
        leaves = [v if i else v[:1].detach().requires_grad_()
                  for i, v in enumerate(case())]
        grads = gradients(cells.Level.apply(cells.Plain, 1, *leaves), leaves)
        self.assertEqual(grads[2].abs().max().item(), 0)
        torch.testing.assert_close(grads[0][0], grads[1])

    def test_layouts(self):
        """Inputs may have any layout; outputs have channels innermost."""
        ahead, shared, weight = case()
        a = cells.Level.apply(cells.Plain, N, ahead, shared, weight)
        b = cells.Level.apply(cells.Plain, N, cells.dense(ahead), cells.dense(shared),
                              weight)
        torch.testing.assert_close(a, b)
        self.assertTrue(a.permute(0, 1, 3, 4, 2).is_contiguous())
        self.assertTrue(a[1].is_contiguous(memory_format=torch.channels_last))
        self.assertEqual(cells.dense(a).data_ptr(), a.data_ptr())

    def test_bf16(self):
        """Values are rounded only where they are stored."""
        leaves = case(torch.bfloat16)
        exact = [v.detach().double().requires_grad_() for v in leaves]
        have, want = cells.Level.apply(cells.Plain, N, *leaves), by_the_book(*exact)
        self.assertEqual(have.dtype, torch.bfloat16)
        self.assertLess((have.double() - want).abs().max().item(), 0.02)
        for a, b in zip(gradients(have, leaves), gradients(want, exact)):
            self.assertEqual(a.dtype, torch.bfloat16)
            error = (a.double() - b).norm() / b.norm()
            self.assertLess(error.item(), 0.02)

    def test_kinds(self):
        self.assertIs(cells.kernels("auto"), cells.Plain)
        if not hasattr(torch, "compile"):
            with self.assertRaisesRegex(ValueError, "2.1 or later"):
                cells.kernels("compile")


if __name__ == "__main__":
    common.main()
