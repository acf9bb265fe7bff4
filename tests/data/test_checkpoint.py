#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests data/rvos_train/checkpoint.py with hostile files, and with thousands of randomly
damaged ones: each must soon give a CheckpointError in one short line, or a good result.

    test_checkpoint.py [SEED [ROUNDS]]    the damaged files alone
"""
import io
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.path.dirname(os.path.dirname(HERE)), "data")
sys.path.insert(0, DATA)

try:
    import numpy as np
    from rvos_train import checkpoint
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
from rvos_train.checkpoint import MAGIC, CheckpointError

PROTO = b"\x80\x02"
LIMIT = 4 << 30  # bytes of address space; none of the files needs half a gigabyte


def text(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def number(n):
    return b"\x8a\x08" + struct.pack("<q", n)


def storage(key="0", count=4, kind="FloatStorage"):
    return (b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key)
            + text("cpu") + number(count) + b"tQ")


def tensor(key="0", count=4, offset=0, shape=(2, 2), stride=(2, 1), kind="FloatStorage"):
    tuple_ = lambda v: b"(" + b"".join(map(number, v)) + b"t"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(key, count, kind)
            + number(offset) + tuple_(shape) + tuple_(stride) + b"\x89}tR")


def state(**tensors):
    return (PROTO + b"}" + b"".join(text(k) + v + b"s" for k, v in tensors.items()) + b".")


def legacy(pickled, storages=()):
    """The five pickles of PyTorch 1.0, then the storages: (key, count, bytes)."""
    magic = PROTO + b"\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."
    keys = PROTO + b"]" + b"".join(text(k) + b"a" for k, _, _ in storages) + b"."
    return (magic + PROTO + b"M\xe9\x03." + PROTO + b"}." + pickled + keys
            + b"".join(struct.pack("<q", n) + raw for _, n, raw in storages))


def zipped(pickled, entries=(), method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr("a/data.pkl", pickled)
        for name, raw in entries:
            z.writestr("a/" + name, raw)
    return out.getvalue()


FOUR = np.arange(4, dtype="<f4").tobytes()
GOOD = [legacy(state(w=tensor(), v=tensor(shape=(4,), stride=(1,))), [("0", 4, FOUR)]),
        zipped(state(w=tensor(), v=tensor("1")), [("data/0", FOUR), ("data/1", FOUR)])]
GOOD_ARGS = (PROTO + b"cargparse\nNamespace\n)R}" + text("base_model") + text("resnet18")
             + b"s" + text("hidden_size") + number(8) + b"sb.")

DEEP = b")" + b"\x85" * 300_000
DOUBLED = b")" + b"q\x00h\x00\x86" * 60

HOSTILE = {
    "deep key": state() [:-1] + DEEP + b"Ns.",
    "deep value": state()[:-1] + text("k") + DEEP + b"s.",
    "doubled key": state()[:-1] + DOUBLED + b"Ns.",
    "doubled value": state()[:-1] + text("k") + DOUBLED + b"s.",
    "doubled arguments": PROTO + b"ccollections\nOrderedDict\n" + DOUBLED + b"R.",
    "deep list": PROTO + b"}" + text("k") + b"]" * 300_000 + b"a" * 299_999 + b"s.",
    "list that holds itself": PROTO + b"}" + text("k") + b"]q\x00h\x00as.",
    "dictionary that holds itself": PROTO + b"}q\x00" + text("k") + b"h\x00s.",
    "list as a key": state()[:-1] + b"]Ns.",
    "number as a key": state()[:-1] + b"K\x01" + tensor() + b"s.",
    "a huge count": state(w=tensor(count=1 << 61)),
    "a large count": state(w=tensor(count=1 << 38)),
    "a negative count": state(w=tensor(count=-1)),
    "a count that is a truth": state(w=tensor()).replace(number(4) + b"tQ", b"\x88tQ"),
    "a huge shape": state(w=tensor(shape=(1 << 40, 1 << 40))),
    "a huge stride": state(w=tensor(stride=(1 << 62, 1))),
    "a negative stride": state(w=tensor(stride=(-1, 1))),
    "a huge offset": state(w=tensor(offset=1 << 62)),
    "two kinds of one storage": state(w=tensor(), v=tensor(kind="LongStorage", count=4)),
    "a string that claims 2^63": PROTO + b"\x8d" + struct.pack("<Q", 1 << 62) + b"x",
    "a string that claims 4 GB": PROTO + b"X\xff\xff\xff\xffx.",
    "a number of a gigabyte": PROTO + b"\x8b\xff\xff\xff\x3fx.",
    "digits": PROTO + b"L" + b"9" * 9_000_000 + b"L\n.",
    "a line without end": PROTO + b"c" + b"x" * 5_000_000,
    "opcodes": PROTO + b"N" * 3_000_000 + b".",
    "calls a string": PROTO + text("os") + b")R.",
    "calls with a list": PROTO + b"ccollections\nOrderedDict\n]R.",
    "a global that is evil": PROTO + b"cos\nsystem\n(" + text("x") + b"tR.",
    "a global named by tuples": b"\x80\x04" + DOUBLED + text("x") + b"\x93.",
    "control characters": PROTO + b"}" + text("\x1b[2J\u202e") + b"Ns.",
    "nothing": b"", "a stop": PROTO + b".", "an end": PROTO + b"}",
}
HOSTILE_ARGS = {
    "deep key": PROTO + b"}" + DEEP + b"Ns.",
    "doubled value": GOOD_ARGS[:-2] + text("x") + DOUBLED + b"sb.",
    "many states": (PROTO + b"cargparse\nNamespace\n)R}(" + b"".join(
        text(f"{i:05d}") + b"N" for i in range(20_000)) + b"uq\x00b" + b"h\x00b" * 100_000
        + b"."),
    "large": PROTO + b"N" * (2 << 20) + b".",
}


class CheckpointTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rvos-test-")
        self.addCleanup(self.folder.cleanup)

    def put(self, data, name="x.pt"):
        path = os.path.join(self.folder.name, name)
        Path(path).write_bytes(data)
        return path

    def refuse(self, data, words="", read=checkpoint.read_state):
        with self.assertRaises(CheckpointError) as e:
            read(self.put(data))
        line = str(e.exception)
        self.assertTrue(line.isprintable() and len(line) < 500, line[:500])
        self.assertIn("x.pt: ", line)
        self.assertIn(words, line)

    def test_good(self):
        for data in GOOD:
            have = checkpoint.read_state(self.put(data))
            np.testing.assert_array_equal(have["w"], [[0, 1], [2, 3]])
        args = checkpoint.read_args(self.put(GOOD_ARGS))
        self.assertEqual(args, {"base_model": "resnet18", "hidden_size": 8})

    def test_hostile(self):
        for name, pickled in HOSTILE.items():
            with self.subTest(name):
                self.refuse(legacy(pickled, [("0", 4, FOUR)]))
                self.refuse(zipped(pickled, [("data/0", FOUR)]))
        for name, pickled in HOSTILE_ARGS.items():
            with self.subTest(name):
                self.refuse(pickled, read=checkpoint.read_args)

    def test_storages(self):
        """The claims of a file are compared with its size."""
        self.refuse(legacy(state(w=tensor(count=1 << 30)), [("0", 1 << 30, FOUR)]),
                    "truncated or damaged at storage 0")
        self.refuse(legacy(state(w=tensor()), [("0", 4, FOUR), ("0", 4, FOUR)]),
                    "no list of storages")
        self.refuse(legacy(state(w=tensor())), "lacks storage 0")
        # one storage of 4 MB, and a hundred tensors that are each as large
        n = 1 << 20
        many = {f"w{i}": tensor(count=n, shape=(n,), stride=(1,)) for i in range(100)}
        self.refuse(legacy(state(**many), [("0", n, bytes(4 * n))]), "as large as the file")
        self.refuse(zipped(state(**many), [("data/0", bytes(4 * n))]), "as large as the file")

    def test_zip(self):
        self.refuse(zipped(state(w=tensor()), [("data/0", FOUR)], zipfile.ZIP_DEFLATED),
                    "is compressed")
        self.refuse(zipped(state(w=tensor()), [("data/1", FOUR)]), "lacks a/data/0")
        self.refuse(zipped(state(w=tensor("../../etc"))), "lacks a/data/../../etc")
        # an entry that claims more than there is, by its size in the central directory
        data = bytearray(zipped(state(w=tensor(count=1 << 30)), [("data/0", FOUR)]))
        at = data.rindex(b"PK\1\2")
        data[at + 20:at + 28] = struct.pack("<II", 0xfffffff0, 0xfffffff0)
        self.refuse(bytes(data), "larger than the file")

    def test_kinds(self):
        self.refuse(b"x" * 257 + b"ustar" + b"x" * 500, "a tar file")
        self.refuse(b"version https://git-lfs.github.com/spec/v1\noid x\n", "git-lfs")
        self.refuse(b"<html>", "a web page")
        pipe = os.path.join(self.folder.name, "pipe")
        os.mkfifo(pipe)
        for read in (checkpoint.read_state, checkpoint.read_args):
            for path in (pipe, self.folder.name):
                with self.assertRaisesRegex(CheckpointError, "not a regular file"):
                    read(path)

    def test_program(self):
        """convert.py reports it in one line, with exit status 1."""
        for data in (legacy(HOSTILE["deep key"]), zipped(HOSTILE["doubled value"])):
            for name in ("encoder.pt", "decoder.pt"):
                self.put(data, name)
            p = subprocess.run([sys.executable, os.path.join(DATA, "convert.py"),
                                self.folder.name, "-o", self.folder.name + "/o"],
                               stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertNotIn("Traceback", p.stderr)
            self.assertIn("encoder.pt: tuples that are deeper", p.stderr)
            self.assertFalse(os.path.exists(self.folder.name + "/o"))


# ---- damaged at random -----------------------------------------------------------------

PIECES = [b"(", b")", b"t", b"}", b"]", b"s", b"u", b"a", b"e", b"\x85", b"\x86", b"\x87",
          b"R", b"b", b"Q", b"q\x00", b"h\x00", b"q\x01", b"h\x01", b"N", b"\x88", b"K\x05",
          number(-1), number(1 << 62), text("k"), text("0"), b"2", b"0", b"1", b".", b"\x94",
          tensor(), storage(), b"\x93", b"\x81"]


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at, how = rng.randrange(len(data) + 1), rng.randrange(6)
        if how == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif how == 1 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            data[at:at] = rng.choice(PIECES) * rng.choice((1, 1, 2, 50))
        elif how == 3:
            del data[at:at + rng.randint(1, 9)]
        elif how == 4:
            begin = rng.randrange(len(data) + 1)
            data[at:at] = data[begin:begin + rng.randint(1, 60)]
        elif rng.random() < 0.2:
            del data[at:]
        if not data:
            break
    return bytes(data)


def random_files(seed, rounds):
    """Let every exception but CheckpointError through."""
    rng = random.Random(seed)
    good, slowest = 0, 0.0
    with tempfile.TemporaryDirectory(prefix="rvos-test-") as folder:
        path = os.path.join(folder, "x.pt")
        for n in range(rounds):
            if n % 5 == 4:
                data, read = GOOD_ARGS, checkpoint.read_args
            else:
                data, read = GOOD[n % 2], checkpoint.read_state
            Path(path).write_bytes(damage(data, rng))
            begin = time.monotonic()
            try:
                read(path)
                good += 1
            except CheckpointError as e:
                assert str(e).isprintable() and len(str(e)) < 500, (seed, n, str(e))
            except BaseException:
                print(f"seed {seed}, file {n}:", file=sys.stderr)
                raise
            slowest = max(slowest, time.monotonic() - begin)
    return good, slowest


class Damaged(unittest.TestCase):
    def test_random(self):
        seed = int.from_bytes(os.urandom(4), "little")
        good, slowest = random_files(seed, 6000)
        print(f"seed {seed}: {good} of 6000 taken, the slowest in {slowest:.2f} s")
        self.assertLess(good, 6000)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        print(random_files(int(sys.argv[1]), int((sys.argv[2:] or [100000])[0])))
    else:
        unittest.main()
