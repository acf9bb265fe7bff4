# SPDX-License-Identifier: LGPL-2.1-or-later
"""Losses and matching: the paper's (Ventura et al., CVPR 2019), and the ones of our recipe.

Shapes: B clips, T frames, N slots, K objects.  Targets are 0 or 1 and in [0, 1] where
they were averaged down; a slot without an object has an empty target and valid = False.
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
    """logits, targets (B,T,N,H,W) at full size, valid (B,N): mean over the valid pairs
    of a frame (over all if there is none), sum over the frames."""
    cost = paper_cost(logits.sigmoid(), targets).transpose(1, 2)  # B N T
    pick = valid | ~valid.any()
    return (cost * pick[..., None]).sum() / pick.sum()


def paper_match(logits, targets, valid):
    """Matches at the first frame.  Returns (B,N): the object of each slot.  Costs of
    invalid objects, and of slots whose number is that of an invalid object, are 10: n
    objects are matched among the first n slots."""
    with torch.no_grad():
        p, y = logits[:, 0].sigmoid(), targets[:, 0]
        cost = paper_cost(p[:, None], y[:, :, None])  # B objects slots
        off = ~valid
        cost = cost.masked_fill(off[:, :, None] | off[:, None, :], 10.0)
        return assign(cost.transpose(1, 2))


FEW = 6  # slots up to which all orders are tried


def assign(cost):
    """cost (B,N,K = N) -> (B,N): the column of each row, of least total.  NaN is no
    cost, and no error here: the trainer looks at the loss.

    All 720 orders of six slots are less work for a GPU than its waiting for SciPy."""
    cost, n = torch.nan_to_num(cost), cost.shape[-1]
    if n <= FEW:
        orders = _orders(n, cost.device)
        total = cost[:, torch.arange(n, device=cost.device), orders].sum(-1)
        return orders[total.argmin(1)]
    pick = np.stack([linear_sum_assignment(c)[1] for c in cost.cpu().numpy()])
    return torch.from_numpy(pick).to(cost.device)


def _orders(n, device):
    """All permutations, (n!, n), counted out on the device: a table sent there would be
    waited for."""
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
    """Targets (B,T,K,...) and valid (B,K) in the order of the slots they were matched
    to."""
    index = pick[:, None, :, None, None].expand(-1, targets.shape[1], -1,
                                                *targets.shape[3:])
    return targets.gather(2, index), valid.gather(1, pick)


# ---- our recipe ------------------------------------------------------------------------

def soft_iou(p, g):
    """p (B,T,N,h,w), g (B,T,K,h,w) -> soft IoU over the whole clip of every pair
    (B,N,K)."""
    p, g = p.transpose(1, 2).flatten(2), g.transpose(1, 2).flatten(2)
    if p.shape[-1] % 64:
        inter = p @ g.mT
    else:
        # Five by five sums over a hundred thousand pixels: one clip's would be a single
        # block's work.  In 64 pieces, they keep a GPU busy.
        p64, g64 = (v.unflatten(-1, (64, -1)).transpose(1, 2) for v in (p, g))
        inter = (p64 @ g64.mT).sum(1)
    return (inter + 1) / (p.sum(-1)[..., None] + g.sum(-1)[:, None] - inter + 1)


def clip_match(logits, targets, valid):
    """Matches over the clip, among all slots.  Returns (B,N)."""
    with torch.no_grad():
        score = soft_iou(logits.sigmoid(), targets)
        return assign(-score.masked_fill(~valid[:, None, :], -1))


def pair_loss(logits, targets, since=None):
    """Aligned (B,T,N,h,w) -> (B,N): 1 - soft IoU over the clip, plus 2 x mean cross
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
    """(B,T,N,h,w) -> (B,T,N): cross entropy against nothing"""
    return F.softplus(logits).mean((3, 4))


def swap_loss(logits, targets, valid):
    """How much of other objects a slot covers, of each slot with an object of its own:
    the share of their pixels in a frame, mean over frames and slots.  A slot that changes
    over to another object covers all of it."""
    p = logits.sigmoid()
    others = (targets.sum(2, keepdim=True) - targets).clamp(0, 1)
    share = (p * others).sum((3, 4)) / (others.sum((3, 4)) + 1)  # B T N
    v = valid.float()[:, None]
    return (share * v).sum() / (v.sum() * share.shape[1]).clamp(min=1)


def zero_shot_loss(logits, targets, valid, exhaustive, swaps=0.0):
    """Matched slots follow their object; the others are pushed to empty: hard where every
    object of the clip is annotated (exhaustive (B,)), else gently."""
    pick = clip_match(logits, targets, valid)
    targets, valid = permute(targets, valid, pick)
    v = valid.float()
    matched = (pair_loss(logits, targets) * v).sum() / v.sum().clamp(min=1)
    weight = (1 - v) * (0.1 + 0.9 * exhaustive[:, None])
    empty = (empty_loss(logits).mean(1) * weight).sum() / (1 - v).sum().clamp(min=1)
    loss = matched + 2.0 * empty
    return loss + swaps * swap_loss(logits, targets, valid) if swaps else loss


def one_shot_loss(logits, targets, given, swaps=0.0):
    """given (B,T,N): 1 from the frame on at which the object has been shown.  Before
    that, and in slots that are never shown, the mask must be empty."""
    v = given.amax(1)
    matched = (pair_loss(logits, targets, given) * v).sum() / v.sum().clamp(min=1)
    empty = (empty_loss(logits) * (1 - given)).mean(1)
    loss = matched + empty.mean()
    return loss + swaps * swap_loss(logits, targets, v > 0) if swaps else loss
