# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a training set from sources whose licences allow products.

    licensed_set.sh OUT [--clips 300] [--stills 1200] [--teacher u2net] [--seed 1] [--jobs 1]

licensed_set.sh sets up a virtual environment for it.  OUT gets

    video-N.zip        rendered clips of several objects, with exact masks
    stills-N.zip       cut-outs of clip art and emoji over textures, with exact masks
    labelled-N.zip     crops of photos, labelled by the teacher
    backgrounds-N.zip  crops of photos and textures, without masks
    manifest.json      sources, licences, counts, checksums; the settings
    pictures.csv       of each picture and clip: pack, what it was made of, licences
    sheet-*.jpg        contact sheets

Packs are at most 55 MB. The cache keeps all parts; a part is reused if its program and
settings are the same. The same seed gives the same packs.
"""
import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from . import files, licensed_render, licensed_sources, prepare, teacher as teachers
from .files import show

MOST = 55_000_000  # bytes of a pack
QUALITY = 88  # of JPEG pictures
W, H = licensed_render.SIZE


def key(*parts, render=False):
    """A name for what the programs make with these settings. The renderer's clips do not
    depend on this file."""
    h = hashlib.sha256(repr(parts).encode())
    programs = ([licensed_render.__file__] if render else [__file__, teachers.__file__])
    for path in (licensed_sources.__file__, *programs):
        h.update(Path(path).read_bytes())
    return h.hexdigest()[:12]


def save(stem, image, labels):
    """Write NAME.jpg, and NAME.png if there are labels."""
    Image.fromarray(image).save(stem + ".jpg", quality=QUALITY)
    if labels is not None:
        Image.fromarray(labels).save(stem + ".png", optimize=True)


class Cache:
    """Folders of pictures, each complete or absent."""

    def __init__(self, root):
        self.root = root

    def make(self, name, fill):
        """The folder `name`. If it is new, fill(folder) fills it and its result becomes
        facts.json."""
        folder = os.path.join(self.root, name)
        if not os.path.exists(folder):
            part = folder + f".part{os.getpid()}"
            shutil.rmtree(part, ignore_errors=True)
            os.makedirs(part)
            facts = fill(part)
            Path(part, "facts.json").write_text(json.dumps(facts))
            os.rename(part, folder)
        return folder, json.loads(Path(folder, "facts.json").read_text())


# ---- the parts -------------------------------------------------------------------------

_state = {}  # of a worker: its pictures


def start_worker(root):
    _state["pictures"] = licensed_sources.pictures(root, say=lambda line: None)
    _state["cache"] = Cache(root)


def one_clip(job):
    """The folder and facts of a clip. job: (folder's name, seed, frames)."""
    name, seed, frames = job

    def fill(folder):
        pictures, labels, story, used = licensed_render.clip(seed, _state["pictures"], frames)
        for t, (image, label) in enumerate(zip(pictures, labels)):
            save(os.path.join(folder, f"{t:05d}"), image, label)
        return dict(story=story, used=used, seed=seed,
                    objects=int(max(label.max() for label in labels)))

    return _state["cache"].make(name, fill)


def clips(a, cache, say):
    """[(folder, facts)]"""
    made = key("clips", a.frames, render=True)
    jobs = [(f"clips-{made}/{a.seed}-{n:04d}", a.seed * 100_000 + n, a.frames)
            for n in range(a.clips)]
    out = []

    def collect(results):
        for n, result in enumerate(results, 1):
            out.append(result)
            if n % 20 == 0 or n == len(jobs):
                say(f"clips: {n} of {len(jobs)}")

    if a.jobs == 1:
        start_worker(cache.root)
        collect(map(one_clip, jobs))
    else:  # spawn: each child needs a renderer of its own
        with multiprocessing.get_context("spawn").Pool(
                a.jobs, start_worker, (cache.root,)) as pool:
            collect(pool.imap(one_clip, jobs))
    return out


def backdrop(rng, picture):
    """A crop of a picture at the network's size, (H,W,3)."""
    image = picture.image
    w = rng.uniform(0.45, 1.0) * min(image.width, image.height * W / H)
    h = w * H / W
    x, y = rng.uniform(0, image.width - w), rng.uniform(0, image.height - h)
    out = image.resize((W, H), Image.BICUBIC, (x, y, x + w, y + h))
    if rng.random() < 0.5:
        out = out.transpose(Image.FLIP_LEFT_RIGHT)
    return np.asarray(out)


def over(rng, cut_out, backdrop_):
    """A cut-out somewhere on a backdrop: (picture, labels)."""
    scale = rng.uniform(0.5, 0.92) * min(W / cut_out.width, H / cut_out.height)
    small = cut_out.resize([max(8, round(n * scale)) for n in cut_out.size], Image.LANCZOS)
    x, y = (int(rng.integers(0, n - m + 1)) for n, m in zip((W, H), small.size))
    layer = Image.new("RGBA", (W, H), (0, 0, 0, 0))
    layer.paste(small, (x, y))
    a = np.asarray(layer, np.float32)
    alpha = a[..., 3:] / 255
    picture = a[..., :3] * alpha + backdrop_ * (1 - alpha)
    return picture.astype(np.uint8), (alpha[..., 0] > 0.5).astype(np.uint8)


def stills(a, cache, pictures, say):
    """Cut-outs over textures: half clip art, half emoji, if there are enough of both."""
    textures = [p for p in pictures if not p.photo]

    def fill(folder):
        rng = np.random.default_rng([a.seed, 11])
        rows = []
        for make in (licensed_sources.clip_art, licensed_sources.emoji):
            found = list(make(cache.root, say))
            kept = 0
            for k in rng.permutation(len(found)):
                name, source, licence, open_it = found[k]
                cut_out = open_it() if kept < a.stills // 2 else None
                if cut_out is None:
                    continue
                behind = textures[int(rng.integers(len(textures)))]
                image, labels = over(rng, cut_out, backdrop(rng, behind))
                save(os.path.join(folder, f"{len(rows):05d}"), image, labels)
                rows.append(dict(name=f"{len(rows):05d}", made_of=[
                    [source, name, licence], [behind.source, behind.name, behind.licence]]))
                kept += 1
        return rows
    return cache.make(f"stills-{key('stills', a.seed, a.stills)}", fill)


def labelled(a, cache, pictures, say):
    """Crops of photos in which the teacher found an object with confidence."""
    photos = [p for p in pictures if p.photo]

    def fill(folder):
        rng = np.random.default_rng([a.seed, 12])
        teach = teachers.Teacher(licensed_sources.teacher_file(a.teacher, cache.root, say))
        rows = []
        for photo in photos:
            for _ in range(a.crops):
                image = backdrop(rng, photo)
                mask = teach.mask(Image.fromarray(image))
                if mask is None:
                    continue
                save(os.path.join(folder, f"{len(rows):05d}"), image,
                     mask.astype(np.uint8))
                rows.append(dict(name=f"{len(rows):05d}", made_of=[
                    [photo.source, photo.name, photo.licence],
                    [licensed_sources.TEACHERS[a.teacher][0], "labels", "Apache-2.0"]]))
        say(f"labelled: {len(rows)} of {a.crops * len(photos)} crops")
        return rows
    return cache.make(f"labelled-{key('labelled', a.seed, a.crops, a.teacher)}", fill)


def backgrounds(a, cache, pictures):
    def fill(folder):
        rng = np.random.default_rng([a.seed, 13])
        rows = []
        for picture in pictures:
            for _ in range(a.crops):
                save(os.path.join(folder, f"{len(rows):05d}"), backdrop(rng, picture), None)
                rows.append(dict(name=f"{len(rows):05d}", made_of=[
                    [picture.source, picture.name, picture.licence]]))
        return rows
    return cache.make(f"backgrounds-{key('backgrounds', a.seed, a.crops)}", fill)


# ---- packs -----------------------------------------------------------------------------

def size_of(paths):
    return sum(os.path.getsize(p) + 400 for p in paths)  # 400: what the zip file adds


def pieces(items):
    """Split items, (name, paths), into lists that are each small enough for a pack."""
    out, room = [], 0
    for item in items:
        size = size_of(item[1])
        if not out or size > room:
            out.append([])
            room = MOST - 1_000_000  # for the manifest
        out[-1].append(item)
        room -= size
    return out


def pictures_in(folder):
    return sorted(os.path.join(folder, n) for n in os.listdir(folder)
                  if n.endswith((".jpg", ".png")))


def pack(out, use, items, licence, exhaustive, say):
    """Write packs of one kind and return their facts. items: (name, paths, whether a
    video)."""
    facts = []
    for n, piece in enumerate(pieces(items), 1):
        name = f"{use}-{n}"
        folder = os.path.join(out, ".work", name)
        os.makedirs(folder)
        for item, paths, video in piece:
            where = os.path.join(folder, item) if video else folder
            os.makedirs(where, exist_ok=True)
            for path in paths:
                os.symlink(os.path.abspath(path),
                           os.path.join(where, os.path.basename(path)))
        path = os.path.join(out, name + ".zip")
        manifest = prepare.prepare([f"folder:{folder}"], path, (W, H), quality=QUALITY,
                                   licence=licence, exhaustive=exhaustive,
                                   say=lambda line: None)
        size = os.path.getsize(path)
        if size > MOST:
            raise ValueError(f"{path}: {size} bytes, more than {MOST}")
        row = manifest["sources"][0]
        facts.append(dict(file=name + ".zip", bytes=size,
                          sha256=licensed_sources.digest(path), licence=licence,
                          sequences=row["sequences"], frames=row["frames"],
                          objects=row["objects"]))
        say(f"{name}.zip: {size / 1e6:.1f} MB, {row['sequences']} sequences, "
            f"{row['frames']} frames")
    return facts


def terms(rows):
    """The licences of all sources of the pictures, each once."""
    return "; ".join(sorted({f"{source}: {licence}" for row in rows
                             for source, _, licence in row["made_of"]}))


# ---- contact sheets --------------------------------------------------------------------

def coloured(jpg, size):
    """A small picture with its mask and outline drawn."""
    image = Image.open(jpg).convert("RGB").resize(size, Image.BILINEAR)
    png = jpg[:-4] + ".png"
    if not os.path.exists(png):
        return np.asarray(image)
    labels = np.asarray(Image.open(png).resize(size, Image.NEAREST)).astype(int)
    colours = np.array([(0, 0, 0), (255, 60, 60), (60, 220, 60), (80, 120, 255),
                        (255, 220, 0), (255, 0, 255), (0, 230, 230)])[labels % 7]
    tint = 0.45 * (labels > 0)[..., None]
    return (np.asarray(image) * (1 - tint) + colours * tint).astype(np.uint8)


def sheet(path, rows):
    """rows: lists of JPEG paths."""
    tile, most = (192, 110), max(map(len, rows))
    blank = np.zeros((tile[1], tile[0], 3), np.uint8)
    grid = [np.concatenate([coloured(p, tile) for p in row]
                           + [blank] * (most - len(row)), 1) for row in rows]
    Image.fromarray(np.concatenate(grid)).save(path, quality=85)


def sheets(out, made_clips, still_folders):
    few = lambda n, k: [round(i * (n - 1) / (k - 1)) for i in range(k)]
    rows = []
    for folder, _ in made_clips:
        jpgs = [p for p in pictures_in(folder) if p.endswith(".jpg")]
        rows.append([jpgs[t] for t in few(len(jpgs), 6)])
    for n in range(0, len(rows), 20):
        sheet(os.path.join(out, f"sheet-video-{n // 20 + 1}.jpg"), rows[n:n + 20])
    for name, folder in still_folders.items():
        jpgs = [p for p in pictures_in(folder) if p.endswith(".jpg")]
        jpgs = [jpgs[i] for i in sorted(set(few(len(jpgs), min(len(jpgs), 160))))] \
            if len(jpgs) > 1 else jpgs
        rows = [jpgs[i:i + 8] for i in range(0, len(jpgs), 8)]
        if rows:
            sheet(os.path.join(out, f"sheet-{name}.jpg"), rows)


# ---- all -------------------------------------------------------------------------------

def write_table(path, parts):
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("part", "name", "source", "picture", "licence"))
    for part, rows in parts.items():
        for row in rows:
            for made_of in row["made_of"]:
                table.writerow((part, row["name"], *made_of))
    with files.atomic(path) as f:
        f.write(text.getvalue().encode())


