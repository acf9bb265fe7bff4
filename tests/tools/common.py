# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shared by the tests of the tools: running them, pictures, folders, the exit status."""
import os
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "data")]
from testing import GOLDEN, main, need, scratch  # noqa: F401

MODEL = os.path.join(ROOT, "data", "models", "rvos-resnet18-h128.safetensors")
BIN = os.environ.get("RVOS_TOOLS", "")  # folder of the built tools
need("numpy", "PIL")
import numpy as np
from PIL import Image

from rvos_train import mask_rule


def tool(name):
    path = os.path.join(BIN, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{name} is not built")
    return path


def run(name, *args, env=None):
    """(exit status, stdout, stderr)"""
    done = subprocess.run([tool(name), *map(str, args)], capture_output=True, text=True,
                          timeout=600, env=None if env is None else {**os.environ, **env})
    return done.returncode, done.stdout, done.stderr


def need_report(kind):
    """Skip if rvos-report lacks a Python package for that kind of report."""
    status, _, err = run("rvos-report", "--check", kind)
    if status == 3:
        raise unittest.SkipTest(err.strip())


def tiny_model(**settings):
    """A random network of a few kilobytes, of both tasks unless told otherwise."""
    import golden
    name = "-".join(["tiny", *(f"{k}-{v}" for k, v in sorted(settings.items()))])
    path = scratch("models", "".join(c if c.isalnum() else "-" for c in name) +
                   ".safetensors")
    if not os.path.exists(path):
        golden.write_network(path, {"seed": 1, **settings}, "f32")
    return path


# ---- pictures --------------------------------------------------------------------------

def davis_palette():
    return [v for n in range(256) for v in mask_rule.davis_colour(n)]


def write_mask(path, array):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    image = Image.fromarray(np.asarray(array, np.uint8), "P")
    image.putpalette(davis_palette())
    image.save(path)


def write_frame(path, array):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


def read_mask(path):
    with Image.open(path) as image:
        return np.array(image)


def cut(path):
    """Leave half of a file."""
    os.truncate(path, os.path.getsize(path) // 2)


def disk(h, w, y, x, r):
    yy, xx = np.mgrid[:h, :w]
    return (yy - y) ** 2 + (xx - x) ** 2 <= r * r


def clip_frames(folder, count=4, h=60, w=90, ext="png", seed=0):
    """A bright disk that moves over noise; returns its masks."""
    rng = np.random.default_rng(seed)
    masks = []
    for t in range(count):
        mask = disk(h, w, h // 2, w // 4 + 4 * t, h // 5)
        frame = rng.integers(0, 90, (h, w, 3))
        frame[mask] = (220, 180, 40)
        write_frame(os.path.join(folder, f"{t:05d}.{ext}"), frame)
        masks.append(mask)
    return masks


# ---- asserting -------------------------------------------------------------------------

class ToolTest(unittest.TestCase):
    def ok(self, name, *args, **more):
        code, out, err = run(name, *args, **more)
        self.assertEqual(code, 0, err)
        self.assertNotIn("Sanitizer", err)
        return out

    def fault(self, code, words, name, *args, lines=1, **more):
        """The tool must fail with this status and print `lines` lines that hold the words."""
        status, out, err = run(name, *args, **more)
        self.assertEqual(status, code, err)
        said = [line for line in err.splitlines() if line.startswith(name + ": ")]
        self.assertEqual(len(said), lines, err)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, err)
        self.assertNotIn("Sanitizer", err)
        return out
