# SPDX-License-Identifier: LGPL-2.1-or-later
"""rvos-archive: segments all videos of a folder or a list, on one machine or many, by Dask."""
from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import io
import logging
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import Any, Iterator, Optional

import numpy as np

from . import __version__
from ._archive_files import Folder, Refused, check_summary, find, shown, write_json
from ._archive_run import Run, SchedulerGone
from ._archive_work import Conditions, Settings, sha256_of
from ._archive_write import FORMATS, check_format
from ._errors import Error
from ._handles import PRECISIONS, TASKS, Device, Model, default_model, default_threads

OUTPUT_LOST = 4  # exit status


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a size is such as 448x256, not {text}") from None


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="rvos-archive", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Segments all videos of a folder or a list. One video is one task of Dask: on "
                    "processes of this\nmachine, or on a running cluster. Videos that are finished "
                    "are skipped in the next run.",
        epilog="The exit status is 0 if all videos are done, 1 if some failed, 2 if nothing could "
               "be tried, 4 if the\ntable could not be printed, 130 if interrupted.")
    p.add_argument("input", nargs="*", help="a video, or a folder of videos")
    p.add_argument("-o", "--output", required=True, metavar="FOLDER",
                   help="for the results, each named after its video")
    p.add_argument("--list", action="append", default=[], metavar="FILE",
                   help="further inputs, one a line; lines that start with # are ignored")
    p.add_argument("--root", metavar="FOLDER", help="name results by the videos' paths below it")
    p.add_argument("--format", choices=FORMATS, default="png",
                   help="png: a zip file of pictures with a palette, and objects.jsonl (default); "
                        "coco: COCO's JSON with run lengths")
    p.add_argument("--again", action="store_true", help="do finished videos again, too")
    p.add_argument("--summary", metavar="FILE", help="JSON of what became of each video "
                   "(default: OUTPUT/summary.json)")
    p.add_argument("-v", "--verbose", action="store_true", help="say what each worker starts")
    p.add_argument("--version", action="version", version=f"rvos-archive {__version__}")
    g = p.add_argument_group("how to segment, as in rvos.segment")
    g.add_argument("-m", "--model", metavar="FILE", help="the same path on all workers")
    g.add_argument("-t", "--task", choices=[t for t in TASKS if t != "one-shot"])
    g.add_argument("-n", "--objects", type=int, default=0)
    g.add_argument("--discovery-interval", type=int, default=0)
    g.add_argument("--threshold", type=float, default=0.0)
    g.add_argument("--min-object-size", type=int, default=0)
    g.add_argument("-s", "--size", type=_size, metavar="WxH", help="of the network")
    g.add_argument("--precision", choices=[name for name in PRECISIONS if name])
    g.add_argument("--cut", type=float, default=0.0, metavar="SECONDS",
                   help="cut longer videos at keyframes into pieces of at least this length, "
                        "which run in parallel; objects get new ids after a cut")
    g = p.add_argument_group("where to run")
    g.add_argument("--scheduler", metavar="ADDRESS", help="a running cluster's, such as "
                   "tcp://10.0.0.1:8786")
    g.add_argument("--workers", type=int, metavar="N", help="processes on this machine "
                   "(default: one for four cores)")
    g.add_argument("--threads", type=int, default=0, metavar="N",
                   help="of each worker (default: its cores, or this machine's by --workers)")
    g.add_argument("--engine", choices=["cpu", "cuda", "reference"])
    g.add_argument("--retries", type=int, default=2, metavar="N",
                   help="how often a video is tried again after an error that another worker may "
                        "not have (default: 2)")
    g.add_argument("--stalled", type=float, default=300.0, metavar="SECONDS",
                   help="a worker without a new frame for so long is given up, and its video goes "
                        "to another; 0: never (default: 300)")
    g.add_argument("--time-limit", type=float, default=0.0, metavar="SECONDS",
                   help="likewise for one video, or piece, in all (default: none)")
    return p


