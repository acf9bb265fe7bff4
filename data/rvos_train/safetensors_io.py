# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and writes .safetensors files with numpy alone.

Layout: 8 bytes little-endian header length, a JSON header padded with spaces, the
tensors' bytes. `data_offsets` count from the end of the header. Every field is checked
before its use, so a damaged file gives a FormatError and never a wrong tensor.
"""
import json
import os
import struct

import numpy as np

from .files import atomic, impostor, open_regular, show

MAX_HEADER = 100 << 20  # the format's own limit, 100 MB

DTYPES = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # widened to float32 by read()
    "I64": np.dtype("<i8"), "I32": np.dtype("<i4"), "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"), "U32": np.dtype("<u4"), "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"), "BOOL": np.dtype("?"),
}
NAMES = {v: k for k, v in DTYPES.items() if k != "BF16"}


class FormatError(ValueError):
    """The message names the file and the fault."""


def _no_duplicates(pairs):
    out = {}
    for key, value in pairs:
        if key in out:
            raise ValueError(f"two entries named {show(key)}")
        out[key] = value
    return out


def _mistaken(start):
    """Recognise, from the first bytes, what people often have in place of the file; else
    None."""
    if start.startswith(b"PK\3\4") or start[:2] in (b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"):
        return "a zip file or pickle, such as a PyTorch checkpoint: data/convert.py reads those"
    return impostor(start)


def _open(path):
    f = open_regular(path)
    return f, os.fstat(f.fileno()).st_size


def _parse_start(path, f, size):
    """The header's text, which must be complete."""
    start = f.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if len(start) < 8 or length > min(MAX_HEADER, size - 8):
        mistaken = _mistaken(start + f.read(504))
        if mistaken:
            raise FormatError(f"{path}: is {mistaken}")
        if len(start) < 8:
            raise FormatError(f"{path}: too short for a .safetensors file")
        raise FormatError(f"{path}: header of {length} bytes in a file of {size}")
    text = f.read(length)
    if len(text) < length:
        raise FormatError(f"{path}: has been cut short while it was read")
    return text


def _read_header(path, f, size):
    text = _parse_start(path, f, size)
    length = len(text)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as e:
        raise FormatError(f"{path}: the header is not JSON: {e}") from e
    if not isinstance(header, dict):
        raise FormatError(f"{path}: the header is not a JSON object")
    meta = header.pop("__metadata__", {})
    if not isinstance(meta, dict) or not all(isinstance(v, str) for v in meta.values()):
        raise FormatError(f"{path}: the metadata are not strings")
    return header, meta, 8 + length, size - 8 - length


def read_header(path):
    """(entries, metadata, offset of the data, size of the data)"""
    try:
        f, size = _open(path)
        with f:
            return _read_header(path, f, size)
    except OSError as e:
        raise FormatError(f"{path}: {e.strerror}") from e


def _entry(path, name, entry, size):
    """Check one entry; return (dtype name, shape, begin, end)."""
    bad = lambda what: FormatError(f"{path}: tensor {show(name)}: {what}")
    if not isinstance(entry, dict):
        raise bad("no description")
    dtype, shape, span = (entry.get(k) for k in ("dtype", "shape", "data_offsets"))
    natural = lambda v: type(v) is int and 0 <= v < 1 << 63
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise bad(f"unknown dtype {show(dtype)}")
    if not isinstance(shape, list) or len(shape) > 8 or not all(map(natural, shape)):
        raise bad("the shape is not a list of sizes")
    if not isinstance(span, list) or len(span) != 2 or not all(map(natural, span)):
        raise bad("the data_offsets are not two numbers")
    count = 1
    for n in shape:
        count *= n
    if span[1] > size or span[1] - span[0] != count * DTYPES[dtype].itemsize:
        raise bad(f"{dtype} {shape} does not fit bytes {span[0]} to {span[1]} of {size}")
    return dtype, shape, span[0], span[1]


def read(path):
    """({name: array}, metadata). BF16 becomes float32; others keep their type."""
    try:
        f, whole = _open(path)
        with f:
            header, meta, _, size = _read_header(path, f, whole)
            data = f.read(size)
    except OSError as e:
        raise FormatError(f"{path}: {e.strerror}") from e
    if len(data) < size:
        raise FormatError(f"{path}: has been cut short while it was read")
    entries = {k: _entry(path, k, v, size) for k, v in header.items()}
    at = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda e: e[1][2:]):
        if begin != at:
            raise FormatError(f"{path}: tensor {show(name)} overlaps another, or leaves a hole")
        at = end
    if at != size:
        raise FormatError(f"{path}: {size - at} bytes that belong to no tensor")
    tensors = {}
    for name, (dtype, shape, begin, end) in entries.items():
        flat = np.frombuffer(data[begin:end], DTYPES[dtype])
        if dtype == "BF16":
            flat = (flat.astype("<u4") << 16).view("<f4")
        tensors[name] = flat.reshape(shape)
    return tensors, meta


def to_bf16(a):
    """float32 -> the upper 16 bits, rounded to nearest even; write() calls them BF16."""
    bits = np.asarray(a, "<f4").view("<u4")
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")


def write(path, tensors, metadata=None, bf16=False):
    """Write {name: array} in order of name. The file appears complete or not at all.
    bf16: store float32 arrays as BF16."""
    header = {"__metadata__": dict(metadata)} if metadata else {}
    arrays, at = [], 0
    for name in sorted(tensors):
        a = np.asarray(tensors[name])
        a = a.astype(a.dtype.newbyteorder("<"), copy=False)
        if a.dtype not in NAMES:
            raise FormatError(f"{path}: tensor {name}: no .safetensors type for "
                              f"{a.dtype}")
        kind = NAMES[a.dtype]
        if bf16 and kind == "F32":
            kind, a = "BF16", to_bf16(a)
        header[name] = {"dtype": kind, "shape": list(a.shape),
                        "data_offsets": [at, at + a.nbytes]}
        arrays.append(a)
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with atomic(path) as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in arrays:
            f.write(a.tobytes())
