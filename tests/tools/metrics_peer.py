# SPDX-License-Identifier: LGPL-2.1-or-later
"""J, F and the statistics of DAVIS in numpy, restated from their published definitions:
the peer that rvos-eval is compared with and timed against. Straightforward on purpose:
one object and one frame at a time, as the Python toolkits do it."""
import math

import numpy as np


def region_similarity(truth, guess):
    either = np.count_nonzero(truth | guess)
    return np.count_nonzero(truth & guess) / either if either else 1.0


def boundary(mask):
    """Pixels that differ from their right, lower or lower-right neighbour."""
    right, below, both = np.copy(mask), np.copy(mask), np.copy(mask)
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    both[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ right) | (mask ^ below) | (mask ^ both)
    edge[-1] = mask[-1] ^ right[-1]
    edge[:, -1] = mask[:, -1] ^ below[:, -1]
    edge[-1, -1] = False
    return edge


def dilate(edge, r):
    h, w = edge.shape
    wide = np.zeros((h + 2 * r, w + 2 * r), bool)
    for dy in range(-r, r + 1):
        for dx in range(-r, r + 1):
            if dx * dx + dy * dy <= r * r:
                wide[r + dy:r + dy + h, r + dx:r + dx + w] |= edge
    return wide[r:r + h, r:r + w]


def contour_accuracy(truth, guess, tolerance=0.008):
    r = math.ceil(tolerance * math.hypot(*truth.shape))
    t, g = boundary(truth), boundary(guess)
    n_t, n_g = np.count_nonzero(t), np.count_nonzero(g)
    if not n_t and not n_g:
        return 1.0
    if not n_t or not n_g:
        return 0.0
    precision = np.count_nonzero(g & dilate(t, r)) / n_g
    recall = np.count_nonzero(t & dilate(g, r)) / n_t
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def statistics(values):
    """(mean, recall, decay)"""
    values = np.asarray(values, float)
    at = [math.floor(1 + j * (len(values) - 1) / 4 + 0.5) - 1 for j in range(5)]
    parts = [values[at[i]:at[i + 1] + 1].mean() for i in (0, 3)]
    return values.mean(), (values > 0.5).mean(), parts[0] - parts[1]
