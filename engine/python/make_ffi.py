#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make_ffi.py RVOS_H OUT.py: the declarations of rvos.h as a module that cffi reads.

The header stays the only definition of the interface. The module is plain Python, so it
works with every version of Python.
"""
import re
import sys
from pathlib import Path

import cffi


def declarations(text):
    """The header without the parts that cffi's parser does not know."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
    constants = re.findall(r"^#define RVOS_\w+ \d+$", text, re.M)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    return "\n".join(constants) + text.replace("RVOS_API ", "")


def main():
    header, out = sys.argv[1:]
    text = Path(header).read_text(encoding="utf-8")
    ffi = cffi.FFI()
    ffi.cdef(declarations(text))
    ffi.set_source("rvos._ffi", None)
    ffi.emit_python_code(out)
    made = Path(out).read_text(encoding="utf-8")
    Path(out).write_text("# SPDX-License-Identifier: LGPL-2.1-or-later\n" + made, encoding="utf-8")


if __name__ == "__main__":
    main()
