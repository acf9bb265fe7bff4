# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes clips with exact masks, from cut-outs that move over a background: they enter,
leave and come back, cross, touch, and hide each other.

    python3 data/rvos_train made-clips OUT [--clips 30] [--frames 120] [--size 640x360]
        [--seed 1] [--stills DIR] [--backgrounds DIR]

OUT has the layout of DAVIS-2017: JPEGImages/480p/CLIP/00000.jpg, masks of the same
names in Annotations/480p, and ImageSets/2017/val.txt. All objects are annotated, in every
frame. A number belongs to one object of the clip, also when it comes back.

--stills names a folder of pictures with index masks (NAME.jpg and NAME.png, in any
subfolder). Without it, shapes with a texture are drawn. --backgrounds names another such
folder, for the pictures behind the cut-outs. The same arguments give the same files with
the same version of Pillow."""
import glob
import math
import os
import sys

import numpy as np
from PIL import Image, ImageFilter

from . import files, mask_rule
from .convert import parse_size

STORIES = ("enter", "leave", "cross", "touch", "hide", "wander")
LEAST, MOST = 0.01, 0.6  # share of a still that a cut-out covers


# ---- cut-outs and backgrounds ----------------------------------------------------------

def noise(rng, height, width, detail):
    """Smooth noise from 0 to 1 with `detail` waves across the picture."""
    out = np.zeros((height, width))
    for k in range(4):
        n = detail * 2 ** k
        grid = Image.fromarray(rng.random((n + 2, n + 2)).astype(np.float32))
        out += np.asarray(grid.resize((width, height), Image.BICUBIC)) / 2 ** k
    return (out - out.min()) / (np.ptp(out) or 1)


def colours(rng, amount):
    """Map noise of 0..1 to a gradient between two random colours."""
    a, b = rng.integers(20, 236, (2, 3))
    return (a + (b - a) * amount[..., None]).astype(np.uint8)


class Drawn:
    """Backgrounds of noise, and blobs with stripes, dots or noise."""

    def background(self, rng, width, height):
        picture = colours(rng, noise(rng, height, width, int(rng.integers(2, 5))))
        return Image.fromarray((picture * 0.6 + 40).astype(np.uint8))

    def cut_out(self, rng):
        n = 200
        y, x = (np.mgrid[:n, :n] + 0.5) / n * 2 - 1
        angle, radius = np.arctan2(y, x), np.hypot(x, y / rng.uniform(0.6, 1.0))
        edge = 0.75 + sum(rng.uniform(-0.25, 0.25) / k
                          * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 6))
        kind, turn = rng.integers(3), rng.uniform(0, 3.2)
        wave = rng.uniform(12, 30)
        along, across = (x * math.cos(turn) + y * math.sin(turn),
                         y * math.cos(turn) - x * math.sin(turn))
        amount = [0.5 + 0.5 * np.sin(wave * along),
                  (np.sin(wave * along) * np.sin(wave * across) > 0.2) * 1.0,
                  noise(rng, n, n, 6)][kind]
        shade = (1.1 - 0.35 * (x + y))[..., None]  # light from the upper left
        rgb = np.clip(colours(rng, amount) * shade, 0, 255).astype(np.uint8)
        inside = radius < np.minimum(edge, 0.97)
        return Image.fromarray(rgb), Image.fromarray((inside * 255).astype(np.uint8))


def box_sums(a, radius):
    """(H, W, C) -> the sums over squares of 2 * radius + 1 pixels a side."""
    for axis in (0, 1):
        n = a.shape[axis]
        sums = np.concatenate([np.zeros_like(a.take([0], axis)), a.cumsum(axis)], axis)
        at = np.arange(n)
        a = (sums.take(np.minimum(at + radius + 1, n), axis)
             - sums.take(np.maximum(at - radius, 0), axis))
    return a


def fill(picture, mask):
    """Paint over the masked pixels with the colours around them."""
    known = np.asarray(mask) == 0
    out = np.asarray(picture, float) * known[..., None]
    for radius in (6, 24, 96):
        near, weight = (box_sums(a, radius) for a in (out, known[..., None] * 1.0))
        new, weight = ~known & (weight[..., 0] > 20), weight[..., 0]
        out[new] = near[new] / weight[new][:, None]
        known = known | new
    out[~known] = out[known].mean(0) if known.any() else 128
    return Image.fromarray(out.astype(np.uint8))


def read_pairs(folder):
    """[(picture, its index mask)] of a folder, sorted."""
    pairs = []
    for mask in sorted(glob.glob(os.path.join(folder, "**", "*.png"), recursive=True)):
        picture = mask[:-4] + ".jpg"
        if not os.path.isfile(picture):
            continue
        with Image.open(mask) as opened:
            if opened.mode not in ("P", "L"):
                raise ValueError(f"{mask}: not a picture of object numbers")
        pairs.append((picture, mask))
    return pairs


class Stills:
    """Pictures with masks. Any object may be a cut-out. A background is a picture with few
    objects, which are painted over. It is not blurred, because networks take the smears of
    a blurred scene for objects."""

    def __init__(self, folder, backgrounds=None):
        self.objects = []
        cut_outs = read_pairs(folder)
        behind = read_pairs(backgrounds) if backgrounds else cut_outs
        for picture, path in cut_outs:
            mask = np.asarray(Image.open(path))
            for k in np.unique(mask[(mask > 0) & (mask < 255)]):
                if self.usable(mask == k):
                    self.objects.append((picture, path, int(k)))
        if not self.objects:
            raise ValueError(f"{folder}: no NAME.jpg with a NAME.png that shows an object "
                             "of a usable size")
        if not behind:
            raise ValueError(f"{backgrounds}: no NAME.jpg with a NAME.png")
        shares = [(np.asarray(Image.open(path)) > 0).mean() for _, path in behind]
        fewest = np.argsort(shares, kind="stable")[:max(1, len(shares) // 4)]
        self.places = [behind[at] for at in fewest]

    @staticmethod
    def usable(inside):
        """Whether an object is not cut off by a border and, judged by its box, in one
        piece."""
        rows, columns = inside.any(1), inside.any(0)
        cut = rows[0] + rows[-1] + columns[0] + columns[-1]
        box = np.count_nonzero(rows) * np.count_nonzero(columns)
        return not cut and LEAST <= inside.mean() <= MOST and inside.sum() > 0.35 * box

    def background(self, rng, width, height):
        picture, mask = self.places[rng.integers(len(self.places))]
        size = (width, height)
        shown = (np.asarray(Image.open(mask)) > 0) * np.uint8(255)
        mask = Image.fromarray(shown).resize(size).filter(ImageFilter.MaxFilter(9))
        picture = Image.open(picture).convert("RGB").resize(size, Image.BICUBIC)
        return fill(picture, mask)

    def cut_out(self, rng):
        picture, path, k = self.objects[rng.integers(len(self.objects))]
        inside = np.asarray(Image.open(path)) == k
        y, x = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        box = (int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1)
        mask = Image.fromarray((inside * 255).astype(np.uint8))
        return Image.open(picture).convert("RGB").crop(box), mask.crop(box)


# ---- motion ----------------------------------------------------------------------------

class Actor:
    """A cut-out, its size in pixels of the frame, and the path of its middle: keys of
    (time 0..1, x, y), with x and y as shares of the frame's sides."""

    def __init__(self, rng, source, size, share):
        self.rgb, self.mask = source.cut_out(rng)
        if rng.random() < 0.5:
            self.rgb, self.mask = (p.transpose(Image.FLIP_LEFT_RIGHT)
                                   for p in (self.rgb, self.mask))
        self.scale = min(share * size[1] / self.rgb.height,
                         0.45 * size[0] / self.rgb.width)
        self.width = self.rgb.width * self.scale / size[0]  # shares of the frame
        self.height = self.rgb.height * self.scale / size[1]
        self.phase, self.sway = rng.uniform(0, 6.3, 3), rng.uniform(0.3, 1.0)
        self.keys = []

    def place(self, frames):
        """The path, (frames, 2): straight from key to key, with rounded corners."""
        t, wide = np.arange(-6, frames + 6) / max(1, frames - 1), 13
        keys = np.array(self.keys)
        path = np.stack([np.interp(t, keys[:, 0], keys[:, k]) for k in (1, 2)], 1)
        soft = np.hanning(wide + 2)[1:-1]
        return np.stack([np.convolve(path[:, k], soft / soft.sum(), "valid")
                         for k in (0, 1)], 1)

    def draw(self, picture, labels, at, t, number):
        """Draw onto the frame and, in place, into its labels."""
        turn = 0.06 * self.sway * math.sin(t / 9 + self.phase[0])
        scale = self.scale * (1 + 0.04 * self.sway * math.sin(t / 14 + self.phase[1]))
        cos, sin = math.cos(turn) / scale, math.sin(turn) / scale
        x = at[0] * picture.width
        y = at[1] * picture.height + 2 * self.sway * math.sin(t / 4 + self.phase[2])
        half = (self.rgb.width / 2, self.rgb.height / 2)
        to_cut_out = (cos, sin, half[0] - cos * x - sin * y,
                      -sin, cos, half[1] + sin * x - cos * y)
        warp = lambda p: p.transform(picture.size, Image.AFFINE, to_cut_out,
                                     Image.BILINEAR)
        alpha = warp(self.mask)
        picture.paste(warp(self.rgb), (0, 0), alpha)
        labels[np.asarray(alpha) > 127] = number


