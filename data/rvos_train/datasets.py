# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readers of datasets. Each returns a list of Sequences, whose frames decode on demand.

A source is written as KIND:PATH[:MORE]

    davis2016:ROOT[:train|val]     one object; any non-zero value is the object
    davis2017:ROOT[:train|val]
    youtube:ROOT[:train|valid]     ROOT holds train/ and valid/, with meta.json
    coco:INSTANCES.json:IMAGES     instance annotations; each picture is a still
    pascal:ROOT                    JPEGImages/ and SegmentationObject/
    folder:DIR                     DIR/SEQ/FRAME.jpg with FRAME.png; stills: DIR/FRAME.jpg
    pack:FILE.zip                  written by prepare.py
"""
import contextlib
import io
import json
import os
import sys
import threading
import zipfile
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from . import files, mask_rule
from .files import FileError as DataError
from .files import show

LICENCES = {
    "davis2016": "CC BY-NC 4.0", "davis2017": "CC BY-NC 4.0",
    "youtube": "annotations CC BY 4.0, videos belong to their owners: research",
    "coco": "annotations CC BY 4.0, images under their Flickr licences",
    "pascal": "Flickr terms of use: research",
}


MAX_JSON = 2 << 30  # bytes; COCO's instances are 470 MB
MAX_MANIFEST = 64 << 20
MAX_SIDE = 16384  # of a picture, as in the C tools


@dataclass
class Sequence:
    name: str
    frames: list
    exhaustive: bool = False  # every object in it is annotated
    # ids that the metadata list, if there is a list
    objects: list = field(default_factory=list)


# ---- frames ----------------------------------------------------------------------------

@contextlib.contextmanager
def opened(file):
    """Open a picture from a path or from bytes; a path must be a regular file."""
    handle = files.open_regular(file) if isinstance(file, str) else file
    try:
        with Image.open(handle) as picture:
            yield picture
    finally:
        handle.close()


def open_image(file, name):
    """Read a picture as RGB, turned as its EXIF orientation says."""
    try:
        with opened(file) as im:
            return mask_rule.upright(im).convert("RGB")
    except (OSError, Image.DecompressionBombError) as e:
        raise DataError(f"{name}: not a picture: {e}") from None


def open_mask(file, name, binary=False, published=True):
    """Read object numbers as uint8, by the rule of mask_rule.py; "ignore" becomes
    background. binary: any value but 0 is object 1."""
    try:
        with opened(file) as im:
            if binary:
                return (mask_rule.values_of(mask_rule.upright(im)) > 0).astype(np.uint8)
            a = mask_rule.read(im, published=published)
    except mask_rule.MaskError as e:
        raise DataError(f"{name}: {e}") from None
    except (OSError, Image.DecompressionBombError) as e:
        raise DataError(f"{name}: not a picture: {e}") from None
    a[a == mask_rule.IGNORE] = 0
    return a


@dataclass
class FileFrame:
    jpg: str
    png: str = None
    binary: bool = False
    published: bool = True  # masks are as the data set's authors define them

    def image(self):
        return open_image(self.jpg, self.jpg)

    def mask(self):
        return open_mask(self.png, self.png, self.binary,
                         self.published) if self.png else None


@dataclass
class PackFrame:
    pack: object
    jpg: str
    png: str = None

    def image(self):
        return open_image(io.BytesIO(self.pack.read(self.jpg)), self.jpg)

    def mask(self):
        return open_mask(io.BytesIO(self.pack.read(self.png)),
                         self.png) if self.png else None


@dataclass
class CocoFrame:
    jpg: str
    size: tuple  # height, width
    annotations: list
    png = True  # there is a mask, as in the other classes

    def image(self):
        return open_image(self.jpg, self.jpg)

    def mask(self):
        """Paint large objects first, so that they do not cover small ones in front."""
        out = np.zeros(self.size, np.uint8)
        try:
            order = sorted(self.annotations, key=lambda a: -self.area(a))[:200]
            for k, a in enumerate(order):
                out[decode_segmentation(a["segmentation"], *self.size)] = k + 1
        except (ValueError, KeyError, IndexError, TypeError, AttributeError,
                OverflowError) as e:
            kind = "" if isinstance(e, DataError) else f"{type(e).__name__}: "
            raise DataError(f"{show(self.jpg)}: a segmentation of it cannot be read: "
                            f"{kind}{show(str(e))}") from None
        return out

    def area(self, annotation):
        """Some programs leave it out."""
        if "area" in annotation:
            return float(annotation["area"])
        return int(decode_segmentation(annotation["segmentation"], *self.size).sum())


def stretched(frame, size, shape):
    """Say what happens to a mask whose aspect ratio is not its picture's, else None. size:
    the picture's width and height. shape: the mask's rows and columns."""
    (width, height), (rows, columns) = size, shape
    ratio = columns * height / (rows * width)
    if 1 / 1.02 < ratio < 1.02:  # sizes are rounded
        return None
    name = frame.png if isinstance(frame.png, str) else frame.jpg
    return (f"{show(name)}: the mask is of {columns}x{rows} and its picture of "
            f"{width}x{height}: the mask is stretched to the picture's shape")


def tell(words):
    """A note, for the user."""
    print(words, file=sys.stderr)


def decode_segmentation(s, height, width):
    """A COCO segmentation (polygons, or plain or packed run lengths) as a boolean mask."""
    if isinstance(s, list):
        im = Image.new("1", (width, height))
        draw = ImageDraw.Draw(im)
        for polygon in s:
            if not np.isfinite(np.array(polygon, float)).all():
                raise DataError("a polygon has numbers that are not finite")
            if len(polygon) >= 6:
                draw.polygon(list(map(float, polygon)), fill=1)
        return np.array(im, bool)
    counts = s["counts"]
    if isinstance(counts, str):
        counts = unpack_counts(counts)
    if not all(type(n) is int and n >= 0 for n in counts):
        raise DataError("run lengths must be whole numbers from 0")
    h, w = s["size"]
    ends = np.cumsum(counts)
    if (h, w) != (height, width) or len(ends) == 0 or ends[-1] != h * w:
        raise DataError("a run-length mask does not fit its picture")
    flat = np.zeros(h * w, bool)
    for begin, end in zip(ends[0::2], ends[1::2]):  # runs of 0 and of 1 alternate
        flat[begin:end] = True
    return flat.reshape(w, h).T  # column by column


def unpack_counts(text):
    """COCO's packed run lengths: 5 bits a character; from the third on, differences."""
    counts, i = [], 0
    while i < len(text):
        value = shift = 0
        while True:
            c = ord(text[i]) - 48
            value |= (c & 31) << shift
            shift += 5
            i += 1
            if not c & 32:
                break
        if c & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    return counts


