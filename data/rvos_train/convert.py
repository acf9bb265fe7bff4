# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns a published RVOS checkpoint folder into a .safetensors bundle.

    python3 data/convert.py CHECKPOINT_DIR -o FILE [--size WxH] [--dtype f16|f32]

The folder holds encoder.pt and decoder.pt (state dictionaries, legacy or zip container)
and args.pkl; files of optimisers are ignored. It needs numpy only. No pickle is executed:
see checkpoint.py. The shapes of the tensors say what the network is. args.pkl decides only
the skip mode; its other values are checked against the shapes.
"""
import argparse
import os
import re
import sys

import numpy as np

from . import checkpoint, files, layout, safetensors_io
from .checkpoint import CheckpointError
from .files import show

IGNORED = ("num_batches_tracked", "base.fc.", "base.classifier.")
LICENCE = ("unknown: from a checkpoint in the layout of imatge-upc/rvos, whose authors "
           "forbid commercial use of theirs; the licences of its training data apply, "
           "too")


def clean(state, ignored=IGNORED):
    """Remove DataParallel's prefix and tensors that the network never reads."""
    out = {}
    for key, value in state.items():
        key = key[7:] if key.startswith("module.") else key
        if not any(word in key for word in ignored):
            out[key] = value
    return out


def shape_of(state, path, key, dims=4):
    if key not in state:
        raise CheckpointError(f"{path}: {key} is missing")
    if state[key].ndim != dims:
        raise CheckpointError(f"{path}: {key} has shape {list(state[key].shape)}, must "
                              f"have {dims} dimensions")
    return state[key].shape


def find_base(state, path, stated):
    """The encoder's name: args.pkl's, else the one that fits the keys."""
    if stated is not None:
        if stated not in layout.BASES:
            raise CheckpointError(f"args.pkl: base_model '{show(stated)}' is none of "
                                  + ", ".join(layout.BASES))
        return stated
    if "base.features.0.weight" in state:
        return "vgg16"
    if "base.layer1.0.conv3.weight" in state:
        return "resnet101" if "base.layer3.6.conv1.weight" in state else "resnet50"
    if "base.stem.weight" in state:
        count = len({k.split(".")[2] for k in state if k.startswith("base.blocks.")})
        for name in layout.MOBILE:
            if len(layout.mobile_blocks(name, 32)) == count:
                return name
        raise CheckpointError(f"{path}: {count} inverted residuals, as no known encoder has")
    return "resnet34" if "base.layer1.2.conv1.weight" in state else "resnet18"


def find_decoder(state, path, hidden, stated):
    """(task, skip mode), from the input channels of the first two Gates."""
    c0 = shape_of(state, path, "clstm_list.0.Gates.weight")[1]
    c1 = shape_of(state, path, "clstm_list.1.Gates.weight")[1]
    mask = c0 - 3 * hidden
    if mask not in (0, 1):
        raise CheckpointError(f"{path}: clstm_list.0.Gates.weight has {c0} input "
                              f"channels; with hidden {hidden} zero-shot has "
                              f"{3 * hidden}, one-shot {3 * hidden + 1}")
    if c1 - mask == 3 * hidden:
        found = ("concat",)
    elif c1 - mask == 2 * hidden:
        found = ("sum", "mul", "none")
    else:
        raise CheckpointError(f"{path}: clstm_list.1.Gates.weight has {c1} input "
                              f"channels, must have {3 * hidden + mask} or "
                              f"{2 * hidden + mask}")
    if stated is None and len(found) > 1:
        raise CheckpointError(f"{path}: skip mode is sum, mul or none, and args.pkl does "
                              "not say which: give --skip-mode")
    mode = found[0] if stated is None else stated
    if mode not in found:
        raise CheckpointError(f"{path}: skip mode '{show(mode)}' does not fit the input "
                              "channels of clstm_list.1.Gates.weight, which mean "
                              f"{' or '.join(found)}")
    return ("one-shot" if mask else "zero-shot"), mode


def check(state, want, path):
    """Every tensor wanted is there, of the right shape, and finite."""
    missing = [k for k in want if k not in state]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise CheckpointError(f"{path}: missing: {', '.join(missing[:4])}{more}")
    for key, shape in want.items():
        value = state[key]
        if value.shape != shape:
            raise CheckpointError(f"{path}: {key} has shape {list(value.shape)}, must be "
                                  f"{list(shape)}")
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} has values that are not finite")
        if key.endswith("running_var") and (value < 0).any():
            raise CheckpointError(f"{path}: {key} has a negative variance")
    return [k for k in state if k not in want]


def attribute(args, name, kind):
    """args.pkl's value, or None if it has none; a bool does not count as an int."""
    value = args.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise CheckpointError(f"args.pkl: {name} is {show(value)}")
    return value


