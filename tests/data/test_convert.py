#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests data/convert.py and checkpoint.py: names, shapes and values of the output, and
mistakes of users. It needs numpy; the parts that run a network need PyTorch."""
import io
import os
import pickle
import shutil
import struct
import unittest
import zipfile
from pathlib import Path

import common

common.need("numpy")
import numpy as np

from rvos_train import checkpoint, convert, layout, safetensors_io
from rvos_train.checkpoint import CheckpointError
from common import GOLDEN, shared_golden


# ---- a writer of both containers, which can also write bad ones ------------------------

def opcodes_str(s):
    return b"X" + struct.pack("<I", len(s.encode())) + s.encode()


def opcodes_int(n):
    return b"J" + struct.pack("<i", n)


def state_pickle(state, location="cuda:0"):
    out = b"\x80\x02ccollections\nOrderedDict\n)R("
    for key, (name, array) in enumerate(state.items()):
        kind = {"f4": "FloatStorage", "i8": "LongStorage", "f2": "HalfStorage"}[
            array.dtype.str[1:]]
        out += (opcodes_str(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
                + opcodes_str("storage") + b"ctorch\n" + kind.encode() + b"\n"
                + opcodes_str(str(key)) + opcodes_str(location) + opcodes_int(array.size)
                + b"NtQK\0(" + b"".join(map(opcodes_int, array.shape)) + b"t("
                + b"".join(opcodes_int(s // array.itemsize) for s in array.strides)
                + b"t\x89ccollections\nOrderedDict\n)RtR")
    return out + b"u}" + opcodes_str("_metadata") + b"Nsb."


def legacy(state, stateful=None):
    """The file as PyTorch 1.0 writes it; `stateful` replaces the pickle of the state."""
    state = {k: np.ascontiguousarray(v) for k, v in state.items()}
    out = pickle.dumps(checkpoint.MAGIC, 2) + pickle.dumps(1001, 2)
    out += pickle.dumps(dict(protocol_version=1001, little_endian=True, type_sizes={}), 2)
    out += stateful or state_pickle(state)
    out += pickle.dumps([str(n) for n in range(len(state))], 2)
    for v in state.values():
        out += struct.pack("<q", v.size) + v.tobytes()
    return out


def tiny_state(one_shot=False, base="resnet18", mode="concat", kernel=3, seed=0):
    rng = np.random.RandomState(seed)
    make = lambda shapes: {k: (rng.rand(*s) + 0.5).astype(np.float32) for k,
                           s in shapes.items()}
    return (make(layout.encoder(base, 8, kernel, 8)),
            make(layout.decoder(8, kernel, mode, one_shot)))


def folder(name, encoder, decoder, args=None):
    out = common.scratch(name)
    shutil.rmtree(out, ignore_errors=True)
    os.mkdir(out)
    for file, state in (("encoder.pt", encoder), ("decoder.pt", decoder)):
        Path(out, file).write_bytes(state if isinstance(state, bytes) else legacy(state))
    if args is not None:
        Path(out, "args.pkl").write_bytes(args if isinstance(args, bytes) else args_pickle(**args))
    return out


def args_pickle(**values):
    import argparse
    return pickle.dumps(argparse.Namespace(**values), 3)


def run(*args):
    """convert.py's exit status, output and errors."""
    return common.captured(convert.main, *args)


