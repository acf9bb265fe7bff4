#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests tests/cuda/peers.py without a GPU, with a fake PyTorch. A peer that takes too long to
prepare, a peer that fails, and an early end must not cost the others' results."""
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import types
from pathlib import Path

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import peers
import testing  # noqa: E402

check = testing.Checks()


class Side(peers.Turn):
    prepared = []

    def __init__(self, name, *arguments):
        super().__init__(name)
        self.kind = arguments[0][-1] if len(arguments) == 1 else arguments[-1]
        Side.prepared.append(self.kind)
        if self.kind == "compile":
            try:
                time.sleep(60)
            except Exception:  # compilers catch all exceptions
                time.sleep(60)
        if self.kind == "fp32":
            raise RuntimeError("no such thing\nin many lines")

    def run(self):
        if self.kind == "graph" and self.ends:
            os.kill(os.getpid(), signal.SIGTERM)
        return 2.0

    def close(self):
        pass


def run(folder, ends, seconds, kinds):
    """The exit status and the JSON."""
    path = os.path.join(folder, "peers.json")
    Side.ends = ends
    sys.argv = ["peers.py", "bench", "model", "zero-shot", "10", "--seconds", str(seconds),
                "--ours", "fp16", "--peers", kinds, "--json", path]
    try:
        status = peers.main()
    except SystemExit as e:
        status = e.code
    return status, json.loads(Path(path).read_text())


def main():
    cuda = types.SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "GPU")
    sys.modules["torch"] = types.SimpleNamespace(cuda=cuda, __version__="2")
    peers.Side = peers.Peer = Side
    with tempfile.TemporaryDirectory() as tmp:
        status, got = run(tmp, False, 2, "graph,fp32,compile,tf32")
        check(status == 0, f"status {status}")
        check([r["name"] for r in got["rows"]] == ["rvosseg fp16", "PyTorch 2 graph"], got["rows"])
        check(got["unshown"] == ["PyTorch fp32: RuntimeError: no such thing",
                                  "PyTorch compile: OutOfTime: took too long to prepare",
                                  "PyTorch tf32: no time left"], got["unshown"])
        check(Side.prepared == ["fp16", "graph", "fp32", "compile"], Side.prepared)
        check(signal.getitimer(signal.ITIMER_REAL)[0] == 0, "no alarm is left")
        status, got = run(tmp, True, 60, "graph")
        check(status == 1 and "rows" in got, f"ended: {status}, {got}")
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
