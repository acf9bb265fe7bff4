# SPDX-License-Identifier: LGPL-2.1-or-later
"""The input videos of rvos-archive, the names of its outputs, and which videos are finished."""
from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import stat
import unicodedata
import uuid
from typing import Any, Iterator, Optional

from ._archive_work import Settings
from ._archive_write import FORMATS

VIDEOS = frozenset(
    "3g2 3gp asf avi dv flv m2ts m2v m4v mkv mov mp4 mpeg mpg mts mxf ogv ts webm wmv y4m".split())


class Refused(Exception):
    """The user's request cannot be done; the message says why."""


@dataclasses.dataclass
class Video:
    """One video and its status."""

    path: str
    output: str
    record: str
    source: dict[str, int] = dataclasses.field(default_factory=dict)  #: size and time at the start
    status: str = "open"  #: then "done", "skipped" or "failed"
    error: str = ""
    frames: int = 0
    objects: int = 0
    seconds: float = 0.0  #: of work on all pieces
    attempts: int = 0  #: tasks started for it
    workers: list[str] = dataclasses.field(default_factory=list)


def shown(text: str) -> str:
    """The text as one line for a terminal: control characters, marks that turn the direction
    of writing, and bytes that are not UTF-8 are escaped."""
    return "".join(map(_plain, text))


def _plain(c: str) -> str:
    if c.isprintable() or unicodedata.category(c) == "Zs" or c in "\u200c\u200d":
        return c
    code = ord(c) - 0xDC00 if 0xDC80 <= ord(c) <= 0xDCFF else ord(c)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.abspath(one) == os.path.abspath(other)


def check_summary(path: str, lists: list[str], model: str, videos: list[Video]) -> None:
    """Refuses a summary that would replace an input or an output."""
    if os.path.isdir(path):
        raise Refused(f"the summary {path}: is a folder")
    for used in [*lists, model, *(v.path for v in videos)]:
        if _same_file(path, used):
            raise Refused(f"the summary {path}: is read by this command: name another place")
    if os.path.abspath(path) in {v.output for v in videos}:
        raise Refused(f"the summary {path}: is the result of a video: name another place")


def _in_folder(folder: str) -> Iterator[tuple[str, str]]:
    def refuse(error: OSError) -> None:
        raise Refused(f"{error.filename}: {error.strerror}")

    for at, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.rsplit(".", 1)[-1].lower() in VIDEOS:
                path = os.path.join(at, name)
                yield path, os.path.relpath(path, folder)


def _listed(path: str) -> Iterator[str]:
    """The lines, by the rule for all lists of the project (docs/evaluation.md)."""
    try:
        # A pipe would make the program wait.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as f:
            if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                raise Refused(f"the list {path}: not a regular file")
            data = f.read()
    except OSError as error:
        raise Refused(f"the list {path}: {error.strerror}") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Refused(f"the list {path}: is a text in UTF-16: save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")  # editors may put a byte order mark first
    except UnicodeDecodeError as error:
        raise Refused(f"the list {path}: is not UTF-8 text (byte {error.start})") from error
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        line = line.strip(" \t\v\f")
        if "\0" in line:
            raise Refused(f"the list {path}: line {number} holds a NUL byte: not a list of paths")
        if line and not line.startswith("#"):
            yield line


def find(inputs: list[str], lists: list[str], root: Optional[str],
         folder: Folder, format: str) -> list[Video]:
    """The videos in the given order. An output is named by the video's path below its folder
    or below `root`, or by the last part of the path."""
    found: list[tuple[str, str]] = []
    for path in [*inputs, *(line for one in lists for line in _listed(one))]:
        if os.path.isdir(path):
            inside = list(_in_folder(path))
            if not inside:
                raise Refused(f"{path}: there is no video in this folder")
            found += inside
        else:
            found.append((path, os.path.basename(path)))
    if not found:
        raise Refused("no video is named")
    if root is not None:
        found = [(path, os.path.relpath(path, root)) for path, _ in found]
    named: dict[str, str] = {}
    for path, name in found:
        if name.startswith(".." + os.sep):
            raise Refused(f"{path} is not in {root}")
        if os.path.abspath(named.setdefault(name, path)) != os.path.abspath(path):
            raise Refused(f"{named[name]} and {path} would both be written to {name}"
                          f"{FORMATS[format]}: give --root, a folder that has both")
    return [folder.video(path, name, format) for name, path in named.items()]


class Folder:
    """The output folder. Everything but the outputs is in its folder .rvos-archive."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.state = os.path.join(self.path, ".rvos-archive")
        self.run = uuid.uuid4().hex
        self.parts = os.path.join(self.state, f"parts-{self.run}")
        try:
            os.makedirs(self.state, exist_ok=True)
            self._lock = open(os.path.join(self.state, "lock"), "w", encoding="utf-8")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Left by killed runs, whose clients no longer hold the lock.
            for name in os.listdir(self.state):
                if name.startswith("parts-"):
                    shutil.rmtree(os.path.join(self.state, name), ignore_errors=True)
            os.makedirs(self.parts)
        except BlockingIOError as error:
            raise Refused(f"{path}: another rvos-archive is writing there") from error
        except OSError as error:
            raise Refused(f"{path}: cannot write there: {error.strerror}") from error

    def close(self) -> None:
        shutil.rmtree(self.parts, ignore_errors=True)
        self._lock.close()

    def video(self, path: str, name: str, format: str) -> Video:
        name += FORMATS[format]
        video = Video(os.path.abspath(path), os.path.join(self.path, name),
                      os.path.join(self.state, "done", name + ".json"))
        try:
            source = os.stat(path)
            video.source = {"bytes": source.st_size, "mtime_ns": source.st_mtime_ns}
        except OSError:
            pass  # its task will report it
        return video

    def forget_parts(self, number: int) -> None:
        """Deletes the temporary files of a finished video."""
        for name in os.listdir(self.parts):
            if name.startswith(f"{number}-"):
                os.unlink(os.path.join(self.parts, name))


def _state(video: Video, settings: Settings) -> dict[str, Any]:
    return {"settings": settings.as_dict(), "source": video.source,
            "output": {"bytes": os.stat(video.output).st_size}}


def finished(video: Video, settings: Settings) -> bool:
    """Whether an earlier run made the output from the same video with the same settings."""
    try:
        with open(video.record, encoding="utf-8") as f:
            record = json.load(f)
        if {k: record.get(k) for k in ("settings", "source", "output")} != _state(
                video, settings):
            return False
        video.frames, video.objects = int(record["frames"]), int(record["objects"])
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_json(path: str, value: Any) -> None:
    """The file appears when it is complete."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = f"{path}.part-{uuid.uuid4().hex}"
    try:
        with open(part, "w", encoding="utf-8") as f:
            json.dump(value, f, indent=1)
            f.write("\n")
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def remember(video: Video, settings: Settings) -> None:
    """Written after the output exists, so that a crash in between only costs time."""
    write_json(video.record, {**_state(video, settings), "frames": video.frames,
                              "objects": video.objects})
