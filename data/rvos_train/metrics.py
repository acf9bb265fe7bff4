# SPDX-License-Identifier: LGPL-2.1-or-later
"""Region similarity J and contour accuracy F of binary masks (docs/evaluation.md)."""
import math

import numpy as np
from scipy.optimize import linear_sum_assignment


def jaccard(a, b):
    """IoU; 1 if both masks are empty."""
    union = np.logical_or(a, b).sum()
    return float(np.logical_and(a, b).sum() / union) if union else 1.0


def boundary(m):
    """Pixels that differ from their right, lower or lower-right neighbour."""
    m = np.asarray(m, bool)
    out = np.zeros_like(m)
    out[:, :-1] |= m[:, :-1] != m[:, 1:]
    out[:-1] |= m[:-1] != m[1:]
    out[:-1, :-1] |= m[:-1, :-1] != m[1:, 1:]
    return out


def dilate(m, radius):
    """Dilate by the disk dx^2 + dy^2 <= radius^2, which is a run of pixels in each row. A
    run holds a set pixel if the row's prefix sums at its two ends differ."""
    h, w = m.shape
    total = np.zeros((h, w + 2 * radius + 1), np.int32)
    np.cumsum(np.pad(m, ((0, 0), (radius, radius))), 1, out=total[:, 1:])
    out = np.zeros_like(m)
    for dy in range(radius + 1):
        half = math.isqrt(radius * radius - dy * dy)
        lo, hi = radius - half, radius + half + 1
        run = total[:, hi:hi + w] > total[:, lo:lo + w]
        out[dy:] |= run[:h - dy]
        out[:h - dy] |= run[dy:]
    return out


def box(m):
    """Slices around the set pixels."""
    return tuple(slice(int(v[0]), int(v[-1]) + 1)
                 for v in (np.flatnonzero(m.any(1 - axis)) for axis in (0, 1)))


def contour(prediction, truth):
    h, w = truth.shape
    r = math.ceil(0.008 * math.hypot(h, w))
    p, t = boundary(prediction), boundary(truth)
    if not p.any() or not t.any():
        return 1.0 if not p.any() and not t.any() else 0.0
    around = box(p | t)  # there is nothing to count outside
    p, t = p[around], t[around]
    precision = (p & dilate(t, r)).sum() / p.sum()
    recall = (t & dilate(p, r)).sum() / t.sum()
    return float(2 * precision * recall
                 / (precision + recall)) if precision + recall else 0.0


def assign(truth, masks):
    """For each true mask the index of its predicted mask, with the least sum of 1 - J."""
    cost = np.array([[1 - jaccard(m, t) for m in masks] for t in truth])
    rows, columns = linear_sum_assignment(cost)
    return dict(zip(rows.tolist(), columns.tolist()))


def sequence(truth, prediction, objects, skip_ends=True):
    """Mean J and F of each object of label maps (T,H,W). With more than two frames the
    first and the last do not count."""
    frames = range(len(truth))
    if skip_ends and len(truth) > 2:
        frames = frames[1:-1]
    out = []
    for k in objects:
        pairs = [(prediction[t] == k, truth[t] == k) for t in frames]
        out.append((float(np.mean([jaccard(*p) for p in pairs])),
                    float(np.mean([contour(*p) for p in pairs]))))
    return out
