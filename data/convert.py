#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns a published RVOS checkpoint into a .safetensors file: convert.py --help."""
import sys

from rvos_train import files


def main():
    from rvos_train import convert  # within files.run, which tells of missing packages
    return convert.main()


sys.exit(files.run(main, "convert.py"))
