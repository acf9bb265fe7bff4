# SPDX-License-Identifier: LGPL-2.1-or-later
"""Videos, from files or from frames."""
from __future__ import annotations

import os
from typing import Any, Iterable, Iterator, Mapping, Optional, Union

import numpy as np
import numpy.typing as npt

from ._handles import Model, Stream
from ._masks import Masks
from ._pixels import MAX_OBJECTS, Labels, labels_of


def decoded(path: Any) -> Iterator[Any]:
    """The frames of a video file, as PyAV decodes them: not turned, whatever the file says."""
    import av

    with av.open(os.fspath(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path}: there is no video in it")
        video = container.streams.video[0]
        # Not by frames: such a thread takes the GIL to log, and closing the decoder, which
        # holds the GIL, waits for that thread.
        video.thread_type = "SLICE"
        yield from container.decode(video)


def _by_frame(masks: Any) -> dict[int, Labels]:
    """Label images by the number of the frame."""
    if masks is None:
        return {}
    given = masks if isinstance(masks, Mapping) else {0: masks}
    return {index: labels_of(m) for index, m in given.items()}


def segment(video: Any, *, masks: Union[Any, Mapping[int, Any]] = None,
            task: Optional[str] = None, objects: int = 0,
            model: Union[Model, str, None] = None, discovery_interval: int = 0,
            threshold: float = 0.0, min_object_size: int = 0,
            ) -> Iterator[tuple[npt.NDArray[np.uint8], Masks]]:
    """Yields (frame, masks) for each frame of a video: frame is uint8, (height, width, 3), RGB.

    video: the path of a file, which PyAV decodes, or the frames themselves: arrays like
    these, or frames of PyAV.
    masks: what to follow, as for Stream.seed: of the first frame, or a dict of them by the
    number of the frame, from 0, at which objects appear.
    task: None: "one-shot" with masks, else "auto". objects: most of them at a time;
    0: the model's own, or the highest object of the masks.
    model: a Model, which stays open, or the path of one.
    """
    seeds = _by_frame(masks)
    if task is None and seeds:
        task = "one-shot"
    highest = max((int(m[m <= MAX_OBJECTS].max(initial=0)) for m in seeds.values()), default=0)
    frames: Iterable[Any] = video
    if isinstance(video, (str, os.PathLike)):
        frames = decoded(video)
    used = model if isinstance(model, Model) else Model(model)
    try:
        with used.stream(task, objects=objects or max(highest, used.info.objects),
                         discovery_interval=discovery_interval) as stream:
            for index, frame in enumerate(frames):
                if index in seeds:
                    _seed(stream, seeds, index)
                found = stream.process(frame, threshold=threshold,
                                       min_object_size=min_object_size)
                found.time = getattr(frame, "time", None)
                picture = frame.to_ndarray(format="rgb24") if hasattr(frame, "reformat") else frame
                yield picture, found
    finally:
        if used is not model:
            used.close()


def _seed(stream: Stream, seeds: dict[int, Labels], index: int) -> None:
    """Objects of an earlier frame's masks go on; those of this frame's are set."""
    labels = seeds[index]
    ids = [int(i) for i in np.unique(labels) if 0 < i <= stream.info.objects]
    stream.seed(labels, None if index == min(seeds) else ids)
