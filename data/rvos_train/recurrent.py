# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decoder for training: model.py's parameters and results, in a faster order.

A gate convolution is linear in its input channels, so it can be split. All objects share
the image features, which are known for all frames: this part is one convolution a clip.
Object i of a level needs the coarser level of object i only. So a frame is done level by
level, and the coarser state, the fed mask and the state of the frame before go through one
convolution for all objects. cells.py does the rest, the recurrence over objects. Kernels
are split and cast once per clip. Only skip mode concat is supported.

Tensors have frames or objects first, (T,B,C,h,w) and (N,B,C,h,w), and channels innermost:
slices are dense NHWC tensors.
"""
import functools

import torch
import torch.nn as nn
import torch.nn.functional as F

from . import cells, model


def nhwc(x):
    return x.contiguous(memory_format=torch.channels_last)


def wide(x):
    """Convert to float32, or keep a wider type."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def convolve(x, weight, bias=None):
    """Convolve (A,B,C,h,w) as one batch."""
    y = F.conv2d(x.flatten(0, 1), weight, bias, padding=weight.shape[-1] // 2)
    return y.unflatten(0, x.shape[:2])


@functools.lru_cache(maxsize=None)
def ramp(n, m, dtype, device):
    """(n,m): the weight of input pixel i in output pixel j, along one axis."""
    one = torch.eye(n, dtype=torch.promote_types(dtype, torch.float32), device=device)
    return F.interpolate(one[None], size=m, mode="linear",
                         align_corners=True)[0].to(dtype)


class Upsample(torch.autograd.Function):
    """model.upsample() in the input's type. Autocast would make it float32, and everything
    that it is concatenated with. The gradient is two matrix products; PyTorch's own adds
    pixel by pixel with atomics."""

    @staticmethod
    def forward(ctx, x, size):
        ctx.shape = x.shape
        with torch.autocast(x.device.type, enabled=False):
            return model.upsample(x, size)

    @staticmethod
    def backward(ctx, grad):
        a, c, h, w = ctx.shape
        height, width = grad.shape[-2:]
        g = grad.permute(0, 2, 3, 1).contiguous()  # mostly no copy
        y, x = ramp(h, height, g.dtype, g.device), ramp(w, width, g.dtype, g.device)
        g = torch.bmm(y.expand(a, h, height), g.view(a, height, width * c))
        g = torch.bmm(x.expand(a * h, w, width), g.view(a * h, width, c))
        return g.view(a, h, w, c).permute(0, 3, 1, 2), None


def resize(x, size):
    """Resize (A,B,C,h,w) bilinearly."""
    return Upsample.apply(x.flatten(0, 1), tuple(size)).unflatten(0, x.shape[:2])


def split(cell, level, mask):
    """Split a cell's gate kernel by its inputs: coarser state, feature, mask, left
    neighbour, frame before."""
    w, h = cell.Gates.weight, cell.hidden
    joint = w.shape[1] - 2 * h - int(mask)
    low = 0 if level == 0 else joint // 2
    return w.split((low, joint - low, int(mask), h, h), 1)


class ClipDecoder(nn.Module):
    """Run a model.Decoder over clips. how: a kind of cells.py."""

    def __init__(self, decoder, objects, variant="spatio-temporal", how="torch"):
        super().__init__()
        if decoder.skip_mode != "concat":
            raise ValueError(f"no training with skip mode {decoder.skip_mode}")
        self.decoder, self.objects, self.variant = decoder, objects, variant
        device = next(decoder.parameters()).device
        self.update = cells.kernels(how, device)

    def kernels(self, dtype):
        """For each level: feature, bias, ahead at the first frame, ahead later, left.
        "ahead" reads [below | before | mask], padded to a multiple of 8 channels for tensor
        cores."""
        out = []
        for k, cell in enumerate(self.decoder.clstm_list):
            below, feature, mask, left, before = split(cell, k, self.decoder.mask)
            if self.decoder.mask:
                wide = below.shape[1] + before.shape[1] + 1
                mask = F.pad(mask, (0, 0, 0, 0, 0, -wide % 8))
            pack = lambda *w: nhwc(torch.cat(w, 1).to(dtype))
            out.append((pack(feature), cell.Gates.bias.to(dtype),
                        pack(below, mask) if k or self.decoder.mask else None,
                        pack(below, before, mask), pack(left)))
        return out

    def planes(self, masks, kernels, dtype):
        """The fed masks (B,N,H,W) at each level, as the channels after the hidden states:
        the mask and the padding."""
        with torch.no_grad():
            out = []
            for k, m in enumerate(model.mask_pyramid(masks)):
                b, n, height, width = m.shape
                below = 2 * kernels[k][4].shape[1] if k else 0
                count = kernels[k][2].shape[1] - below
                plane = cells.empty(m, n, b, count, height, width, dtype=dtype).zero_()
                plane[:, :, 0] = m.transpose(0, 1)
                out.append(plane)
            return out

    def frame(self, shared, kernels, before, planes, spatial):
        """Half-size logits (N,B,1,h,w) and hidden states, 4 of (N,B,C,h,w)."""
        low, hidden = None, []
        for k, (_, _, first, later, left) in enumerate(kernels):
            parts = [] if low is None else [low]
            parts += [] if before is None else [before[k]]
            parts += [] if planes is None else [planes[k]]
            ahead = None
            if parts:
                # flatten: PyTorch keeps channels innermost in four dimensions only
                parts = [p.flatten(0, 1) for p in parts]
                x = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
                w = first if before is None else later
                ahead = F.conv2d(x, w, None, padding=w.shape[-1] // 2).unflatten(
                    0, (self.objects, len(shared[0])))
            h = cells.Level.apply(self.update, self.objects, ahead, shared[k],
                                  left if spatial else None)
            hidden.append(h)
            size = shared[k + 1].shape[-2:] if k < 3 else [2 * n for n in h.shape[-2:]]
            low = resize(h, size)
        out = self.decoder.conv_out
        return convolve(low, out.weight, out.bias), hidden

    def clip(self, features, feed):
        """features: 4 of (T,B,C,h,w); feed(t, logits of t-1) -> masks of frame t, or
        None. Return half-size logits (B,T,N,h,w)."""
        dtype = features[0].dtype
        kernels = self.kernels(dtype)
        # one split: the gradients of the parts are then concatenated, not added one by one
        shared = [convolve(f, w[0], w[1]).flatten(0, 1).split(f.shape[1])
                  for f, w in zip(features, kernels)]
        before, out = None, []
        for t in range(len(features[0])):
            masks = feed(t, out[-1] if out else None)
            planes = None if masks is None else self.planes(masks, kernels, dtype)
            logits, hidden = self.frame([s[t] for s in shared], kernels, before, planes,
                                        self.variant != "temporal" or t == 0)
            before = None if self.variant == "spatial" else hidden
            out.append(logits.squeeze(2).transpose(0, 1))
        return wide(torch.stack(out, 1))


class ZeroClip(ClipDecoder):
    def forward(self, *features):
        return self.clip(features, lambda t, logits: None)


class OneClip(ClipDecoder):
    """truth (B,T,N,H,W); shown (B,T,N): 1 if a mask is given at this frame; teach (B,T): 1
    if frame t is fed the truth of frame t-1 instead of the network's output. twice: frame 1
    is fed the annotation of frame 0 again, as at inference."""

    def __init__(self, *args, twice=True, **options):
        super().__init__(*args, **options)
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
                # No gradient flows through a fed mask. Before its mask is given, an
                # object is fed the network's output for its empty slot.
                own = model.upsample(wide(logits.detach()), size).sigmoid()
                seen = shown[:, :t].amax(1)[..., None, None]
                k = teach[:, t, None, None, None] * seen
                fed = k * truth[:, t - 1] + (1 - k) * own
            return at * truth[:, t] + (1 - at) * fed

        return self.clip(features, feed)


class EncodeClip(nn.Module):
    """Images (B,T,3,H,W) -> 4 features of (T,B,C,h,w)."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, x):
        x = x.transpose(0, 1)
        return tuple(f.unflatten(0, x.shape[:2])
                     for f in self.encoder(nhwc(x.flatten(0, 1))))
