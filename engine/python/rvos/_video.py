# SPDX-License-Identifier: LGPL-2.1-or-later
"""Videos, from files or from frames."""
from __future__ import annotations

import contextlib
import errno
import itertools
import numbers
import os
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Union

import numpy as np
import numpy.typing as npt

from ._handles import Model, Stream
from ._library import logger
from ._masks import Masks
from ._pixels import MAX_OBJECTS, Labels, labels_of, plain
from ._turned import UPRIGHT, Turn, of_file


@contextlib.contextmanager
def _opened(path: Any) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream."""
    import av

    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "is a folder: give a video, or an iterable of "
                                "frames", os.fspath(path))
    with av.open(os.fspath(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path}: there is no video in it")
        video = container.streams.video[0]
        # No frame threads: they take the GIL to log, while closing the decoder holds the GIL
        # and waits for them.
        video.thread_type = "SLICE"
        try:
            yield container, video
        except av.error.FFmpegError as error:  # the decoder does not know the file's name
            error.args = (*error.args[:2], os.fspath(path), *error.args[3:])
            raise


def decoded(path: Any, start: Optional[int] = None, end: Optional[int] = None) -> Iterator[Any]:
    """The frames of a video file, as PyAV decodes them, upright.

    start, end: the stream's timestamps of the first frame and after the last frame.
    """
    with _opened(path) as (container, video):
        in_mp4 = "mp4" in container.format.name.split(",")
        turn = Turn(of_file(os.fspath(path)) if in_mp4 else UPRIGHT)
        frames = container.decode(video)
        if start is not None:
            container.seek(start, stream=video)
            first = next(frames, None)
            if first is None or first.pts is None or first.pts > start:
                # The file's index leads past the frame, so read from the start.
                with _opened(path) as (again, video):
                    yield from map(turn, _between(again.decode(video), start, end))
                return
            frames = itertools.chain([first], frames)
        yield from map(turn, _between(frames, start, end))


def _between(frames: Iterable[Any], start: Optional[int], end: Optional[int]) -> Iterator[Any]:
    for frame in frames:
        if frame.pts is None and (start is not None or end is not None):
            raise ValueError("a frame has no timestamp, so the video cannot be cut")
        if end is not None and frame.pts >= end:
            return
        if start is None or frame.pts >= start:
            yield frame


def duration(path: Any) -> float:
    """The duration in seconds from the file; 0 if unknown."""
    with _opened(path) as (container, _):
        return (container.duration or 0) / 1e6


def keyframes(path: Any, alive: Callable[[], None]) -> list[tuple[float, int]]:
    """Time in seconds and timestamp of each keyframe, without decoding. Empty if a frame has
    no timestamp. Calls `alive` often."""
    found = []
    with _opened(path) as (container, video):
        for packet in container.demux(video):
            alive()
            if packet.size and packet.pts is None:
                return []
            if packet.size and packet.is_keyframe:
                found.append((float(packet.pts * packet.time_base), packet.pts))
    return found


def _by_frame(masks: Any) -> dict[int, Labels]:
    """Label images by frame number."""
    if masks is None:
        return {}
    given = masks if isinstance(masks, Mapping) else {0: masks}
    for index in given:
        if not isinstance(index, numbers.Integral) or index < 0:
            raise ValueError(f"masks: a frame number is an integer from 0, not {index!r}")
    return {int(index): labels_of(m) for index, m in given.items()}


def _frames(video: Any) -> Iterable[Any]:
    """The frames of `segment`'s video."""
    if isinstance(video, (str, os.PathLike)):
        return decoded(video)
    if isinstance(video, (bytes, dict)) or not (hasattr(video, "__iter__") or
                                                hasattr(video, "reformat") or
                                                hasattr(video, "getbands")):
        raise TypeError("video must be a path (str or os.PathLike) or an iterable of frames, not "
                        f"{type(video).__name__}")
    # The rows of a picture would be taken for grey frames.
    picture = plain(video)
    shape = picture.shape if isinstance(picture, np.ndarray) else None
    if hasattr(video, "reformat") or shape and (len(shape) < 3 or len(shape) == 3
                                                and shape[2] in (1, 3, 4)):
        raise ValueError(f"video is one picture{f' of shape {shape}' if shape else ''}: give a "
                         "list of pictures, such as [picture], or call Stream.process")
    frames: Iterable[Any] = video
    return frames


def segment(video: Any, *, masks: Union[Any, Mapping[int, Any]] = None,
            task: Optional[str] = None, objects: int = 0,
            model: Union[Model, str, None] = None, discovery_interval: int = 0,
            threshold: float = 0.0, min_object_size: int = 0,
            ) -> Iterator[tuple[npt.NDArray[np.uint8], Masks]]:
    """Yields (frame, masks) for each frame of a video: frame is uint8, (height, width, 3), RGB.

    video: the path of a file, which PyAV decodes, or an iterable of frames: arrays like
    these, pictures of PIL, or PyAV frames. Frames of a rotated file are turned upright.
    masks: the objects to follow, as for Stream.seed: masks of the first frame, or a dict of
    masks by the frame number (from 0) at which objects appear.
    task: None: "one-shot" with masks, else "auto". objects: most objects at a time;
    0: the model's number, or the highest object of the masks.
    model: a Model, which stays open, or the path of one.
    """
    seeds = _by_frame(masks)
    if seeds and not any(labels.any() for labels in seeds.values()):
        raise ValueError("the masks show no object: all their pixels are 0")
    if task is None and seeds:
        task = "one-shot"
    highest = max((int(m[m <= MAX_OBJECTS].max(initial=0)) for m in seeds.values()), default=0)
    frames = _frames(video)
    used = model if isinstance(model, Model) else Model(model)
    try:
        with used.stream(task, objects=objects or max(highest, used.info.objects),
                         discovery_interval=discovery_interval) as stream:
            index = -1
            for index, frame in enumerate(map(plain, frames)):
                if index in seeds:
                    _seed(stream, seeds, index)
                found = stream.process(frame, threshold=threshold,
                                       min_object_size=min_object_size)
                found.time = getattr(frame, "time", None)
                picture = frame.to_ndarray(format="rgb24") if hasattr(frame, "reformat") else frame
                yield picture, found
            _warn_unused(seeds, index + 1)
    finally:
        if used is not model:
            used.close()


def _warn_unused(seeds: dict[int, Labels], length: int) -> None:
    late = ", ".join(str(index) for index in sorted(seeds) if index >= length)
    if late:
        logger.warning("masks of frame %s are not used: the video has %d frames, counted from 0",
                       late, length)


def _seed(stream: Stream, seeds: dict[int, Labels], index: int) -> None:
    """Sets the objects of this frame's masks; earlier ones continue."""
    labels = seeds[index]
    ids = [int(i) for i in np.unique(labels) if 0 < i <= stream.info.objects]
    stream.seed(labels, None if index == min(seeds) else ids)
