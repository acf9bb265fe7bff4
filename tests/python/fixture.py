# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network, clip and masks of this folder's tests. sys.argv[1] is the network."""
import os
import sys

import numpy as np

import rvos

MODEL = os.path.abspath(sys.argv[1])
SIZE = (96, 64)


def clip(frames=8, height=60, width=90):
    """A bright square that moves over noise."""
    noise = np.random.default_rng(1).integers(0, 80, (height, width, 3), np.uint8)
    made = [noise.copy() for _ in range(frames)]
    for t, frame in enumerate(made):
        frame[10:30, 5 + 4 * t:25 + 4 * t] = (230, 200, 40)
    return made


def square(frame=0, height=60, width=90):
    labels = np.zeros((height, width), np.uint8)
    labels[10:30, 5 + 4 * frame:25 + 4 * frame] = 1
    return labels


def run(frames, task, seed=None, **params):
    with rvos.Model(MODEL, size=SIZE) as model, model.stream(task, **params) as stream:
        if seed is not None:
            stream.seed(seed)
        return [stream.process(frame).labels for frame in frames]