class Marker:
    """If this is unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@shared_golden
class Published(unittest.TestCase):
    """The original's own files."""

    def variant(self, name):
        return os.path.join(GOLDEN, "a_small_zeroshot", "model_variants", name)

    def test_encoder(self):
        path = os.path.join(common.golden_checkpoint("a_small_zeroshot"), "encoder.pt")
        state = checkpoint.read_state(path)
        self.assertEqual(len(state), 246)
        have = {k: v.shape for k, v in convert.clean(state).items()}
        self.assertEqual(have, layout.encoder("resnet34", 32))
        self.assertEqual(state["base.bn1.num_batches_tracked"].dtype, np.int64)

    def test_encoder_as_torch_reads_it(self):
        try:
            import torch
        except ImportError:
            self.skipTest("no PyTorch")
        path = os.path.join(common.golden_checkpoint("a_small_zeroshot"), "encoder.pt")
        for file in (path, self.variant("decoder_zip.pt")):
            want = torch.load(file, map_location="cpu")  # our own files: safe to load
            have = checkpoint.read_state(file)
            self.assertEqual(list(want), list(have))
            for k in want:
                np.testing.assert_array_equal(want[k].numpy(), have[k])

    def test_containers(self):
        plain = checkpoint.read_state(os.path.join(GOLDEN, "a_small_zeroshot", "model",
                                                   "decoder.pt"))
        for name in ("decoder_zip.pt", "decoder_legacy_cpu.pt", "decoder_dataparallel.pt",
                     "decoder_with_fc_stop.pt"):
            raw = checkpoint.read_state(self.variant(name))
            have = convert.clean(raw, convert.IGNORED + ("fc_stop",))
            self.assertEqual(list(have), list(plain), name)
            for k in plain:
                np.testing.assert_array_equal(have[k], plain[k])
            if "parallel" in name:
                self.assertTrue(all(k.startswith("module.") for k in raw))

    def test_truncated_encoder(self):
        out = common.scratch("truncated")
        shutil.copytree(common.golden_checkpoint("a_small_zeroshot"), out, symlinks=True)
        os.unlink(os.path.join(out, "encoder.pt"))
        shutil.copy(self.variant("encoder_truncated_missing_keys.pt"),
                    os.path.join(out, "encoder.pt"))
        file = os.path.join(out, "x.safetensors")
        status, _, err = run(out, "-o", file)
        self.assertEqual(status, 1)
        self.assertRegex(err, r"encoder\.pt: missing: [a-z]+[\w.]+\.(weight|bias)")
        self.assertFalse(os.path.exists(file))

    def test_convert(self):
        file = common.scratch("b.safetensors")
        status, out, err = run(common.golden_checkpoint("b_small_oneshot"), "-o", file,
                               "--size", "112x64", "--licence", "ours",
                               "--provenance", "made")
        self.assertEqual((status, err), (0, ""))
        tensors, meta = safetensors_io.read(file)
        self.assertEqual(meta, {"rvos.base": "resnet34", "rvos.hidden": "32",
                                "rvos.tasks": "one-shot", "rvos.width": "112",
                                "rvos.height": "64", "rvos.objects": "10",
                                "rvos.licence": "ours", "rvos.provenance": "made"})
        want = layout.bundle("resnet34", 32, tasks=("one-shot",))
        self.assertEqual({k: v.shape for k, v in tensors.items()}, want)
        self.assertEqual({v.dtype.str for v in tensors.values()}, {"<f2"})
        status, _, err = run(common.golden_checkpoint("b_small_oneshot"), "-o", file,
                             "--task", "zero-shot")
        self.assertEqual(status, 1)
        self.assertIn("holds one-shot weights, not zero-shot", err)

    def test_skip_sum(self):
        _, settings = convert.load(common.golden_checkpoint("f1_small_skip_sum"))
        self.assertEqual(settings["skip_mode"], "sum")
        meta = convert.metadata(settings, (112, 64), "", "")
        self.assertEqual(meta["rvos.skip_mode"], "sum")


