# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a compact pack of datasets, at the size that training uses.

    python3 data/rvos_train prepare SOURCE... -o FILE.zip [--size 448x256] [--every N]

A pack is one zip file of JPEG and PNG pictures with a manifest.json: sources, licences,
counts, and a hash of every sequence. The same input gives the same bytes. SOURCE is
KIND:PATH, see datasets.py.
"""
import hashlib
import io
import json
import os
import zipfile

import numpy as np
from PIL import Image

from . import datasets, files, mask_rule
from .convert import parse_size
from .datasets import DataError
from .files import atomic, show

FORMAT = "rvosseg-pack-1"


def encode_image(frame, size, quality):
    """(JPEG bytes, the picture's size); the bytes of the file if it already has the size."""
    if isinstance(frame, datasets.FileFrame):
        with Image.open(frame.jpg) as im:
            keep = im.format == "JPEG" and im.mode == "RGB" and im.size == size and \
                mask_rule.upright(im) is im
        if keep:
            with open(frame.jpg, "rb") as f:
                return f.read(), size
    image = frame.image()
    before = image.size
    if image.size != size:
        image = image.resize(size, Image.BILINEAR)
    jpg = io.BytesIO()
    image.save(jpg, "JPEG", quality=quality)
    return jpg.getvalue(), before


def encode(frame, size, quality):
    """(JPEG bytes, PNG bytes or None, ids in the mask, a note or None)"""
    (jpg, before), mask = encode_image(frame, size, quality), frame.mask()
    if mask is None:
        return jpg, None, (), None
    note = datasets.stretched(frame, before, mask.shape)
    picture = Image.fromarray(mask)
    if picture.size != size:
        picture = picture.resize(size, Image.NEAREST)
    png = io.BytesIO()
    picture.save(png, "PNG", optimize=True)
    return jpg, png.getvalue(), [int(k) for k in np.unique(np.array(picture)) if k], note


def add(z, name, sequence, every, size, quality):
    """Write one sequence and return its entry of the manifest."""
    digest, annotated, ids, notes = hashlib.sha256(), 0, set(), []
    frames = sequence.frames[::every]
    for t, frame in enumerate(frames):
        jpg, png, found, note = encode(frame, size, quality)
        ids.update(found)
        notes += [note] if note else []
        annotated += png is not None
        for suffix, data in ((".jpg", jpg), (".png", png)):
            if data is not None:
                # no date, so that a pack's bytes depend on its content only
                z.writestr(zipfile.ZipInfo(f"{name}/{t:05d}{suffix}"), data)
                digest.update(data)
    if notes:
        more = f" (and {len(notes) - 1} more of this sequence)" if len(notes) > 1 else ""
        datasets.tell(notes[0] + more)
    return dict(name=name, frames=len(frames), annotated=annotated,
                sha256=digest.hexdigest(),
                exhaustive=sequence.exhaustive, objects=sequence.objects or sorted(ids))


def prepare(sources, out, size=(448, 256), every=1, quality=90, licence=None, limit=None,
            exhaustive=False, say=print):
    manifest = dict(format=FORMAT, width=size[0], height=size[1], sources=[],
                    sequences=[])
    read = {source: datasets.read_source(source) for source in sources}
    guard = files.Guard(*(path for source in sources for path in datasets.roots(source)))
    for sequences, _, _ in read.values():
        guard.read(*datasets.paths(sequences))
    guard.write(out, DataError)
    with atomic(out) as f, zipfile.ZipFile(f, "w", zipfile.ZIP_STORED) as z:
        for source in sources:
            sequences, kind, terms = read[source]
            name = f"{kind}-{os.path.basename(os.path.normpath(source.split(':')[1]))}"
            rows = []
            for s in sequences[:limit]:
                s.exhaustive = s.exhaustive or exhaustive
                rows.append(add(z, f"{name}/{s.name}", s, every, size, quality))
            manifest["sequences"] += rows
            manifest["sources"].append(dict(
                name=name, licence=licence or terms, sequences=len(rows),
                frames=sum(r["frames"] for r in rows),
                objects=sum(len(r["objects"]) for r in rows)))
            say(f"{show(source)}: {len(rows)} sequences, {manifest['sources'][-1]['frames']} "
                f"frames, {manifest['sources'][-1]['objects']} objects; licence: "
                f"{show(licence or terms, 1000)}")
        names = [r["name"] for r in manifest["sequences"]]
        if len(set(names)) != len(names):
            raise DataError(f"{out}: two sequences have one name")
        z.writestr(zipfile.ZipInfo("manifest.json"), json.dumps(manifest, indent=1))
    return manifest


def verify(path):
    """Names of sequences whose hash differs from the manifest's."""
    pack = datasets.Pack(path)
    bad = []
    for row, s in zip(pack.manifest["sequences"], pack.sequences()):
        digest = hashlib.sha256()
        try:
            for frame in s.frames:
                for name in (frame.jpg, frame.png):
                    if name:
                        digest.update(pack.read(name))
        except (zipfile.BadZipFile, KeyError):
            digest = hashlib.sha256()
        if digest.hexdigest() != row["sha256"]:
            bad.append(s.name)
    return bad


@files.refuses("prepare", DataError, OSError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("source", nargs="*")
    p.add_argument("-o", "--output", metavar="FILE.zip")
    p.add_argument("--size", type=parse_size, default=(448, 256), metavar="WxH")
    p.add_argument("--every", type=files.number(1), default=1, help="keep every Nth frame of a video")
    p.add_argument("--quality", type=files.number(1, 100), default=90,
                   help="JPEG quality, 1 to 100")
    p.add_argument("--limit", type=files.number(1),
                   help="take at most this many sequences of a source")
    p.add_argument("--licence", help="licence of a source that datasets.py does not know")
    p.add_argument("--exhaustive", action="store_true",
                   help="states that all objects are annotated, so other slots must stay empty")
    p.add_argument("--verify", metavar="FILE.zip",
                   help="check a pack against its manifest")
    a = p.parse_args(argv)
    if a.verify:
        bad = verify(a.verify)
        for name in bad:
            print(f"{show(a.verify)}: {show(name)}: damaged")
        return bool(bad)
    if not a.source or not a.output:
        p.error("name sources, and the output with -o")
    prepare(a.source, a.output, a.size, a.every, a.quality, a.licence,
            a.limit,
            a.exhaustive)
    print(f"{a.output}: {os.path.getsize(a.output) / 1e6:.1f} MB")
    return 0