# ---- kinds -----------------------------------------------------------------------------

def listing(path, suffix=""):
    try:
        return sorted(n for n in os.listdir(path) if n.endswith(suffix))
    except OSError as e:
        raise DataError(f"{path}: {e.strerror}") from None


def pictures(path):
    """The JPEG files of a folder. Cameras write .JPG."""
    return sorted(n for n in listing(path) if n.lower().endswith((".jpg", ".jpeg")))


def masks_of(path):
    """{stem: path} of the PNG files of a folder, which may be missing."""
    names = listing(path) if os.path.isdir(path) else []
    return {stem(n): os.path.join(path, n) for n in names if n.lower().endswith(".png")}


def stem(path):
    return os.path.splitext(path)[0]


def video(images, masks, name, binary=False):
    """The frames of images/NAME, with the masks that exist."""
    found = masks_of(os.path.join(masks, name))
    return [FileFrame(os.path.join(images, name, jpg), found.get(stem(jpg)), binary)
            for jpg in pictures(os.path.join(images, name))]


def davis(root, split="train", year=2017, resolution="480p"):
    path = os.path.join(root, "ImageSets", str(year), split + ".txt")
    if year == 2016 and not os.path.exists(path):
        path = os.path.join(root, "ImageSets", resolution, split + ".txt")
    images, masks = (os.path.join(root, n, resolution)
                     for n in ("JPEGImages", "Annotations"))
    if os.path.isdir(os.path.join(root, "ImageSets")) or not os.path.isdir(masks):
        names = files.sequences(path)
    else:  # a part of the set without its lists: take all sequences
        names = listing(masks)
    return [Sequence(n, video(images, masks, n, year == 2016)) for n in names]


def youtube(root, split="train"):
    base = os.path.join(root, split)
    try:
        meta = json.loads(files.read_text(os.path.join(base, "meta.json"), MAX_JSON))
        meta = {n: dict(v.get("objects", {})) for n, v in meta["videos"].items()}
        objects = {n: sorted(int(k) for k in v) for n, v in meta.items()}
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise DataError(f"{base}/meta.json: no meta.json: {show(str(e))}") from None
    for name in meta:
        if not files.is_name(name):
            raise DataError(f"{base}/meta.json: \"{show(name)}\" is not the name of a "
                            "sequence's folder")
    images, masks = os.path.join(base, "JPEGImages"), os.path.join(base, "Annotations")
    return [Sequence(n, video(images, masks, n),
                     objects=objects[n])
            for n in sorted(meta)]


def coco(annotations, images):
    try:
        data = json.loads(files.read_text(annotations, MAX_JSON))
        of = {}
        for a in data["annotations"]:
            if not a.get("iscrowd"):
                of.setdefault(a["image_id"], []).append(a)
        for i in data["images"]:
            if not files.is_inside(i["file_name"]):
                raise DataError(f"{annotations}: \"{show(i['file_name'])}\" is not the name "
                                "of a file in the folder of the images")
            if not all(type(i[k]) is int and 0 < i[k] <= MAX_SIDE
                       for k in ("height", "width")):
                raise DataError(f"{annotations}: {show(i['file_name'])} must have a size "
                                f"from 1x1 to {MAX_SIDE}x{MAX_SIDE}")
        return [Sequence(stem(i["file_name"]),
                         [CocoFrame(os.path.join(images, i["file_name"]),
                                    (i["height"], i["width"]), of[i["id"]])])
                for i in data["images"] if i["id"] in of]
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise DataError(f"{annotations}: no COCO instance annotations: "
                        f"{show(str(e))}") from None


