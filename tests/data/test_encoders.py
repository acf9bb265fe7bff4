#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests encoders to start training from: all forms of files, and folded batch norms."""
import hashlib
import unittest
from unittest import mock

import common

common.need("numpy", "torch", "PIL")
import numpy as np
import torch

from rvos_train import encoder_init, model, pixels, safetensors_io
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
        """torchvision's names, ours, DataParallel's; float16; with a classifier."""
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
        """Old torchvision files hold Parameters instead of tensors."""
        path = fresh("old.pt")
        torch.save({"conv1.weight": torch.nn.Parameter(torch.ones(8, 3, 7, 7))}, path,
                   _use_new_zipfile_serialization=False)
        self.assertEqual(encoder_init.read_encoder(path)["conv1.weight"].sum().item(),
                         8 * 147)

    def test_folded(self):
        """Folded weights get batch norms that change nothing, with fitting statistics."""
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


    def mobile_state(self, kind):
        """(encoder, its state dictionary with the names of other programs)"""
        torch.manual_seed(2)
        base = model.Mobile("effnet-lite0" if kind == "lite" else "mobilenetv2", 8).eval()
        for m in base.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.running_mean.uniform_(-0.5, 0.5)
                m.running_var.uniform_(0.5, 2)
                m.weight.data.uniform_(0.5, 1)
        state = {}
        for k, v in base.state_dict().items():
            head, _, part = k.rpartition(".")
            words = head.split(".")
            if kind == "lite":
                names = {"stem": "_conv_stem", "bn": "_bn0", "bn1": "_bn0", "bn2": "_bn1",
                         "bn3": "_bn2"}
                last = names.get(words[-1], f"_{words[-1]}_conv")
                state[".".join(["_blocks", words[1], last, part] if words[0] == "blocks"
                               else [last, part])] = v
            elif words[0] == "blocks":
                at = ["expand", "bn1", "depthwise", "bn2", "project", "bn3"].index(words[2])
                at -= 2 * (words[1] == "0")  # which has no expansion
                flat = at + (at > 1) + (at > 3 and words[1] != "0")  # activations count
                deep = f"{at // 2}.{at % 2}"
                if at >= 4 - 2 * (words[1] == "0"):
                    deep = f"{2 - (words[1] == '0') + at % 2}"
                state[f"features.{int(words[1]) + 1}.conv."
                      f"{flat if kind == 'flat' else deep}.{part}"] = v
            else:
                state[f"features.0.{int(head == 'bn')}.{part}"] = v
        return base, state

    def test_mobilenet(self):
        """torchvision's names, new and old, with the last convolution and a classifier."""
        for kind in ("deep", "flat"):
            base, state = self.mobile_state(kind)
            state.update({"features.18.0.weight": torch.ones(40, 80, 1, 1),
                          "classifier.1.weight": torch.ones(10, 40)})
            if kind == "deep":
                self.assertIn("features.2.conv.1.0.weight", state)
                self.assertIn("features.1.conv.2.running_var", state)
            else:
                self.assertIn("features.2.conv.6.weight", state)
                self.assertIn("features.1.conv.4.running_var", state)
            path = fresh("mobile.pt")
            torch.save(state, path)
            other = model.Mobile("mobilenetv2", 8)
            self.assertEqual(encoder_init.load_encoder(other, path)[1], [])
            for k, v in base.state_dict().items():
                if "num_batches" not in k:
                    self.assertTrue(torch.equal(v, other.state_dict()[k]), (kind, k))

    def test_licence(self):
        """A bundle states its licence; other files are recognised by their content."""
        path = fresh("some.pt")
        torch.save({"a": torch.ones(1)}, path)
        self.assertEqual(encoder_init.licence_of(path), "unknown")
        with open(path, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        with mock.patch.dict(encoder_init.KNOWN, {digest: "MIT"}):
            self.assertEqual(encoder_init.licence_of(path), "MIT")
        path = fresh("some.safetensors")
        safetensors_io.write(path, {"a": np.ones(1, np.float32)}, {"rvos.licence": "X 1.0"})
        self.assertEqual(encoder_init.licence_of(path), "X 1.0")

    def test_lite(self):
        """The function of pixels stays the same, though input scale and epsilon differ."""
        base, state = self.mobile_state("lite")
        path = fresh("lite.pth")
        torch.save(dict(state, **{"_fc.bias": torch.ones(3)}), path)
        other = model.Mobile("effnet-lite0", 8).eval()
        self.assertEqual(encoder_init.load_encoder(other, path)[1], [])
        for m in base.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.eps = 1e-3
        base.stem.padding = other.stem.padding = 0  # the padding's colour differs
        image = self.images()[:1]
        want = base((torch.from_numpy(image).permute(0, 3, 1, 2) - 127.0) / 128)
        have = other(torch.from_numpy(pixels.normalise(image[0]))[None])
        for a, b in zip(want, have):
            self.assertLess((a - b).abs().max().item(), 1e-3 * a.abs().max().item())
        with self.assertRaisesRegex(ValueError, "no tensor of this encoder"):
            encoder_init.load_encoder(model.ResNet("resnet18", 8), path)


if __name__ == "__main__":
    common.main()
