#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encoders to start a training from: all forms of files, and folded batch norms."""
import unittest

import common

common.need("numpy", "torch", "PIL")
import numpy as np
import torch

import encoder_init
import model
import pixels
from shapes import fresh

torch.set_num_threads(1)  # teams of threads crawl on a busy machine


class Encoders(unittest.TestCase):
    def net(self):
        torch.manual_seed(1)
        base = model.ResNet("resnet18", 8).eval()
        for m in base.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.running_mean.uniform_(-0.5, 0.5)
                m.running_var.uniform_(0.5, 2)
                m.weight.data.uniform_(-1, 1)
        return base

    def images(self):
        return np.random.RandomState(0).randint(0, 256, (4, 48, 64, 3), np.uint8)

    def test_forms(self):
        """torchvision's names, ours, DataParallel's; halves; with a classifier."""
        base = self.net()
        state = base.state_dict()
        for prefix in ("", "encoder.base.", "module.base."):
            path = fresh("encoder.pt")
            some = {prefix + k: v for k, v in state.items()}
            some[prefix + "fc.weight"] = torch.ones(10, 64)
            torch.save(some, path)
            other = model.ResNet("resnet18", 8)
            loaded, missing = encoder_init.load_encoder(other, path)
            self.assertEqual(missing, [])
            for k, v in other.state_dict().items():
                if "num_batches" not in k:
                    self.assertTrue(torch.equal(v, state[k]))
        path = fresh("part.pt")
        torch.save({k: v.half() for k, v in state.items() if not k.startswith("layer4")},
                   path)
        loaded, missing = encoder_init.load_encoder(model.ResNet("resnet18", 8), path)
        self.assertTrue(missing and all(k.startswith("layer4") for k in missing))
        with self.assertRaisesRegex(ValueError,
                                    "conv1.weight is .*8, 3, 7, 7.*16, 3, 7, 7"):
            encoder_init.load_encoder(model.ResNet("resnet18", 16), path)

    def test_parameters(self):
        """Old torchvision files hold parameters."""
        path = fresh("old.pt")
        torch.save({"conv1.weight": torch.nn.Parameter(torch.ones(8, 3, 7, 7))}, path,
                   _use_new_zipfile_serialization=False)
        self.assertEqual(encoder_init.read_encoder(path)["conv1.weight"].sum().item(),
                         8 * 147)

    def test_folded(self):
        """Folded weights get batch norms back that change nothing, with fitting
        statistics."""
        base, other = self.net(), model.ResNet("resnet18", 8)
        path = fresh("folded.pt")
        torch.save(encoder_init.fold(base), path)
        loaded, missing = encoder_init.load_encoder(other, path, self.images())
        self.assertEqual(missing, [])
        x = torch.randn(2, 3, 48, 64)
        with torch.no_grad():
            for a, b in zip(base.eval()(x), other.eval()(x)):
                self.assertLess((a - b).abs().max().item(), 1e-3 * a.abs().max().item())
            pictures = torch.stack([torch.from_numpy(pixels.normalise(i))
                                    for i in self.images()])
            z = other.conv1(pictures)
            torch.testing.assert_close(other.bn1.running_mean, z.mean((0, 2, 3)),
                                       atol=1e-4,
                                       rtol=1e-3)
        with self.assertRaisesRegex(ValueError, "folded"):
            encoder_init.load_encoder(model.ResNet("resnet18", 8), path)


if __name__ == "__main__":
    common.main()
