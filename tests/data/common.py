# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shared by the tests of data/: paths, skipping, and the exit status."""
import lzma
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "data"))
# Reference outputs lie beside the checkout and are not part of it. Tests skip without them.
SHARED = os.environ.get("RVOS_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
GOLDEN = os.path.join(SHARED, "golden")
MODEL = os.path.join(SHARED, "model")

shared_golden = unittest.skipUnless(os.path.isdir(GOLDEN), f"no {GOLDEN}")
shared_model = unittest.skipUnless(os.path.isdir(MODEL), f"no {MODEL}")


def need(*modules):
    """Exit with 77 (skipped) if a module is not installed."""
    for name in modules:
        try:
            __import__(name)
        except ImportError as e:
            print(f"skipped: {e}")
            sys.exit(77)


_folder = None


def scratch():
    """One temporary folder for the whole run."""
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="rvos-test-")
    return _folder.name


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


def main():
    """Runs the caller's tests: 0 passed, 1 failed, 77 all skipped."""
    result = unittest.main(exit=False, verbosity=1).result
    if result.wasSuccessful() and result.testsRun == len(result.skipped):
        for _, why in result.skipped[:1]:
            print(f"skipped: {why}")
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
