#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that the stored golden cases are what data/rvos_train/model.py computes, that they are
small, and that they can fail: a change of any rule of the network changes their numbers by far
more than the tolerance."""
import os
import unittest

import common

common.need("numpy", "torch")
import numpy as np
import torch

import golden
from rvos_train import model, safetensors_io

FOLDER = os.path.join(common.ROOT, "tests", "golden")
torch.set_num_threads(1)  # teams of threads crawl on a busy machine
_nets = {}


def net_of(name):
    if name not in _nets:
        path = common.scratch(name + ".safetensors")
        settings, dtype = golden.MODELS[name]
        golden.write_network(path, settings, dtype)
        _nets[name] = model.load_bundle(path)
    return _nets[name]


def stored(name):
    return safetensors_io.read(os.path.join(FOLDER, name + ".safetensors"))


class Golden(unittest.TestCase):
    def test_hash(self):
        """Fixed values, so that a seed gives the same model everywhere."""
        self.assertEqual(golden.fnv1a("a"), 0xAF63DC4C8601EC8C)
        # the first three outputs of splitmix64 from state 0
        want = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
        have = golden.uniform(golden.fnv1a("x"), "x", 3) * 2.0 ** 24
        self.assertEqual([int(v) for v in have], [v >> 40 for v in want])

    def test_cases_are_todays(self):
        files = {f[:-len(".safetensors")] for f in os.listdir(FOLDER) if "." in f
                 and f.endswith(".safetensors")}
        self.assertEqual(files, set(golden.CASES))
        total = sum(os.path.getsize(os.path.join(FOLDER, f)) for f in os.listdir(FOLDER))
        self.assertLess(total, 1 << 20)
        for name, c in golden.CASES.items():
            frames, seeds, logits = golden.compute(net_of(c["model"]), name, c)
            have, meta = stored(name)
            self.assertLess(np.abs(have["logits_half"] - logits.numpy()).max(),
                            5e-5, name)
            np.testing.assert_array_equal(have["frames"], frames)
            self.assertEqual(meta,
                             golden.describe(c, len(frames), c["model"] + ".safetensors"))
            self.assertEqual({k for k in have if k.startswith("seed.")},
                             {f"seed.{t}" for t in seeds})
            if c["labels"]:
                sure = have["labels"] != 255
                self.assertGreater(sure.mean(), 0.98)
                for t, row in enumerate(logits):
                    labels = model.label_map(row, c["size"], frames.shape[1:3])
                    self.assertTrue((labels == have["labels"][t])[sure[t]].all())
                self.assertGreater(len(np.unique(have["labels"][sure])), 2)

    def test_rules_show(self):
        """A network with one rule wrong fails the case by 50 times the tolerance."""
        def differ(name, **change):
            c = dict(golden.CASES[name], **change)
            return np.abs(golden.compute(net_of(c["model"]), name, c)[2].numpy()
                          - stored(name)[0]["logits_half"]).max()
        for name, change in (
                ("r18_zero", dict(variant="spatial")),
                ("r18_zero", dict(variant="temporal")),
                ("r18_zero_spatial", dict(variant="temporal")),
                ("r18_one", dict(variant="spatial")),
                ("r18_one", dict(variant="temporal")),
                ("r18_one", dict(seeds=(), all_slots=True)),
                ("r18_one_late", dict(all_slots=True)),
                ("r18_one_late_all", dict(all_slots=False)),
                ("r18_one_wait", dict(seeds=golden.CASES["r18_one_wait"]["seeds"][:1])),
                ("r34_zero", dict(variant="spatial")),
                ("vgg16_one", dict(seeds=(), all_slots=True)),
                ("r18_k1_one", dict(seeds=(), all_slots=True)),
                ("r50_one", dict(seeds=(), all_slots=True))):
            self.assertGreater(differ(name, **change), 50 * 2e-4, (name, change))

    def test_temporal_without_frame_0(self):
        """Spatial recurrence at frame 0 of the temporal variant shows."""
        c, net = golden.CASES["r18_zero_temporal"], net_of("r18")
        frames, _ = golden.inputs("r18_zero_temporal", c)
        x = torch.from_numpy(golden.pixels.normalise(frames[0]))[None]
        with torch.no_grad():
            wrong = net.zero_shot.frame(net.encoder(x), 3, spatial=False)[0][0].numpy()
        error = np.abs(wrong
                       - stored("r18_zero_temporal")[0]["logits_half"][0]).max((1, 2))
        self.assertLess(error[0], 5e-5)
        self.assertGreater(error[1:].min(), 50 * 2e-4)

    @common.shared_golden
    def test_half_of_the_originals(self):
        """Missing and incomplete cases are left out; the rest is converted."""
        golden_dir = common.scratch("half", "golden")
        out, whole = common.scratch("cases"), "f1_small_skip_sum"
        os.makedirs(os.path.join(golden_dir, "a_small_zeroshot"))
        self.assertEqual(golden.from_shared(golden_dir, out), 0)
        self.assertEqual(os.listdir(out), [])
        for name in (whole, "encoder_resnet34.pt.xz"):
            os.symlink(os.path.join(common.GOLDEN, name), os.path.join(golden_dir, name))
        self.assertEqual(golden.from_shared(golden_dir, out), 1)
        self.assertEqual(sorted(os.listdir(out)), [f"{whole}.model.safetensors",
                                                   f"{whole}.safetensors"])

    @common.shared_model
    def test_reference_alone(self):
        """With the shipped model."""
        shared, out = (common.scratch(n) for n in ("alone", "reference"))
        os.makedirs(os.path.join(shared, "model"))
        os.symlink(os.path.join(common.MODEL, "reference"),
                   os.path.join(shared, "model", "reference"))
        self.assertEqual(golden.from_shared(os.path.join(shared, "golden"), out), 2)
        _, meta = safetensors_io.read(os.path.join(out, "reference_one_shot.safetensors"))
        self.assertEqual(meta["case.model"],
                         os.path.join(common.ROOT, "data", "models",
                                      "rvos-resnet18-h128.safetensors"))

    def test_norms(self):
        """Batch norms with weights of both signs, and statistics far from 0 and 1."""
        tensors, _ = golden.random_network(**golden.MODELS["r18"][0])
        weight, mean, var = (tensors[f"encoder.base.layer2.0.bn1.{k}"]
                             for k in ("weight", "running_mean", "running_var"))
        self.assertTrue(weight.min() < -0.5 and weight.max() > 0.5)
        self.assertTrue(mean.std() > 0.1 and var.std() > 0.1)


if __name__ == "__main__":
    common.main()
