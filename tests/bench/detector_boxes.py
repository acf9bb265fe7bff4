#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects from a detector's boxes: how good are their masks over the video?

    detector_boxes.py DAVIS [--shift 0.1] [--seed 1] [--model FILE] [--sequences A,B]

DAVIS has JPEGImages/480p and Annotations/480p, one object a sequence (any value above 0).
The first frame carries a region of interest: the box of the first annotation, moved by up
to --shift of its sides. rvosseg runs with mode=auto detector-seeds=boxes. It prints J of the
slot of that object for each sequence (first and last frame left out), and the mean. It needs
python3-gi, numpy and Pillow, and GST_PLUGIN_PATH if rvosseg is not installed.
"""
import argparse
import os
import sys

import gi
import numpy as np
from PIL import Image

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo  # noqa: E402


def shifted_box(mask, rng, shift):
    y, x = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    width, height = x[-1] + 1 - x[0], y[-1] + 1 - y[0]
    dx, dy = rng.uniform(-shift, shift, 2)
    left, top = max(0, round(x[0] + dx * width)), max(0, round(y[0] + dy * height))
    return int(left), int(top), int(width), int(height)


def similarity(truth, guess):
    either = np.count_nonzero(truth | guess)
    return np.count_nonzero(truth & guess) / either if either else 1.0


class Run:
    """A pipeline; labels of the pad `mask`, and the slot of the label `box`."""

    def __init__(self, size, model):
        width, height = self.size = size
        self.pipeline = Gst.parse_launch(
            f"appsrc name=a format=time caps=video/x-raw,format=RGB,width={width},"
            f"height={height},framerate=24/1 ! rvosseg name=r detector-seeds=boxes "
            "mode=auto objects=10 output=none late-policy=process r.src ! queue ! "
            "fakesink async=false r.mask ! queue ! appsink name=m sync=false async=false")
        self.source, self.sink = (self.pipeline.get_by_name(n) for n in "am")
        if model:
            self.pipeline.get_by_name("r").set_property("model", model)
        self.slot, self.frames = 0, 0
        self.pipeline.set_state(Gst.State.PLAYING)

    def listen(self):
        bus = self.pipeline.get_bus()
        while (message := bus.pop()) is not None:
            if message.type == Gst.MessageType.ERROR:
                sys.exit(str(message.parse_error()))
            s = message.get_structure()
            if s and s.get_name() == "rvosseg-object" and s.get_string("label") == "box":
                self.slot = s.get_uint("slot")[1]

    def push(self, picture, box):
        # Rows of RGB are padded to 4 bytes.
        width, height = self.size
        rows = np.zeros((height, (3 * width + 3) // 4 * 4), np.uint8)
        rows[:, :3 * width] = picture.reshape(height, 3 * width)
        buffer = Gst.Buffer.new_wrapped(rows.tobytes())
        buffer.pts = self.frames * Gst.SECOND // 24
        buffer.duration = Gst.SECOND // 24
        if box:
            GstVideo.buffer_add_video_region_of_interest_meta(buffer, "box", *box)
        self.frames += 1
        self.source.emit("push-buffer", buffer)
        sample = self.sink.emit("pull-sample")
        self.listen()
        if not sample:
            sys.exit("the pipeline has ended")
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
        meta = GstVideo.buffer_get_video_meta(sample.get_buffer())
        stride = meta.stride[0] if meta else (width + 3) // 4 * 4
        rows = np.frombuffer(data, np.uint8)[:stride * height].reshape(height, stride)
        return rows[:, :width]


def one(root, name, rng, a):
    masks = os.path.join(root, "Annotations", "480p", name)
    stems = [f[:-4] for f in sorted(os.listdir(masks)) if f.endswith(".png")]
    truth = lambda stem: np.asarray(Image.open(os.path.join(masks, stem + ".png"))) > 0
    box = shifted_box(truth(stems[0]), rng, a.shift)
    run, labels = None, []
    for stem in stems:
        picture = Image.open(os.path.join(root, "JPEGImages", "480p", name, stem + ".jpg"))
        run = run or Run(picture.size, a.model)
        labels.append(run.push(np.asarray(picture.convert("RGB")), box))
        box = None
    run.pipeline.set_state(Gst.State.NULL)
    return np.mean([similarity(truth(s), m == run.slot) if run.slot else 0
                    for s, m in list(zip(stems, labels))[1:-1]])


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("davis")
    p.add_argument("--shift", type=float, default=0.1)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--model")
    p.add_argument("--sequences")
    a = p.parse_args()
    Gst.init(None)
    rng = np.random.default_rng(a.seed)
    names = a.sequences.split(",") if a.sequences else sorted(
        os.listdir(os.path.join(a.davis, "Annotations", "480p")))
    scores = []
    for name in names:
        scores.append(100 * one(a.davis, name, rng, a))
        print(f"{name:20} {scores[-1]:6.1f}", flush=True)
    print(f"{'mean':20} {np.mean(scores):6.1f}")


if __name__ == "__main__":
    main()
