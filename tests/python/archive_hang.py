# SPDX-License-Identifier: LGPL-2.1-or-later
"""A preload of Dask's workers, for test_archive.py: in the fourth frame of some clips the
worker stops, each in its own way, once; in always.mp4 each worker does. $RVOS_TEST_HANG is a
folder with a file for each way."""
import ctypes
import os
import time

from rvos import _archive_work as work

FOLDER = os.environ["RVOS_TEST_HANG"]
HOW = {"clip-03.mp4": "kill", "clip-09.mp4": "stop", "clip-15.mp4": "sleep", "clip-21.mp4": "gil"}


def hang(self, frames):
    work._Life.plain_step(self, frames)
    how = HOW.get(os.path.basename(self.job.video))
    if os.path.basename(self.job.video) == "always.mp4" and frames:
        time.sleep(1000)
    if not how or self.frames != 4 or not frames:
        return
    path = os.path.join(FOLDER, how)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # has hung already
    with open(path + ".part", "w", encoding="utf-8") as f:
        f.write(str(os.getpid()))
    os.rename(path + ".part", path + ".pid")
    if how == "gil":
        ctypes.PyDLL(None).sleep(1000)  # PyDLL keeps the GIL, so no Python thread runs meanwhile
    time.sleep(1000)


if not hasattr(work._Life, "plain_step"):  # Dask may load this more than once
    work._Life.plain_step = work._Life.step
    work._Life.step = hang
