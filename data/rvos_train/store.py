# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames for training, as uint8 at the network's size.

Resident frames are decoded once and kept on the device. Streamed frames are decoded by
threads on demand; prefetch() starts this ahead of time, and the last ones stay in a cache.
"""
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from . import datasets
from .datasets import DataError


def decode(frame, size, note=lambda words: None):
    """uint8 image (3,H,W) and labels (H,W)"""
    h, w = size
    image = frame.image()
    before = image.size
    if image.size != (w, h):
        image = image.resize((w, h), Image.BILINEAR)
    mask = frame.mask()
    if mask is None:
        mask = np.zeros(size, np.uint8)
    elif words := datasets.stretched(frame, before, mask.shape):
        note(words)
    if mask.shape != size:
        mask = np.array(Image.fromarray(mask).resize((w, h), Image.NEAREST))
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)), mask


class Store:
    """spans: (first frame, frames) of each sequence. budget: bytes that may be resident."""

    def __init__(self, sequences, size, device="cpu", budget=32 << 30, workers=8):
        self.sequences, self.size = sequences, tuple(size)
        self.device = torch.device(device)
        self.frames, self.spans = [], []
        for s in sequences:
            self.spans.append((len(self.frames), len(s.frames)))
            self.frames += s.frames
        if not self.frames:
            raise DataError("a store without frames")
        self.exhaustive = torch.tensor([s.exhaustive for s in sequences],
                                       dtype=torch.float32)
        self.pool = ThreadPoolExecutor(workers)
        self.told_shape = False
        need = len(self.frames) * 4 * size[0] * size[1]
        self.resident = need <= budget
        if self.resident:
            self.load()
        else:
            self.cache = OrderedDict()
            self.room = max(256, budget // (4 * size[0] * size[1]))  # frames

    def __len__(self):
        return len(self.frames)

    def decode(self, frame):
        return decode(frame, self.size, self.note)

    def note(self, words):
        """Tell of the first mask that is stretched; all of a set are often alike."""
        if not self.told_shape:
            self.told_shape = True
            datasets.tell(words + " (told once)")

    def load(self):
        count, (h, w) = len(self.frames), self.size
        self.images = torch.empty(count, 3, h, w, dtype=torch.uint8, device=self.device)
        self.masks = torch.empty(count, h, w, dtype=torch.uint8, device=self.device)
        for lo in range(0, count, 256):
            part = list(self.pool.map(self.decode, self.frames[lo:lo + 256]))
            at = slice(lo, lo + len(part))
            images, masks = (torch.from_numpy(np.stack(v)) for v in zip(*part))
            self.images[at], self.masks[at] = images.to(self.device), masks.to(self.device)

    def prefetch(self, index):
        """Start to decode frames that will be needed soon."""
        if self.resident:
            return
        for i in index.flatten().tolist():
            if i in self.cache:
                self.cache.move_to_end(i)
            else:
                self.cache[i] = self.pool.submit(self.decode, self.frames[i])
        while len(self.cache) > self.room + index.numel():
            self.cache.popitem(last=False)

    def fetch(self, index):
        """index: any shape, on the CPU -> images (..., 3,H,W) and labels (..., H,W),
        uint8."""
        if self.resident:
            # A copy this small is complete when to() returns. A blocking copy would also
            # wait for all work that the device still has.
            at = index.to(self.device, non_blocking=True)
            return self.images[at], self.masks[at]
        self.prefetch(index)
        part = [self.cache[i].result() for i in index.flatten().tolist()]
        h, w = self.size
        images = torch.from_numpy(np.stack([p[0] for p in part])).to(self.device)
        masks = torch.from_numpy(np.stack([p[1] for p in part])).to(self.device)
        return images.view(*index.shape, 3, h, w), masks.view(*index.shape, h, w)
