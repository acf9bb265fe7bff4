#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns a published RVOS checkpoint into a .safetensors file: convert.py --help."""
import sys

from rvos_train import convert, files

sys.exit(files.run(convert.main, "convert.py"))
