#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""broken_models.py STAMP: makes model files that must be refused, in broken/ beside STAMP, and good
ones, among them their original. broken/cases.txt has a line for each: name, status, and a word that
the message must hold."""
import json
import pathlib
import shutil
import struct
import sys

import numpy as np

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
sys.path.insert(0, str(DATA))
import golden  # noqa: E402
from rvos_train import safetensors_io  # noqa: E402

ARGUMENT, FORMAT = -1, -5
GATES = "zero_shot.clstm_list.%d.Gates.weight"
folder = pathlib.Path(sys.argv[1]).resolve().parent / "broken"
lines = []


def case(name, word, status=FORMAT):
    lines.append(f"{name}\t{status}\t{word}")
    return folder / f"{name}.safetensors"


def changed(name, word, change, status=FORMAT, **settings):
    """Write a valid file with changed tensors or metadata."""
    tensors, meta = golden.random_network(**{"seed": 1, **settings})
    change(tensors, meta)
    safetensors_io.write(case(name, word, status), tensors, meta)


def raw(name, word, data):
    case(name, word).write_bytes(data)


def headed(name, word, change):
    """Write the good file with another header: change(entries, data) returns both, or the
    data."""
    data = good.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    entries, body = json.loads(data[8:8 + length]), data[8 + length:]
    body = change(entries, body) or body
    text = json.dumps(entries).encode()
    raw(name, word, struct.pack("<Q", len(text)) + text + body)


def put(tensor, value):
    def change(tensors, meta):
        a = tensors[tensor].copy()
        a.reshape(-1)[a.size // 2] = value
        tensors[tensor] = a
    return change


def shaped(tensor, shape, dtype=np.float32):
    return lambda tensors, meta: tensors.update({tensor: np.full(shape, 0.5, dtype)})


def without(tensor):
    return lambda tensors, meta: tensors.pop(tensor)


def meta_of(**values):
    return lambda tensors, meta: meta.update({"rvos." + k: v for k, v in values.items()})


def rename(old, new):
    def change(tensors, meta):
        meta["rvos.tasks"] = new[:-1].replace("_", "-")
        for key in [k for k in tensors if k.startswith(old)]:
            tensors[new + key[len(old):]] = tensors.pop(key)
    return change


def damaged_files():
    data = good.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    raw("empty", "empty", b"")
    raw("seven-bytes", "size", data[:7])
    raw("no-header", "header", struct.pack("<Q", 2))
    raw("truncated-header", "truncated", data[:8 + length // 2])
    raw("truncated", "", data[:-1000])
    raw("half", "", data[:len(data) // 2])
    raw("longer", "unused", data + b"x")
    raw("header-of-all", "header", b"\xff" * 8 + data[8:])
    raw("header-signed", "header", struct.pack("<q", -8) + data[8:])
    raw("picture", "", b"\x89PNG\r\n\x1a\n" + bytes(100))
    raw("text", "", b"This is not a model at all, but a line of text.\n")
    raw("zeroes", "", bytes(4096))
    with open(case("header-too-large", "header"), "wb") as f:  # a sparse file
        f.write(struct.pack("<Q", 150 << 20))
        f.truncate(200 << 20)


def damaged_headers():
    gates = GATES % 1

    def overlap(entries, body):
        entries[gates]["data_offsets"] = [a - 4 for a in entries[gates]["data_offsets"]]

    def dtype(kind):
        return lambda entries, body: entries[gates].update(dtype=kind)

    def shape(*dims):
        return lambda entries, body: entries[gates].update(shape=dims)

    def beyond(entries, body):
        entries[gates]["data_offsets"] = [len(body), len(body) + 4]

    headed("overlap", gates, overlap)
    headed("no-dtype", gates, lambda entries, body: entries[gates].pop("dtype") and None)
    headed("wrong-dtype-size", gates, dtype("I64"))
    headed("f64", gates, dtype("F64"))
    headed("huge-dims", gates, shape(1 << 31, 1 << 31, 3, 3))
    headed("overflowing-dims", gates, shape(1 << 62, 4, 1, 1))
    headed("negative-dim", "", shape(-32, -24, 3, 3))
    headed("nine-dims", "list that is too long", shape(32, 24, 3, 3, 1, 1, 1, 1, 1))
    headed("beyond", gates, beyond)


def wrong_tensors():
    conv1, sk5 = "encoder.base.conv1.weight", "encoder.sk5.weight"
    for i, name in enumerate([conv1, sk5, "encoder.bn5.running_var", "encoder.sk2.bias",
                              "encoder.base.layer1.0.conv1.weight", "one_shot.conv_out.bias",
                              "encoder.base.layer4.0.downsample.1.bias", GATES % 0,
                              "one_shot.clstm_list.3.Gates.bias", "zero_shot.conv_out.weight"]):
        word = "first convolution" if name == conv1 else name
        changed(f"missing-{i}", word, without(name))
    for i, (name, value, word) in enumerate([
            (conv1, np.nan, "finite"), (GATES % 2, np.inf, "finite"),
            ("one_shot.conv_out.bias", -np.inf, "finite"),
            ("encoder.bn4.running_mean", np.nan, "finite"),
            ("encoder.bn3.running_var", -1e-6, "negative"),
            ("encoder.base.bn1.running_var", np.nan, "finite"),
            ("encoder.base.layer4.1.conv2.weight", np.nan, "finite")]):
        changed(f"value-{i}", f"{name} holds a value that is " +
                ("not a " if word == "finite" else "") + word, put(name, value))
    for i, (name, shape) in enumerate([
            (GATES % 0, (32, 25, 3, 3)), (GATES % 1, (16, 25, 3, 3)),
            (GATES % 2, (8, 12, 3, 1)), (GATES % 3, (5, 6, 3, 3)), (GATES % 0, (33, 24, 3, 3)),
            (GATES % 1, (16, 24, 9)), (sk5, (8, 64, 5, 5)), (sk5, (8, 64, 1, 1)),
            (sk5, (9, 64, 3, 3)), (conv1, (8, 4, 7, 7)), (conv1, (8, 3, 5, 5)),
            (conv1, (0, 3, 7, 7)), ("encoder.bn5.weight", (9,)), ("encoder.bn5.bias", (8, 1)),
            ("one_shot.conv_out.weight", (2, 1, 3, 3)), ("zero_shot.conv_out.bias", ()),
            ("encoder.base.layer2.0.conv1.weight", (16, 8, 1, 1))]):
        changed(f"shape-{i}", "", shaped(name, shape))
    changed("integers", GATES % 3, shaped(GATES % 3, (4, 6, 3, 3), np.int64))
    for task, extra in (("zero_shot", 0), ("one_shot", 1)):
        def none(tensors, meta, task=task, extra=extra):
            del meta["rvos.hidden"]
            shaped(f"{task}.clstm_list.0.Gates.weight", (3, extra, 3, 3))(tensors, meta)

        changed(f"hidden-none-{task}", "", none, tasks=(task.replace("_", "-"),))
    changed("wide", "", shaped(conv1, (65536, 3, 7, 7), np.uint8))


def wrong_metadata():
    def forget(tensors, meta):
        meta.clear()

    changed("no-metadata", "rvos.base", forget)
    changed("no-base", "rvos.base", lambda t, m: m.pop("rvos.base"))
    for base in ("resnet34", "resnet50", "resnet101", "vgg16", "effnet-lite0", "resnet99", "", "x" * 400):
        changed(f"base-{base[:9]}", "", meta_of(base=base))
    changed("deeper", "encoder.base.layer1.2", meta_of(base="resnet18"), base="resnet34")
    for i, hidden in enumerate(("16", "0", "-8", "8x", "", "99999999999999999999")):
        changed(f"hidden-{i}", "rvos.hidden", meta_of(hidden=hidden))
    changed("hidden-12", "rvos.hidden", lambda t, m: None, hidden=12)
    for i, (key, value) in enumerate((("width", "31"), ("width", "4097"), ("height", "abc"),
                                      ("height", ""), ("objects", "0"), ("objects", "33"),
                                      ("objects", "ten"))):
        changed(f"number-{i}", "rvos." + key, meta_of(**{key: value}))
    changed("skip-sum", "", meta_of(skip_mode="sum"))
    changed("skip-blend", "rvos.skip_mode", meta_of(skip_mode="blend"))
    changed("skip-concat", "", meta_of(skip_mode="concat"), skip_mode="sum")
    changed("no-task", "no decoder", meta_of(tasks="two-shot"))
    changed("task-missing", "one_shot", meta_of(tasks="zero-shot,one-shot"),
            tasks=("zero-shot",))
    changed("task-other", "other task", rename("zero_shot.", "one_shot."),
            tasks=("zero-shot",))
    changed("task-other-2", "other task", rename("one_shot.", "zero_shot."),
            tasks=("one-shot",))
    changed("depthwise", "has the wrong shape",
            shaped("encoder.base.blocks.3.depthwise.weight", (18, 18, 3, 3)),
            base="mobilenetv2")
    changed("vgg16-odd", "multiples of 32", meta_of(height="250"), ARGUMENT, base="vgg16")


shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
good = folder / "good.safetensors"
safetensors_io.write(good, *golden.random_network(seed=1))
safetensors_io.write(folder / "tiny.safetensors", *golden.random_network(seed=1, width=1))
tensors, meta = golden.random_network(seed=1, tasks=("one-shot",))
safetensors_io.write(folder / "r18-one-only.safetensors", tensors, meta)
damaged_files()
damaged_headers()
wrong_tensors()
wrong_metadata()
(folder / "cases.txt").write_text("\n".join(lines) + "\n")
pathlib.Path(sys.argv[1]).touch()
