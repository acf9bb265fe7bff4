#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lets each allocation of a tool fail once. The tool must print one line and end with a documented
exit status, or give its usual results. It must not crash or leave partial files.

RVOS_ALLOC_RUNS is the number of failing allocations for each command, spread over all; 0: all."""
import json
import os
import random
import re
import shutil
import subprocess
import sys

import common
import numpy as np
from common import write_mask
from filetest import FileTest, fresh, put, snapshot

LIBRARY = os.environ.get("RVOS_FAIL_ALLOC", "")
RUNS = int(os.environ.get("RVOS_ALLOC_RUNS", "40"))
WORDS = ("memory", "Memory")


class Memory(FileTest):
    def setUp(self):
        if not os.path.exists(LIBRARY):
            self.skipTest("no library that fails allocations")
        self.top = fresh("memory")
        self.frames, self.masks = self.top + "/frames", self.top + "/masks"
        common.clip_frames(self.frames, 2, 40, 40)
        for t in range(2):
            mask = np.zeros((40, 40))
            mask[8:30, 8 + t:30] = 1
            write_mask(f"{self.masks}/a/{t:05d}.png", mask)
        self.out = self.top + "/out"

    def once(self, at, name, args):
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        log = self.top + "/count"
        p = subprocess.run([common.tool(name), *args], capture_output=True, text=True,
                           timeout=300, env={**os.environ, "LD_PRELOAD": LIBRARY,
                                             "RVOS_FAIL_AT": str(at), "RVOS_ALLOC_LOG": log,
                                             "OMP_NUM_THREADS": "1", "G_SLICE": "always-malloc"})
        with open(log) as f:
            return p, int(f.read())

    def each(self, name, *args, same=True):
        p, count = self.once(0, name, args)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertGreater(count, 20)
        want = self.results(), p.stdout
        every = range(1, count + 1)
        chosen = every if not RUNS or RUNS >= count else sorted(
            {1, *random.Random(seed).sample(every, RUNS)})
        faults = 0
        for at in chosen:
            with self.subTest(f"{name}: allocation {at} of {count}"):
                p, _ = self.once(at, name, args)
                self.assertIn(p.returncode, (0, 2, 3, 4), p.stderr)
                if p.returncode == 0 and not same:
                    continue
                if p.returncode == 0:
                    self.assertEqual((self.results(), p.stdout), want)
                    continue
                faults += 1
                lines = p.stderr.splitlines()
                self.assertEqual(len(lines), 1, p.stderr)
                self.assertTrue(lines[0].startswith(name + ": "), p.stderr)
                self.assertTrue(any(w in lines[0] for w in WORDS), p.stderr)
                if re.fullmatch("[^:]*: [^:]*: out of memory", lines[0]):
                    self.assertEqual(p.returncode, 3, p.stderr)
                for path in snapshot(self.out):
                    self.assertNotIn(".part", path)
        self.assertGreater(faults, len(chosen) // 10)

    def results(self):
        """The output, without the seconds of a measurement."""
        return snapshot(self.out)

    def test_segment(self):
        self.each("rvos-segment", "-q", "-j1", "-n1", "-s", "32x32", "-e", "reference", "-m",
                  self.model, "-d", self.out + "/p.npy", self.frames, self.out + "/o")

    def test_segment_dataset(self):
        root = self.top + "/root"
        shutil.copytree(self.frames, root + "/JPEGImages/480p/a")
        shutil.copytree(self.masks, root + "/Annotations/480p")
        put(root + "/ImageSets/2017/val.txt", "a\n")
        self.each("rvos-segment", "-q", "-j1", "-s", "32x32", "-e", "reference", "-m",
                  self.model, "--jobs", "1", "-a", "annotations", "-D", "davis2017", root,
                  self.out + "/o")

    def test_info(self):
        # an engine may be reported as "not here (out of memory)"
        self.each("rvos-info", self.model, same=False)

    def test_eval(self):
        common.tool("rvos-eval")
        for t in range(2, 4):
            shutil.copy(f"{self.masks}/a/00001.png", f"{self.masks}/a/{t:05d}.png")
        meta = {"videos": {"a": {"objects": {"1": {"category": "c"}}}}}
        self.each("rvos-eval", "-j1", "-l", put(self.top + "/list", "a\n"), "-m",
                  put(self.top + "/meta.json", json.dumps(meta)), "-k",
                  put(self.top + "/seen", "c\n"), "-J", self.out + "/x.json", "-C",
                  self.out + "/x.csv", self.masks, self.masks)


if __name__ == "__main__":
    seed = random.randrange(1 << 32)
    print(f"seed {seed}", file=sys.stderr)
    common.main()
