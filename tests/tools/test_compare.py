#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests tests/bench/compare.py where PyTorch is there, its peers without their packages, and
tests/bench/element.py."""
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import common
import numpy as np
from common import BIN, ROOT, scratch, tiny_model
from testing import captured

BENCH = os.path.join(ROOT, "tests", "bench")
sys.path.insert(0, BENCH)
import compare
import onnx_peer
import peers

try:
    import torch
except ImportError:
    torch = None
BUILD = os.path.dirname(os.path.dirname(BIN))
COMPARE = os.path.join(BENCH, "compare.py")


def script(*args):
    done = subprocess.run([sys.executable, *map(str, args)],
                          capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


@unittest.skipUnless(torch, "no PyTorch")
class Peers(common.ToolTest):
    ARGS = (BUILD, "--anyway", "--frames", "made", "--count", 2,
            "--threads", 1, "--warm-up", 1, "--precision", "fp32")

    def test_small(self):
        """Outputs are compared, engines take turns, and the files are those of rvos-bench."""
        common.tool("rvos-bench")
        ours, theirs = scratch("ours.json"), scratch("theirs.json")
        code, out, err = script(COMPARE, *self.ARGS, tiny_model(), "--rounds", 3, "--peers", "jit,eager", "--objects",
                                2, "--task", "one-shot", "--json", ours, theirs,
                                "--against", os.path.join(BIN, "rvos-bench"))
        self.assertEqual(code, 0, out + err)
        rows = json.loads(Path(theirs).read_text())["results"]
        self.assertEqual([r["engine"] for r in rows],
                         ["other rvosseg", "pytorch-jit", "pytorch-eager"])
        self.assertEqual([r["frames"] for r in rows], [3] * 3)
        self.assertEqual(out.count("| other rvosseg ("), 1)
        self.assertEqual(out.count(" | 0.0e+00 | 1.0000 |"), 2, out)  # this build twice
        self.assertIn("\n| engine | precision | resnet18, 2 slots |\n", out)
        self.assertRegex(out, r"\n\| rvosseg \| float32 \| [0-9.]+ ms \|\n")
        self.assertRegex(out, r"\n\| PyTorch \S+ \(jit\) \| float32 \| [0-9.]+ ms \([0-9.]+x\) \|\n")
        self.assertRegex(out, r"\nrvosseg fp32: .* \d+%")  # what computed
        text = self.ok("rvos-bench", "--compare", ours, theirs)
        self.assertIn("1 of 1 results", text)
        self.assertEqual(text.count("pytorch-jit"), 1)

    def test_lists(self):
        """Each task runs with each number of objects."""
        ours, theirs = scratch("ours-all.json"), scratch("theirs-all.json")
        code, out, err = script(COMPARE, *self.ARGS, tiny_model(), "--rounds", 2, "--peers", "",
                                "--objects", "1,2", "--task", "zero-shot,one-shot", "--json",
                                ours, theirs)
        self.assertEqual(code, 0, out + err)
        rows = json.loads(Path(ours).read_text())["results"]
        self.assertEqual([(r["task"], r["objects"]) for r in rows],
                         [(t, n) for t in ("zero-shot", "one-shot") for n in (1, 2)])
        self.assertEqual(json.loads(Path(theirs).read_text())["results"], [])

    def test_unequal_outputs_are_not_timed(self):
        """With a tolerance of nothing, the rows are reported and left out."""
        before = compare.TOLERANCE
        try:
            compare.TOLERANCE = -1.0
            code = compare.main([*map(str, self.ARGS), tiny_model(), "--rounds", "1",
                                 "--objects", "1", "--peers", ""])
        finally:
            compare.TOLERANCE = before
        self.assertEqual(code, 1)


class Adder:
    """An engine of 2x3 pixels with two objects. States grow by the first pixel."""
    shapes = {"image": (1, 3, 2, 3), "prob": (1, 2, 2, 3),
              **{f"{way}{k}": (1, 2) for way in "hn" for k in range(4)}}

    def __init__(self, prob):
        self.values = prob

    def bind(self, inputs, outputs):
        def run():
            for k in range(4):
                outputs[f"n{k}"][:] = inputs[f"h{k}"] + inputs["image"][0, 0, 0, 0]
            outputs["prob"][0] = self.values
        return run


class Engines(unittest.TestCase):
    def test_frame(self):
        """The state goes from frame to frame, and labels follow the rule."""
        prob = np.float32([[[.6, .4, .5], [.2, .9, .7]], [[.6, .3, .2], [.5, .95, .1]]])
        video = onnx_peer.Video(Adder(prob))
        frame = np.full((2, 3, 3), 255, np.uint8)
        step = (1 - onnx_peer.MEAN[0]) / onnx_peer.STD[0]
        for again in range(2):
            for t in range(3):
                before = video.inputs(frame)["h3"]
                np.testing.assert_allclose(before, t * step, rtol=1e-6)
                labels = video.frame(frame)
            np.testing.assert_array_equal(labels, [[1, 0, 1], [2, 2, 1]])
            np.testing.assert_array_equal(video.prob[0], prob)
            video.reset()

    def test_kept(self):
        """A network is made once for the same inputs; a failure is told and not kept."""
        folder = Path(scratch("venv"))
        folder.mkdir()
        (folder / "installed.txt").write_text(peers.PINS.read_text())
        made, source = peers.Environment(folder), folder / "model"
        source.write_text("a")
        write = (sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('x')", None)
        one = made._made("n.onnx", *write, inputs=[source])
        self.assertEqual(made._made("n.onnx", *write, inputs=[source]), one)
        self.assertEqual(one.read_text(), "x")
        self.assertNotEqual(made._made("n.onnx", *write, inputs=[source], objects=2), one)
        source.write_text("b")
        other = made._made("n.onnx", *write, inputs=[source])
        self.assertNotEqual(other, one)
        with mock.patch("sys.stderr"):
            bad = (sys.executable, "-c", "import sys; sys.exit('no')", None)
            self.assertIsNone(made._made("m.onnx", *bad, inputs=[source]))
            self.assertIsNotNone(made._made("m.onnx", *write, inputs=[source]))

    def test_installs_once(self):
        """pip installs the pins into a folder that lacks them, and not again."""
        folder = Path(scratch("empty"))
        with mock.patch("venv.create") as create, mock.patch("peers.call") as pip, \
                mock.patch("sys.stderr"):
            create.side_effect = lambda path, with_pip: path.mkdir()
            peers.Environment(folder)
            peers.Environment(folder)
        self.assertEqual((create.call_count, pip.call_count), (1, 1))
        self.assertIn(peers.PINS, pip.call_args.args)

    def test_summary(self):
        """A peer's time is compared with ours of its precision; a case without it has an empty
        cell."""
        def row(name, precision, ms, iou=1.0):
            r = peers.Row(name, precision, None, None)
            r.side, r.iou = SimpleNamespace(median=ms, about=f"{name} 7"), iou
            return r

        info = {"encoder": "resnet18", "size": (448, 256)}
        cases = [SimpleNamespace(info=info, objects=5, rows=[
            row("rvosseg", "fp32", 10), row("rvosseg", "int8", 4, .99),
            row("openvino", "fp32", 21), row("openvino", "int8+bf16", 8, .9)]),
            SimpleNamespace(info=info, objects=10, rows=[row("rvosseg", "fp32", 20)])]
        out = captured(lambda _: compare.summary(
            SimpleNamespace(threads=2, rounds=30), cases))[1]
        self.assertEqual(out.splitlines()[3:], [
            "| engine | precision | resnet18, 5 slots | resnet18, 10 slots |", "|---|---|---|---|",
            "| rvosseg | float32 | 10.0 ms | 20.0 ms |",
            "| rvosseg | int8 | 4.0 ms, IoU 0.990 |  |",
            "| openvino 7 | float32 | 21.0 ms (2.1x) |  |",
            "| openvino 7 | int8, the rest bfloat16 | 8.0 ms (2.0x), IoU 0.900 |  |"])


class Element(common.ToolTest):
    def test_small(self):
        """Each precision has a row, and the network's time is a part of the whole."""
        common.need("gi")
        if not os.path.exists(os.path.join(BUILD, "gst", "libgstrvosseg.so")):
            self.skipTest("built without GStreamer")
        code, out, err = script(
            os.path.join(BENCH, "element.py"), BUILD, "--anyway", "--size", "96x64", "--count", 3,
            "--rounds", 3, "--threads", 1, "--precision", "fp32,auto", "objects=2",
            f"model={tiny_model()}")
        self.assertEqual(code, 0, out + err)
        rows = [line.split(" | ") for line in out.splitlines() if line.startswith("| ")][1:]
        self.assertEqual([r[0] for r in rows], ["| fp32", "| auto"], out)
        for r in rows:
            whole, engine = float(r[2]), float(r[3])
            self.assertTrue(0 < engine <= whole, out)


if __name__ == "__main__":
    common.main()