def outside(actor, side):
    """The x of a place beyond the left (-1) or the right (1) border."""
    return 0.5 + side * (0.5 + actor.width * 0.6 + 0.02)


def reach(a, b, side, width):
    """The distance of the middles at which two masks touch, with a at `side` of b, as a
    share of the frame's width."""
    masks = []
    for actor in (a, b):
        size = [max(1, round(n * actor.scale)) for n in actor.mask.size]
        masks.append(np.asarray(actor.mask.resize(size)) > 127)
    ends = []
    for mask, to in zip(masks, (-side, side)):  # how far each row reaches towards the other
        h, w = mask.shape
        rows = {y - h // 2: to * (np.flatnonzero(row) - w / 2)
                for y, row in enumerate(mask) if row.any()}
        ends.append({y: row.max() for y, row in rows.items()})
    shared = ends[0].keys() & ends[1].keys()
    return max(ends[0][y] + ends[1][y] for y in shared) / width


def tell(story, rng, a, b, size):
    """The keys of the two actors of the story. a is in front."""
    side = int(rng.choice((-1, 1)))
    y, far = rng.uniform(0.45, 0.6), 0.5 + side * 0.27
    near = 0.5 - side * rng.uniform(0.18, 0.26)
    if story == "enter":
        a.keys = [(0, near, y), (1, near + rng.uniform(-0.08, 0.08), y)]
        b.keys = [(0.2, outside(b, side), y), (0.45, far, y), (1, far - side * 0.06, y)]
    elif story == "leave":
        a.keys = [(0, far, y), (0.15, far, y), (0.35, outside(a, side), y),
                  (0.55, outside(a, side), y), (0.75, far, y), (1, far - side * 0.05, y)]
        b.keys = [(0, near, y), (1, near + rng.uniform(-0.06, 0.06), y)]
    elif story == "cross":
        a.keys = [(0, far, y + 0.03), (0.15, far, y + 0.03), (0.85, 1 - far, y + 0.03)]
        b.keys = [(0, 1 - far, y), (0.15, 1 - far, y), (0.85, far, y)]
    elif story == "touch":
        both = (a.width + b.width) / 2
        meet = reach(a, b, -side, size[0]) / 2 - 2 / size[0]
        middle = 0.5 + rng.uniform(-0.04, 0.04)
        a.keys = [(0, middle - side * (both + 0.05) / 1.2, y),
                  (0.4, middle - side * meet, y), (0.6, middle - side * meet, y),
                  (1, middle - side * (both + 0.05) / 1.2, y)]
        b.keys = [(t, 2 * middle - x, y) for t, x, _ in a.keys]
    elif story == "hide":
        b.keys = [(0, 0.5 - side * 0.12, y), (1, 0.5 - side * 0.12, y)]
        a.keys = [(0, far + side * 0.05, y), (0.15, far + side * 0.05, y),
                  (0.4, 0.5 - side * 0.12, y), (0.55, 0.5 - side * 0.12, y),
                  (0.85, far + side * 0.05, y)]
    else:
        stroll(rng, a)
        apart(rng, stroll, b, [a])


