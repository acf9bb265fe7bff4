# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cells of one level for all objects of a frame, with their own gradient.

Object i needs the hidden and the cell state of object i - 1; everything else is known
before. So a level is a chain over objects. A link is a convolution of the left
neighbour's state and a cell update. Autograd would keep a dozen tensors and launch some
twenty kernels for each link. This code launches one convolution and one fused kernel,
forward and backward. The gradient of the weights is one convolution for all objects.

Tensors are (N,B,C,h,w), objects first, with channels innermost in memory: every object's
slice is a dense NHWC tensor, which convolutions and kernels take without a copy.
"""
import torch
import torch.nn.functional as F


# ---- the update in plain PyTorch -------------------------------------------------------

def cell_forward(parts, c_left, dtype):
    """parts (B,4C,h,w), gate sums in the order i, f, o, g, are added -> hidden state, cell
    state, and the sum as it is stored for the backward pass."""
    wide = torch.promote_types(dtype, torch.float32)
    s = sum(p.to(wide) for p in parts).to(dtype)
    (i, f, o), g = open_gates(s.to(wide))
    c = i * g if c_left is None else torch.addcmul(i * g, f, c_left)
    return (o * torch.tanh(c)).to(dtype), c, s


def open_gates(s):
    n = s.shape[1] // 4
    return torch.sigmoid(s[:, :3 * n]).split(n, 1), torch.tanh(s[:, 3 * n:])


def cell_backward(dh, dh_right, dc, s, c, c_left):
    """dh, dh_right: gradients of the hidden state, from outside and from the object to
    the right.  -> gradients of the sum and of the cell state to the left."""
    (i, f, o), g = open_gates(s.to(c.dtype))
    dh = dh.to(c.dtype) if dh_right is None else dh.to(c.dtype) + dh_right.to(c.dtype)
    t = torch.tanh(c)
    do = dh * t * o * (1 - o)
    d = dh * o * (1 - t * t)
    d = d if dc is None else d + dc
    df = torch.zeros_like(do) if c_left is None else d * c_left * f * (1 - f)
    gates = torch.cat([d * g * i * (1 - i), df, do, d * i * (1 - g * g)], 1)
    return gates.to(s.dtype), d * f


class Plain:
    """Updates that write into slices of larger tensors."""
    forward_of, backward_of = staticmethod(cell_forward), staticmethod(cell_backward)

    @classmethod
    def forward(cls, parts, c_left, h, c, s):
        for out, v in zip((h, c, s), cls.forward_of(parts, c_left, h.dtype)):
            out.copy_(v)

    @classmethod
    def backward(cls, dh, dh_right, dc, s, c, c_left, ds):
        gates, left = cls.backward_of(dh, dh_right, dc, s, c, c_left)
        ds.copy_(gates)
        return left


def kernels(kind, device="cpu"):
    """The class that updates the cells, for a kind of config.py. auto: Triton on CUDA if
    it is installed, else PyTorch."""
    if kind == "auto":
        kind = "torch"
        if str(device).startswith("cuda"):
            try:
                import triton  # noqa: F401
                kind = "triton"
            except ImportError:
                pass
    if kind == "triton":
        try:
            from . import cells_triton
        except ImportError as e:
            raise ValueError(f"cells by Triton: {e}") from None
        return cells_triton.Fused
    if kind == "compile":
        if not hasattr(torch, "compile"):
            raise ValueError(f"cells compiled: PyTorch {torch.__version__} cannot, "
                             "2.1 or later can")
        # It recompiles for each set of absent tensors, and for sizes of 1.
        torch._dynamo.config.cache_size_limit = 64

        class Compiled(Plain):
            forward_of = staticmethod(torch.compile(cell_forward, dynamic=True))
            backward_of = staticmethod(torch.compile(cell_backward, dynamic=True))
        return Compiled
    return Plain


# ---- a level ---------------------------------------------------------------------------

def empty(like, *shape, dtype=None):
    """(N,B,C,h,w) with channels innermost."""
    n, b, c, h, w = shape
    return torch.empty(n, b, h, w, c, dtype=dtype or like.dtype,
                       device=like.device).permute(0, 1, 4, 2, 3)


def dense(x):
    """Move channels innermost in memory; no copy if they are there already."""
    order = (*range(x.dim() - 3), -2, -1, -3)
    back = (*range(x.dim() - 3), -1, -3, -2)
    return x.permute(order).contiguous().permute(back)


def convolution_gradients(grad, x, weight, *which):
    pad = [n // 2 for n in weight.shape[-2:]]
    return torch.ops.aten.convolution_backward(
        grad, x, weight, None, [1, 1], pad, [1, 1], False, [0, 0], 1, [*which, False])


class Level(torch.autograd.Function):
    """One level. ahead (N,B,4C,h,w) or None: gate sums of single objects; shared
    (B,4C,h,w): gate sums that all objects share; weight (4C,C,k,k): the kernel over the
    left neighbour's hidden state, None without the spatial recurrence. -> hidden states
    (N,B,C,h,w)."""

    @staticmethod
    def forward(ctx, update, objects, ahead, shared, weight):
        b, gates, height, width = shared.shape
        shape = (b, gates // 4, height, width)
        shared = dense(shared)
        ahead = None if ahead is None else dense(ahead)
        wide = torch.promote_types(shared.dtype, torch.float32)
        h, c = empty(shared, objects, *shape), empty(shared, objects, *shape, dtype=wide)
        s = empty(shared, objects, b, gates, height, width)
        for i in range(objects):
            parts = [shared] if ahead is None else [shared, ahead[i]]
            left = i and weight is not None
            if left:
                parts.append(dense(F.conv2d(h[i - 1], weight, None,
                                            padding=weight.shape[-1] // 2)))
            update.forward(parts, c[i - 1] if left else None, h[i], c[i], s[i])
        ctx.update, ctx.alone = update, ahead is None
        ctx.save_for_backward(h, c, s, weight)
        return h

    @staticmethod
    def backward(ctx, dh):
        h, c, s, weight = ctx.saved_tensors
        dh, ds = dense(dh), torch.empty_like(s)
        right = dc = dweight = None
        for i in reversed(range(len(h))):
            left = i and weight is not None
            dc = ctx.update.backward(dh[i], right, dc, s[i], c[i],
                                     c[i - 1] if left else None, ds[i])
            right = None
            if left:
                right = dense(convolution_gradients(ds[i], h[i - 1], weight,
                                                    True, False)[0])
            else:
                dc = None
        if weight is not None:
            dweight = torch.zeros_like(weight) if len(h) == 1 else convolution_gradients(
                ds[1:].flatten(0, 1), h[:-1].flatten(0, 1), weight, False, True)[1]
        # Sum in channels-last order, so that the result is channels-last too.
        dshared = ds.permute(0, 1, 3, 4, 2).sum(0).permute(0, 3, 1, 2)
        return None, None, None if ctx.alone else ds, dshared, dweight
