# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads PyTorch checkpoints without PyTorch and without running a pickle.

A pickle is a program, and loading one may do anything. Here pickletools decodes the
opcodes without executing them, and a machine with a closed list of opcodes interprets
them. A GLOBAL is only a name, never an import; names that are not listed below are
refused.

Containers: the legacy one of PyTorch 1.0 (five pickles, then the storages) and the zip
one of 1.6 and later. Every storage is read into host memory, whatever device it was
saved from.
"""
import io
import os
import pickletools
import struct
import zipfile

import numpy as np

from .files import impostor, open_regular, show

MAGIC = 0x1950A86A20F9469CFC6C
MAX_OPCODES = 500_000  # a ResNet-101 has 30 000
MAX_PICKLE = 64 << 20  # bytes
MAX_ARGS = 1 << 20
# Tuples are shapes, strides, storages and arguments of calls. A tuple may hold another one
# twice, which holds another one twice, and so on. Without a bound, walking it never ends.
MAX_TUPLE, MAX_DEPTH = 1000, 4
MAX_COPIES = 8  # tensors may share a storage; each becomes an array of its own
STORAGES = {
    "torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8"),
    "torch HalfStorage": np.dtype("<f2"), "torch DoubleStorage": np.dtype("<f8"),
}
STATE_GLOBALS = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2",
                 "torch._utils _rebuild_parameter", *STORAGES}
ARGS_GLOBALS = {"argparse Namespace"}


class CheckpointError(ValueError):
    """The message names the file and the fault."""


class Global(str):
    """The name of a global, such as 'collections OrderedDict'. Nothing is imported."""


class Namespace(dict):
    """The attributes of an argparse.Namespace."""


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


class Storage:
    def __init__(self, dtype, key, count):
        self.dtype, self.key, self.count = dtype, key, count


class Tuple(tuple):
    """A tuple that knows its depth and the number of values in it and its inner tuples."""

    def __init__(self, items):
        inner = [i for i in items if isinstance(i, Tuple)]
        self.depth = 1 + max((i.depth for i in inner), default=0)
        self.held = len(self) + sum(i.held for i in inner)


class Bounded:
    """A file of which at most `most` further bytes may be read. Pickles claim lengths, and
    pickletools takes memory for them before it finds that they are wrong."""

    def __init__(self, file, most):
        self.file, self.left = file, most

    def read(self, n):
        if n > self.left:
            raise EOFError("a string that is longer than the file, or a pickle too large")
        data = self.file.read(n)
        self.left -= len(data)
        return data

    def readline(self):
        line = self.file.readline(min(self.left, 10_000) + 1)
        if len(line) > min(self.left, 10_000):
            raise EOFError("a line that is too long")
        self.left -= len(line)
        return line


def left_in(file):
    return os.fstat(file.fileno()).st_size - file.tell()


# ---- the machine -----------------------------------------------------------------------

MARK = object()
VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE",
          "SHORT_BINUNICODE", "BINUNICODE8", "INT", "LONG", "FLOAT", "UNICODE",
          "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Machine:
    """Interprets one pickle from a file at its current position."""

    def __init__(self, path, allowed):
        self.path, self.allowed = path, allowed
        self.stack, self.memo, self.work = [], {}, 0

    def fail(self, what):
        return CheckpointError(f"{self.path}: {what}")

    def load(self, file, most):
        """most: bytes left in the file; the pickle may have up to MAX_PICKLE of these."""
        file = Bounded(file, min(most, MAX_PICKLE))
        try:
            for n, (op, arg, _) in enumerate(pickletools.genops(file)):
                if n > MAX_OPCODES:
                    raise self.fail("a pickle of too many opcodes")
                if op.name == "STOP":
                    return self.stack.pop()
                self.step(op.name, arg)
        except CheckpointError:
            raise
        except (ValueError, IndexError, KeyError, TypeError, struct.error, EOFError,
                UnicodeDecodeError, OverflowError, AttributeError, MemoryError) as e:
            raise self.fail(f"not a pickle of a checkpoint ({show(str(e))})") from None
        raise self.fail("a pickle without end")

    def step(self, name, arg):
        push = self.stack.append
        if name in ("PROTO", "FRAME"):
            return
        if name in VALUES:
            push(arg)
        elif name in CONSTANTS:
            push(CONSTANTS[name])
        elif name == "MARK":
            push(MARK)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[arg] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            push(self.memo[arg])
        elif name == "GLOBAL":
            push(self.named(arg))
        elif name == "STACK_GLOBAL":
            thing, module = self.stack.pop(), self.stack.pop()
            if not (type(module) is str and type(thing) is str):
                raise self.fail("a global whose name is not a string")
            push(self.named(f"{module} {thing}"))
        elif name == "BINPERSID":
            push(self.storage(self.stack.pop()))
        else:
            self.structure(name, push)

    def structure(self, name, push):
        if name == "EMPTY_DICT":
            push({})
        elif name == "EMPTY_LIST":
            push([])
        elif name == "EMPTY_TUPLE":
            push(Tuple(()))
        elif name in TUPLES:
            items = self.stack[-TUPLES[name]:]
            del self.stack[-TUPLES[name]:]
            push(self.tuple(items))
        elif name == "TUPLE":
            push(self.tuple(self.marked()))
        elif name in ("APPEND", "APPENDS"):
            items = [self.stack.pop()] if name == "APPEND" else self.marked()
            self.top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            if name == "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                items = [key, value]
            else:
                items = self.marked()
            if not all(type(k) is str for k in items[::2]):
                raise self.fail("a dictionary with a key that is not a string")
            self.top(dict).update(zip(items[::2], items[1::2]))
        elif name in ("REDUCE", "NEWOBJ"):
            args, function = self.stack.pop(), self.stack.pop()
            push(self.call(function, args))
        elif name == "BUILD":
            state = self.stack.pop()
            if isinstance(self.stack[-1], Namespace) and isinstance(state, dict):
                self.work += len(state)
                if self.work > MAX_OPCODES:
                    raise self.fail("a pickle of too many opcodes")
                self.stack[-1].update(state)
            # The _metadata of an OrderedDict is dropped.
            elif not isinstance(self.stack[-1], dict):
                raise self.fail("a pickle that builds an object of an unknown kind")
        else:
            raise self.fail(f"opcode {show(name)}, which no checkpoint needs: refused")

    def tuple(self, items):
        made = Tuple(items)
        if made.depth > MAX_DEPTH or made.held > MAX_TUPLE:
            raise self.fail("tuples that are deeper, or hold more, than those of a "
                            "checkpoint")
        return made

    def top(self, kind):
        if not isinstance(self.stack[-1], kind):
            raise self.fail("a pickle that fills something that is not a container")
        return self.stack[-1]

    def marked(self):
        at = len(self.stack) - 1
        while self.stack[at] is not MARK:
            at -= 1
            if at < 0:
                raise self.fail("a pickle without a mark")
        items = self.stack[at + 1:]
        del self.stack[at:]
        return items

    def named(self, name):
        if name not in self.allowed:
            raise self.fail(f"asks for '{show(name.replace(' ', '.'))}', which no checkpoint "
                            "needs: refused, nothing was executed")
        return Global(name)

    def call(self, function, args):
        if not isinstance(function, Global):
            raise self.fail("a pickle that calls something that is not a function")
        if not isinstance(args, Tuple):
            raise self.fail("a pickle that calls a function without a tuple")
        if function == "collections OrderedDict" and not args:
            return {}
        if function == "argparse Namespace" and not args:
            return Namespace()
        if function == "torch._utils _rebuild_tensor_v2" and 6 <= len(args) <= 7:
            storage, offset, size, stride = args[:4]
            if isinstance(storage, Storage):
                return Tensor(storage, offset, size, stride)
        if function == "torch._utils _rebuild_parameter" and len(args) == 3:
            if isinstance(args[0], Tensor):  # old torchvision files keep parameters
                return args[0]
        raise self.fail(f"an unknown call of '{function.replace(' ', '.')}'")

    def storage(self, pid):
        # ('storage', type, key, location, count[, view]); the location, such as 'cuda:0',
        # is ignored.
        ok = (isinstance(pid, Tuple) and len(pid) in (5, 6)
              and type(pid[0]) is str and pid[0] == "storage"
              and isinstance(pid[1], Global) and pid[1] in STORAGES
              and type(pid[2]) is str and len(pid[2]) <= 100
              and type(pid[4]) is int and 0 <= pid[4] < 1 << 40
              and all(v is None for v in pid[5:]))
        if not ok:
            raise self.fail("a storage of an unknown kind")
        return Storage(STORAGES[pid[1]], pid[2], pid[4])


# ---- containers ------------------------------------------------------------------------

def read_state(path):
    """The state dictionary of a .pt file: {name: array}, in the file's order and
    types."""
    try:
        with open_regular(path) as f:
            start = f.read(300)
            found = impostor(start)
            if found:
                raise CheckpointError(f"{path}: is {found}")
            if start[257:262] == b"ustar" or b"sys_info" in start[:20]:
                raise CheckpointError(f"{path}: of PyTorch 0.1, a tar file: load and save it "
                                      "with a newer one")
            f.seek(0)
            read = _read_zip if start.startswith(b"PK\3\4") else _read_legacy
            state, data = read(f, path)
            size = os.fstat(f.fileno()).st_size
    except OSError as e:
        raise CheckpointError(f"{path}: {e.strerror}") from e
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path}: holds no state dictionary")
    out, total = {}, 0
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: {show(name)} is not a tensor, so this is not a state dictionary")
        out[name] = _view(path, name, value, data)
        total += out[name].nbytes
        if total > MAX_COPIES * size:
            raise CheckpointError(f"{path}: its tensors are {MAX_COPIES} times as large as "
                                  "the file")
    return out


def _read_legacy(f, path):
    def load():
        return Machine(path, STATE_GLOBALS).load(f, left_in(f))
    magic, protocol, system = (load() for _ in range(3))
    if not (type(magic) is int and magic == MAGIC and type(protocol) is int
            and protocol == 1001 and isinstance(system, dict)):
        raise CheckpointError(f"{path}: not a PyTorch checkpoint")
    if system.get("little_endian", True) is not True:
        raise CheckpointError(f"{path}: written on a big-endian machine")
    state = load()
    keys = load()
    wanted = _storages(state, path)
    if not (isinstance(keys, list) and all(type(k) is str for k in keys)
            and len(set(keys)) == len(keys)):
        raise CheckpointError(f"{path}: no list of storages")
    data = {}
    for key in keys:
        if key not in wanted:
            raise CheckpointError(f"{path}: storage {show(key)}, which no tensor uses")
        head = f.read(8)
        count = struct.unpack("<q", head)[0] if len(head) == 8 else -1
        size = count * wanted[key].dtype.itemsize
        if count != wanted[key].count or size > left_in(f):
            raise CheckpointError(f"{path}: truncated or damaged at storage {show(key)}")
        data[key] = _array(path, key, f.read(size), wanted[key])
    for key in wanted:
        if key not in data:
            raise CheckpointError(f"{path}: lacks storage {show(key)}")
    return state, data


def _read_zip(f, path):
    try:
        with zipfile.ZipFile(f) as z:
            names = {i.filename: i for i in z.infolist()}
            pickles = [n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise CheckpointError(f"{path}: a zip file without a checkpoint")
            stem = pickles[0][:-len("data.pkl")]
            entry = Entries(z, names, path, os.fstat(f.fileno()).st_size).read
            raw = entry(pickles[0])
            state = Machine(path, STATE_GLOBALS).load(io.BytesIO(raw), len(raw))
            order = names.get(stem + "byteorder")
            if order is not None and entry(stem + "byteorder") != b"little":
                raise CheckpointError(f"{path}: written on a big-endian machine")
            data = {s.key: _array(path, s.key, entry(f"{stem}data/{s.key}"), s)
                    for s in _storages(state, path).values()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError,
            OverflowError, MemoryError, struct.error) as e:
        if isinstance(e, CheckpointError):
            raise
        raise CheckpointError(f"{path}: damaged: {show(str(e))}") from None
    return state, data


class Entries:
    """The entries of a zip file. All that are read together must not be larger than the
    file: entries may claim the same bytes twice, or more bytes than there are."""

    def __init__(self, z, names, path, size):
        self.z, self.names, self.path, self.left = z, names, path, size

    def read(self, name):
        info = self.names.get(name)
        if info is None:
            raise CheckpointError(f"{self.path}: lacks {show(name)}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"{self.path}: {show(name)} is compressed")
        self.left -= info.file_size
        if self.left < 0 or info.compress_size != info.file_size:
            raise CheckpointError(f"{self.path}: {show(name)} is larger than the file")
        return self.z.read(info)


def _storages(state, path):
    """{key: storage}; the tensors of one storage must agree on what it is."""
    out = {}
    for t in state.values() if isinstance(state, dict) else ():
        if isinstance(t, Tensor):
            s = out.setdefault(t.storage.key, t.storage)
            if (s.dtype, s.count) != (t.storage.dtype, t.storage.count):
                raise CheckpointError(f"{path}: two kinds of storage {show(s.key)}")
    return out


def _array(path, key, raw, storage):
    if len(raw) < storage.count * storage.dtype.itemsize:
        raise CheckpointError(f"{path}: truncated in storage {show(key)}")
    return np.frombuffer(raw, storage.dtype, storage.count)


def _view(path, name, t, data):
    """The array of a tensor: offset, size and stride in its storage, in elements."""
    natural = lambda v: type(v) is int and 0 <= v < 1 << 62
    ok = (isinstance(t.size, tuple) and isinstance(t.stride, tuple) and len(t.size) <= 8
          and len(t.size) == len(t.stride) and all(map(natural, t.size + t.stride))
          and natural(t.offset))
    flat = data[t.storage.key]
    if ok:
        last = t.offset + sum((n - 1) * s for n, s in zip(t.size, t.stride))
        count = 1
        for n in t.size:
            count *= n
        ok = count <= max(flat.size, 1) and (count == 0 or last < flat.size)
    if not ok:
        raise CheckpointError(f"{path}: {show(name)} does not fit its storage")
    step = flat.itemsize
    view = np.lib.stride_tricks.as_strided(flat[t.offset:], t.size,
                                           [s * step for s in t.stride], writeable=False)
    return np.ascontiguousarray(view).reshape(t.size)


def read_args(path):
    """The attributes of a pickled argparse.Namespace, as a dictionary."""
    try:
        with open_regular(path) as f:
            found = impostor(f.read(100))
            if found:
                raise CheckpointError(f"{path}: is {found}")
            f.seek(0)
            args = Machine(path, ARGS_GLOBALS).load(f, min(left_in(f), MAX_ARGS))
    except OSError as e:
        raise CheckpointError(f"{path}: {e.strerror}") from e
    if not isinstance(args, Namespace):
        raise CheckpointError(f"{path}: holds no argparse.Namespace")
    return dict(args)
