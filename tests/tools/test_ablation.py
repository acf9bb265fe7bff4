#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""data/rvos_train/ablation.py end to end on tiny data sets and a tiny random network: its tables
hold what rvos-eval says of what rvos-segment wrote. And tests/bench/compare.py, where
PyTorch is there."""
import json
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

import common
from common import BIN, ROOT, scratch, tiny_model
from test_dataset import make_davis, make_youtube

try:
    import torch
except ImportError:
    torch = None


ABLATION = (os.path.join(ROOT, "data", "rvos_train"), "ablation")
COMPARE = os.path.join(ROOT, "tests", "bench", "compare.py")


def script(*args):
    done = subprocess.run([sys.executable, *map(str, args)],
                          capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def rows_of(text):
    """{first cell: other cells} of all tables."""
    rows = {}
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "model":
            rows.setdefault(cells[0], cells[1:])
    return rows


class Ablation(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        common.tool("rvos-segment")
        common.tool("rvos-eval")
        cls.model = tiny_model()

    def run_it(self, *args):
        code, out, err = script(*ABLATION, *args, "--tools", BIN, "--model", self.model,
                                "--", "-q")
        self.assertEqual(code, 0, out + err)
        return out

    def test_davis(self):
        root, out = make_davis(scratch("abl")), scratch("abl-out")
        shutil.rmtree(out, ignore_errors=True)
        self.run_it("davis2017", root, out, "--checkpoint", f"RVOS-Mask-ST+={self.model}")
        rows = rows_of(Path(out, "ablation.md").read_text())
        for row in ("RVOS-Mask-S", "RVOS-Mask-T", "RVOS-Mask-ST", "RVOS-Mask-ST+",
                    "RVOS-S", "RVOS-T", "RVOS-ST"):
            mean = json.loads(Path(out, row + ".json").read_text())["mean"]
            self.assertEqual(rows[row][:2],
                             [f"{100 * mean[m]['mean']:.1f}" for m in "JF"], row)
        self.assertEqual(rows["RVOS-Mask-ST"], rows["RVOS-Mask-ST+"])  # the same file
        self.assertNotEqual(rows["RVOS-Mask-S"], rows["RVOS-Mask-ST"])
        self.assertEqual(rows["OSMN"][2:], ["37.7", "44.9"])
        self.assertIn("2 objects", rows)

    def test_youtube(self):
        root, out = make_youtube(scratch("aby")), scratch("aby-out")
        shutil.rmtree(out, ignore_errors=True)
        # annotations that reach beyond the first frame, to be scored
        notes = os.path.join(root, "valid", "Annotations")
        for name in ("cat", "dog"):
            for t in (4, 5):
                first = "00002.png" if name == "dog" else "00000.png"
                source = os.path.join(notes, name, first)
                shutil.copy(source, os.path.join(notes, name, f"{t:05d}.png"))
        meta, seen = scratch("meta.json"), scratch("seen.txt")
        with open(meta, "w") as f:
            json.dump({"videos": {"cat": {"objects": {"1": {"category": "cat"}}}, "dog": {
                "objects": {"1": {"category": "dog"}, "2": {"category": "emu"}}}}}, f)
        Path(seen).write_text("cat\ndog\n")
        self.run_it("youtube-vos", root, out, "--only", "RVOS-Mask-ST,RVOS-ST", "--meta",
                    meta, "--seen", seen)
        rows = rows_of(Path(out, "ablation.md").read_text())
        result = json.loads(Path(out, "RVOS-ST.json").read_text())
        want = [f"{100 * result[g][m]['mean']:.1f}" for m in "JF"
                for g in ("seen", "unseen")]
        self.assertEqual(rows["RVOS-ST"], [*want, "44.7", "21.2", "45.0", "23.9"])
        self.assertEqual(rows["RVOS-S"][:4], [""] * 4)  # not requested
        self.assertEqual(rows["1 object"][2:], ["78.2", "75.5"])

    def test_refusals(self):
        code, _, err = script(*ABLATION, "davis2017", scratch("nowhere"), scratch("o"),
                              "--model", self.model)
        self.assertNotEqual(code, 0)
        self.assertIn("is missing", err)
        root = make_davis(scratch("abl"))
        code, _, err = script(*ABLATION, "davis2017", root, scratch("o"))
        self.assertIn("no row has a model", err)
        code, _, err = script(*ABLATION, "davis2017", root, scratch("o"), "--checkpoint", "RVOS-X=y")
        self.assertIn("RVOS-Mask-S", err)


@unittest.skipUnless(torch, "no PyTorch")
class Peers(common.ToolTest):
    ARGS = (os.path.dirname(os.path.dirname(BIN)), "--anyway", "--frames", "made", "--count", 2,
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
        sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
        import compare
        before = compare.TOLERANCE
        try:
            compare.TOLERANCE = -1.0
            code = compare.main([*map(str, self.ARGS), tiny_model(), "--rounds", "1",
                                 "--objects", "1", "--peers", ""])
        finally:
            compare.TOLERANCE = before
        self.assertEqual(code, 1)


if __name__ == "__main__":
    common.main()
