# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pixels in and labels out, as docs/numerics.md defines them; numpy alone."""
import numpy as np

MEAN = np.array((0.485, 0.456, 0.406), np.float32)
STD = np.array((0.229, 0.224, 0.225), np.float32)


def _taps(src, dst):
    """Taps of the antialiased bilinear filter: source positions (dst, taps) and integer
    weights with 22 fraction bits."""
    scale = src / dst
    support = max(1.0, scale)
    lists = []
    for d in range(dst):
        centre = (d + 0.5) * scale
        lo = max(0, int(centre - support + 0.5))
        hi = min(src, int(centre + support + 0.5))
        w = np.maximum(0.0, 1 - np.abs(np.arange(lo, hi) - centre + 0.5) / support)
        w /= w.sum()
        lists.append((lo, np.floor(w * (1 << 22) + 0.5).astype(np.int64)))
    most = max(len(w) for _, w in lists)
    at, weights = np.zeros((2, dst, most), np.int64)
    for d, (lo, w) in enumerate(lists):
        at[d] = np.minimum(lo + np.arange(most), src - 1)
        weights[d, :len(w)] = w
    return at, weights


def _filter(x, src, dst):
    """Filter along the first axis and round to 8 bits."""
    at, weights = _taps(src, dst)
    total = np.full((dst, *x.shape[1:]), 1 << 21, np.int64)
    for a, w in zip(at.T, weights.T):
        total += x[a] * w[:, None, None]
    return np.clip(total >> 22, 0, 255)


def resize_bilinear(image, height, width):
    """uint8 (h,w,c) -> (height,width,c), with the same bytes as Pillow's BILINEAR."""
    x = np.asarray(image, np.uint8).astype(np.int64)
    if x.shape[1] != width:  # horizontal pass first; each pass rounds to 8 bits
        x = _filter(x.transpose(1, 0, 2), x.shape[1], width).transpose(1, 0, 2)
    if x.shape[0] != height:
        x = _filter(x, x.shape[0], height)
    return x.astype(np.uint8)


def resize_nearest(image, height, width):
    """(h,w,...) -> (height,width,...): source = floor((dst + 0.5) * in / out)"""
    pick = lambda src, dst: np.floor((np.arange(dst) + 0.5) * src / dst).astype(np.int64)
    h, w = image.shape[:2]
    return image[pick(h, height)][:, pick(w, width)]


def normalise(image):
    """uint8 RGB (h,w,3) -> float32 (3,h,w)"""
    x = np.asarray(image, np.uint8).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(((x - MEAN) / STD).transpose(2, 0, 1))


def object_planes(labels, objects):
    """Label map (h,w) -> (objects,h,w) float32: plane k holds label k + 1. 255 is
    background."""
    labels = np.asarray(labels)
    return np.stack([labels == k + 1 for k in range(objects)]).astype(np.float32)


def read_labels(path):
    """Read the object numbers of a mask as uint8 (h,w), by the rule of mask_rule.py;
    "ignore" becomes background."""
    from PIL import Image

    from . import mask_rule
    try:
        with Image.open(path) as picture:
            a = mask_rule.read(picture)
    except mask_rule.MaskError as e:
        raise ValueError(f"{path}: {e}") from None
    a[a == mask_rule.IGNORE] = 0
    return a
