#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""steps_picture.py RESULT.json FILE.svg: draw the time of each step of a frame as a bar.

`rvos-bench --steps --json` writes RESULT.json. A bar's length is CPU time of all threads, its
colour is the engine of the convolution. The text behind it has the milliseconds and, for a
convolution, the share of the peak.
"""
import html
import json
import pathlib
import sys

LEFT, SPAN, ROW, TOP, RIGHT = 210, 420, 17, 66, 150
COLOURS = {"": "#9aa3ad", "Winograd 4x4": "#2f6fb3", "Winograd 2x2": "#1f9aa8",
           "Winograd 4x4 int16": "#2f6fb3", "Winograd 2x2 int16": "#1f9aa8",
           "int16": "#7a5ab5", "int8": "#b5579a"}
LIBRARY = "#e08a2c"  # oneDNN, or plain C


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(words)}</text>'


def draw(result):
    steps = result["steps"]
    most, together = max(s["ms"] for s in steps), sum(s["ms"] for s in steps)
    height = TOP + ROW * len(steps) + 12
    width = LEFT + SPAN + RIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}">',
           "<style>text{font:12px sans-serif;fill:#1c2126}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>',
           text(10, 22, f"{result['encoder']}, {result['objects']} slots, {result['width']}x"
                f"{result['height']}, {result['task']}, {result['precision']}: {together:.1f} ms "
                f"of CPU time in {result['threads']} threads", 'font-weight="bold"'),
           text(10, 40, f"{result['processor']} ({result['isa']}), {result['library']}")]
    ways = dict.fromkeys(s["way"] for s in steps)
    for i, way in enumerate(ways):
        x = 10 + 190 * i
        out += [f'<rect x="{x}" y="48" width="10" height="10" '
                f'fill="{COLOURS.get(way, LIBRARY)}"/>',
                text(x + 15, 57, way or "no convolution")]
    for i, s in enumerate(steps):
        y, long = TOP + ROW * i, SPAN * s["ms"] / most
        share = f", {100 * s['of_peak']:.0f} % of peak" if "of_peak" in s else ""
        out += [text(LEFT - 8, y + 12, s["name"], 'text-anchor="end"'),
                f'<rect x="{LEFT}" y="{y + 2}" width="{long:.1f}" height="{ROW - 4}" '
                f'fill="{COLOURS.get(s["way"], LIBRARY)}"/>',
                text(LEFT + long + 6, y + 12, f"{s['ms']:.2f} ms{share}")]
    return "\n".join([*out, "</svg>", ""])


def main(argv):
    if len(argv) != 3:
        sys.exit("usage: steps_picture.py RESULT.json FILE.svg")
    try:
        results = json.loads(pathlib.Path(argv[1]).read_text())["results"]
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"steps_picture.py: {argv[1]}: {error}")
    timed = [r for r in results if r.get("steps")]
    if not timed:
        sys.exit(f"steps_picture.py: {argv[1]} has no steps: write it by rvos-bench --steps --json")
    pathlib.Path(argv[2]).write_text(draw(timed[0]))


if __name__ == "__main__":
    main(sys.argv)
