# SPDX-License-Identifier: LGPL-2.1-or-later
"""Losses and matching: the paper's (Ventura et al., CVPR 2019) and those of our recipe.

Shapes: B clips, T frames, N slots, K objects. Targets are 0 or 1, or in [0, 1] after
downsampling. A slot without an object has an empty target and valid = False.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment


# ---- the paper -------------------------------------------------------------------------

def paper_cost(p, y):
    """Soft IoU cost over the last two axes; exactly 1, without a gradient, for empty
    y."""
    inter = (p * y).sum((-1, -2))
    return 1 - inter / ((p + y - p * y).sum((-1, -2)) + 1e-6)


def paper_loss(logits, targets, valid):
    """logits, targets (B,T,N,H,W) at full size, valid (B,N) -> mean over the valid pairs
    of a frame (over all pairs if none is valid), summed over the frames."""
    cost = paper_cost(logits.sigmoid(), targets).transpose(1, 2)  # B N T
    pick = valid | ~valid.any()
    return (cost * pick[..., None]).sum() / pick.sum()


def paper_match(logits, targets, valid):
    """Match at the first frame. Return (B,N): the object of each slot. Costs of invalid
    objects, and of slots with the number of an invalid object, are 10, so n objects are
    matched among the first n slots."""
    with torch.no_grad():
        p, y = logits[:, 0].sigmoid(), targets[:, 0]
        cost = paper_cost(p[:, None], y[:, :, None])  # B objects slots
        off = ~valid
        cost = cost.masked_fill(off[:, :, None] | off[:, None, :], 10.0)
        return assign(cost.transpose(1, 2))


FEW = 6  # up to this many slots, all orders are tried


def assign(cost):
    """cost (B,N,K = N) -> (B,N): the column of each row with the least total cost. NaN is
    not an error here; the trainer checks the loss.

    Trying all 720 orders of six slots takes a GPU less time than waiting for SciPy."""
    cost, n = torch.nan_to_num(cost), cost.shape[-1]
    if n <= FEW:
        orders = _orders(n, cost.device)
        total = cost[:, torch.arange(n, device=cost.device), orders].sum(-1)
        return orders[total.argmin(1)]
    pick = np.stack([linear_sum_assignment(c)[1] for c in cost.cpu().numpy()])
    return torch.from_numpy(pick).to(cost.device)


def _orders(n, device):
    """All permutations, (n!, n), computed on the device, because the host would wait for
    the copy of a table."""
    code = torch.arange(math.factorial(n), device=device)
    left = torch.arange(n, device=device).expand(len(code), n)
    out = []
    for k in range(n, 0, -1):
        unit = math.factorial(k - 1)
        at, code = torch.div(code, unit, rounding_mode="floor"), code % unit
        out.append(left.gather(1, at[:, None]))
        rest = torch.arange(k - 1, device=device)
        left = left.gather(1, rest + (rest >= at[:, None]).long())
    return torch.cat(out, 1)


def permute(targets, valid, pick):
    """Bring targets (B,T,K,...) and valid (B,K) into the order of their slots."""
    index = pick[:, None, :, None, None].expand(-1, targets.shape[1], -1,
                                                *targets.shape[3:])
    return targets.gather(2, index), valid.gather(1, pick)


# ---- our recipe ------------------------------------------------------------------------

def soft_iou(p, g):
    """p (B,T,N,h,w), g (B,T,K,h,w) -> (B,N,K): soft IoU of every pair over the clip."""
    p, g = p.transpose(1, 2).flatten(2), g.transpose(1, 2).flatten(2)
    if p.shape[-1] % 64:
        inter = p @ g.mT
    else:
        # These are 5 x 5 sums over 100 000 pixels. A GPU would compute a clip's sums in
        # one block; 64 pieces keep it busy.
        p64, g64 = (v.unflatten(-1, (64, -1)).transpose(1, 2) for v in (p, g))
        inter = (p64 @ g64.mT).sum(1)
    return (inter + 1) / (p.sum(-1)[..., None] + g.sum(-1)[:, None] - inter + 1)


def clip_match(logits, targets, valid):
    """Match over the clip, among all slots. Return (B,N): the object of each slot."""
    with torch.no_grad():
        score = soft_iou(logits.sigmoid(), targets)
        return assign(-score.masked_fill(~valid[:, None, :], -1))


def pair_loss(logits, targets, since=None):
    """Matched (B,T,N,h,w) -> (B,N): 1 - soft IoU over the clip, plus 2 x mean cross
    entropy. since (B,T,N), 0 or 1: frames that count."""
    p = logits.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    if since is None:
        bce = bce.mean((1, 3, 4))
    else:
        w = since[..., None, None]
        p, targets = p * w, targets * w
        bce = (bce.mean((3, 4)) * since).sum(1) / since.sum(1).clamp(min=1)
    inter = (p * targets).sum((1, 3, 4))
    union = (p + targets - p * targets).sum((1, 3, 4))
    return 1 - (inter + 1) / (union + 1) + 2.0 * bce


def empty_loss(logits):
    """(B,T,N,h,w) -> (B,T,N): cross entropy against an empty mask."""
    return F.softplus(logits).mean((3, 4))


def swap_loss(logits, targets, valid):
    """The share of other objects' pixels that a slot covers, mean over frames and over
    slots with an object of their own. A slot that moves to another object covers all of
    it."""
    p = logits.sigmoid()
    others = (targets.sum(2, keepdim=True) - targets).clamp(0, 1)
    share = (p * others).sum((3, 4)) / (others.sum((3, 4)) + 1)  # B T N
    v = valid.float()[:, None]
    return (share * v).sum() / (v.sum() * share.shape[1]).clamp(min=1)


def zero_shot_loss(logits, targets, valid, exhaustive, swaps=0.0):
    """Matched slots follow their object. The others are pushed to be empty: strongly if
    every object of the clip is annotated (exhaustive (B,)), else gently."""
    pick = clip_match(logits, targets, valid)
    targets, valid = permute(targets, valid, pick)
    v = valid.float()
    matched = (pair_loss(logits, targets) * v).sum() / v.sum().clamp(min=1)
    weight = (1 - v) * (0.1 + 0.9 * exhaustive[:, None])
    empty = (empty_loss(logits).mean(1) * weight).sum() / (1 - v).sum().clamp(min=1)
    loss = matched + 2.0 * empty
    return loss + swaps * swap_loss(logits, targets, valid) if swaps else loss


def one_shot_loss(logits, targets, given, swaps=0.0):
    """given (B,T,N): 1 from the frame on at which the object's mask is given. Before that,
    and in slots without a given mask, the mask must be empty."""
    v = given.amax(1)
    matched = (pair_loss(logits, targets, given) * v).sum() / v.sum().clamp(min=1)
    empty = (empty_loss(logits) * (1 - given)).mean(1)
    loss = matched + empty.mean()
    return loss + swaps * swap_loss(logits, targets, v > 0) if swaps else loss