class Pickles(unittest.TestCase):
    """Nothing in a pickle is executed."""

    def refuse(self, path, reader, pattern="refused"):
        with self.assertRaisesRegex(CheckpointError, pattern):
            reader(path)

    def test_foreign_global_in_args(self):
        mark = common.scratch("executed")
        path = common.scratch("bad.pkl")
        for protocol in (0, 2, 3, 4):
            with open(path, "wb") as f:
                pickle.dump({"a": Marker(mark)}, f, protocol)
            self.refuse(path, checkpoint.read_args, "refused|unknown|not a pickle")
            self.assertFalse(os.path.exists(mark))
        with open(path, "rb") as f:
            pickle.load(f)["a"].close()  # it does harm if a pickle is loaded
        self.assertTrue(os.path.exists(mark))
        os.unlink(mark)

    def test_foreign_global_in_state(self):
        mark = common.scratch("executed")
        evil = pickle.dumps({"a": Marker(mark)}, 2)
        enc, dec = tiny_state()
        for state in (legacy({}, evil), self.zipped(enc, evil)):
            out = folder("evil", state, dec)
            status, _, err = run(out, "-o", os.path.join(out, "x"))
            self.assertEqual(status, 1)
            self.assertRegex(err,
                             r"encoder.pt: asks for '(io|_io|__builtin__).open'.*refused")
            self.assertFalse(os.path.exists(mark))

    def test_foreign_opcodes(self):
        path = common.scratch("ops.pkl")
        for body in (b"(cos\nsystem\nS'true'\no.", b"(S'true'\nios\nsystem\n.",
                     b"\x82\x01.",
                     b"Pname\n.", b")\x81.", b"R.", b"b.", b"0000.", b"",
                     b"\x80\x02", b"(((",
                     b"h\x07.", b"u.", b"t.", b"}(K\x01u.", b"N."):
            Path(path).write_bytes(body)
            self.refuse(path, checkpoint.read_args, "ops.pkl: ")

    @staticmethod
    def zipped(state, data=None, compress=zipfile.ZIP_STORED, drop=None):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", compress) as z:
            z.writestr("archive/data.pkl", data or state_pickle(state, "cuda:3"))
            for n, v in enumerate(state.values()):
                if n != drop:
                    z.writestr(f"archive/data/{n}", v.tobytes())
            z.writestr("archive/version", "3\n")
        return out.getvalue()

    def test_zip(self):
        enc, dec = tiny_state()
        path = folder("zip", self.zipped(enc), self.zipped(dec))
        tensors, settings = convert.load(path)
        self.assertEqual((settings["base"], settings["task"]), ("resnet18", "zero-shot"))
        np.testing.assert_array_equal(tensors["encoder.base.conv1.weight"],
                                      enc["base.conv1.weight"])
        for bad in (self.zipped(enc, compress=zipfile.ZIP_DEFLATED),
                    self.zipped(enc, drop=3),
                    self.zipped(enc)[:-100], b"PK\3\4" + bytes(50)):
            path = folder("zip", bad, dec)
            self.assertEqual(run(path, "-o", os.path.join(path, "x"))[0], 1)

    def test_views(self):
        """Offset, size and stride are honoured, and checked against the storage."""
        flat = np.arange(24, dtype=np.float32)

        def state(offset, size, stride):
            body = state_pickle({"x": flat})
            old = b"K\0(" + opcodes_int(24) + b"t(" + opcodes_int(1) + b"t"
            self.assertIn(old, body)
            return legacy({"x": flat}, body.replace(old, b"K" + bytes([offset]) + b"("
                          + b"".join(map(opcodes_int, size)) + b"t("
                          + b"".join(map(opcodes_int, stride)) + b"t"))

        path = common.scratch("view.pt")
        for offset, size, stride, want in ((2, (3, 2), (1, 4), flat[2:].reshape(-1)[
                [[0, 4], [1, 5], [2, 6]]]), (0, (4, 6), (6, 1), flat.reshape(4, 6))):
            Path(path).write_bytes(state(offset, size, stride))
            np.testing.assert_array_equal(checkpoint.read_state(path)["x"], want)
        for offset, size, stride in ((20, (5,), (1,)), (0, (25,), (1,)),
                                     (0, (5, 6), (6, 1)),
                                     (0, (1000, 1000), (0, 0)), (0, (-1,), (1,)),
                                     (0, (2,), (24,)), (0, (4, 6), (6,))):
            Path(path).write_bytes(state(offset, size, stride))
            with self.assertRaisesRegex(CheckpointError, "x does not fit"):
                checkpoint.read_state(path)

    def test_every_truncation(self):
        """A file cut anywhere is refused with a message that names it."""
        whole = legacy({"a": np.ones((3, 2), np.float32), "b": np.ones(4, np.float32)})
        path = common.scratch("cut.pt")
        for n in range(len(whole)):
            Path(path).write_bytes(whole[:n])
            with self.assertRaisesRegex(CheckpointError, "cut.pt"):
                checkpoint.read_state(path)


