# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decoder as it is trained: model.py's parameters and numbers, in a faster order.

A gate convolution is linear in its input channels, so it is done in parts: image features
are shared by all objects of a frame, the temporal hidden states of all objects are known
before the frame starts; only what comes from the level below, from the object before and
from the fed mask is convolved object by object.  Kernels are split and cast once per
clip. Skip mode concat only.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

import model


# The four gates need one pass each way over memory instead of some twenty kernels: fused
# on CUDA by TorchScript, or better by fuse(); autograd keeps seven tensors, no graph.

def cell_forward(gates, c_left):
    i, f, o, g = gates.float().chunk(4, 1)
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    c = f * c_left + i * g
    t = torch.tanh(c)
    return o * t, c, i, f, o, g, t


def cell_backward(dh, dc, i, f, o, g, t, c_left):
    dc = dc + dh * o * (1 - t * t)
    di = dc * g * i * (1 - i)
    df = dc * c_left * f * (1 - f)
    do = dh * t * o * (1 - o)
    dg = dc * i * (1 - g * g)
    return torch.cat([di, df, do, dg], 1), dc * f


fused = dict(forward=torch.jit.script(cell_forward),
             backward=torch.jit.script(cell_backward))


def fuse():
    """Compiles the cells by Triton (PyTorch >= 2.1 on CUDA); once, before training."""
    fused["forward"] = torch.compile(cell_forward, dynamic=True)
    fused["backward"] = torch.compile(cell_backward, dynamic=True)


class CellUpdate(torch.autograd.Function):
    """Gate sums (B,4C,h,w) and the cell state to the left -> hidden and cell state."""

    @staticmethod
    def forward(ctx, gates, c_left):
        if gates.dtype == torch.float64:  # gradient checks
            i, f, o, g = gates.chunk(4, 1)
            i, f, o, g = i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh()
            c = f * c_left + i * g
            t = c.tanh()
            h = o * t
        else:
            h, c, i, f, o, g, t = fused["forward"](gates, c_left)
        ctx.save_for_backward(i, f, o, g, t, c_left)
        ctx.dtype = gates.dtype
        return h.to(gates.dtype), c

    @staticmethod
    def backward(ctx, dh, dc):
        i, f, o, g, t, c_left = ctx.saved_tensors
        dgates, dleft = fused["backward"](dh.to(i.dtype), dc.to(i.dtype), i, f, o, g,
                                          t, c_left)
        return dgates.to(ctx.dtype), dleft


