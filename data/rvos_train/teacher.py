# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels pictures by U2-Net (Apache-2.0), a network that finds the main object of a
picture. It runs in ONNX Runtime on the CPU, or as a PyTorch module on any device.

    python3 data/rvos_train teacher u2netp.onnx PICTURES OUT [--torch]

OUT gets each picture of the folder with a mask, NAME.jpg and NAME.png: a source
`folder:OUT` of stills. A picture is left out if U2-Net is unsure, or finds nothing or
everything.
"""
import os
import struct

import numpy as np
from PIL import Image

from . import datasets, files

SIDE = 320
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LEAST, MOST = 0.02, 0.7  # share of the picture that the object covers
UNSURE = 0.25  # share of its pixels that are neither clearly inside nor outside


# ---- files of ONNX ---------------------------------------------------------------------

def fields(data):
    """(number, value) of the fields of a protocol buffer: integers and slices of `data`."""
    at, end = 0, len(data)

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            if at >= end or shift > 63:
                raise ValueError("a number is cut off")
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < end:
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            yield number, varint()
            continue
        size = varint() if kind == 2 else {1: 8, 5: 4}.get(kind, end + 1)
        if size > end - at:
            raise ValueError("a field is cut off")
        yield number, data[at:at + size]
        at += size


def grouped(data):
    out = {}
    for number, value in fields(data):
        out.setdefault(number, []).append(value)
    return out


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def integers(values):
    """Repeated integers, packed or not."""
    out = []
    for v in values:
        out += [signed(v)] if isinstance(v, int) else [signed(n) for n in packed(v)]
    return out


def packed(data):
    """Numbers of a packed field."""
    value = shift = 0
    for byte in data:
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            yield value
            value = shift = 0


def tensor(data):
    f = grouped(data)
    kind = {1: "<f4", 7: "<i8"}[f[2][0]]
    shape = integers(f.get(1, []))
    if 9 in f:
        array = np.frombuffer(bytes(f[9][0]), kind)
    elif 4 in f:
        array = np.frombuffer(b"".join(bytes(v) for v in f[4]), kind)
    else:
        array = np.array(integers(f.get(7, [])), kind)
    return array.reshape(shape).copy()


def attribute(data):
    f = grouped(data)
    name = bytes(f[1][0]).decode()
    if 8 in f:
        return name, integers(f[8])
    if 5 in f:
        return name, tensor(f[5][0])
    if 3 in f:
        return name, signed(f[3][0])
    if 2 in f:
        return name, struct.unpack("<f", bytes(f[2][0]))[0]
    return name, bytes(f[4][0]).decode() if 4 in f else None


def read_onnx(path):
    """(nodes, {name: array}, first input, first output) of a graph; a node is (kind,
    inputs, outputs, attributes)."""
    with files.open_regular(path) as f:
        data = memoryview(f.read())
    try:
        return graph_of(data)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, StopIteration,
            struct.error) as e:
        raise files.FileError(f"{files.show(path)}: no ONNX file, or a damaged one "
                              f"({files.show(str(e))})") from None


def graph_of(data):
    graph = grouped(grouped(data)[7][0])
    text = lambda values: [bytes(v).decode() for v in values]
    nodes = []
    for data in graph[1]:
        f = grouped(data)
        nodes.append((text(f[4])[0], text(f.get(1, [])), text(f[2]),
                      dict(attribute(a) for a in f.get(5, []))))
    arrays = {text(grouped(data)[8])[0]: tensor(data) for data in graph.get(5, [])}
    first = lambda values: next(n for n in (text(grouped(v)[1])[0] for v in values)
                                if n not in arrays)
    return nodes, arrays, first(graph[11]), first(graph[12])


# ---- labels ----------------------------------------------------------------------------

def prepared(image):
    """PIL image -> (1,3,320,320)"""
    a = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.LANCZOS), np.float32)
    a = (a / max(1.0, a.max()) - MEAN) / STD
    return np.ascontiguousarray(a.transpose(2, 0, 1)[None], np.float32)


class Teacher:
    """probability(image): an array of the picture's size, 0 to 1."""

    def __init__(self, path, torch_device=None):
        self.device = torch_device
        if torch_device:
            from . import teacher_torch
            self.module = teacher_torch.Graph(path).to(torch_device)
        else:
            try:
                import onnxruntime
            except ModuleNotFoundError:
                raise files.FileError("needs the Python package onnxruntime; with --torch it "
                                      "needs PyTorch instead") from None
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1  # the same sums on any machine
            self.session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"])

    def raw(self, x):
        if self.device:
            import torch
            with torch.no_grad():
                return self.module(torch.from_numpy(x).to(self.device)).cpu().numpy()
        return self.session.run(None, {self.session.get_inputs()[0].name: x})[0]

    def probability(self, image):
        p = self.raw(prepared(image))[0, 0]
        p = (p - p.min()) / max(1e-6, float(np.ptp(p)))
        return np.asarray(Image.fromarray(p.astype(np.float32)).resize(
            image.size, Image.BILINEAR))

    def mask(self, image):
        """A boolean mask, or None if it cannot be trusted."""
        p = self.probability(image)
        inside = p > 0.5
        if not LEAST < inside.mean() < MOST:
            return None
        between = ((p > 0.2) & (p < 0.8)).sum() / inside.sum()
        return inside if between < UNSURE else None


def listed(folder):
    """{name without suffix: file name} of the pictures of a folder."""
    out = {}
    for name in sorted(os.listdir(folder)):
        if name.lower().endswith((".jpg", ".jpeg", ".png")):
            other = out.setdefault(os.path.splitext(name)[0], name)
            if other != name:
                raise files.FileError(f"{files.show(folder)}: {files.show(other)} and "
                                      f"{files.show(name)} would get the same mask file: "
                                      "rename one")
    if not out:
        raise files.FileError(f"{files.show(folder)}: holds no JPEG or PNG picture")
    return out


@files.refuses("teacher", OSError, ValueError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("model", metavar="U2NET.onnx")
    p.add_argument("pictures", help="folder of JPEG and PNG pictures")
    p.add_argument("out")
    p.add_argument("--torch", action="store_true",
                   help="run in PyTorch, on the GPU if there is one")
    a = p.parse_args(argv)
    device = None
    if a.torch:
        import torch
        device = "cuda" if torch.cuda.is_available() else "cpu"
    names = listed(a.pictures)
    teacher = Teacher(a.model, device)
    guard = files.Guard(*(os.path.join(a.pictures, n) for n in names.values()))
    os.makedirs(a.out, exist_ok=True)
    kept = 0
    for stem, name in names.items():
        path = os.path.join(a.pictures, name)
        image = datasets.open_image(path, files.show(path))
        mask = teacher.mask(image)
        if mask is None:
            continue
        stem = os.path.join(a.out, stem)
        for path, picture, options in (
                (stem + ".jpg", image, dict(format="JPEG", quality=92)),
                (stem + ".png", Image.fromarray(mask.astype(np.uint8)),
                 dict(format="PNG"))):
            guard.write(path)
            with files.atomic(path) as f:
                picture.save(f, **options)
        kept += 1
    print(f"{files.show(a.out)}: {kept} of {len(names)} pictures labelled")
    return 0
