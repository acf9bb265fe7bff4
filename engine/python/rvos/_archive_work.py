# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worker of rvos-archive: segments a video or a piece of it. Dask may call each function
twice, also at the same time. So outputs have temporary names until they are complete."""
from __future__ import annotations

import dataclasses
import faulthandler
import hashlib
import os
import socket
import sys
import threading
import time
import uuid
from typing import Any, Optional

from . import __version__
from ._archive_write import Written, Writer, join
from ._handles import Device, Model
from ._video import decoded, duration, keyframes, segment

REPORT_INTERVAL = 2.0  # seconds between two messages of a task to the scheduler


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings that affect the masks. If one changes, videos are done again."""

    model: str  #: path, the same on all workers
    model_sha256: str
    format: str  #: "png" or "coco"
    task: Optional[str] = None
    objects: int = 0
    discovery_interval: int = 0
    threshold: float = 0.0
    min_object_size: int = 0
    size: Optional[tuple[int, int]] = None
    precision: Optional[str] = None
    cut: float = 0.0  #: seconds of a piece; 0: videos are not cut
    version: str = __version__

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"model": os.path.basename(self.model),
                                           "size": list(self.size) if self.size else None}


@dataclasses.dataclass(frozen=True)
class Conditions:
    """The settings that do not affect the masks."""

    backend: Optional[str] = None
    threads: int = 0
    stalled: float = 300.0  #: seconds without a frame after which the worker ends itself
    time_limit: float = 0.0  #: seconds for one task; 0: no limit
    topic: str = ""  #: topic of the messages to the client; "": none


@dataclasses.dataclass(frozen=True)
class Job:
    """One task: a video or a piece of it."""

    number: int  #: of the video
    piece: int
    video: str
    output: str  #: final name; "" for a piece
    parts: str  #: folder for incomplete files, on the same file system
    start: Optional[int] = None  #: timestamp of the piece's first frame, as in the stream
    end: Optional[int] = None  #: that of the next piece's
    attempt: int = 0


class Watchdog:
    """Ends the process if a task makes no progress.

    A thread in C does it without the GIL, so it also works if the decoder or the network
    never returns. Dask notices that the worker is gone and gives its tasks to others; its
    nanny starts a new worker. A process has one such thread, so it serves all tasks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[object, float] = {}
        self._armed = 0.0

    def alive(self, task: object, seconds: float) -> None:
        """Reports progress and promises the next report within `seconds`."""
        now = time.monotonic()
        with self._lock:
            new = task not in self._deadlines
            self._deadlines[task] = now + seconds
            # Arming starts a thread, so do not do it for every frame.
            if new or now - self._armed > min(1.0, seconds / 4):
                self._arm(now)

    def done(self, task: object) -> None:
        with self._lock:
            self._deadlines.pop(task, None)
            self._arm(time.monotonic())

    def _arm(self, now: float) -> None:
        self._armed = now
        if not self._deadlines:
            faulthandler.cancel_dump_traceback_later()
            return
        left = max(min(self._deadlines.values()) - now, 0.001)
        faulthandler.dump_traceback_later(left, exit=True, file=sys.__stderr__ or sys.stderr)


_watchdog = Watchdog()
_models: dict[Any, Model] = {}
_models_lock = threading.Lock()
_loads = 0


def sha256_of(path: str) -> str:
    with open(path, "rb") as f:
        digest = hashlib.sha256()
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _model(settings: Settings, conditions: Conditions) -> Model:
    """The worker's copy of the model, loaded once and kept."""
    global _loads
    key = (settings.model, settings.model_sha256, settings.size, settings.precision,
           conditions.backend, conditions.threads)
    with _models_lock:
        if key not in _models:
            if sha256_of(settings.model) != settings.model_sha256:
                raise ValueError(f"{settings.model} on this worker is another model than at "
                                 "the client")
            device = Device(conditions.backend, threads=conditions.threads)
            _models.clear()  # a model of an earlier run with other settings
            _models[key] = Model(settings.model, device=device, size=settings.size,
                                 precision=settings.precision)
            _loads += 1
        return _models[key]


