#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the objects that mode auto finds on made clips: how many, how soon, how steadily.

    found_objects.py BUILD [--clips 30] [--frames 90] [--size 448x256] [--seed 1]
                     [--stills DIR] [--backgrounds DIR] [--made DIR] [--interval 15]
                     [--task auto] [--keep DIR]

It makes clips with data/rvos_train/made_clips.py (or takes those of --made), and runs rvos-segment
and rvos-eval of the folder BUILD on them. It prints the share of appearances that were found
within two intervals, id switches per 300 frames, and false objects. An appearance begins when an
object first covers at least 0.5 % of the frame. It is found when a slot has a J of at least 0.5
with the object. Appearances that end before two intervals have passed count only if they were
found. --keep keeps the masks. It needs numpy and Pillow.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
VISIBLE, FITS = 0.005, 0.5


def read(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def best_fits(truth, guess, number):
    """(frames,): the highest J of any slot with the object."""
    out = np.zeros(len(truth))
    for t, (labels, slots) in enumerate(zip(truth, guess)):
        mine = labels == number
        if not mine.any():
            continue
        common = np.bincount(slots[mine], minlength=33)
        either = np.bincount(slots.ravel(), minlength=33) + mine.sum() - common
        out[t] = (common / np.maximum(either, 1))[1:].max()
    return out


def appearances(truth, guess, window):
    """[(object, first frame, frame in which it was found or None)] of one clip."""
    out = []
    for number in range(1, truth.max() + 1):
        visible = np.append((truth == number).mean((1, 2)) >= VISIBLE, False)
        fits = best_fits(truth, guess, number) >= FITS
        begins = np.flatnonzero(visible[:-1] & ~np.insert(visible[:-2], 0, False))
        for begin in begins:
            end = begin + np.argmin(visible[begin:])
            hits = np.flatnonzero(fits[begin:min(end, begin + window + 1)])
            if len(hits) or end - begin > window:
                out.append((number, int(begin), int(begin + hits[0]) if len(hits) else None))
    return out


def run(*command):
    done = subprocess.run([str(word) for word in command], check=False)
    if done.returncode:
        sys.exit(f"found_objects.py: {command[0]} ends with {done.returncode}")


def measure(a, work):
    made = pathlib.Path(a.made or work / "made")
    masks = pathlib.Path(a.keep or work / "masks")
    if not a.made:
        stills = ["--stills", a.stills] if a.stills else []
        if a.backgrounds:
            stills += ["--backgrounds", a.backgrounds]
        run(sys.executable, ROOT / "data" / "rvos_train", "made-clips", made, "--clips", a.clips,
            "--frames", a.frames, "--size", a.size, "--seed", a.seed, *stills)
    tools = pathlib.Path(a.build) / "engine" / "tools"
    extra = ["--discovery-interval", a.interval] if a.task == "auto" else []
    run(tools / "rvos-segment", "-q", "--dataset", "davis2017", made, masks, "--task", a.task,
        "-n", 10, "--jobs", 1, *extra)
    truth = made / "Annotations" / "480p"
    run(tools / "rvos-eval", "-q", "-p", "best-slot", "--all-annotated", "--json",
        work / "scores.json", truth, masks)
    with open(work / "scores.json", encoding="utf-8") as f:
        scores = json.load(f)
    return scores, {s["name"]: appearances(read(truth / s["name"]), read(masks / s["name"]),
                                           2 * a.interval) for s in scores["sequences"]}


def report(scores, found):
    for s in scores["sequences"]:
        lines = [f"{number}@{begin}:{'-' if at is None else at - begin}"
                 for number, begin, at in found[s["name"]]]
        switches = sum(o["id_switches"] for o in s["objects"])
        print(f"{s['name']:20} false {s['false_objects']}, switches {switches}, "
              f"object@frame:frames until found {' '.join(lines)}")
    every = [at for clip in found.values() for _, _, at in clip]
    first = [at for clip in found.values()
             for at in {number: at for number, _, at in reversed(clip)}.values()]
    mean = scores["mean"]
    count = lambda which: sum(at is not None for at in which)
    print(f"objects found: {count(first)} of {len(first)} "
          f"({100 * count(first) / max(1, len(first)):.1f} %)\n"
          f"appearances found: {count(every)} of {len(every)} "
          f"({100 * count(every) / max(1, len(every)):.1f} %)\n"
          f"id switches: {mean['id_switches']} in {mean['frames']} frames of objects "
          f"({300 * mean['id_switches'] / mean['frames']:.2f} per 300)\n"
          f"false objects: {mean['false_objects']}\n"
          f"J {100 * mean['J']['mean']:.1f}, recall {100 * mean['J']['recall']:.1f}")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    for name, default in (("clips", 30), ("frames", 90), ("seed", 1), ("interval", 15)):
        p.add_argument("--" + name, type=int, default=default)
    for name, default in (("size", "448x256"), ("task", "auto"), ("stills", None),
                          ("backgrounds", None), ("made", None), ("keep", None)):
        p.add_argument("--" + name, default=default)
    a = p.parse_args()
    if not os.path.exists(os.path.join(a.build, "engine", "tools", "rvos-segment")):
        p.error(f"{a.build}: not a build folder of this project")
    with tempfile.TemporaryDirectory() as work:
        report(*measure(a, pathlib.Path(work)))


if __name__ == "__main__":
    main()
