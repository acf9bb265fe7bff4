# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shared by the tests of data/: paths, skipping, and checkpoints of the original."""
import lzma
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "data"), os.path.join(ROOT, "tests")]
from testing import GOLDEN, SHARED, captured, main, need, scratch  # noqa: F401

MODEL = os.path.join(SHARED, "model")

shared_golden = unittest.skipUnless(os.path.isdir(GOLDEN), f"no {GOLDEN}")
shared_model = unittest.skipUnless(os.path.isdir(MODEL), f"no {MODEL}")


def golden_checkpoint(case):
    """A golden case's checkpoint folder, with the encoder that all cases share."""
    out = os.path.join(scratch(), case)
    encoder = os.path.join(scratch(), "encoder.pt")
    if not os.path.exists(encoder):
        with lzma.open(os.path.join(GOLDEN, "encoder_resnet34.pt.xz")) as f:
            data = f.read()
        with open(encoder, "wb") as f:
            f.write(data)
    if not os.path.isdir(out):
        os.mkdir(out)
        os.symlink(encoder, os.path.join(out, "encoder.pt"))
        for name in ("decoder.pt", "args.pkl", "enc_opt.pt", "dec_opt.pt"):
            os.symlink(os.path.join(GOLDEN, case, "model", name), os.path.join(out, name))
    return out
