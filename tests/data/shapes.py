# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small synthetic datasets for the tests of training: discs and boxes of plain colours."""
import os
import shutil

import numpy as np
from PIL import Image

import common

COLOURS = ((40, 60, 50), (220, 40, 40), (40, 90, 230), (240, 220, 60))


def picture(h, w, objects, shift=0):
    """RGB and labels: object k is a disc (odd) or a box (even) at its own place."""
    image = np.empty((h, w, 3), np.uint8)
    image[:] = COLOURS[0]
    labels = np.zeros((h, w), np.uint8)
    y, x = np.mgrid[0:h, 0:w]
    for k in objects:
        cy, cx = h * (0.3 + 0.2 * (k - 1)), w * (0.25 + 0.25 * (k - 1)) + shift
        r = 0.17 * h
        inside = ((y - cy) ** 2 + (x - cx) ** 2 < r * r if k % 2 else
                  (abs(y - cy) < r) & (abs(x - cx) < r))
        image[inside] = COLOURS[k]
        labels[inside] = k
    return image, labels


def save_labels(path, labels):
    """Write a palette PNG. Without a palette some versions of Pillow write too few bits."""
    im = Image.fromarray(labels).convert("P")
    im.putpalette([v for c in COLOURS for v in c] + [0] * (768 - 12))
    im.save(path)


def save(path, image, labels=None):
    """path without suffix"""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(image).save(path + ".jpg", quality=97, subsampling=0)
    if labels is not None:
        save_labels(path + ".png", labels)


def videos(folder, count=2, frames=8, h=64, w=96):
    """folder/SEQ/00000.jpg and .png"""
    for n in range(count):
        for t in range(frames):
            objects = (1, 2) if n % 2 == 0 else (1, 3)
            save(os.path.join(folder, f"video{n}", f"{t:05d}"),
                 *picture(h, w, objects, shift=2 * t))
    return folder


def stills(folder, count=4, h=64, w=96):
    for n in range(count):
        save(os.path.join(folder, f"still{n}"), *picture(h, w, (1 + n % 3,)))
    return folder


def fresh(name):
    """A path in the scratch folder that does not exist."""
    path = common.scratch(name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def folders():
    """Sources of two videos and of four stills of 64x48."""
    moving, still = (common.scratch(n) for n in ("videos", "stills"))
    if not os.path.isdir(moving):
        videos(moving, 2, 8, 48, 64)
        stills(still, 4, 48, 64)
    return "folder:" + moving, "folder:" + still
