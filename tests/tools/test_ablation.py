#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""data/rvos_train/ablation.py end to end on tiny data sets and a tiny random network: its tables
hold what rvos-eval says of what rvos-segment wrote."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import common
from common import BIN, ROOT, scratch, tiny_model
from test_dataset import make_davis, make_youtube

ABLATION = (os.path.join(ROOT, "data", "rvos_train"), "ablation")


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


if __name__ == "__main__":
    common.main()