def room(actor, others):
    """The least distance of an actor from others, in sizes; below 1 they may overlap."""
    own = actor.place(60)
    return min(np.abs((own - other.place(60)) * 2
                      / (actor.width + other.width, actor.height + other.height))
               .max(1).min() for other in others)


def apart(rng, walk, actor, others):
    """The best of some random walks: the one with the largest distance to the others."""
    walks = []
    for _ in range(16):
        walk(rng, actor)
        walks.append((room(actor, others), actor.keys))
    actor.keys = max(walks, key=lambda w: w[0])[1]


def stroll(rng, actor):
    """A path from place to place, or a path that stands still."""
    x, y = rng.uniform(0.15, 0.85), rng.uniform(0.25, 0.75)
    actor.keys = [(0, x, y)]
    for t in (0.33, 0.66, 1) if rng.random() < 0.6 else ():
        x = min(0.88, max(0.12, x + rng.uniform(-0.25, 0.25)))
        actor.keys.append((t, x, y + rng.uniform(-0.05, 0.05)))


def late(rng, actor):
    """A path that comes in from a border at some time."""
    stroll(rng, actor)
    start, x, y = rng.uniform(0.1, 0.5), rng.uniform(0.15, 0.85), rng.uniform(0.25, 0.75)
    actor.keys = [(start, outside(actor, int(rng.choice((-1, 1)))), y),
                  (start + 0.25, x, y), (1, x, y)]


