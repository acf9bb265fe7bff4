# SPDX-License-Identifier: LGPL-2.1-or-later
"""Synthetic clips: cut-outs of annotated stills move, turn, grow, deform, cover each other,
enter, leave and come back, over a background under a slow camera move.

Everything runs on the device of the store, from one generator: the same seed gives the
same clip.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from .clips import photometric, rotation, warp

PRESENT = (0.9, 0.65, 0.45, 0.3, 0.2, 0.1)  # chance of the first, second... cut-out
FIRST = 9  # labels 1 to 8 are the background picture's own objects, cut-outs start here


def cut_outs(store, min_area=0.01, max_area=0.6, step=256):
    """A table of usable objects: frame, id, centre (x, y) in [-1,1], size (x, y) as a
    share of the picture. Tiny and huge objects are left out, and those that two borders
    or more cut off."""
    h, w = store.size
    rows = []
    for lo in range(0, len(store), step):
        _, masks = store.fetch(torch.arange(lo, min(lo + step, len(store))))
        for i, m in enumerate(masks.cpu().numpy()):
            areas = np.bincount(m.ravel())
            areas[0] = 0
            for k in np.flatnonzero((areas >= min_area * h * w)
                                    & (areas <= max_area * h * w)):
                at = m == k
                x0, x1 = (int(v) for v in np.flatnonzero(at.any(0))[[0, -1]])
                y0, y1 = (int(v) for v in np.flatnonzero(at.any(1))[[0, -1]])
                cut = (x0 <= 1) + (x1 >= w - 2) + (y0 <= 1) + (y1 >= h - 2)
                if cut >= 2 or min(x1 - x0, y1 - y0) < 0.045 * h:
                    continue
                rows.append((lo + i, k, (x0 + x1 + 1) / w - 1, (y0 + y1 + 1) / h - 1,
                             (x1 - x0 + 1) / w, (y1 - y0 + 1) / h))
    if not rows:
        raise ValueError("the stills have no object of a usable size")
    return torch.tensor(rows, dtype=torch.float64)


def warp_still(x, grid, mode, padding):
    """x (B,C,H,W), grid (B,T,H,W,2) -> (B,C,T,H,W): sample a still T times, without T
    copies of it."""
    b, t, h, w, _ = grid.shape
    return warp(x, grid.view(b, t * h, w, 2), mode, padding).view(b, -1, t, h, w)


def views(a, shift, size):
    """Maps (b,t,2,2) and shifts (b,t,2) -> grids (b,t,H,W,2)."""
    b, t = shift.shape[:2]
    theta = torch.cat([a, shift[..., None]], -1).view(b * t, 2, 3)
    return F.affine_grid(theta, (b * t, 1, *size), align_corners=False).view(
        b, t, *size, 2)


def ripple(draw, b, t, size, amount):
    """Smooth displacements that change slowly: (b,t,H,W,2) in units of the grid."""
    def field():
        return draw.normal(b, 1, 2, 4, 6) * amount * draw.rand(b, 1, 1, 1, 1)
    phase = torch.linspace(0, math.pi, t, device=draw.device).view(1, t, 1, 1, 1)
    f = field() * torch.cos(phase) + field() * torch.sin(phase)
    f = F.interpolate(f.flatten(0, 1), size=size, mode="bicubic", align_corners=False)
    return f.permute(0, 2, 3, 1).unflatten(0, (b, t))


def path(draw, b, t):
    """The middle of a cut-out, (b,t,2). Most wander inside; some enter or leave, and some
    leave and come back."""
    time = torch.linspace(-1, 1, t, device=draw.device)[None, :, None]
    base = draw.sym(b, 1, 2) * 0.75
    move = draw.sym(b, 1, 2) * 0.25 * time + draw.sym(b, 1, 2) * 0.05 * time * time
    angle = draw.rand(b, 1) * 2 * math.pi
    away = torch.stack([torch.cos(angle), torch.sin(angle)], -1) * 2.2
    kind, side = draw.rand(b, 1, 1), draw.sign(b, 1, 1)
    through = ((side * time).clamp(min=0)) ** 2          # in, or out
    round_trip = (1 - time * time).clamp(min=0) ** 2     # out and back
    out = torch.where(kind < 0.15, through, torch.zeros_like(through))
    out = torch.where(kind > 0.92, round_trip.expand_as(out), out)
    return base + move + away * out


class SyntheticClips:
    """backgrounds: another store, whose labels count, too. photo: photometric changes."""

    def __init__(self, store, backgrounds=None, objects=4, photo=True):
        if objects > len(PRESENT):
            raise ValueError(f"at most {len(PRESENT)} cut-outs")
        self.store, self.bg = store, backgrounds or store
        self.count, self.photo = objects, photo
        self.table = cut_outs(store)
        self.chance = torch.tensor(PRESENT[:objects], device=store.device)[:, None]

    def plan(self, batch, length, draw):
        """Draw frames and objects, on the CPU. A cut-out may be another copy of the first
        one, so that only place and motion tell them apart."""
        pick = draw.integers(len(self.table), batch, self.count)
        twin = draw.rand(batch, self.count) < 0.12
        pick = torch.where(twin, pick[:, :1], pick)
        back = draw.integers(len(self.bg), batch)
        rows = self.table[pick]
        self.store.prefetch(rows[..., 0].long())
        self.bg.prefetch(back)
        return rows, back, length

    def background(self, back, length, draw):
        b, t, size = len(back), length, self.bg.size
        time = torch.linspace(-1, 1, t, device=draw.device)
        image, labels = self.bg.fetch(back)
        scale = (0.75 + 0.25 * draw.rand(b, 1)) * torch.exp(draw.sym(b, 1) * 0.04 * time)
        a = rotation(draw.sym(b, 1) * 0.15 + draw.sym(b, 1) * 0.03 * time, size)
        a = a * scale[..., None, None]
        a = torch.cat([a[..., :1] * draw.sign(b, 1)[..., None, None], a[..., 1:]], -1)
        shift = draw.sym(b, 1, 2) * 0.2 + draw.sym(b, 1, 2) * 0.08 * time[None, :, None]
        grid = views(a, shift, size) + ripple(draw, b, t, size, 0.02)
        x = warp_still(image.float() / 255, grid, "bilinear", "reflection")
        y = warp_still(labels[:, None].float(), grid, "nearest", "zeros")[:, 0]
        return x, torch.where(y >= FIRST, 0, y).to(torch.uint8)

    def layers(self, row, t, draw):
        """Cut-outs, a row each: colours (n,3,t,H,W) and soft outlines (n,t,H,W)."""
        b, size, dev = len(row), self.store.size, draw.device
        time = torch.linspace(-1, 1, t, device=dev)
        image, labels = self.store.fetch(row[:, 0].long())
        row = row.to(dev, torch.float32, non_blocking=True)
        # The longer side's share of the picture, 0.18 to 0.85.
        share = torch.exp(math.log(0.18) + draw.rand(b) * math.log(0.85 / 0.18))
        zoom = row[:, 4:].amax(1) / share
        zoom = zoom[:, None] * torch.exp(draw.sym(b, 1) * 0.12 * time)
        a = rotation(draw.sym(b, 1) * 0.4 + draw.sym(b, 1) * 0.15 * time, size)
        a = a * zoom[..., None, None]
        flip = draw.sign(b, 1)[..., None, None]
        a = torch.cat([a[:, :, :1] * flip, a[:, :, 1:]], -2)
        offset = row[:, None, 2:4] - (a @ path(draw, b, t)[..., None])[..., 0]
        grid = views(a, offset, size) + ripple(draw, b, t, size, 0.05)
        alpha = (labels == row[:, 1, None, None].to(torch.uint8)).float()[:, None]
        rgb = image.float() / 255
        if self.photo:
            rgb = rgb * (0.8 + 0.4 * draw.rand(b, 3, 1, 1))
        out = warp_still(torch.cat([rgb, alpha], 1), grid, "bilinear", "zeros")
        soft = ((F.avg_pool2d(out[:, 3], 3, 1, 1) - 0.5) * 3 + 0.5).clamp(0, 1)
        return out[:, :3], soft

    def make(self, plan, draw):
        rows, back, t = plan
        b, count = rows.shape[:2]
        x, y = self.background(back, t, draw)
        # Compute all layers at once: a single layer would be some hundred small kernels.
        colour, soft = self.layers(rows.transpose(0, 1).flatten(0, 1), t, draw)
        here = draw.rand(count, b) < self.chance.to(draw.device)
        soft = soft.unflatten(0, (count, b)) * here[..., None, None, None]
        colour = colour.unflatten(0, (count, b))
        for k in range(count):  # back to front: later ones cover earlier ones
            x = torch.lerp(x, colour[k], soft[k][:, None])
            y = torch.where(soft[k] > 0.5, FIRST + k, y)
        x = x.transpose(1, 2)
        if self.photo:
            x = photometric(x, draw)
        return x, y, torch.ones(b, device=x.device)
