# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pixels in and labels out, as network.md sections 10 and 11 define them; numpy alone."""
import numpy as np

MEAN = np.array((0.485, 0.456, 0.406), np.float32)
STD = np.array((0.229, 0.224, 0.225), np.float32)


def _taps(src, dst):
    """Integer weights (dst, src) of the antialiased bilinear filter, 22 fraction bits."""
    scale = src / dst
    support = max(1.0, scale)
    out = np.zeros((dst, src), np.int64)
    for d in range(dst):
        centre = (d + 0.5) * scale
        lo = max(0, int(centre - support + 0.5))
        hi = min(src, int(centre + support + 0.5))
        w = np.maximum(0.0, 1 - np.abs(np.arange(lo, hi) - centre + 0.5) / support)
        w /= w.sum()
        out[d, lo:hi] = np.floor(w * (1 << 22) + 0.5).astype(np.int64)
    return out


def resize_bilinear(image, height, width):
    """uint8 (h,w,c) -> (height,width,c), the same bytes as Pillow's BILINEAR."""
    x = np.asarray(image, np.uint8).astype(np.int64)
    half = 1 << 21
    if x.shape[1] != width:  # horizontal pass first; each pass rounds to 8 bits
        x = np.clip((np.einsum("ds,hsc->hdc", _taps(x.shape[1], width), x) + half) >> 22,
                    0, 255)
    if x.shape[0] != height:
        x = np.clip((np.einsum("ds,swc->dwc", _taps(x.shape[0], height), x) + half) >> 22,
                    0, 255)
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
    """Label map (h,w) -> (objects,h,w) float32: plane k holds label k + 1.  255 is
    background."""
    labels = np.asarray(labels)
    return np.stack([labels == k + 1 for k in range(objects)]).astype(np.float32)


def read_labels(path):
    """A palette (or 8-bit grey) PNG of object numbers as uint8 (h,w); 255 becomes
    background."""
    from PIL import Image
    with Image.open(path) as im:
        if im.mode not in ("P", "L"):
            raise ValueError(f"{path}: a {im.mode} picture; masks are palette PNG files "
                             "whose index is the object's number")
        a = np.array(im, np.uint8)
    a[a == 255] = 0
    return a
