#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests safetensors_io.py: its output, its errors, and the shipped model."""
import json
import os
import struct
import unittest
from pathlib import Path

import common

common.need("numpy")
import numpy as np

from common import MODEL, shared_model
from rvos_train import layout, safetensors_io
from rvos_train.safetensors_io import FormatError

BUNDLE = os.path.join(MODEL, "rvos-resnet18-h128.safetensors")


class Safetensors(unittest.TestCase):
    def path(self):
        return common.scratch("t.safetensors")

    def test_round_trip(self):
        rng = np.random.RandomState(0)
        tensors = {"b.c": rng.rand(2, 3, 4).astype(np.float32),
                   "a": np.arange(5, dtype=np.uint8),
                   "h": rng.rand(3).astype(np.float16), "n": np.array(7, np.int64),
                   "e": np.zeros((0, 3), np.float32)}
        safetensors_io.write(self.path(), tensors, {"k": "v\u00e4"})
        have, meta = safetensors_io.read(self.path())
        self.assertEqual(meta, {"k": "v\u00e4"})
        self.assertEqual(set(have), set(tensors))
        for k, v in tensors.items():
            self.assertEqual(have[k].dtype, v.dtype)
            np.testing.assert_array_equal(have[k], v)
        with open(self.path(), "rb") as f:
            self.assertEqual(struct.unpack("<Q", f.read(8))[0] % 8, 0)

    def test_bf16(self):
        header = json.dumps({"x": {"dtype": "BF16", "shape": [2],
                                   "data_offsets": [0, 4]}})
        with open(self.path(), "wb") as f:
            f.write(struct.pack("<Q",
                                len(header)) + header.encode() + b"\x80\x3f\x00\xc0")
        self.assertEqual(safetensors_io.read(self.path())[0]["x"].tolist(), [1.0, -2.0])

    def test_damage(self):
        good = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        bad = lambda **change: {"x": dict(good, **change)}
        headers = [bad(dtype="F31"), bad(shape=[3]), bad(shape=[-2]), bad(shape="2"),
                   bad(shape=[True, 2]), bad(data_offsets=[0, 9]),
                   bad(data_offsets=[8, 0]),
                   bad(data_offsets=[4, 12]), bad(data_offsets=[0]), bad(shape=[2] * 9),
                   {"x": dict(good, shape=[1], data_offsets=[0, 4])},
                   {"x": dict(good, shape=[1], data_offsets=[4, 8])},
                   {"x": 3}, {"x": good, "y": dict(good, shape=[1], data_offsets=[4, 8])},
                   [1], {"__metadata__": {"a": 1}}]
        texts = [json.dumps(h).encode() for h in headers]
        texts += [b"{", b"\xff\xfe", b'{"x":1,"x":2}', b"[" * 100000]
        for text in texts:
            Path(self.path()).write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
            with self.assertRaisesRegex(FormatError, "t.safetensors"):
                safetensors_io.read(self.path())
        for raw in (b"", b"1234", struct.pack("<Q", 1 << 60) + b"{}"):
            Path(self.path()).write_bytes(raw)
            with self.assertRaisesRegex(FormatError, "t.safetensors"):
                safetensors_io.read(self.path())

    def test_other_files(self):
        for start, word in ((b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs"),
                            (b"<!DOCTYPE html><html>", "web page"), (b"PK\3\4" + bytes(60), "zip"),
                            (b"\x80\2}q\0." + bytes(60), "pickle"), (b"", "too short")):
            Path(self.path()).write_bytes(start)
            with self.assertRaisesRegex(FormatError, word):
                safetensors_io.read(self.path())
        os.unlink(self.path())
        os.mkfifo(self.path())  # nobody writes to this pipe: read() must not wait
        with self.assertRaisesRegex(FormatError, "regular"):
            safetensors_io.read(self.path())
        os.unlink(self.path())
        os.mkdir(self.path())
        with self.assertRaisesRegex(FormatError, "regular"):
            safetensors_io.read(self.path())
        os.rmdir(self.path())

    def test_atomic(self):
        safetensors_io.write(self.path(), {"x": np.ones(2, np.float32)})
        before = Path(self.path()).read_bytes()
        with self.assertRaises(FormatError):
            safetensors_io.write(self.path(), {"x": np.ones(2, np.complex64)})
        with self.assertRaises(RuntimeError):
            with safetensors_io.atomic(self.path()) as f:
                f.write(b"half of")
                raise RuntimeError("power cut")
        self.assertEqual(Path(self.path()).read_bytes(), before)
        self.assertEqual([n for n in os.listdir(common.scratch()) if n.endswith(".part")],
                         [])


@shared_model
class Shipped(unittest.TestCase):
    def test_bundle(self):
        """Names, shapes, types, metadata and counts."""
        tensors, meta = safetensors_io.read(BUNDLE)
        self.assertEqual(len(tensors), 144)
        self.assertEqual({v.dtype.str for v in tensors.values()}, {"<f2"})
        self.assertEqual({k: v.shape for k, v in tensors.items()},
                         layout.bundle("resnet18", 128))
        for key, value in (("base", "resnet18"), ("hidden", "128"), ("width", "448"),
                           ("tasks", "zero-shot,one-shot"), ("height", "256"),
                           ("objects", "5")):
            self.assertEqual(meta["rvos." + key], value)
        self.assertTrue(meta["rvos.licence"] and meta["rvos.provenance"])
        count = lambda p: sum(v.size for k, v in tensors.items() if k.startswith(p))
        self.assertEqual((count("encoder."), count("zero_shot."), count("one_shot.")),
                         (12164768, 2931793, 2940433))

    def test_copies_load(self):
        """Other types, more tensors, and one decoder only; what is missing is named."""
        try:
            import torch
            from rvos_train import model
        except ImportError:
            self.skipTest("no PyTorch")
        tensors, meta = safetensors_io.read(BUNDLE)
        want = model.load_bundle(BUNDLE)
        file = common.scratch("copy.safetensors")
        f32 = {k: v.astype(np.float32) for k, v in tensors.items()}
        tracked = dict(f32,
                       **{"encoder.base.bn1.num_batches_tracked": np.array(3, np.int64),
                          "encoder.base.fc.weight": np.ones((5, 512), np.float32)})
        single = {k: v for k, v in tensors.items() if not k.startswith("one_shot.")}
        one = dict(meta, **{"rvos.tasks": "zero-shot"})
        for t, m in ((f32, meta), (tracked, meta), (single, one)):
            safetensors_io.write(file, t, m)
            have = model.load_bundle(file)
            for k, v in have.state_dict().items():
                self.assertTrue(torch.equal(v, want.state_dict()[k]), k)
        with self.assertRaisesRegex(ValueError, "no one-shot decoder, only zero-shot"):
            have.decoder("one-shot")
        del single["zero_shot.conv_out.bias"]
        safetensors_io.write(file, single, one)
        with self.assertRaisesRegex(ValueError, "zero_shot.conv_out.bias"):
            model.load_bundle(file)


if __name__ == "__main__":
    common.main()
