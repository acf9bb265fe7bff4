#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""notebook.py VIDEO OUT.jpg: some frames with their masks, by matplotlib.

The lines with %% separate the cells of a notebook, in Jupyter and in editors.
"""
import sys

import matplotlib

matplotlib.use("Agg")  # works without a screen; leave it out in a notebook

# %% Segment the video, and keep every 40th frame
import matplotlib.pyplot as plt

import rvos

video, out = sys.argv[1:] if len(sys.argv) == 3 else ("data/clips/cup.mp4", "cup.jpg")
kept = [(frame, masks) for frame, masks in rvos.segment(video) if masks.index % 40 == 0]

# %% Draw three of them, with boxes
kept = kept[:3]
figure, axes = plt.subplots(1, len(kept), figsize=(4 * len(kept), 3.4), squeeze=False)
for axis, (frame, masks) in zip(axes[0], kept):
    axis.imshow(masks.draw(frame))
    for thing in masks:
        x, y, width, height = thing.box
        axis.add_patch(plt.Rectangle((x, y), width, height, fill=False, color="white"))
        axis.text(x + 4, y + 4, f"{thing.track_id}: {thing.score:.2f}", color="white",
                  va="top", backgroundcolor="#0008")
    axis.set_title(f"frame {masks.index}")
    axis.axis("off")
figure.tight_layout()
figure.savefig(out, dpi=80)