def _options(argv: Optional[list[str]]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.scheduler and options.workers is not None:
        parser.error("--workers is for this machine: a cluster has its own")
    if options.workers is not None and options.workers < 1:
        parser.error("--workers must be at least 1")
    for name in ("retries", "stalled", "time_limit", "cut", "threads"):
        if not 0 <= getattr(options, name) < math.inf:
            parser.error(f"--{name.replace('_', '-')} must be a number from 0")
    if options.threads > 1024:
        parser.error("--threads must be at most 1024")
    return options


def _settings(options: argparse.Namespace) -> Settings:
    path = os.path.abspath(options.model or default_model())
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise Refused(f"the model {path}: {error.strerror}") from error
    return Settings(path, digest, options.format, options.task, options.objects,
                    options.discovery_interval, options.threshold, options.min_object_size,
                    options.size, options.precision, options.cut)


async def _answers(distributed: Any, address: str) -> bool:
    """Checked before a client is made: a client without a scheduler takes long to close."""
    try:
        security = distributed.Security().get_connection_args("client")
        comm = await distributed.comm.connect(address, timeout=10, **security)
        await comm.close()
        return True
    except (OSError, ValueError):
        return False


def _try(settings: Settings, engine: Optional[str]) -> None:
    """Refuses settings with which every video would fail. Only the workers may have a CUDA
    device; they report CUDA errors themselves."""
    if engine == "cuda":
        return
    try:
        with Device(engine, threads=1) as device, \
                Model(settings.model, device=device, size=settings.size,
                      precision=settings.precision) as model, \
                model.stream(settings.task, objects=settings.objects,
                             discovery_interval=settings.discovery_interval) as stream:
            stream.process(np.zeros((16, 16, 3), np.uint8), threshold=settings.threshold,
                           min_object_size=settings.min_object_size)
    except (Error, ValueError, OverflowError) as error:
        raise Refused(str(error)) from error


@contextlib.contextmanager
def _cluster(options: argparse.Namespace) -> Iterator[tuple[Any, int]]:
    """A client, and the threads of each worker (0: the worker decides)."""
    import dask
    import distributed as untyped

    distributed: Any = untyped
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if options.scheduler:
        if not asyncio.run(_answers(distributed, options.scheduler)):
            raise Refused(f"no Dask scheduler answers at {options.scheduler}")
        with distributed.Client(options.scheduler, set_as_default=False) as client:
            yield client, options.threads
        return
    cores = default_threads()
    workers = options.workers or max(1, cores // 4)
    settings = {"distributed.scheduler.allowed-failures": max(options.retries, 1),
                "distributed.scheduler.worker-ttl": f"{options.stalled} seconds"
                if options.stalled else None}
    with tempfile.TemporaryDirectory(prefix="rvos-archive-") as folder, \
            dask.config.set(settings), \
            distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True,
                                     dashboard_address=None, local_directory=folder,
                                     silence_logs=logging.CRITICAL) as cluster, \
            distributed.Client(cluster, set_as_default=False) as client:
        yield client, options.threads or max(1, cores // workers)


class _Bar:
    """The progress bar. It counts the size of videos, because their frames are not known in
    advance. Without a terminal it prints a line every half minute."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._terminal = sys.stderr.isatty()
        self._shown = time.monotonic()
        self._bar = tqdm(total=1, leave=False, mininterval=0.5,
                         ncols=shutil.get_terminal_size().columns - 1,
                         file=sys.stderr if self._terminal else io.StringIO(),
                         bar_format="{percentage:3.0f}% |{bar}| {desc} [{elapsed}, "
                                    "{remaining} left]")

    def say(self, words: str) -> None:
        self._bar.write(shown(words), file=sys.stderr)
        sys.stderr.flush()

    def show(self, run: Run) -> None:
        ours = [(n, v) for n, v in enumerate(run.videos) if v.status != "skipped"]
        counts = collections.Counter(v.status for _, v in ours)
        self._bar.total = sum(v.source.get("bytes", 0) for _, v in ours) or 1
        self._bar.n = int(sum(v.source.get("bytes", 0) * run.share(n) for n, v in ours))
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        self._bar.set_description_str(
            f"{counts['done'] + counts['failed']}/{len(ours)} videos{failed}, "
            f"{run.frames / (time.monotonic() - run.began):.1f} frames/s", refresh=False)
        self._bar.update(0)
        if not self._terminal and time.monotonic() - self._shown > 30:
            self._shown = time.monotonic()
            self.say(str(self._bar))

    def close(self) -> None:
        self._bar.close()


def _summary(run: Run, ended: str) -> dict[str, Any]:
    seconds = time.monotonic() - run.began
    counts = collections.Counter(v.status for v in run.videos)
    return {"rvos": __version__, "ended": ended, "settings": run.settings.as_dict(),
            "videos": {name: counts[name] for name in ("done", "skipped", "failed", "open")},
            "frames": run.frames, "seconds": round(seconds, 3),
            "frames_per_second": round(run.frames / seconds, 3),
            "workers": {address: dataclasses.asdict(w) for address, w in run.workers.items()},
            "files": [{name: getattr(v, name) for name in (
                "path", "output", "status", "error", "frames", "objects", "seconds", "attempts",
                "workers")} for v in run.videos]}


def _table(summary: dict[str, Any]) -> str:
    counts = summary["videos"]
    lines = [f"{name:<10}{counts[name]:>10} videos" for name in counts
             if counts[name] or name != "open"]
    lines.append(f"{'frames':<10}{summary['frames']:>10} in {summary['seconds']:.1f} s: "
                 f"{summary['frames_per_second']:.1f} frames/s")
    for address, w in sorted(summary["workers"].items())[:16]:
        lines.append(f"{address:<28} {w['host']}: {w['tasks']} tasks, {w['frames']} frames, "
                     f"{w['frames'] / max(w['seconds'], 1e-9):.1f} frames/s")
    if len(summary["workers"]) > 16:
        lines.append(f"... {len(summary['workers'])} workers in all")
    for file in summary["files"]:
        if file["status"] == "failed":
            lines.append(shown(f"failed: {file['path']}: {file['error']}"))
    return "\n".join(lines)


def _printed(text: str) -> bool:
    """False if the standard output cannot be written. `| head` that has ended is no fault."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python writes the rest again at its end.
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 1)
        if not isinstance(error, BrokenPipeError):
            print(f"rvos-archive: standard output: {error.strerror}", file=sys.stderr)
            return False
    return True


def _work(options: argparse.Namespace, run: Run) -> tuple[str, int]:
    """How the run ended, and the exit status if it did not finish."""
    with _cluster(options) as (client, threads):
        conditions = Conditions(options.engine, threads, options.stalled, options.time_limit,
                                f"rvos-archive-{run.folder.run}")
        bar = _Bar()

        def say(words: str) -> None:
            if options.verbose or ": failed: " in words:
                bar.say(words)

        try:
            if not client.nthreads():
                bar.say("waiting for a worker")
            run.work(client, conditions, say, bar.show)
        except KeyboardInterrupt:
            return "interrupted", 130
        except SchedulerGone:
            return "the scheduler is gone", 1
        finally:
            bar.close()
    return "done", 0


def _run(options: argparse.Namespace, folder: Folder) -> int:
    check_format(options.format)
    settings = _settings(options)
    videos = find(options.input, options.list, options.root, folder, options.format)
    path = os.path.abspath(options.summary or os.path.join(folder.path, "summary.json"))
    check_summary(path, options.list, settings.model, videos)
    run = Run(folder, videos, settings, retries=options.retries, again=options.again)
    ended, status = "done", 0
    if run.open:
        _try(settings, options.engine)
        ended, status = _work(options, run)
    summary = _summary(run, ended)
    try:
        write_json(path, summary)
    except OSError as error:
        raise Refused(f"the summary {path}: {error.strerror}") from error
    if not _printed(_table(summary)):
        return OUTPUT_LOST
    if status:
        print(f"rvos-archive: {ended}: a further run goes on from here", file=sys.stderr)
    return status or int(summary["videos"]["failed"] > 0)


def main(argv: Optional[list[str]] = None) -> int:
    options = _options(argv)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    missing = [name for name in ("av", "distributed", "tqdm") if not find_spec(name)]
    if missing:
        print(f"rvos-archive: needs {', '.join(missing)}: pip install 'rvos[archive]'",
              file=sys.stderr)
        return 2
    try:
        with contextlib.closing(Folder(options.output)) as folder:
            return _run(options, folder)
    except ImportError as error:
        print(f"rvos-archive: --format {options.format} needs another package: {error}",
              file=sys.stderr)
    except Refused as error:
        print(shown(f"rvos-archive: {error}"), file=sys.stderr)
    except KeyboardInterrupt:
        print("rvos-archive: interrupted", file=sys.stderr)
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())
