# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads PyTorch checkpoints without PyTorch and without running a pickle.

A pickle is a program; loading one may do anything.  Here its opcodes are only decoded (by
pickletools, which executes nothing) and interpreted by a machine that knows a closed
list of them.  A GLOBAL is a name, never an import: those below have a meaning, any other
is refused.

Containers: the legacy one of PyTorch 1.0 (five pickles, then the storages) and the zip
one of 1.6 and later.  Whatever device a storage was saved from, it is read into host
memory.
"""
import pickletools
import struct
import zipfile

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
MAX_OPCODES = 5_000_000
STORAGES = {
    "torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8"),
    "torch HalfStorage": np.dtype("<f2"), "torch DoubleStorage": np.dtype("<f8"),
}
STATE_GLOBALS = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2",
                 "torch._utils _rebuild_parameter", *STORAGES}
ARGS_GLOBALS = {"argparse Namespace"}


class CheckpointError(ValueError):
    """What is wrong with which file."""


class Global(str):
    """The name of a global, such as 'collections OrderedDict'; never the thing itself."""


class Namespace(dict):
    """What an argparse.Namespace held."""


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


class Storage:
    def __init__(self, dtype, key, count):
        self.dtype, self.key, self.count = dtype, key, count


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
        self.stack, self.memo = [], {}

    def fail(self, what):
        return CheckpointError(f"{self.path}: {what}")

    def load(self, file):
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
                UnicodeDecodeError, OverflowError, AttributeError) as e:
            raise self.fail(f"no pickle of a checkpoint ({e})") from None
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
            push(())
        elif name in TUPLES:
            items = self.stack[-TUPLES[name]:]
            del self.stack[-TUPLES[name]:]
            push(tuple(items))
        elif name == "TUPLE":
            push(tuple(self.marked()))
        elif name in ("APPEND", "APPENDS"):
            items = [self.stack.pop()] if name == "APPEND" else self.marked()
            self.top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            if name == "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                items = [key, value]
            else:
                items = self.marked()
            self.top(dict).update(zip(items[::2], items[1::2]))
        elif name in ("REDUCE", "NEWOBJ"):
            args, function = self.stack.pop(), self.stack.pop()
            push(self.call(function, args))
        elif name == "BUILD":
            state = self.stack.pop()
            if isinstance(self.stack[-1], Namespace) and isinstance(state, dict):
                self.stack[-1].update(state)
            # an OrderedDict's _metadata: dropped
            elif not isinstance(self.stack[-1], dict):
                raise self.fail("a pickle that builds an object of an unknown kind")
        else:
            raise self.fail(f"opcode {name}, which no checkpoint needs: refused")

    def top(self, kind):
        if not isinstance(self.stack[-1], kind):
            raise self.fail("a pickle that fills what is no container")
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
            raise self.fail(f"asks for '{name.replace(' ', '.')}', which no checkpoint "
                            "needs: refused, nothing was executed")
        return Global(name)

    def call(self, function, args):
        if not isinstance(function, Global):
            raise self.fail("a pickle that calls what is no function")
        if function == "collections OrderedDict" and args == ():
            return {}
        if function == "argparse Namespace" and args == ():
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
        # ('storage', type, key, location, count[, view]): the location, 'cuda:0', is
        # ignored
        ok = (isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage"
              and isinstance(pid[1], Global) and pid[1] in STORAGES
              and isinstance(pid[2], str)
              and isinstance(pid[4], int) and pid[4] >= 0 and pid[5:] in ((), (None,)))
        if not ok:
            raise self.fail("a storage of an unknown kind")
        return Storage(STORAGES[pid[1]], pid[2], pid[4])


# ---- containers ------------------------------------------------------------------------

def read_state(path):
    """The state dictionary of a .pt file: {name: array}, in the file's order and
    types."""
    try:
        with open(path, "rb") as f:
            zipped = f.read(4) == b"PK\3\4"
            f.seek(0)
            state, data = _read_zip(f, path) if zipped else _read_legacy(f, path)
    except OSError as e:
        raise CheckpointError(f"{path}: {e.strerror}") from e
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path}: holds no state dictionary")
    out = {}
    for name, value in state.items():
        if not isinstance(value, Tensor) or not isinstance(name, str):
            raise CheckpointError(f"{path}: {name!r} is no tensor: no state dictionary")
        out[name] = _view(path, name, value, data)
    return out


def _read_legacy(f, path):
    machine = lambda: Machine(path, STATE_GLOBALS)
    magic, protocol, system = (machine().load(f) for _ in range(3))
    if magic != MAGIC or protocol != 1001 or not isinstance(system, dict):
        raise CheckpointError(f"{path}: no PyTorch checkpoint")
    if system.get("little_endian", True) is not True:
        raise CheckpointError(f"{path}: written on a big-endian machine")
    reader = machine()
    state = reader.load(f)
    keys = machine().load(f)
    wanted = {s.key: s for s in _storages(state)}
    if not isinstance(keys, list) or len(set(map(str, keys))) != len(keys):
        raise CheckpointError(f"{path}: no list of storages")
    data = {}
    for key in keys:
        if key not in wanted:
            raise CheckpointError(f"{path}: storage {key!r}, which no tensor uses")
        head = f.read(8)
        count = struct.unpack("<q", head)[0] if len(head) == 8 else -1
        if count != wanted[key].count:
            raise CheckpointError(f"{path}: truncated or damaged at storage {key!r}")
        data[key] = _array(path, key, f.read(count * wanted[key].dtype.itemsize),
                           wanted[key])
    return state, data


def _read_zip(f, path):
    try:
        with zipfile.ZipFile(f) as z:
            names = {i.filename: i for i in z.infolist()}
            pickles = [n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise CheckpointError(f"{path}: a zip file without a checkpoint")
            stem = pickles[0][:-len("data.pkl")]

            def entry(name):
                info = names.get(name)
                if info is None:
                    raise CheckpointError(f"{path}: lacks {name}")
                if info.compress_type != zipfile.ZIP_STORED:
                    raise CheckpointError(f"{path}: {name} is compressed")
                return z.read(info)

            import io
            state = Machine(path, STATE_GLOBALS).load(io.BytesIO(entry(pickles[0])))
            order = names.get(stem + "byteorder")
            if order is not None and entry(stem + "byteorder") != b"little":
                raise CheckpointError(f"{path}: written on a big-endian machine")
            data = {s.key: _array(path, s.key, entry(f"{stem}data/{s.key}"), s)
                    for s in _storages(state)}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as e:
        raise CheckpointError(f"{path}: damaged: {e}") from None
    return state, data


def _storages(state):
    tensors = state.values() if isinstance(state, dict) else ()
    return [t.storage for t in tensors if isinstance(t, Tensor)]


def _array(path, key, raw, storage):
    if len(raw) < storage.count * storage.dtype.itemsize:
        raise CheckpointError(f"{path}: truncated in storage {key!r}")
    return np.frombuffer(raw, storage.dtype, storage.count)


def _view(path, name, t, data):
    """A tensor is a window on its storage: offset, size and stride, in elements."""
    natural = lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0
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
        raise CheckpointError(f"{path}: {name} does not fit its storage")
    step = flat.itemsize
    view = np.lib.stride_tricks.as_strided(flat[t.offset:], t.size,
                                           [s * step for s in t.stride], writeable=False)
    return np.ascontiguousarray(view).reshape(t.size)


def read_args(path):
    """The attributes of a pickled argparse.Namespace, as a dictionary."""
    try:
        with open(path, "rb") as f:
            args = Machine(path, ARGS_GLOBALS).load(f)
    except OSError as e:
        raise CheckpointError(f"{path}: {e.strerror}") from e
    if not isinstance(args, Namespace):
        raise CheckpointError(f"{path}: holds no argparse.Namespace")
    return dict(args)
