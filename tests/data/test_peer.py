#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the PyTorch peer of the speed comparison: its numbers, and its serve mode."""
import os
import subprocess
import sys
import unittest

import common

common.need("numpy", "torch")
import numpy as np
import torch

import golden
from rvos_train import model

BENCH = os.path.join(common.ROOT, "tests", "bench")
sys.path.insert(0, BENCH)
import pytorch_peer


class Peer(unittest.TestCase):
    def setUp(self):
        self.file = common.scratch("r18.safetensors")
        golden.write_network(self.file, *golden.MODELS["r18"])

    def test_probabilities(self):
        """The folded and traced network gives the specification's probabilities."""
        net = model.load_bundle(self.file)
        rng = np.random.RandomState(0)
        frames = rng.randint(0, 256, (4, 64, 96, 3)).astype(np.uint8)
        labels = golden.seed_of(64, 96, 1, 2)
        path = lambda name: common.scratch(name + ".npy")
        np.save(path("frames"), frames)
        np.save(path("mask"), labels)
        for task in model.TASKS:
            seeds = {0: (labels, (1, 1))}
            with torch.no_grad():
                want = [s.prob.numpy() for s in
                        model.run(net, task, frames, 2, size=(64, 96), seeds=seeds)]
            for eager in ((), ("--eager",)):
                pytorch_peer.main([self.file, "--task", task, "--size", "96x64", "--objects",
                                   "2", "--frames", path("frames"), "--init-mask",
                                   path("mask"), "--probs", path("out"), *eager])
                # The error of a probability is at most a quarter of its logit's.
                self.assertLess(np.abs(np.load(path("out")) - want).max(), 5e-5)

    def test_serve(self):
        lines = subprocess.run(
            [sys.executable, os.path.join(BENCH, "pytorch_peer.py"), self.file, "--size",
             "96x64", "--objects", "2", "--serve", "--threads", "1"], timeout=120, check=True,
            input="run\nreset\nrun\njump\nquit\nrun\n", text=True,
            stdout=subprocess.PIPE).stdout.splitlines()
        self.assertEqual(lines[0], f"ready {torch.__version__} 1")
        self.assertEqual((lines[2], lines[4]), ("ok", "error: unknown request 'jump'"))
        for line in (lines[1], lines[3]):
            network, whole = map(float, line.split())
            self.assertTrue(0 < network <= whole)
        self.assertEqual(len(lines), 5)


if __name__ == "__main__":
    common.main()
