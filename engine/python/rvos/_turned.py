# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns the frames of rotated videos, for example from telephones, as their files say."""
from __future__ import annotations

import os
import struct
from typing import Any, Iterator, Optional

# A display matrix sends a pixel (x, y) to (a x + c y, b x + d y). By (a, b, c, d): filters of
# FFmpeg, with their arguments. vflip alone would make negative strides.
FILTERS: dict[tuple[int, ...], list[tuple[str, Optional[str]]]] = {
    (1, 0, 0, 1): [],
    (0, 1, -1, 0): [("transpose", "clock")],
    (-1, 0, 0, -1): [("hflip", None), ("vflip", None), ("copy", None)],
    (0, -1, 1, 0): [("transpose", "cclock")],
    (-1, 0, 0, 1): [("hflip", None)],
    (1, 0, 0, -1): [("vflip", None), ("copy", None)],
    (0, 1, 1, 0): [("transpose", "cclock_flip")],
    (0, -1, -1, 0): [("transpose", "clock_flip")],
}
UPRIGHT = (1, 0, 0, 1)


def _signs(matrix: bytes, order: str) -> tuple[int, ...]:
    """(a, b, c, d) of a matrix of 9 numbers with 16 fraction bits."""
    numbers = struct.unpack(order + "9i", matrix)
    signs = tuple(round(numbers[n] / 65536) for n in (0, 1, 3, 4))
    if signs not in FILTERS or any(abs(numbers[n] - sign * 65536) > 655 for n, sign in
                                   zip((0, 1, 3, 4), signs)):
        raise ValueError("its frames must be turned by other than 90, 180 or 270 degrees, "
                         "which is not supported")
    return signs


def _boxes(file: Any, end: int) -> Iterator[tuple[bytes, int]]:
    """Yields type and end of each box of an MP4 file from here to `end`. The file position is
    then at the box's content, and the caller may move it."""
    while file.tell() + 8 <= end:
        start = file.tell()
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        stop = end if size == 0 else min(start + size, end)
        if stop < file.tell():
            return
        yield kind, stop
        file.seek(stop)


def of_file(path: str) -> tuple[int, ...]:
    """The rotation of the first video track of an MP4 or QuickTime file. PyAV 10 and 11 do not
    have it. If it is in a frame's side data, that takes precedence."""
    if not os.path.isfile(path):
        return UPRIGHT
    with open(path, "rb") as file:
        try:
            for kind, end in _boxes(file, os.path.getsize(path)):
                if kind == b"moov":
                    for track, track_end in _boxes(file, end):
                        matrix = _track(file, track_end) if track == b"trak" else None
                        if matrix is not None:
                            return _signs(matrix, ">")
        except struct.error:  # truncated; the decoder will report it
            pass
    return UPRIGHT


def _track(file: Any, end: int) -> Optional[bytes]:
    """The matrix of a track, if it is a video track."""
    matrix, video = None, False
    for kind, stop in _boxes(file, end):
        if kind == b"tkhd":
            content = file.read(stop - file.tell())
            start = 52 if content[:1] == b"\1" else 40  # version 1 has longer times
            matrix = content[start:start + 36]
        elif kind == b"mdia":
            for inner, inner_stop in _boxes(file, stop):
                if inner == b"hdlr":
                    video = file.read(inner_stop - file.tell())[8:12] == b"vide"
    return matrix if video else None


class Turn:
    """Turns frames upright."""

    def __init__(self, signs: tuple[int, ...]) -> None:
        self._signs = signs
        self._for: Any = None
        self._graph: Any = None

    def __call__(self, frame: Any) -> Any:
        signs = self._signs
        for data in frame.side_data:
            if getattr(data.type, "name", "") == "DISPLAYMATRIX":
                signs = _signs(bytes(data), "=")
        if signs == UPRIGHT:
            return frame
        wanted = (signs, frame.format.name, frame.width, frame.height)
        if wanted != self._for:
            self._graph, self._for = self._made(signs, frame), wanted
        pts, time_base = frame.pts, frame.time_base
        self._graph.push(frame)
        turned = self._graph.pull()
        turned.pts, turned.time_base = pts, time_base
        return turned

    @staticmethod
    def _made(signs: tuple[int, ...], frame: Any) -> Any:
        import av.filter

        graph = av.filter.Graph()
        steps = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                                  time_base=frame.time_base)]
        steps += [graph.add(name, args) for name, args in FILTERS[signs]]
        steps.append(graph.add("buffersink"))
        for one, other in zip(steps, steps[1:]):
            one.link_to(other)
        graph.configure()
        return graph
