#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""python_peer.py BUILD [FRAMES]: the Python package against rvos-bench, frame by frame in turn.

Both run the shipped model on the clip's frames, from pixels in memory to labels in memory,
zero-shot with five slots. Prints medians and their ratio; below 0.95 it fails.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


BUILD = pathlib.Path(sys.argv[1]).resolve()
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 200
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(BUILD / "engine" / "python"))
import rvos  # noqa: E402
from PIL import Image  # noqa: E402


def frames_of_clip(folder, count=20):
    """The first frames of the shipped clip, also as pictures in a folder, for rvos-bench."""
    from rvos._video import decoded

    clip = pathlib.Path(__file__).resolve().parents[2] / "data" / "clips" / "cup.mp4"
    frames = [f.to_ndarray(format="rgb24") for f, _ in zip(decoded(clip), range(count))]
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(os.path.join(folder, f"{number:03d}.png"))
    return frames + frames[-2:0:-1]  # forth and back, as rvos-bench runs them


def compare(task, folder, frames):
    peer = subprocess.Popen(
        [BUILD / "engine" / "tools" / "rvos-bench", "--serve", "-t", task, "-i", folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not peer.stdout.readline().startswith("ready"):
        pass

    def theirs():
        """Milliseconds of its next frame, as it measures them itself: without the pipe."""
        peer.stdin.write("run\n")
        peer.stdin.flush()
        return float(peer.stdout.readline())

    ours, others = [], []
    with rvos.Model() as model, model.stream(task, objects=5) as stream:
        for t in range(COUNT + 10):
            frame = frames[t % len(frames)]
            start = time.perf_counter()
            stream.process(frame)
            mine = 1000 * (time.perf_counter() - start)
            other = theirs()
            if t >= 10:
                ours.append(mine)
                others.append(other)
    peer.stdin.write("quit\n")
    peer.stdin.close()
    peer.wait()
    return ours, others


def main():
    with tempfile.TemporaryDirectory() as folder:
        ours, others = compare("zero-shot", folder, frames_of_clip(folder))
    ratio = statistics.median(others) / statistics.median(ours)
    print(f"{len(ours)} frames of 640x480, zero-shot, 5 slots: Python "
          f"{statistics.median(ours):.1f} ms, rvos-bench {statistics.median(others):.1f} ms; "
          f"throughput {100 * ratio:.1f} % (of minima {100 * min(others) / min(ours):.1f} %)")
    return 0 if ratio >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