def pascal(root):
    masks = os.path.join(root, "SegmentationObject")
    out = []
    for png in listing(masks, ".png"):
        jpg = os.path.join(root, "JPEGImages", stem(png) + ".jpg")
        if os.path.exists(jpg):
            out.append(Sequence(stem(png), [FileFrame(jpg, os.path.join(masks, png))]))
    return out


def folder(path):
    """Every subfolder with JPEG files is a sequence; one directly in it is a still."""
    def frames_of(folder):
        found = masks_of(folder)
        return [FileFrame(os.path.join(folder, n), found.get(stem(n)), published=False)
                for n in pictures(folder)]

    out = [Sequence(stem(os.path.basename(f.jpg)), [f]) for f in frames_of(path)]
    for name in listing(path):
        sub = os.path.join(path, name)
        if os.path.isdir(sub):
            frames = frames_of(sub)
            if frames:
                out.append(Sequence(name, frames))
    return out


class Pack:
    """A zip file of stored pictures. Several threads may read it."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        try:
            with files.open_regular(path) as f:
                found = files.impostor(f.read(100))
                self.size = os.fstat(f.fileno()).st_size
            if found:
                raise DataError(f"{path}: is {found}")
            self.zip = zipfile.ZipFile(path)
            self.names = {i.filename: i for i in self.zip.infolist()}
            self.manifest = json.loads(self.read("manifest.json", MAX_MANIFEST))
            self.check()
        except OSError as e:
            raise DataError(f"{path}: {e.strerror}") from None
        except DataError:
            raise
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError,
                NotImplementedError, RuntimeError, EOFError, zipfile.BadZipFile) as e:
            raise DataError(f"{path}: not a pack of prepare.py: {show(str(e))}") from None

    def check(self):
        """Check the manifest's types, and that it counts no more frames than the file has."""
        for s in self.manifest["sources"]:
            if not (isinstance(s["name"], str) and isinstance(s["licence"], str)):
                raise ValueError("a source lacks its name or licence")
        for s in self.manifest["sequences"]:
            if not (files.is_inside(s["name"]) and type(s["exhaustive"]) is bool
                    and type(s["frames"]) is int and isinstance(s["objects"], list)
                    and all(type(k) is int for k in s["objects"])):
                raise ValueError("the entry of a sequence is damaged")
            if not 0 <= s["frames"] <= len(self.names):
                raise ValueError(f"{show(s['name'])} has more frames than the file")

    def read(self, name, most=None):
        """Read a picture, which is stored uncompressed. An entry that claims to be larger
        than the file is an error."""
        info = self.names[name]
        if info.file_size > (most or self.size):
            raise DataError(f"{show(self.path)}: {show(name)} is larger than the file")
        with self.lock:
            return self.zip.read(info)

    def sequences(self):
        have = self.names
        out = []
        for s in self.manifest["sequences"]:
            frames = []
            for t in range(s["frames"]):
                base = f"{s['name']}/{t:05d}"
                png = base + ".png"
                frames.append(PackFrame(self, base + ".jpg",
                                        png if png in have else None))
            out.append(Sequence(s["name"], frames, s["exhaustive"], s["objects"]))
        return out


def roots(source):
    """The folders and files that a source names."""
    kind, *parts = source.split(":")
    return parts[:2] if kind == "coco" else parts[:1]


def paths(sequences):
    """The files of pictures and masks."""
    return [p for s in sequences for f in s.frames if not isinstance(f, PackFrame)
            for p in (f.jpg, f.png) if isinstance(p, str)]


def read_source(source):
    """Return (sequences, kind, licence) of a source."""
    kind, _, rest = source.partition(":")
    parts = rest.split(":") if rest else []
    readers = {
        "davis2016": lambda root, split="train": davis(root, split, 2016),
        "davis2017": lambda root, split="train": davis(root, split, 2017),
        "youtube": youtube, "coco": coco, "pascal": pascal, "folder": folder,
    }
    licence = LICENCES.get(kind, "unknown")
    try:
        if kind == "pack":
            pack = Pack(*parts)
            licence = "; ".join(f"{s['name']}: {s['licence']}"
                                for s in pack.manifest["sources"])
            sequences = pack.sequences()
        elif kind in readers:
            sequences = readers[kind](*parts)
        else:
            raise DataError(f"{source}: unknown kind of data; known are "
                            + ", ".join([*readers, "pack"]))
    except TypeError:
        form = next(line.split()[0] for line in __doc__.splitlines()
                    if line.startswith(f"    {kind}:"))
        raise DataError(f"{source}: wrong number of parts: it must be {form}") from None
    sequences = [s for s in sequences if s.frames]
    if not sequences:
        raise DataError(f"{source}: has no pictures (NAME.jpg or NAME.jpeg, with their masks "
                        "NAME.png)")
    return sequences, kind, licence
