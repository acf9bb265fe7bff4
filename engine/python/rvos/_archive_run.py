# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client of rvos-archive: submits tasks to Dask and collects their results."""
from __future__ import annotations

import collections
import dataclasses
import queue
import time
from typing import Any, Callable, Optional

from ._archive_files import Folder, Video, finished, remember
from ._archive_work import Conditions, Job, Settings, cut_job, join_job, segment_job

SCHEDULER_GONE = 30.0  # the run ends after this many seconds without the scheduler


class SchedulerGone(Exception):
    pass


@dataclasses.dataclass
class _Cut:
    """A video in pieces, with the state of each piece in order."""

    written: list[Any]
    missing: int


@dataclasses.dataclass
class Worker:
    """A worker process."""

    host: str
    pid: int
    tasks: int = 0
    frames: int = 0
    seconds: float = 0.0
    model_loads: int = 0


class Run:
    """Runs all videos on one cluster.

    The scheduler is given a few tasks more than there are threads: ten thousand videos cost
    it nothing, and a cluster that grows with its load grows.
    """

    def __init__(self, folder: Folder, videos: list[Video], settings: Settings, *,
                 retries: int, again: bool) -> None:
        self.folder, self.videos, self.settings, self.retries = folder, videos, settings, retries
        self.client: Any = None
        self.conditions = Conditions()
        self.say: Callable[[str], None] = print
        self.workers: dict[str, Worker] = {}  #: by address
        self.began = time.monotonic()
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: collections.deque[tuple[Any, Job, tuple[Any, ...]]] = collections.deque()
        self._running: dict[str, tuple[Any, Any, Job, tuple[Any, ...]]] = {}
        self._cuts: dict[int, _Cut] = {}
        self._partial: dict[tuple[int, int], int] = {}  #: frames of tasks that run
        self._frames = 0  #: of finished tasks
        self._started: collections.Counter[tuple[int, int]] = collections.Counter()
        self._shares: dict[int, dict[int, float]] = collections.defaultdict(dict)  #: by piece
        self._tried: dict[int, set[str]] = collections.defaultdict(set)  #: workers that failed
        for number, video in enumerate(videos):
            if not again and finished(video, settings):
                video.status = "skipped"
                continue
            if settings.cut:
                self._waiting.append((cut_job, self._job(number), ()))
            else:
                self._waiting.append((segment_job, self._job(number, output=video.output), ()))

    @property
    def frames(self) -> int:
        """The frames that this run has segmented so far."""
        return self._frames + sum(self._partial.values())

    def share(self, number: int) -> float:
        """The known share of a video that is done: 0 to 1."""
        if self.videos[number].status != "open":
            return 1.0
        return min(sum(self._shares[number].values()) if number in self._shares else 0.0, 1.0)

    def _job(self, number: int, piece: int = 0, output: str = "", start: Optional[int] = None,
             end: Optional[int] = None) -> Job:
        return Job(number, piece, self.videos[number].path, output, self.folder.parts, start, end)

    @property
    def open(self) -> bool:
        """Whether a video is left to do."""
        return bool(self._waiting or self._running)

    def work(self, client: Any, conditions: Conditions, say: Callable[[str], None],
             show: Callable[[Run], None]) -> None:
        """Returns when each video is done or has failed."""
        self.client, self.conditions, self.say = client, conditions, say
        self.began = time.monotonic()
        topic = conditions.topic
        self.client.subscribe_topic(topic, lambda event: self._events.put(("event", event[1])))
        threads, looked = 0, 0.0
        try:
            while self.open:
                if time.monotonic() - looked > 1:
                    looked = time.monotonic()
                    threads = self._threads()
                while self._waiting and len(self._running) < 2 * threads + 8:
                    self._submit(*self._waiting.popleft())
                self._take()
                show(self)
        finally:
            if self.client.status == "running":
                self.client.unsubscribe_topic(topic)
                self.client.cancel([future for future, *_ in self._running.values()])

    def _threads(self) -> int:
        """The threads of all workers; waits if the scheduler does not answer."""
        gone_at = time.monotonic() + SCHEDULER_GONE
        while True:
            try:
                return sum(self.client.nthreads().values())
            except (OSError, ValueError, AttributeError) as error:
                if self.client.status != "running" or time.monotonic() > gone_at:
                    raise SchedulerGone from error
                time.sleep(1)

    def _submit(self, function: Any, job: Job, more: tuple[Any, ...]) -> None:
        name = f"{function.__name__}-{job.number}-{job.piece}-{job.attempt}-{self.folder.run}"
        # Tried again on another worker, if there is one.
        others = [w for w in self.client.nthreads() if w not in self._tried[job.number]] \
            if job.attempt else []
        future = self.client.submit(function, job, self.settings, self.conditions, *more,
                                    key=name, pure=False, workers=others or None,
                                    allow_other_workers=bool(others))
        self._partial[job.number, job.piece] = 0
        self._running[name] = (future, function, job, more)
        future.add_done_callback(lambda f: self._events.put(("done", f.key)))

    def _take(self) -> None:
        """Handles events for at most half a second."""
        try:
            what, value = self._events.get(timeout=0.5)
            while True:
                if what == "event":
                    self._event(value)
                elif value in self._running:
                    self._done(*self._running.pop(value))
                what, value = self._events.get_nowait()
        except queue.Empty:
            pass

    def _event(self, event: dict[str, Any]) -> None:
        video = self.videos[event["number"]]
        if event["what"] == "started":
            video.attempts += 1
            self._started[event["number"], event["piece"]] += 1
            self.say(f"{video.path}: started by {event['worker']} (process {event['pid']} on "
                     f"{event['host']})")
        if (event["number"], event["piece"]) in self._partial:
            self._partial[event["number"], event["piece"]] = event["frames"]
            self._shares[event["number"]][event["piece"]] = event["share"]

    def _done(self, future: Any, function: Any, job: Job, more: tuple[Any, ...]) -> None:
        if future.status == "finished":
            result = future.result()
        else:  # KilledWorker; a worker without rvos; cancelled or lost
            error = future.exception() if future.status == "error" else future.status
            # Dask has tried it on several workers. A task that never started did not end them;
            # it only waited beside one that did.
            result = {"error": _words(error),
                      "again": self._started[job.number, job.piece] <= self.retries}
        future.release()
        video = self.videos[job.number]
        self._partial.pop((job.number, job.piece), None)
        self._count(result)
        if video.status == "failed":
            return  # another piece of it has failed
        if "error" in result:
            self._tried[job.number].add(result.get("worker", ""))
            if result["again"] and job.attempt < self.retries:
                self.say(f"{video.path}: {result['error']}; trying again")
                job = dataclasses.replace(job, attempt=job.attempt + 1)
                self._waiting.append((function, job, more))
            else:
                self._finish(job.number, "failed", result["error"])
            return
        video.seconds += result["seconds"]
        video.workers = sorted({*video.workers, result["worker"]})
        if function is cut_job:
            self._cut(job, result["cuts"])
        elif not job.output:
            self._piece(job, result["written"])
        else:
            video.frames, video.objects = result["frames"], result["objects"]
            self._finish(job.number, "done")

    def _count(self, result: dict[str, Any]) -> None:
        if "worker" not in result:
            return
        worker = self.workers.setdefault(result["worker"], Worker(result["host"], result["pid"]))
        worker.tasks += 1
        worker.seconds += result["seconds"]
        worker.model_loads = max(worker.model_loads, result["model_loads"])
        if "written" in result:
            worker.frames += result["frames"]
            self._frames += result["frames"]

    def _cut(self, job: Job, cuts: list[int]) -> None:
        number = job.number
        if not cuts:
            self._waiting.appendleft(
                (segment_job, self._job(number, output=self.videos[number].output), ()))
            return
        ends = [None, *cuts, None]
        pieces = [self._job(number, piece, start=start, end=end)
                  for piece, (start, end) in enumerate(zip(ends, ends[1:]))]
        self._cuts[number] = _Cut([None] * len(pieces), len(pieces))
        # A started video comes before new ones, so that fewer are in pieces at a time.
        self._waiting.extendleft((segment_job, piece, ()) for piece in reversed(pieces))

    def _piece(self, job: Job, written: Any) -> None:
        cut = self._cuts[job.number]
        cut.missing -= cut.written[job.piece] is None
        cut.written[job.piece] = written
        if not cut.missing:
            whole = self._job(job.number, output=self.videos[job.number].output)
            self._waiting.appendleft((join_job, whole, (cut.written,)))
            del self._cuts[job.number]

    def _finish(self, number: int, status: str, error: str = "") -> None:
        video = self.videos[number]
        video.status, video.error = status, error
        self._shares.pop(number, None)
        if status == "failed" and self.settings.cut:  # its other pieces are useless
            self._waiting = collections.deque(w for w in self._waiting if w[1].number != number)
        if status == "done":
            try:
                remember(video, self.settings)
                self.folder.forget_parts(number)
            except OSError as problem:
                video.status, video.error = "failed", _words(problem)
        self.say(f"{video.path}: {video.status}" + (f": {video.error}" if video.error else ""))


def _words(error: Any) -> str:
    name = type(error).__name__
    if name == "KilledWorker":
        return "each worker that tried it was lost or showed no life"
    words = " ".join(str(error).split())
    return words if isinstance(error, str) else f"{name}: {words}"
