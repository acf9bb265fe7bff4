#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""python_peer.py BUILD [FRAMES]: compares the Python package with rvos-bench, frame by frame in
turn.

Both run the shipped model on the clip's frames, from pixels in memory to labels in memory,
zero-shot with five slots. It prints medians and their ratio; below 0.95 it fails.
"""
import itertools
import os
import pathlib
import sys
import tempfile
import time

from turns import ROOT, Side, Turn, in_turn

BUILD = pathlib.Path(sys.argv[1]).resolve()
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 200
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(BUILD / "engine" / "python"))
import rvos  # noqa: E402
from PIL import Image  # noqa: E402


def frames_of_clip(folder, count=20):
    """The first frames of the shipped clip, also as pictures in a folder, for rvos-bench."""
    from rvos._video import decoded

    clip = ROOT / "data" / "clips" / "cup.mp4"
    frames = [f.to_ndarray(format="rgb24") for f, _ in zip(decoded(clip), range(count))]
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(os.path.join(folder, f"{number:03d}.png"))
    return frames + frames[-2:0:-1]  # forward and backward, as rvos-bench runs them


class Ours(Turn):
    def __init__(self, stream, frames):
        super().__init__("Python")
        self.stream, self.frames = stream, itertools.cycle(frames)

    def run(self):
        frame = next(self.frames)
        start = time.perf_counter()
        self.stream.process(frame)
        return 1000 * (time.perf_counter() - start)


def main():
    with tempfile.TemporaryDirectory() as folder:
        frames = frames_of_clip(folder)
        bench = Side("rvos-bench", [BUILD / "engine" / "tools" / "rvos-bench", "--serve", "-i",
                                    folder])
        with rvos.Model() as model, model.stream("zero-shot", objects=5) as stream:
            ours = Ours(stream, frames)
            in_turn([ours, bench], COUNT, 10)
    ratio = bench.median / ours.median
    print(f"{COUNT} frames of 640x480, zero-shot, 5 slots: Python {ours.median:.1f} ms, "
          f"rvos-bench {bench.median:.1f} ms; throughput {100 * ratio:.1f} % (of minima "
          f"{100 * min(bench.times) / min(ours.times):.1f} %)")
    return 0 if ratio >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
