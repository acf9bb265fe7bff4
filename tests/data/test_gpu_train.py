#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/gpu_train.sh, with made-up data and a tiny network: that it runs through."""
import json
import os
import subprocess
import sys
import unittest

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")


class Script(unittest.TestCase):
    def test_tiny(self):
        out = os.path.join(common.scratch(), "out")
        env = dict(os.environ, RVOS_TINY="1", PYTHON=sys.executable)
        done = subprocess.run([os.path.join(common.ROOT, "tests", "gpu_train.sh"), out,
                               "1"], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertIn(done.returncode, (0, 77), done.stdout)
        with open(os.path.join(out, "rows.jsonl")) as f:
            rows = {r["name"]: r for r in map(json.loads, f)}
        for name in ("step: prototype's order, graphs", "step: fused cells, graphs",
                     "step: before / after", "training run",
                     "one-shot loss, mean of 100 to step 12"):
            self.assertIn(name, rows)
        for name in ("training run", "model, card, plot, samples",
                     "same loss at step 0, zero-shot", "same loss at step 0, one-shot"):
            self.assertEqual(rows[name]["verdict"], "PASS", done.stdout)
        # without the data no bar is judged
        self.assertEqual(rows["one-shot loss, mean of 100 to step 12"]["verdict"], "SKIP")


if __name__ == "__main__":
    common.main()