class _Life:
    """Reports a task's progress to the watchdog and the client."""

    def __init__(self, job: Job, conditions: Conditions) -> None:
        self.job, self.conditions = job, conditions
        self.began = self._told = time.monotonic()
        self.frames, self.share = 0, 0.0
        self._worker = _worker() if conditions.topic else None
        self._tell("started")

    def __enter__(self) -> _Life:
        import av

        if os.path.exists(self.job.video) and not os.path.isfile(self.job.video):
            raise ValueError("not a regular file")  # a pipe would make the worker wait
        av.logging.set_level(av.logging.PANIC)  # errors are raised with a file name
        self.step(0)
        return self

    def __exit__(self, *_: Any) -> None:
        _watchdog.done(self)

    def step(self, frames: int) -> None:
        self.frames += frames
        now = time.monotonic()
        seconds = self.conditions.stalled or float(threading.TIMEOUT_MAX)
        if self.conditions.time_limit:
            seconds = min(seconds, self.began + self.conditions.time_limit - now)
        if seconds < threading.TIMEOUT_MAX / 2:
            _watchdog.alive(self, seconds)
        if now - self._told > REPORT_INTERVAL:
            self._told = now
            self._tell("frames")

    def _tell(self, what: str) -> None:
        if self._worker is not None:
            self._worker.log_event(self.conditions.topic, {
                "what": what, "number": self.job.number, "piece": self.job.piece,
                "frames": self.frames, "share": self.share, **_here()})


def _worker() -> Any:
    from distributed import get_worker
    try:
        return get_worker()
    except ValueError:  # not run by Dask
        return None


def _here() -> dict[str, Any]:
    worker = _worker()
    return {"worker": worker.address if worker is not None else "here", "pid": os.getpid(),
            "host": socket.gethostname()}


def _result(job: Job, began: float, **more: Any) -> dict[str, Any]:
    return {"number": job.number, "piece": job.piece, "seconds": time.monotonic() - began,
            "model_loads": _loads, **_here(), **more}


def _failure(job: Job, began: float, error: Exception) -> dict[str, Any]:
    """The result of a failed task, of plain types, because Dask cannot transport every exception.
    After an error of the system or a device, another worker may succeed; a bad video stays bad."""
    words = " ".join(str(error).split()) or type(error).__name__
    words = words.removeprefix(f"{job.video}: ")  # the client adds the name
    if getattr(error, "filename", None) == job.video:
        words = str(getattr(error, "strerror", None) or words)
    return _result(job, began, error=words,
                   again=isinstance(error, (OSError, MemoryError, RuntimeError)))


def segment_job(job: Job, settings: Settings, conditions: Conditions) -> dict[str, Any]:
    """Segments the video or a piece of it. The output of a whole video is final."""
    began = time.monotonic()
    try:
        with _Life(job, conditions) as life:
            written = _segment(job, settings, conditions, life)
            if job.output:
                join([written], job.output, job.video, settings.as_dict(), settings.format,
                     lambda: life.step(0))
    except Exception as error:  # the client names the video and goes on
        return _failure(job, began, error)
    return _result(job, began, written=written, frames=written.frames, objects=written.objects)


def _segment(job: Job, settings: Settings, conditions: Conditions, life: _Life) -> Written:
    part = os.path.join(job.parts, f"{job.number}-{job.piece}-{uuid.uuid4().hex}")
    model = _model(settings, conditions)
    life.step(0)
    frames, length = decoded(job.video, job.start, job.end), duration(job.video)
    first: Optional[float] = None
    with Writer(part, settings.format) as writer:
        for _, masks in segment(frames, task=settings.task, objects=settings.objects,
                                model=model, discovery_interval=settings.discovery_interval,
                                threshold=settings.threshold,
                                min_object_size=settings.min_object_size):
            writer.add(masks)
            if masks.time is not None and length:
                first = masks.time if first is None else first
                life.share = min(max((masks.time - first) / length, 0.0), 1.0)
            life.step(1)
        if not writer.written.frames:
            raise ValueError("no frame of it could be decoded")
        return writer.written


def cut_job(job: Job, settings: Settings, conditions: Conditions) -> dict[str, Any]:
    """Finds where the video may be cut: result["cuts"] are timestamps of keyframes without the
    first one; empty if the video is short."""
    began = time.monotonic()
    try:
        with _Life(job, conditions) as life:
            cuts: list[int] = []
            last: Optional[float] = None
            for time_, pts in keyframes(job.video, lambda: life.step(0)):
                if last is None:
                    last = time_
                elif time_ - last >= settings.cut:
                    cuts.append(pts)
                    last = time_
    except Exception as error:
        return _failure(job, began, error)
    return _result(job, began, cuts=cuts)


def join_job(job: Job, settings: Settings, conditions: Conditions,
             pieces: list[Written]) -> dict[str, Any]:
    """Joins the pieces to one output, with unique object ids."""
    began = time.monotonic()
    try:
        with _Life(job, conditions) as life:
            whole = join(pieces, job.output, job.video, settings.as_dict(), settings.format,
                         lambda: life.step(0))
    except Exception as error:
        return _failure(job, began, error)
    return _result(job, began, frames=whole.frames, objects=whole.objects)
