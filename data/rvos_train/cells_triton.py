# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cell update as one Triton kernel forward and one backward (NVIDIA GPUs; needs
PyTorch >= 2.1).

Tensors are dense with channels innermost: a pixel has 4C gate sums and C states. One
program handles BLOCK states. Arithmetic is in float32, whatever type is stored. The tests
run the same code on the CPU with TRITON_INTERPRET=1.
"""
import torch
import triton
import triton.language as tl

BLOCK = 1024


@triton.jit
def tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def load_gates(at, mask, base):
    """Load the four gate sums of a state; `at` points to gate i, the next is `base` on."""
    return (tl.load(at, mask, 0.0).to(tl.float32),
            tl.load(at + base, mask, 0.0).to(tl.float32),
            tl.load(at + 2 * base, mask, 0.0).to(tl.float32),
            tl.load(at + 3 * base, mask, 0.0).to(tl.float32))


@triton.jit
def forward_kernel(shared, ahead, left, c_left, h, c, s, count, C: tl.constexpr,
                   AHEAD: tl.constexpr, LEFT: tl.constexpr, BLOCK: tl.constexpr):
    e = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = e < count
    at = (e // C) * (4 * C) + e % C
    i, f, o, g = load_gates(shared + at, mask, C)
    if AHEAD:
        i2, f2, o2, g2 = load_gates(ahead + at, mask, C)
        i, f, o, g = i + i2, f + f2, o + o2, g + g2
    if LEFT:
        i3, f3, o3, g3 = load_gates(left + at, mask, C)
        i, f, o, g = i + i3, f + f3, o + o3, g + g3
    # Round first: the backward pass starts from the stored values.
    kind = s.dtype.element_ty
    i, f, o, g = i.to(kind), f.to(kind), o.to(kind), g.to(kind)
    tl.store(s + at, i, mask)
    tl.store(s + at + C, f, mask)
    tl.store(s + at + 2 * C, o, mask)
    tl.store(s + at + 3 * C, g, mask)
    new = tl.sigmoid(i.to(tl.float32)) * tanh(g.to(tl.float32))
    if LEFT:
        new += tl.sigmoid(f.to(tl.float32)) * tl.load(c_left + e, mask, 0.0)
    tl.store(c + e, new, mask)
    tl.store(h + e, (tl.sigmoid(o.to(tl.float32)) * tanh(new)).to(h.dtype.element_ty),
             mask)


@triton.jit
def backward_kernel(dh, dh_right, dc, s, c, c_left, ds, dc_left, count, C: tl.constexpr,
                    RIGHT: tl.constexpr, LEFT: tl.constexpr, BLOCK: tl.constexpr):
    e = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = e < count
    at = (e // C) * (4 * C) + e % C
    i, f, o, g = load_gates(s + at, mask, C)
    i, f, o, g = tl.sigmoid(i), tl.sigmoid(f), tl.sigmoid(o), tanh(g)
    t = tanh(tl.load(c + e, mask, 0.0))
    gh = tl.load(dh + e, mask, 0.0).to(tl.float32)
    if RIGHT:
        gh += tl.load(dh_right + e, mask, 0.0).to(tl.float32)
    d = gh * o * (1 - t * t)
    if RIGHT:
        d += tl.load(dc + e, mask, 0.0)
    df = d * 0
    if LEFT:
        df = d * tl.load(c_left + e, mask, 0.0) * f * (1 - f)
        tl.store(dc_left + e, d * f, mask)
    kind = ds.dtype.element_ty
    tl.store(ds + at, (d * g * i * (1 - i)).to(kind), mask)
    tl.store(ds + at + C, df.to(kind), mask)
    tl.store(ds + at + 2 * C, (gh * t * o * (1 - o)).to(kind), mask)
    tl.store(ds + at + 3 * C, (d * i * (1 - g * g)).to(kind), mask)


def launch(kernel, count, *args, **options):
    """A function of its own, so that a test can count launches without a GPU."""
    kernel[(triton.cdiv(count, BLOCK),)](*args, count, BLOCK=BLOCK, **options)


class Fused:
    """As cells.Plain. For an absent tensor another one is passed, which is never read."""

    @staticmethod
    def forward(parts, c_left, h, c, s):
        shared, rest = parts[0], parts[1:]
        left = rest.pop() if c_left is not None else None
        ahead = rest.pop() if rest else None
        stand_in = lambda x, other: other if x is None else x
        launch(forward_kernel, h.numel(), shared, stand_in(ahead, shared),
               stand_in(left, shared), stand_in(c_left, c), h, c, s, C=h.shape[1],
               AHEAD=ahead is not None, LEFT=left is not None)

    @staticmethod
    def backward(dh, dh_right, dc, s, c, c_left, ds):
        left = torch.empty_like(c) if c_left is not None else None
        stand_in = lambda x, other: other if x is None else x
        launch(backward_kernel, dh.numel(), dh, stand_in(dh_right, dh), stand_in(dc, c),
               s, c, stand_in(c_left, c), ds, stand_in(left, c), C=dh.shape[1],
               RIGHT=dh_right is not None, LEFT=left is not None)
        return left