class ClipDecoder(nn.Module):
    """Runs a model.Decoder over clips."""

    def __init__(self, decoder, objects, variant="spatio-temporal"):
        super().__init__()
        if decoder.skip_mode != "concat":
            raise ValueError(f"no training with skip mode {decoder.skip_mode}")
        self.decoder, self.objects, self.variant = decoder, objects, variant

    def kernels(self, dtype):
        """Of each level: features, bias, temporal, the sequential rest; cast once."""
        out = []
        for k, cell in enumerate(self.decoder.clstm_list):
            w, h, m = cell.Gates.weight.to(dtype), cell.hidden, int(self.decoder.mask)
            joint = w.shape[1] - 2 * h - m
            low = 0 if k == 0 else joint // 2
            below, feature, mask, left, before = w.split((low, joint - low, m, h, h), 1)
            pack = lambda *parts: torch.cat(parts, 1).contiguous(
                memory_format=torch.channels_last)
            out.append((pack(feature), cell.Gates.bias.to(dtype), pack(before),
                        pack(below, mask, left), pack(below, mask) if low + m else None))
        return out

    def frame(self, features, kernels, before, masks, spatial):
        """Half-size logits (B,N,h,w) and hidden states, 4 of (B,N,C,h,w)."""
        pad = [n // 2 for n in kernels[0][0].shape[-2:]]
        shared = [F.conv2d(f, w[0], w[1], padding=pad) for f, w in zip(features, kernels)]
        temporal = None
        if before is not None:
            temporal = [F.conv2d(h.flatten(0, 1), w[2], None, padding=pad).unflatten(
                0, h.shape[:2]) for h, w in zip(before, kernels)]
        pyramid = None
        if masks is not None:
            pyramid = [m.to(features[0].dtype) for m in model.mask_pyramid(masks)]
        left, cells = [None] * 4, [None] * 4
        new, logits = ([], [], [], []), []
        for i in range(self.objects):
            low = None
            for k, (_, _, _, full, first) in enumerate(kernels):
                if not spatial:
                    left[k] = cells[k] = None
                g = shared[k] if temporal is None else shared[k] + temporal[k][:, i]
                parts = [] if low is None else [low]
                if pyramid is not None:
                    parts.append(pyramid[k][:, i:i + 1])
                if left[k] is not None:
                    parts.append(left[k])
                if parts:
                    w = first if left[k] is None else full
                    g = g + F.conv2d(torch.cat(parts, 1), w, None, padding=pad)
                if cells[k] is None:
                    cells[k] = torch.zeros_like(g[:, ::4], dtype=torch.promote_types(
                        g.dtype, torch.float32))
                left[k], cells[k] = CellUpdate.apply(g, cells[k])
                new[k].append(left[k])
                h, w = left[k].shape[-2:]
                low = model.upsample(left[k], features[k + 1].shape[-2:] if k < 3
                                     else (2 * h, 2 * w))
            logits.append(self.decoder.conv_out(low))
        return torch.cat(logits, 1), [torch.stack(v, 1) for v in new]

    def clip(self, features, feed):
        """features: 4 of (B,T,C,h,w); feed(t, logits of t-1) -> masks of frame t, or
        None. Returns half-size logits (B,T,N,h,w)."""
        kernels = self.kernels(features[0].dtype)
        before, out = None, []
        for t in range(features[0].shape[1]):
            masks = feed(t, out[-1] if out else None)
            spatial = self.variant != "temporal" or t == 0
            logits, hidden = self.frame([f[:, t] for f in features], kernels,
                                        before, masks,
                                        spatial)
            before = None if self.variant == "spatial" else hidden
            out.append(logits)
        return torch.stack(out, 1).float()


class ZeroClip(ClipDecoder):
    def forward(self, *features):
        return self.clip(features, lambda t, logits: None)


class OneClip(ClipDecoder):
    """truth (B,T,N,H,W); shown (B,T,N), 1 where an annotation is given at this frame;
    teach (B,T), 1 where frame t is fed the truth of frame t-1 instead of what the
    network said. twice: frame 1 is fed the annotation of frame 0 again, as at
    inference."""

    def __init__(self, *args, twice=True):
        super().__init__(*args)
        self.twice = twice

    def forward(self, truth, shown, teach, *features):
        size = truth.shape[-2:]

        def feed(t, logits):
            at = shown[:, t, :, None, None]
            if t == 0:
                return truth[:, 0] * at
            if t == 1 and self.twice:
                fed = truth[:, 0] * shown[:, 0, :, None, None]
            else:
                # No gradient goes through a fed mask.  Before an object is shown it is
                # fed what the network said of its empty slot.
                own = model.upsample(logits.detach().float(), size).sigmoid()
                seen = shown[:, :t].amax(1)[..., None, None]
                k = teach[:, t, None, None, None] * seen
                fed = k * truth[:, t - 1] + (1 - k) * own
            return at * truth[:, t] + (1 - at) * fed

        return self.clip(features, feed)


class EncodeClip(nn.Module):
    """Images (B,T,3,H,W) -> 4 features of (B,T,C,h,w)."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, x):
        shape = x.shape[:2]
        return tuple(f.unflatten(0, shape)
                     for f in self.encoder(x.flatten(0, 1).contiguous(
            memory_format=torch.channels_last)))
