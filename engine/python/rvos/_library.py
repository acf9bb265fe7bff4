# SPDX-License-Identifier: LGPL-2.1-or-later
"""Loads librvos, and handles its log and errors."""
from __future__ import annotations

import collections
import logging
import os
import threading
from typing import Any, Callable

from . import _build
from ._errors import error
from ._ffi import ffi

logger = logging.getLogger("rvos")


def _path() -> str:
    given = os.environ.get("RVOS_LIBRARY")
    return given or os.path.join(os.path.dirname(os.path.abspath(__file__)), _build.LIBRARY)


try:
    lib: Any = ffi.dlopen(_path())
except OSError as e:
    raise ImportError(f"rvos: librvos cannot be loaded: {e}") from e


def words(text: Any) -> str:
    """A C string."""
    return bytes(ffi.string(text)).decode("utf-8", "replace")


class Log:
    """The lines that a device logs. Errors are kept for the exception that follows.

    Every object that uses the device in C must keep its Log, because librvos calls it.
    """

    LEVELS = {0: logging.DEBUG, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}

    def __init__(self) -> None:
        self._errors: collections.deque[tuple[int, str]] = collections.deque(maxlen=64)
        self._process = os.getpid()
        self.callback = ffi.callback("void(void *, rvos_log_level, const char *)", self._line,
                                     onerror=lambda *_: None)

    def _line(self, _opaque: Any, level: int, line: Any) -> None:
        text = words(line)
        if level == 0:
            self._errors.append((threading.get_ident(), text))
        logger.log(self.LEVELS.get(level, logging.DEBUG), "%s", text)

    def call(self, function: Callable[..., int], *args: Any) -> None:
        """Calls librvos and raises its message if it fails."""
        me = threading.get_ident()
        for old in [e for e in list(self._errors) if e[0] == me]:
            self._forget(old)
        status = function(*args)
        if status >= 0:
            return
        # Prefer this thread's lines; the library's own threads have other numbers.
        lines = list(self._errors)
        mine = [text for thread, text in lines if thread == me] or [t for _, t in lines[-1:]]
        text = "; ".join(mine) or words(lib.rvos_strerror(status))
        if os.getpid() != self._process:  # librvos logs nothing then
            text = ("the device belongs to the process from which this one was forked: open a "
                    "Model here, or start processes by multiprocessing's \"spawn\"")
        raise error(status, text)

    def _forget(self, entry: tuple[int, str]) -> None:
        try:
            self._errors.remove(entry)
        except ValueError:
            pass
