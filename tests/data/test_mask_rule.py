#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the mask rule in numpy with its description and with the reader in C."""
import os
import subprocess
import sys
import unittest

import common

common.need("numpy", "PIL")
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from rvos_train import mask_rule  # noqa: E402

DUMP = sys.argv.pop() if len(sys.argv) > 1 and os.access(sys.argv[-1], os.X_OK) else None


def meant(*values, **rules):
    try:
        return mask_rule.understand(np.array([values]), **rules)[0].tolist()
    except mask_rule.MaskError as e:
        return str(e)


class Rule(unittest.TestCase):
    def test_values(self):
        slots = {"single": 32, "highest": 32}
        self.assertEqual(meant(0, 1, 2, 255), [0, 1, 2, 255])
        self.assertEqual(meant(0, 255, 0), [0, 1, 0])
        self.assertEqual(meant(0, 255, 0, published=True), [0, 255, 0])
        self.assertEqual(meant(0, 128, 0), [0, 128, 0])
        self.assertEqual(meant(0, 128, 0, **slots), [0, 1, 0])
        self.assertEqual(meant(0, 65535, 0), [0, 1, 0])
        self.assertEqual(meant(255, 255), [255, 255])
        self.assertEqual(meant(0, 0, 127, 128, 255, 255, 255, 255),
                         [0, 0, 0, 1, 1, 1, 1, 1])
        self.assertIn("the values 0, 100 and 200", meant(0, 100, 200, **slots))

    def test_kinds(self):
        a = np.zeros((4, 6), np.uint8)
        a[1:3, 1:3] = 1
        a[1:3, 4] = 2
        rgb = np.array([mask_rule.davis_colour(n) for n in range(3)], np.uint8)[a]
        for image in (Image.fromarray(a), Image.fromarray(np.dstack([a] * 3)),
                      Image.fromarray(rgb), Image.fromarray(np.dstack([a, a * 0 + 255]))):
            np.testing.assert_array_equal(mask_rule.values_of(image), a)
        with self.assertRaisesRegex(mask_rule.MaskError, "has colours"):
            mask_rule.values_of(Image.fromarray(np.dstack([a * 9, a * 70, 90 - a])))


@unittest.skipUnless(DUMP, "no reader in C here")
class AgainstC(unittest.TestCase):
    """For random masks of all kinds, both readers give the same values, or both fail."""

    def pictures(self):
        rng = np.random.default_rng(5)
        for k in range(45):
            h, w = rng.integers(1, 12, 2)
            pick = [(0, 1, 2), (0, 255), (0, 1, 255), (0, 40), (0, 1, 40), (255,), (0,),
                    (0, 60, 128, 200, 255), (7, 9)][k % 9]
            a = rng.choice(pick, (h, w)).astype(np.uint8)
            if k % 9 == 7:  # a soft edge
                a = np.sort(np.where(rng.random((h, w)) < .7, a // 128 * 255, a), 1)
            yield f"grey {pick}", Image.fromarray(a)
            yield f"deep {pick}", Image.fromarray(a.astype(np.uint16) * (257 if k % 2 else 1))
            yield f"alpha {pick}", Image.fromarray(np.dstack([a, rng.choice([0, 255],
                                                                            (h, w))
                                                              .astype(np.uint8)]))
            yield f"rgb {pick}", Image.fromarray(np.dstack([a] * 3))
            colours = np.array([mask_rule.davis_colour(int(n)) for n in range(4)] +
                               [(255, 0, 0)], np.uint8)
            yield f"colours {k}", Image.fromarray(
                colours[rng.choice([(0, 1, 2), (0, 4), (0, 1, 4), (3, 4)][k % 4], (h, w))])
            p = Image.fromarray(a % 5, "P")
            p.putpalette([255] * 3 + [0] * 3 + [9] * 12 if k % 2 else [0, 0, 0, 9, 8, 7] * 4)
            yield f"palette {k}", p
            yield f"bits {k}", Image.fromarray(a > 0)

    def test_same(self):
        path = common.scratch("mask.png")
        for rules in ((32, 32, 0), (254, 254, 0), (0, 254, 1)):
            named = dict(zip(("single", "highest", "published"), rules))
            for name, image in self.pictures():
                image.save(path)
                try:
                    with Image.open(path) as written:
                        want = mask_rule.read(written, **named)
                except mask_rule.MaskError:
                    want = None
                p = subprocess.run([DUMP, path, *map(str, rules)], capture_output=True,
                                   check=False)
                self.assertIn(p.returncode, (0, 2), (name, p.stderr))
                if want is None or p.returncode:
                    self.assertEqual((want is None, p.returncode), (True, 2),
                                     (name, rules, p.stderr, np.array(image)))
                    continue
                head, data = p.stdout.split(b"\n", 1)
                got = np.frombuffer(data, np.uint8).reshape(*map(int, head.split()))
                np.testing.assert_array_equal(got, want, f"{name} {rules}")


common.main()
