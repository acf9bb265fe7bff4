#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""timeline.py TRACE [--frames N] [--svg FILE]: prints what ran on the GPU in the last frames.

tests/cuda/trace/trace.c writes TRACE. A frame begins with the kernel that makes the network's
input, `shrink`. For the last frame it prints each kernel with its start, end, stream and name, and
the idle time before it. For each frame it prints the length, the idle time, and the number of
streams. Then come the kernels with the largest sums. The picture has a row for each kernel that ran
beside others."""
import argparse
import collections
import html
import re
import sys

FIRST = "shrink"
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#885522")
Kernel = collections.namedtuple("Kernel", "start end stream node name")


def short(name):
    """A mangled or templated name without its arguments."""
    mangled = re.match(r"_Z(?:N\d+_GLOBAL__N_[^_]*)?(?:L)?(\d+)", name)
    if mangled:
        at = mangled.end()
        return name[at:at + int(mangled[1])]
    return re.sub(r"[<(].*", "", name).split("::")[-1].removeprefix("void ")[:60]


def read(path):
    kernels, notes = [], []
    with open(path, errors="replace") as f:
        for line in f:
            words = line.rstrip("\n").split(" ", 5)
            if line.startswith("#"):
                notes.append(line.strip())
            elif words[0] == "kernel" and len(words) == 6:  # else the line is cut off
                start, end, stream, node = map(int, words[1:5])
                kernels.append(Kernel(start, end, stream, node, short(words[5])))
    return sorted(kernels), notes


def frames_of(kernels):
    frames = []
    for k in kernels:
        if k.name == FIRST:
            frames.append([])
        if frames:
            frames[-1].append(k)
    return frames


def gaps(frame):
    """The idle time before each kernel, in ns."""
    out, until = [], frame[0].start
    for k in frame:
        out.append(max(0, k.start - until))
        until = max(until, k.end)
    return out, until - frame[0].start


def rows_of(frame):
    """Row of each kernel: the first of its stream's that is free."""
    ends, out, base = {}, [], {}
    for k in frame:
        mine = ends.setdefault(k.stream, [])
        row = next((i for i, end in enumerate(mine) if end <= k.start), len(mine))
        if row == len(mine):
            mine.append(0)
        mine[row] = k.end
        out.append((k.stream, row))
    at = 0
    for stream in sorted(ends):
        base[stream] = at
        at += len(ends[stream])
    return [base[s] + r for s, r in out], at


def tell(frames, notes):
    lines = list(notes)
    frame = frames[-1]
    waits, _ = gaps(frame)
    lines.append(f"{'start':>9} {'end':>9} {'length':>8} {'idle':>6}  stream name (us)")
    for k, idle in zip(frame, waits):
        begin = k.start - frame[0].start
        lines.append(f"{begin / 1e3:9.2f} {(k.end - frame[0].start) / 1e3:9.2f} "
                     f"{(k.end - k.start) / 1e3:8.2f} {idle / 1e3:6.2f}  {k.stream:6} {k.name}")
    for i, f in enumerate(frames):
        waits, length = gaps(f)
        busy = sum(k.end - k.start for k in f)
        lines.append(f"frame {i}: {len(f)} kernels, {length / 1e3:.1f} us, of which nothing ran in "
                     f"{sum(waits) / 1e3:.1f} us; kernels together {busy / 1e3:.1f} us; "
                     f"{len({k.stream for k in f})} streams")
    sums = collections.defaultdict(lambda: [0, 0])
    for k in frame:
        sums[k.name][0] += k.end - k.start
        sums[k.name][1] += 1
    lines.append("of the last frame, the largest sums:")
    for name, (ns, n) in sorted(sums.items(), key=lambda item: -item[1][0])[:20]:
        lines.append(f"{ns / 1e3:9.2f} us {n:4} times  {name}")
    return "\n".join(lines)


def svg(frames):
    kernels = [k for f in frames for k in f]
    row, rows = rows_of(kernels)
    begin, end = kernels[0].start, max(k.end for k in kernels)
    scale = 1600 / max(1, end - begin)
    sums = collections.Counter()
    for k in kernels:
        sums[k.name] += k.end - k.start
    colour = {name: COLOURS[min(i, len(COLOURS) - 1)] for i, (name, _) in enumerate(sums.most_common())}
    high = 14 * rows + 60
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="1640" height="{high}" '
           'font-family="sans-serif" font-size="11">',
           f'<rect width="1640" height="{high}" fill="white"/>']
    for k, r in zip(kernels, row):
        out.append(f'<rect x="{20 + (k.start - begin) * scale:.2f}" y="{10 + 14 * r}" '
                   f'width="{max(0.3, (k.end - k.start) * scale):.2f}" height="12" '
                   f'fill="{colour[k.name]}"><title>{html.escape(k.name)}, stream {k.stream}, '
                   f'{(k.end - k.start) / 1e3:.2f} us</title></rect>')
    for i, (name, _) in enumerate(sums.most_common(len(COLOURS) - 1)):
        out.append(f'<text x="{20 + 220 * i}" y="{14 * rows + 50}" fill="{colour[name]}">'
                   f'{html.escape(name)}</text>')
    for f in frames:
        x = 20 + (f[0].start - begin) * scale
        out.append(f'<line x1="{x:.2f}" x2="{x:.2f}" y1="6" y2="{14 * rows + 14}" stroke="black"/>')
    out.append(f'<text x="20" y="{14 * rows + 30}">{len(frames)} frames, {(end - begin) / 1e3:.1f} us'
               '</text></svg>')
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--svg")
    args = parser.parse_args()
    kernels, notes = read(args.trace)
    frames = frames_of(kernels)[-args.frames:]
    if not frames:
        print("\n".join([*notes, f"no frame in {args.trace}: {len(kernels)} kernels, none is {FIRST}"]))
        return 1
    print(tell(frames, notes))
    if args.svg:
        with open(args.svg, "w") as f:
            f.write(svg(frames))
    return 0


if __name__ == "__main__":
    sys.exit(main())