def clip_rows(made, pictures):
    by_name = {p.name: p for p in pictures}
    bullet = licensed_sources.BULLET
    return [dict(name=os.path.basename(folder), made_of=[
        [bullet.name, "meshes", bullet.licence],
        *([by_name[n].source, n, by_name[n].licence] for n in facts["used"])])
        for folder, facts in made]


def write_manifest(a, packs):
    used = [s for s in licensed_sources.SOURCES
            if not s.use.startswith("teacher") or s.use.endswith(" " + a.teacher)]
    manifest = dict(
        format="rvosseg-licensed-set-1", seed=a.seed, clips=a.clips, frames=a.frames,
        stills=a.stills, crops=a.crops, teacher=a.teacher, size=[W, H],
        sources=[s.describe() for s in (*used, licensed_sources.BULLET)],
        packs=packs)
    with files.atomic(os.path.join(a.out, "manifest.json")) as f:
        f.write(json.dumps(manifest, indent=1).encode())


def build(a, say=print):
    os.makedirs(a.out, exist_ok=True)
    work = os.path.join(a.out, ".work")
    shutil.rmtree(work, ignore_errors=True)
    cache = Cache(os.path.abspath(a.cache))
    pictures = licensed_sources.pictures(cache.root, say)
    made = clips(a, cache, say) if a.clips else []
    parts = {"stills": stills(a, cache, pictures, say),
             "labelled": labelled(a, cache, pictures, say),
             "backgrounds": backgrounds(a, cache, pictures)}
    rows = {"video": clip_rows(made, pictures), **{k: v[1] for k, v in parts.items()}}
    items = {"video": [(os.path.basename(f), pictures_in(f), True) for f, _ in made]}
    for name, (folder, part) in parts.items():
        paths = pictures_in(folder)
        of = {}
        for p in paths:
            of.setdefault(os.path.basename(p)[:-4], []).append(p)
        items[name] = [(row["name"], of[row["name"]], False) for row in part]
    packs = []
    for name, some in items.items():
        if some:
            packs += pack(a.out, name, some, terms(rows[name]),
                          name in ("video", "stills"), say)
    shutil.rmtree(work)
    write_table(os.path.join(a.out, "pictures.csv"), rows)
    sheets(a.out, made, {k: v[0] for k, v in parts.items()})
    write_manifest(a, packs)
    return packs


@files.refuses("licensed-set", OSError, ValueError, ImportError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("out")
    p.add_argument("--clips", type=files.number(0), default=300)
    p.add_argument("--frames", type=files.number(1), default=24, help="of a clip")
    p.add_argument("--stills", type=files.number(0), default=1200)
    p.add_argument("--crops", type=files.number(0), default=12,
                   help="crops of each picture")
    p.add_argument("--teacher", choices=tuple(licensed_sources.TEACHERS), default="u2net")
    p.add_argument("--seed", type=files.number(0), default=1)
    p.add_argument("--jobs", type=files.number(1), default=1, help="clips rendered at a time")
    p.add_argument("--cache", default=os.path.join(
        os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "rvos-data"))
    a = p.parse_args(argv)
    packs = build(a)
    print(f"{show(a.out)}: {len(packs)} packs, "
          f"{sum(q['bytes'] for q in packs) / 1e6:.0f} MB; licences: manifest.json, "
          "pictures.csv")
    return 0
