# SPDX-License-Identifier: LGPL-2.1-or-later
"""J and F of a model on annotated videos, as rvos-eval counts them
(docs/evaluation.md).

    python3 data/rvos_train evaluate MODEL.safetensors SOURCE [--limit N]

One-shot gets the first annotation. Zero-shot follows the paper's protocol: the slot of
each object is chosen on the first frame. Label maps are made at the annotation's size.
The first and the last frame do not count.
"""

import numpy as np
import torch
from PIL import Image

from . import datasets, files, metrics, model


def check(sequences, frames=None):
    """Raise DataError if frames lack an annotation to compare with."""
    for s in sequences:
        if not all(f.png for f in s.frames[:frames]):
            raise datasets.DataError(f"{s.name}: frames without annotation: nothing to "
                                     "validate with")


def load_video(sequence, size, frames=None):
    """Images of the network's size (list of uint8 H,W,3), annotations (T,h,w), and the
    ids 1..n, n the largest of the first annotation."""
    chosen = sequence.frames[:frames]
    masks = [f.mask() for f in chosen]
    for frame, mask in zip(chosen, masks):
        if mask.shape != masks[0].shape:
            raise datasets.DataError(
                "%s: is of %dx%d, the masks before it of %dx%d" % (
                    datasets.show(frame.png), *mask.shape[::-1], *masks[0].shape[::-1]))
    masks = np.stack(masks)
    resize = lambda im: np.asarray(im if im.size == size[::-1] else
                                   im.resize(size[::-1], Image.BILINEAR))
    ids = list(range(1, int(masks[0].max()) + 1))
    images = [f.image() for f in chosen]
    for frame, image in zip(chosen, images):
        if words := datasets.stretched(frame, image.size, masks.shape[1:]):
            datasets.tell(words)
            break
    return [resize(image) for image in images], masks, ids


def label_maps(net, task, images, truth, slots, size):
    """Label maps (T,h,w) at the annotation's size."""
    seeds = {0: (truth[0], None)} if task == "one-shot" else None
    with torch.no_grad():
        return np.stack([model.label_map(s.logits_half, size, truth.shape[1:])
                         for s in model.run(net, task, images, slots, size=size,
                                            seeds=seeds)])


def score_video(net, task, name, video, size, slots=10, keep=None):
    """[(J, F)] of each object."""
    images, truth, ids = video
    if not ids:
        return []
    if task == "one-shot":
        slots = max(ids)
    else:  # objects that the first frame lacks are not chosen and do not count
        ids = [k for k in ids if (truth[0] == k).any()]
    labels = label_maps(net, task, images, truth, slots, size)
    if task == "zero-shot":
        first = [labels[0] == n + 1 for n in range(slots)]
        chosen = metrics.assign([truth[0] == k for k in ids], first)
        renamed = np.zeros_like(labels)
        for row, column in chosen.items():
            renamed[labels == column + 1] = ids[row]
        labels = renamed
    if keep:
        keep(name, task, images, labels)
    return metrics.sequence(truth, labels, ids)


def evaluate(net, sequences, tasks, size, slots=10, frames=None, keep=None):
    """{task: {J, F, objects}} in percent, the mean over objects."""
    was = net.training
    net.eval()
    check(sequences, frames)
    scores, out = {task: [] for task in tasks}, {}
    for s in sequences:  # one in memory at a time
        video = load_video(s, size, frames)
        for task in tasks:
            scores[task] += score_video(net, task, s.name, video, size, slots, keep)
    for task, found in scores.items():
        if found:
            j, f = np.mean(found, 0) * 100
            out[task] = dict(J=float(j), F=float(f), objects=len(found))
    net.train(was)
    return out


@files.refuses("evaluate", ValueError, OSError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("model")
    p.add_argument("source")
    p.add_argument("--limit", type=files.number(1), help="videos")
    p.add_argument("--frames", type=files.number(1), help="frames of a video")
    p.add_argument("--slots", type=files.number(1, 32), default=10,
                   help="slots of zero-shot")
    a = p.parse_args(argv)
    net = model.load_bundle(a.model)
    sequences = datasets.read_source(a.source)[0][:a.limit]
    if torch.cuda.is_available():
        net = net.cuda()
    scores = evaluate(net, sequences, net.settings["tasks"], net.settings["size"],
                      a.slots,
                      a.frames)
    for task, s in scores.items():
        print(f"{task}: J {s['J']:.2f}  F {s['F']:.2f}  ({s['objects']} objects)")
    return 0
