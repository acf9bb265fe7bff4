# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds with the faults of real use: shifted, with a part missing, too large or small,
coarse, or found by the zero-shot decoder (--task auto seeds the one-shot decoder from it).

Shapes: B clips, T frames, N objects, H x W pixels. All random numbers come from one
generator, on the device of the masks.
"""
import math

import torch
import torch.nn.functional as F

from . import model

KINDS = 4
SHIFT = 0.06  # of the picture's side, at most, either way
FOUND = 0.35  # a slot with at least this IoU belongs to an object


def shifted(m, draw):
    b, n, h, w = m.shape
    offset = draw.sym(b * n, 2) * 2 * SHIFT
    theta = torch.zeros(b * n, 2, 3, device=m.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, :, 2] = offset
    grid = F.affine_grid(theta, (b * n, 1, h, w), align_corners=False)
    return F.grid_sample(m.reshape(b * n, 1, h, w), grid, mode="nearest",
                         align_corners=False).view(b, n, h, w)


def cut(m, draw):
    """Remove the part beyond a line, up to about 40 % of the object."""
    b, n, h, w = m.shape
    y = torch.linspace(-1, 1, h, device=m.device).view(h, 1)
    x = torch.linspace(-1, 1, w, device=m.device).view(1, w)
    angle = draw.rand(b, n, 1, 1) * 2 * math.pi
    along = x * torch.cos(angle) + y * torch.sin(angle)
    area = m.sum((2, 3), keepdim=True).clamp(min=1)
    middle = (m * along).sum((2, 3), keepdim=True) / area
    spread = ((m * (along - middle) ** 2).sum((2, 3), keepdim=True) / area).sqrt()
    return m * (along < middle + spread * (0.25 + draw.rand(b, n, 1, 1)))


def resized(m, draw):
    """Grow or shrink by a few pixels."""
    size = max(3, min(m.shape[-2:]) // 36) | 1
    grown = F.max_pool2d(m, size, 1, size // 2)
    shrunk = 1 - F.max_pool2d(1 - m, size, 1, size // 2)
    return torch.where(draw.rand(*m.shape[:2], 1, 1) < 0.5, grown, shrunk)


def coarse(m):
    h, w = m.shape[-2:]
    small = F.adaptive_avg_pool2d(m, (max(2, h // 12), max(2, w // 12)))
    return (F.interpolate(small, size=(h, w), mode="nearest") > 0.5).to(m)


def degraded(m, draw):
    """(B,N,H,W) of 0 and 1 -> the same; each mask gets one of the faults."""
    kind = draw.integers(KINDS, *m.shape[:2])[..., None, None]
    out = coarse(m)
    for k, other in enumerate((shifted(m, draw), cut(m, draw), resized(m, draw))):
        out = torch.where(kind == k, other, out)
    return torch.where(out.sum((2, 3), keepdim=True) > 0, out, m)  # never empty


def found(m, logits):
    """The zero-shot decoder's masks of the objects, and which objects it found.
    logits (B,slots,h,w) of the same frames, at half size."""
    p = (model.upsample(logits, m.shape[-2:]) > 0).to(m)
    inter = m.flatten(2) @ p.flatten(2).mT  # B N slots
    union = m.sum((2, 3))[..., None] + p.sum((2, 3))[:, None] - inter
    iou, slot = (inter / union.clamp(min=1)).max(2)
    index = slot[..., None, None].expand(*slot.shape, *p.shape[-2:])
    return p.gather(1, index), iou >= FOUND


def seeds(targets, shown, share, logits=None, share_found=0.0, draw=None):
    """Return targets (B,T,N,H,W) with imperfect masks at the frames where masks are given.
    shown (B,T,N): at most one frame of each object. share: of the seeds with a fault;
    share_found: of these, the ones that the decoder found (logits (B,T,slots,h,w))."""
    at = shown.argmax(1)  # B N
    index = at[:, None, :, None, None].expand(-1, 1, -1, *targets.shape[-2:])
    true = targets.gather(1, index)[:, 0]
    bad = degraded(true, draw)
    if logits is not None:
        # Objects may be shown at different frames: take all slots at each object's frame.
        b, n = at.shape
        of = logits[torch.arange(b, device=at.device)[:, None], at]  # B N slots h w
        masks, good = found(true.flatten(0, 1)[:, None], of.flatten(0, 1))
        use = good.view(b, n) & (draw.rand(b, n) < share_found)
        bad = torch.where(use[..., None, None], masks.view_as(true), bad)
    pick = (draw.rand(*at.shape) < share)[..., None, None]
    return targets.scatter(1, index, torch.where(pick, bad, true)[:, None])