# ---- clips -----------------------------------------------------------------------------

class Clip:
    """frame(t) gives the picture and its labels."""

    def __init__(self, source, story, seed, size, frames):
        rng = np.random.default_rng(seed)
        self.size, self.frames = size, frames
        count = int(rng.integers(2, 5))
        share = lambda: rng.uniform(0.35, 0.6) if count < 4 else rng.uniform(0.3, 0.45)
        self.actors = [Actor(rng, source, size, share()) for _ in range(count)]
        a, b = self.actors[:2]
        if story == "hide":  # a covers all of b, and a little more
            a.scale *= (grow := max(1, 1.3 * b.width / a.width, 1.3 * b.height / a.height))
            a.width, a.height = a.width * grow, a.height * grow
            b.scale, b.width, b.height = b.scale * 0.6, b.width * 0.6, b.height * 0.6
        tell(story, rng, a, b, size)
        for k, actor in enumerate(self.actors[2:], 2):
            walk = late if rng.random() < 0.5 else stroll
            apart(rng, walk, actor, self.actors[:k])
        self.paths = [actor.place(frames) for actor in self.actors]
        wide = (size[0] * 5 // 4, size[1] * 5 // 4)  # room for the camera
        self.background = source.background(rng, *wide)
        self.pan, self.grain = rng.uniform(-1, 1, 2), rng.integers(1 << 31)

    def scene(self, t):
        """The background in the camera's view, which moves slowly to and fro."""
        w, h = self.size
        swing = math.sin(t / 50)
        x, y = (side / 8 * (1 + 0.7 * p * swing) for side, p in zip((w, h), self.pan))
        return self.background.transform((w, h), Image.AFFINE, (1, 0, x, 0, 1, y),
                                         Image.BILINEAR)

    def frame(self, t, grain=2.0):
        picture = self.scene(t)
        labels = np.zeros(self.size[::-1], np.uint8)
        for k in reversed(range(len(self.actors))):  # the first one is in front
            self.actors[k].draw(picture, labels, self.paths[k][t], t, k + 1)
        if grain:
            rng = np.random.default_rng([self.grain, t])
            picture = np.asarray(picture, np.float32) + rng.normal(
                0, grain, (*self.size[::-1], 1))
            picture = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        return picture, labels


def write(clip, root, name):
    folders = [os.path.join(root, kind, "480p", name) for kind in
               ("JPEGImages", "Annotations")]
    for folder in folders:
        os.makedirs(folder)
    for t in range(clip.frames):
        picture, labels = clip.frame(t)
        picture.save(os.path.join(folders[0], f"{t:05d}.jpg"), quality=92)
        mask = Image.fromarray(labels, "P")
        mask.putpalette([v for n in range(256) for v in mask_rule.davis_colour(n)])
        mask.save(os.path.join(folders[1], f"{t:05d}.png"))


def parse(argv):
    p = files.parser(__doc__)
    p.add_argument("out", metavar="OUT")
    p.add_argument("--clips", type=files.number(1), default=30)
    p.add_argument("--frames", type=files.number(1), default=120,
                   help="frames of each clip")
    p.add_argument("--size", type=parse_size, default="640x360", metavar="WxH")
    p.add_argument("--seed", type=files.number(0), default=1)
    p.add_argument("--stills", metavar="DIR")
    p.add_argument("--backgrounds", metavar="DIR")
    p.add_argument("--story", choices=STORIES, help="only this story; default: all in turn")
    a = p.parse_args(argv)
    if a.backgrounds and not a.stills:
        p.error("--backgrounds goes with --stills")
    if min(a.size) < 64:
        p.error("--size is 64x64 or more")
    return a


def main(argv=None):
    a = parse(argv)
    if os.path.exists(a.out) and os.listdir(a.out):
        sys.exit(f"rvos_train made-clips: {a.out} is not empty")
    try:
        source = Stills(a.stills, a.backgrounds) if a.stills else Drawn()
        names = []
        for i in range(a.clips):
            story = a.story or STORIES[i % len(STORIES)]
            names.append(f"made-{i:03d}-{story}")
            write(Clip(source, story, [a.seed, i], a.size, a.frames), a.out, names[-1])
        lists = os.path.join(a.out, "ImageSets", "2017")
        os.makedirs(lists)
        with open(os.path.join(lists, "val.txt"), "w", encoding="utf-8") as f:
            f.writelines(name + "\n" for name in names)
    except (OSError, ValueError) as e:
        sys.exit(f"rvos_train made-clips: {e}")
