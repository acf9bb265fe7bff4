# SPDX-License-Identifier: LGPL-2.1-or-later
"""The outputs of rvos-archive. Each piece of a video gets a file with one line of JSON per
frame and, in the format "png", a zip file of pictures. These are then joined to one file.
Memory use does not grow with the video's length."""
from __future__ import annotations

import dataclasses
import io
import json
import os
import uuid
import zipfile
from typing import Any, Callable, Iterator

from ._masks import Masks

FORMATS = {"png": ".masks.zip", "coco": ".coco.json"}  # format: suffix of the outputs


@dataclasses.dataclass(frozen=True)
class Written:
    """A piece of a video, in `part`.jsonl and, for "png", `part`.zip."""

    part: str
    frames: int = 0
    highest: int = 0  #: highest track id
    objects: int = 0


def check_format(name: str) -> None:
    """Raises ImportError if the format's package is missing."""
    if name == "coco":
        import pycocotools.mask  # noqa: F401
    else:
        import PIL.Image  # noqa: F401


def _palette() -> list[int]:
    """The DAVIS colours, as in Masks.draw."""
    colours = []
    for label in range(256):
        rgb, bits = [0, 0, 0], label
        for shift in range(7, -1, -1):
            for channel in range(3):
                rgb[channel] |= (bits >> channel & 1) << shift
            bits >>= 3
        colours += rgb
    return colours


_PALETTE = _palette()


def _png(masks: Masks) -> bytes:
    """Writes a palette PNG: each pixel is Object.id, 0 for background."""
    from PIL import Image

    picture = Image.fromarray(masks.labels)
    picture.putpalette(_PALETTE)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """Uses a fixed date, so that equal masks make equal files."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    return entry


class Writer:
    """Writes the frames of one piece one by one."""

    def __init__(self, part: str, format: str) -> None:
        self._part = part
        self._frames = 0
        self._track_ids: set[int] = set()
        self._lines = open(part + ".jsonl", "w", encoding="utf-8")
        self._zip = zipfile.ZipFile(part + ".zip", "w") if format == "png" else None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: Any) -> None:
        self._lines.close()
        if self._zip is not None:
            self._zip.close()

    @property
    def written(self) -> Written:
        return Written(self._part, self._frames, max(self._track_ids, default=0),
                       len(self._track_ids))

    def add(self, masks: Masks) -> None:
        index = self._frames
        height, width = masks.labels.shape
        if self._zip is None:
            from .coco import annotations_of
            objects = annotations_of(masks, 0)
        else:
            objects = [{"id": o.id, "track_id": o.track_id, "bbox": list(o.box),
                        "area": o.area, "score": round(o.score, 4)} for o in masks]
            self._zip.writestr(_entry(f"{index:06d}.png"), _png(masks))
        line = {"frame": index, "time": masks.time, "width": width, "height": height,
                "objects": objects}
        self._lines.write(json.dumps(line) + "\n")
        self._track_ids.update(o.track_id for o in masks)
        self._frames += 1


def _lines(pieces: list[Written], alive: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """The frames of all pieces, numbered consecutively, with unique track ids."""
    frames = highest = 0
    for piece in pieces:
        with open(piece.part + ".jsonl", encoding="utf-8") as f:
            for text in f:
                alive()
                line = json.loads(text)
                line["frame"] += frames
                for thing in line["objects"]:
                    thing["track_id"] += highest
                yield line
        frames, highest = frames + piece.frames, highest + piece.highest


def _join_png(pieces: list[Written], out: str, about: dict[str, Any],
              alive: Callable[[], None]) -> None:
    with zipfile.ZipFile(out, "w") as whole:
        frame = 0
        for piece in pieces:
            with zipfile.ZipFile(piece.part + ".zip") as part:
                for index in range(piece.frames):
                    alive()
                    whole.writestr(_entry(f"{frame:06d}.png"),
                                   part.read(f"{index:06d}.png"))
                    frame += 1
        with whole.open(_entry("objects.jsonl"), "w", force_zip64=True) as f:
            for line in _lines(pieces, alive):
                f.write(json.dumps(line).encode() + b"\n")
        whole.writestr(_entry("about.json"), json.dumps(about, indent=1))


def _join_coco(pieces: list[Written], out: str, about: dict[str, Any],
               alive: Callable[[], None]) -> None:
    """Reads the lines twice, because COCO's JSON has all images before all annotations."""
    with open(out, "w", encoding="utf-8") as f:
        info = json.dumps({"description": "made by rvos-archive", **about})
        f.write(f'{{"info": {info}, "licenses": [], "categories": '
                '[{"id": 1, "name": "object", "supercategory": ""}],\n"images": [')
        for line in _lines(pieces, alive):
            image = {"id": line["frame"] + 1, "file_name": f"{line['frame']:06d}.png",
                     "width": line["width"], "height": line["height"], "time": line["time"]}
            f.write((",\n" if line["frame"] else "\n") + json.dumps(image))
        f.write('],\n"annotations": [')
        number = 0
        for line in _lines(pieces, alive):
            for thing in line["objects"]:
                number += 1
                thing |= {"id": number, "image_id": line["frame"] + 1}
                f.write((",\n" if number > 1 else "\n") + json.dumps(thing))
        f.write("]}\n")


def join(pieces: list[Written], output: str, video: str, settings: dict[str, Any], format: str,
         alive: Callable[[], None]) -> Written:
    """Joins a video's pieces to its output, which appears when it is complete. Calls `alive`
    often."""
    made = f"{pieces[0].part}-{uuid.uuid4().hex}.whole"
    about = {"video": os.path.basename(video), "settings": settings}
    os.makedirs(os.path.dirname(output), exist_ok=True)
    (_join_png if format == "png" else _join_coco)(pieces, made, about, alive)
    os.replace(made, output)
    return Written("", sum(p.frames for p in pieces), sum(p.highest for p in pieces),
                   sum(p.objects for p in pieces))
