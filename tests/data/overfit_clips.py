#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that a small network can overfit four synthetic clips: both decoders reach J >= 90
on them after 300 steps. It takes about two minutes of a CPU, so the suite does not run it:

    overfit_clips.py [STEPS]
"""
import os
import sys

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")
from PIL import Image

from rvos_train import config, evaluate, made_clips, trainer

SIZE, FRAMES, BAR = (112, 64), 5, 90.0


def write(folder):
    """Write four clips of two objects, each with another story."""
    stories = iter(("wander", "cross", "touch", "enter"))
    for seed in range(100):
        if len(made_clips.Clip(made_clips.Drawn(), "wander", [3, seed], SIZE, 36).actors) > 2:
            continue
        story = next(stories, None)
        if story is None:
            return
        clip = made_clips.Clip(made_clips.Drawn(), story, [3, seed], SIZE, 36)
        for actor in clip.actors:  # make objects larger at this size
            actor.scale *= 1.3
        where = os.path.join(folder, story)
        os.makedirs(where)
        for n in range(FRAMES):
            picture, labels = clip.frame(3 * n + 2)
            picture.save(os.path.join(where, f"{n:05d}.jpg"), quality=95)
            Image.fromarray(labels).save(os.path.join(where, f"{n:05d}.png"))


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    folder = common.scratch("clips")
    write(folder)
    c = config.merge(dict(
        video=["folder:" + folder], augment="none", max_stride=1, size="x".join(map(str, SIZE)),
        base_width=16, hidden=48, objects=2, batch=4, length=FRAMES, steps=steps, late_length=0,
        lr=4e-3, lr_encoder=4e-3, warmup=10, ema=0.95, clip_norm=0.5, weight_decay=0.0, ramp=0.2,
        late_objects=1.0))
    t = trainer.Trainer(c, lambda s: None)
    while t.step < c.steps:
        losses = t.advance()
        if t.step % 50 == 0:
            print(t.step, {k: round(float(v), 3) for k, v in losses.items()}, flush=True)
    scores = evaluate.evaluate(t.best_net(), t.data.store.sequences, c.tasks, t.size,
                               slots=2)
    for task, s in scores.items():
        print(f"{task}: J {s['J']:.1f} of {s['objects']} objects, bar {BAR}")
    return not all(s["J"] >= BAR for s in scores.values())


if __name__ == "__main__":
    sys.exit(main())
