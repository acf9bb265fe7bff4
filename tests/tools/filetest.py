# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shared by the tests of files: compares folders before and after."""
import os
import shutil
from pathlib import Path

import common
from common import scratch, tiny_model


def snapshot(folder):
    """{path: bytes, target or None} of everything below a folder."""
    out = {}
    for at, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(at, name)
            if os.path.islink(path):
                out[path] = os.readlink(path)
            elif os.path.isdir(path):
                out[path] = None
            else:
                out[path] = Path(path).read_bytes()
    return out


def fresh(name):
    path = scratch(name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


class FileTest(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        common.tool("rvos-segment")
        cls.model = tiny_model()

    def unchanged(self, folder, code, words, name, *args, **more):
        before = snapshot(folder)
        self.fault(code, words, name, *args, **more)
        self.assertEqual(snapshot(folder), before)

    def no_leftovers(self, *folders):
        for folder in folders:
            for at, _, files in os.walk(folder):
                self.assertEqual([f for f in files if ".part" in f], [], at)
