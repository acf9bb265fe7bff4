# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares encoders to start from: how well a linear read-out of their features separates
objects from background.

    python3 data/rvos_train probe SOURCE BASE=WEIGHTS... [--frames 60] [--steps 300]

Features of strides 4 to 32 are computed once, brought to stride 8 and standardised. A
logistic regression, one weight for each channel, is fitted on every other sequence of the
SOURCE. The result is the mean IoU over frames of the other sequences. BASE=random starts
from random weights, for comparison.
"""
import time

import numpy as np
import torch
import torch.nn.functional as F

from . import datasets, encoder_init, files, model, pixels, store
from .convert import parse_size
from .layout import BASES, standard_width


def choose(sequences, count):
    """Choose `count` frames with an object, spread evenly."""
    frames = [f for s in sequences for f in s.frames if f.png]
    step = max(1, len(frames) // count)
    return frames[::step][:count]


def features(base, images):
    """(frames, channels, H/8, W/8)"""
    out = []
    with torch.no_grad():
        for image in images:
            x = torch.from_numpy(pixels.normalise(image.transpose(1, 2, 0)))[None]
            maps = base(x)[1:]
            size = maps[1].shape[-2:]
            out.append(torch.cat([F.interpolate(m, size=size, mode="bilinear",
                                                align_corners=False) for m in maps], 1))
    return torch.cat(out)


def fit(x, y, steps):
    """Weights and bias of a logistic regression; x (n, channels), y (n) of 0..1."""
    w = torch.zeros(x.shape[1], requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    opt = torch.optim.Adam([w, b], lr=0.02)
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(x @ w + b, y) + 1e-4 * (w * w).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return w.detach(), b.detach()


def flat(f):
    return f.permute(0, 2, 3, 1).flatten(0, 2)


def probe(base, train, test, steps):
    """Mean IoU, in percent.  train, test: (images, masks)"""
    made = [features(base, images) for images, _ in (train, test)]
    mean, std = flat(made[0]).mean(0), flat(made[0]).std(0) + 1e-3
    targets = F.adaptive_avg_pool2d(torch.from_numpy(train[1] > 0).float(),
                                    made[0].shape[-2:])
    w, b = fit((flat(made[0]) - mean) / std, targets.flatten(), steps)
    logits = ((made[1].permute(0, 2, 3, 1) - mean) / std) @ w + b
    truth = torch.from_numpy(test[1] > 0)
    found = F.interpolate(logits[:, None], size=truth.shape[-2:], mode="bilinear",
                          align_corners=False)[:, 0] > 0
    scores = (found & truth).sum((1, 2)) / (found | truth).sum((1, 2)).clamp(min=1)
    return 100 * float(scores.mean())


@files.refuses("probe", OSError, ValueError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("source")
    p.add_argument("encoder", nargs="+", metavar="BASE=WEIGHTS")
    p.add_argument("--frames", type=files.number(1), default=60,
                   help="frames of each half")
    p.add_argument("--steps", type=files.number(1), default=300)
    p.add_argument("--size", type=parse_size, default=(448, 256), metavar="WxH")
    a = p.parse_args(argv)
    sequences = datasets.read_source(a.source)[0]
    halves = []
    for half in (sequences[::2], sequences[1::2]):
        pairs = [store.decode(f, a.size[::-1]) for f in choose(half, a.frames)]
        if not pairs:
            raise ValueError(f"{a.source}: too few annotated sequences")
        halves.append([np.stack(v) for v in zip(*pairs)])
    for word in a.encoder:
        name, _, weights = word.partition("=")
        if name not in BASES or not weights:
            raise ValueError(f"{word}: not BASE=WEIGHTS, with a BASE of "
                             + ", ".join(BASES))
        torch.manual_seed(0)
        base = model.make_base(name, standard_width(name)).eval()
        if weights != "random":
            some = halves[0][0][:24].transpose(0, 2, 3, 1)
            encoder_init.load_encoder(base, weights, some)
        begin = time.monotonic()
        iou = probe(base.eval(), *halves, a.steps)
        print(f"{name:<14} IoU {iou:5.2f}  {time.monotonic() - begin:5.0f} s  "
              f"{files.show(weights)}", flush=True)
    return 0
