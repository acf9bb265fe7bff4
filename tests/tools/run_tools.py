#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""run_tools.py BIN_DIR [TEST...]: runs all tests of the tools in this folder, or those named,
such as test_eval or test_eval.Protocols. `meson test --suite tools` runs the same."""
import glob
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    os.environ["RVOS_TOOLS"] = os.path.abspath(sys.argv[1])
    sys.path.insert(0, HERE)
    names = sys.argv[2:] or sorted(
        os.path.basename(p)[:-3] for p in glob.glob(os.path.join(HERE, "test_*.py")))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())
