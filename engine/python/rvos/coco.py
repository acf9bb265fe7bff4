# SPDX-License-Identifier: LGPL-2.1-or-later
"""Masks as COCO's JSON with run lengths, which annotation tools read. Needs pycocotools.

    dataset = rvos.coco.Dataset()
    for frame, masks in rvos.segment("video.mp4"):
        dataset.add(masks, f"frame_{masks.index:06d}.png")
    dataset.save("video.json")
"""
from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import numpy as np

from ._masks import Masks


def run_lengths(mask: Any) -> dict[str, Any]:
    """Encodes a mask, bool or uint8, (height, width), as COCO's compressed {"size": [height,
    width], "counts": str}."""
    from pycocotools import mask as coco_mask

    coded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(n) for n in coded["size"]], "counts": coded["counts"].decode("ascii")}


def annotations_of(masks: Masks, image_id: int, first_id: int = 1) -> list[dict[str, Any]]:
    """The objects of a frame as annotations of one image, numbered from first_id.

    Besides COCO's own keys each has "track_id", the same in all frames, and "score".
    """
    return [{"id": first_id + number, "image_id": image_id, "category_id": 1, "iscrowd": 0,
             "segmentation": run_lengths(masks.mask(thing)), "bbox": list(thing.box),
             "area": thing.area, "track_id": thing.track_id, "score": round(thing.score, 4)}
            for number, thing in enumerate(masks)]


class Dataset:
    """A COCO data set that grows frame by frame; one category, "object"."""

    def __init__(self) -> None:
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, masks: Masks, file_name: str) -> None:
        """Adds the objects of one frame; file_name is the frame's picture."""
        height, width = masks.labels.shape
        image_id = len(self.images) + 1
        self.images.append({"id": image_id, "file_name": file_name, "height": height,
                            "width": width})
        self.annotations += annotations_of(masks, image_id, len(self.annotations) + 1)

    def as_dict(self) -> dict[str, Any]:
        return {"info": {"description": "made by rvos"}, "licenses": [],
                "categories": [{"id": 1, "name": "object", "supercategory": ""}],
                "images": self.images, "annotations": self.annotations}

    def save(self, path: Any) -> None:
        """Writes the data set. The file appears when it is complete."""
        part = f"{os.fspath(path)}.part-{os.getpid()}"
        try:
            with open(part, "w", encoding="utf-8") as f:
                json.dump(self.as_dict(), f)
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part)
            raise
