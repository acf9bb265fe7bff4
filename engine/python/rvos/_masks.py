# SPDX-License-Identifier: LGPL-2.1-or-later
"""The objects of one frame, in the forms that other programs use."""
from __future__ import annotations

import dataclasses
from typing import Any, Iterator, Optional, Union

import numpy as np
import numpy.typing as npt

from ._ffi import ffi
from ._library import lib
from ._pixels import Labels, bytes_of, image_of, plain, size_of, view, whole


@dataclasses.dataclass(frozen=True)
class Object:
    """One object of one frame."""

    id: int  #: its value in the label image, from 1; free again when the object is gone
    track_id: int  #: auto mode: unique in the stream; else equal to id
    box: tuple[int, int, int, int]  #: x, y, width, height in pixels of the label image
    area: int  #: pixels of the label image
    score: float  #: mean probability over its pixels, 0 to 1


class Masks:
    """The objects of one frame. Iterating yields the objects with a pixel, by id."""

    def __init__(self, labels: Labels, alpha: Optional[Labels], objects: tuple[Object, ...],
                 device: Any, index: int = 0, time: Optional[float] = None) -> None:
        self.labels = labels  #: uint8, (height, width): 0 is background, else Object.id
        self.alpha = alpha  #: uint8, (height, width): 255 times the foreground's probability
        self.objects = objects
        self.index = index  #: of the frame, from 0
        self.time = time  #: of the frame in seconds, if the video has it
        self._device = device

    def __len__(self) -> int:
        return len(self.objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(self.objects)

    def __repr__(self) -> str:
        return f"<rvos.Masks of frame {self.index}: {len(self)} objects>"

    def mask(self, thing: Union[Object, int]) -> npt.NDArray[np.bool_]:
        """One object's pixels: bool, (height, width)."""
        return np.equal(self.labels, thing.id if isinstance(thing, Object) else thing)

    @property
    def masks(self) -> npt.NDArray[np.bool_]:
        """All objects' pixels: bool, (objects, height, width)."""
        ids = np.array([o.id for o in self.objects], np.uint8).reshape(-1, 1, 1)
        return np.equal(self.labels, ids)

    @property
    def xyxy(self) -> npt.NDArray[np.float32]:
        """Boxes: float32, (objects, 4): left, top, right, bottom in pixels; right and bottom
        are exclusive."""
        boxes = np.array([o.box for o in self.objects], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """Scores: float32, (objects,)."""
        return np.array([o.score for o in self.objects], np.float32)

    @property
    def tracker_id(self) -> npt.NDArray[np.int_]:
        """Object.track_id: int, (objects,)."""
        return np.array([o.track_id for o in self.objects], int)

    def to_supervision(self) -> Any:
        """supervision.Detections with masks and tracker ids; all of class 0, "object".

        Needs the package supervision.
        """
        import supervision

        return supervision.Detections(
            xyxy=self.xyxy, mask=self.masks, confidence=self.confidence,
            class_id=np.zeros(len(self), int), tracker_id=self.tracker_id)

    def draw(self, frame: Any, opacity: float = 0.5, contour: int = 2) -> npt.NDArray[np.uint8]:
        """A copy of the frame, (height, width, 3), with the objects tinted and outlined in the
        colours of DAVIS. `opacity` is the tint's, 0 to 1; `contour` is the line's width in pixels.
        """
        drawn = np.array(bytes_of(plain(frame), "a frame"), order="C")
        if drawn.ndim != 3 or size_of(drawn) != self.labels.shape:
            raise ValueError(f"the frame must be {(*self.labels.shape, 3)}, not {drawn.shape}")
        labels = np.ascontiguousarray(self.labels)
        params = ffi.new("rvos_draw_params *", {"opacity": opacity,
                                                "contour": whole(contour, "contour")})
        image = image_of(drawn)
        self._device._log.call(lib.rvos_draw, self._device._open(), image.c,
                               view(labels, "labels"), params)
        return drawn