def load(folder, skip_mode=None, task=None, say=lambda line: None):
    """A checkpoint folder -> ({bundle name: array}, settings)"""
    paths = {n: os.path.join(folder, n) for n in ("encoder.pt", "decoder.pt", "args.pkl")}
    if not os.path.isdir(folder):
        raise CheckpointError(f"{folder}: no folder; a checkpoint is a folder with "
                              "encoder.pt, decoder.pt and args.pkl")
    for name in ("encoder.pt", "decoder.pt"):
        if not os.path.isfile(paths[name]):
            raise CheckpointError(f"{folder}: has no {name}")
    if os.path.isfile(paths["args.pkl"]):
        args = checkpoint.read_args(paths["args.pkl"])
    else:
        say(f"{folder}: no args.pkl; only the tensors say what the network is")
        args = {}
    enc = clean(checkpoint.read_state(paths["encoder.pt"]))
    dec = clean(checkpoint.read_state(paths["decoder.pt"]), IGNORED + ("fc_stop",))

    base = find_base(enc, paths["encoder.pt"], attribute(args, "base_model", str))
    first = layout.first_tensor(base)
    width = shape_of(enc, paths["encoder.pt"], first)[0]
    hidden, _, kernel, _ = shape_of(enc, paths["encoder.pt"], "sk5.weight")
    stated = attribute(args, "hidden_size", int), attribute(args, "kernel_size", int)
    for name, said, seen in zip(("hidden_size", "kernel_size"), stated, (hidden, kernel)):
        if said is not None and said != seen:
            raise CheckpointError(f"{folder}: args.pkl says {name} {said}, sk5.weight of "
                                  f"encoder.pt has {seen}")
    if hidden % 8 or hidden == 0 or kernel not in (1, 3):
        raise CheckpointError(f"{folder}: hidden size {hidden}, kernel size {kernel}: "
                              "hidden must divide by 8, the kernel be 1 or 3")
    found, mode = find_decoder(dec, paths["decoder.pt"], hidden,
                               skip_mode or attribute(args, "skip_mode", str))
    if task not in (None, found):
        raise CheckpointError(f"{paths['decoder.pt']}: holds {found} weights, not "
                              f"{task}: clstm_list.0.Gates.weight has "
                              f"{dec['clstm_list.0.Gates.weight'].shape[1]} input "
                              "channels")
    extra = check(enc, layout.encoder(base, hidden, kernel, width), paths["encoder.pt"])
    extra += check(dec, layout.decoder(hidden, kernel, mode, found == "one-shot"),
                   paths["decoder.pt"])
    if extra:
        say(f"{folder}: ignored: {', '.join(map(show, extra[:4]))}"
            + (" ..." if len(extra) > 4 else ""))
    if args.get("length_clip") == 1:
        say(f"{folder}: trained on single frames (length_clip 1): run it as variant "
            "spatial")
    prefix = found.replace("-", "_")
    names = {**layout.encoder(base, hidden, kernel, width)}
    tensors = {f"encoder.{k}": enc[k] for k in names}
    tensors.update({f"{prefix}.{k}": dec[k]
                    for k in layout.decoder(hidden, kernel, mode, found == "one-shot")})
    return tensors, dict(base=base, hidden=hidden, kernel_size=kernel, skip_mode=mode,
                         width=width, task=found)


def narrow(tensors, dtype):
    """To float16 or float32, refusing to overflow."""
    kind = np.float16 if dtype == "f16" else np.float32
    out = {}
    for name, value in tensors.items():
        with np.errstate(over="ignore"):
            out[name] = value.astype(kind)
        if not np.isfinite(out[name]).all():
            raise CheckpointError(f"{name} has values too large for {dtype}: try --dtype "
                                  "f32")
    return out


def metadata(settings, size, licence, provenance, objects=10):
    out = {"rvos.base": settings["base"], "rvos.hidden": str(settings["hidden"]),
           "rvos.tasks": settings["task"], "rvos.width": str(size[0]),
           "rvos.height": str(size[1]), "rvos.objects": str(objects),
           "rvos.licence": licence, "rvos.provenance": provenance}
    if settings["skip_mode"] != "concat":
        out["rvos.skip_mode"] = settings["skip_mode"]
    return out


def parse_size(text):
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    size = tuple(map(int, match.groups())) if match else (0, 0)
    if not all(32 <= n <= 4096 for n in size):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 448x256 (32 to "
                                         "4096)")
    return size


def main(argv=None):
    p = argparse.ArgumentParser(description="RVOS checkpoint folder -> .safetensors "
                                            "bundle")
    p.add_argument("checkpoint", help="folder with encoder.pt, decoder.pt and args.pkl")
    p.add_argument("-o", "--output", required=True, metavar="FILE")
    p.add_argument("--size", type=parse_size, default=(448, 256), metavar="WxH",
                   help="network input size, default 448x256")
    p.add_argument("--dtype", choices=("f16", "f32"), default="f16")
    p.add_argument("--task", choices=("zero-shot", "one-shot"), help="refuse any other")
    p.add_argument("--skip-mode", choices=("concat", "sum", "mul", "none"),
                   help="if args.pkl is missing or does not say it")
    p.add_argument("--licence", default=LICENCE, help="terms of the weights, in words")
    p.add_argument("--provenance", help="training data, program and date, in words")
    a = p.parse_args(argv)
    say = lambda line: print(f"convert.py: {show(str(line), 1000)}", file=sys.stderr)
    try:
        files.Guard(*(os.path.join(a.checkpoint, n)
                      for n in ("encoder.pt", "decoder.pt", "args.pkl"))).write(
                          a.output, CheckpointError)
        tensors, settings = load(a.checkpoint, a.skip_mode, a.task, say)
        words = a.provenance or ("converted by data/convert.py from the checkpoint '"
                                 + os.path.basename(os.path.abspath(a.checkpoint)) + "'")
        safetensors_io.write(a.output, narrow(tensors, a.dtype),
                             metadata(settings, a.size, a.licence, words))
    except CheckpointError as e:
        say(e)
        return 1
    except OSError as e:
        say(f"{a.output}: {e.strerror}")
        return 1
    print(f"{show(a.output)}: {settings['base']}, hidden {settings['hidden']}, "
          f"{settings['task']}, {len(tensors)} tensors, "
          f"{os.path.getsize(a.output) / 1e6:.1f} MB")
    return 0