class Settings(unittest.TestCase):
    def test_mobile(self):
        """The number of blocks tells which mobile encoder it is."""
        for base in layout.MOBILE:
            path = folder("mobile", *tiny_state(base=base))
            tensors, settings = convert.load(path)
            self.assertEqual((settings["base"], settings["width"]), (base, 8))
            self.assertEqual(set(tensors), set(layout.bundle(base, 8, width=8,
                                                             tasks=("zero-shot",))))
        enc, dec = tiny_state(base="mobilenetv2")
        enc = {k: v for k, v in enc.items()
               if not k.startswith(("base.blocks.15.", "base.blocks.16."))}
        path = folder("mobile", enc, dec)
        status, _, err = run(path, "-o", os.path.join(path, "x"))
        self.assertEqual(status, 1)
        self.assertIn("15 inverted residuals, as no known encoder has", err)

    def test_args(self):
        """Unknown attributes, missing ones, and a missing file."""
        enc, dec = tiny_state()
        for args in (dict(base_model="resnet18", hidden_size=8, kernel_size=3,
                          skip_mode="concat",
                          strange=[1, {"x": (None, 2.5)}], year="2017"), dict(year=1),
                          {}, None):
            _, settings = convert.load(folder("args", enc, dec, args))
            self.assertEqual(settings,
                             dict(base="resnet18", hidden=8, kernel_size=3, width=8,
                                  skip_mode="concat", task="zero-shot"))

    def test_contradictions(self):
        enc, dec = tiny_state()
        for args, words in ((dict(hidden_size=128), "hidden_size 128.*has 8"),
                            (dict(kernel_size=1), "kernel_size 1"),
                            (dict(base_model="resnet34"),
                             "missing: base.layer1.2.conv1.weight"),
                            (dict(base_model="alexnet"), "'alexnet' is none of"),
                            (dict(base_model=7), "base_model is 7"),
                            (dict(skip_mode="sum"), "'sum' does not fit")):
            with self.assertRaisesRegex(CheckpointError, words):
                convert.load(folder("args", enc, dec, args))

    def test_skip_modes(self):
        for mode in ("sum", "mul", "none"):
            enc, dec = tiny_state(True, mode=mode, kernel=1)
            path = folder("skip", enc, dec, dict(skip_mode=mode))
            _, settings = convert.load(path)
            self.assertEqual((settings["skip_mode"], settings["kernel_size"]), (mode, 1))
            path = folder("skip", enc, dec)
            with self.assertRaisesRegex(CheckpointError, "--skip-mode"):
                convert.load(path)
            self.assertEqual(convert.load(path, mode)[1]["task"], "one-shot")

    def test_bases(self):
        for base in layout.BASES:
            enc, dec = tiny_state(base=base)
            self.assertEqual(convert.load(folder("base", enc, dec))[1]["base"], base)

    def test_wrong_channels(self):
        """The input channels tell the task of a checkpoint."""
        enc, dec = tiny_state()
        for name, c, words in (("clstm_list.0.Gates.weight", 26,
                                "26 input channels; .* 24, .*25"),
                               ("clstm_list.1.Gates.weight", 21,
                                "clstm_list.1.* 21 input")):
            bad = dict(dec)
            bad[name] = np.ones((dec[name].shape[0], c, 3, 3), np.float32)
            with self.assertRaisesRegex(CheckpointError, words):
                convert.load(folder("channels", enc, bad))

    def test_damage(self):
        enc, dec = tiny_state()
        one = lambda k, v: dict(enc, **{k: v})
        nan = enc["sk3.bias"].copy()
        nan[1] = np.nan
        cases = [(one("bn4.weight", np.ones(9, np.float32)),
                  r"bn4.weight has shape \[9\]"),
                 (one("sk3.bias", nan), "sk3.bias has values that are not finite"),
                 (one("bn4.running_var", -enc["bn4.weight"]),
                  "bn4.running_var .*negative"),
                 (one("sk5.weight", np.ones(3, np.float32)), "sk5.weight has shape"),
                 (one("bn4.weight", np.ones(8, np.int64)), "bn4.weight has values")]
        cases += [({k: v for k, v in enc.items() if k != "bn2.bias"},
                   "missing: bn2.bias")]
        for state, words in cases:
            with self.assertRaisesRegex(CheckpointError, words):
                convert.load(folder("damage", state, dec))
        dec["conv_out.bias"] = np.array([1e6], np.float32)
        path = folder("damage", enc, dec)
        file = os.path.join(path, "x.safetensors")
        self.assertIn("one_shot.conv_out.bias".replace("one", "zero")
                      + " has values too large for f16", run(path, "-o", file)[2])
        self.assertEqual(run(path, "-o", file, "--dtype", "f32")[0], 0)

    def test_prefix_in_one_file_only(self):
        enc, dec = tiny_state()
        enc = {"module." + k: v for k, v in enc.items()}
        dec["fc_stop.weight"] = np.ones((1, 9), np.float32)
        enc["module.base.fc.weight"] = np.ones((2, 2), np.float32)
        self.assertEqual(convert.load(folder("prefix", enc, dec))[1]["base"], "resnet18")

    def test_usage(self):
        enc, dec = tiny_state()
        path = folder("usage", enc, dec)
        empty = os.path.join(path, "empty")
        os.mkdir(empty)
        for args, words in (((common.scratch() + "/nowhere", "-o", "x"),
                             "nowhere: no folder"),
                            ((empty, "-o", "x"), "has no encoder.pt"),
                            ((path, "-o", path + "/no/x"), "no/x: No such file"),
                            ((path, "-o", path), "usage: Is a directory"),
                            ((path, "-o", "x", "--size", "448"), "'448' is not a size"),
                            ((path, "-o", "x", "--size", "8x8"), "'8x8' is not a size")):
            status, _, err = run(*args)
            self.assertNotEqual(status, 0)
            self.assertIn(words, err)
            self.assertEqual([n for n in os.listdir(path) if n.endswith(".part")], [])



if __name__ == "__main__":
    common.main()
