# SPDX-License-Identifier: LGPL-2.1-or-later
"""J, F and the statistics of DAVIS in numpy, written from their published definitions:
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


# ---- sequences: truth and result are (T,H,W), values are objects and slots ------------

def best_slots(truth, guess, i, slots):
    """(T,) the slot with the highest J with object i in frames that show it, 0 below J 0.1;
    and that J."""
    best, score = np.zeros(len(truth), int), np.full(len(truth), np.nan)
    for t in range(len(truth)):
        if (truth[t] == i).any():
            j = [region_similarity(truth[t] == i, guess[t] == k)
                 for k in range(1, slots + 1)]
            best[t] = np.argmax(j) + 1 if max(j) >= 0.1 else 0
            score[t] = max(j)
    return best, score


def id_switches(best):
    seen = best[best > 0]
    return int((seen[1:] != seen[:-1]).sum())


def false_objects(truth, guess, slots):
    """Count lives of slots with more than 10 frames and less than a tenth of their pixels on
    annotated objects. More than 10 empty frames end a life."""
    count = 0
    for k in range(1, slots + 1):
        shown = np.flatnonzero((guess == k).any((1, 2)))
        lives = np.split(shown, np.flatnonzero(np.diff(shown) > 11) + 1)
        for life in lives:
            mask = guess[life] == k
            count += len(life) > 10 and (truth[life][mask] > 0).mean() < 0.1
    return int(count)
