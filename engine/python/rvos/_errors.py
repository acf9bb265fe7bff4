# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exceptions for rvos_status."""
from __future__ import annotations


class Error(Exception):
    """An error of librvos with its message. `status` is the rvos_status, below 0."""

    status: int = 0


class InvalidArgument(Error, ValueError):
    """A parameter is out of range."""


class OutOfMemory(Error, MemoryError):
    """Memory of the host or the device ran out."""


class NotFound(Error, FileNotFoundError):
    """The file does not exist."""


class ReadError(Error, OSError):
    """The model file could not be read."""


class FormatError(Error, ValueError):
    """The file is not a model that librvos knows."""


class WrongTask(Error, ValueError):
    """The model, or the stream's task, cannot do this."""


class Unsupported(Error, NotImplementedError):
    """Not in this build, or not on this device."""


class DeviceError(Error, RuntimeError):
    """The device failed, or belongs to the process from which this one was forked."""


BY_STATUS = {-1: InvalidArgument, -2: OutOfMemory, -3: NotFound, -4: ReadError,
             -5: FormatError, -6: WrongTask, -7: Unsupported, -8: DeviceError}


def error(status: int, words: str) -> Error:
    made = BY_STATUS.get(status, Error)(words)
    made.status = status
    return made
