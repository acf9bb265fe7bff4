# SPDX-License-Identifier: LGPL-2.1-or-later
"""The graph of an ONNX file as a PyTorch module, for teacher.py."""
import numpy as np
import torch
import torch.nn.functional as F

from . import teacher


class Graph(torch.nn.Module):
    """A module of the operations that U2-Net needs. Shapes are computed with numpy."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.nodes, arrays, self.input, self.output = teacher.read_onnx(path)
        self.shapes = {}  # small integers, computed on the CPU
        self.names = {}
        for n, (name, array) in enumerate(arrays.items()):
            if array.dtype.kind == "f":
                self.names[name] = f"weight{n}"
                self.register_buffer(f"weight{n}", torch.from_numpy(array))
            else:
                self.shapes[name] = array
        self.eval()

    def forward(self, x):
        values = {name: getattr(self, own) for name, own in self.names.items()}
        values.update(self.shapes)
        values[self.input] = x
        for kind, inputs, outputs, a in self.nodes:
            args = [values.get(n) for n in inputs]
            values[outputs[0]] = getattr(self, "do_" + kind)(args, a)
            if outputs[0] == self.output:
                break
        return values[self.output]

    def do_Conv(self, args, a):
        top, left, bottom, right = a.get("pads", [0] * 4)
        if (top, left) != (bottom, right):
            raise ValueError(f"{self.path}: uneven padding")
        return F.conv2d(*args, stride=a.get("strides", 1), padding=(top, left),
                        dilation=a.get("dilations", 1), groups=a.get("group", 1))

    def do_MaxPool(self, args, a):
        return F.max_pool2d(args[0], a["kernel_shape"], a["strides"],
                            a.get("pads", [0] * 4)[:2],
                            ceil_mode=bool(a.get("ceil_mode")))

    def do_Relu(self, args, a):
        return args[0].relu()

    def do_Sigmoid(self, args, a):
        return args[0].sigmoid()

    def do_Add(self, args, a):
        return args[0] + args[1]

    def do_Concat(self, args, a):
        if isinstance(args[0], np.ndarray):
            return np.concatenate(args, a["axis"])
        return torch.cat(args, a["axis"])

    def do_Resize(self, args, a):
        size = [int(n) for n in args[3][2:]]
        return F.interpolate(args[0], size=size, mode="bilinear",
                             align_corners=False)

    def do_Constant(self, args, a):
        return a["value"]

    def do_Shape(self, args, a):
        return np.array(args[0].shape, np.int64)

    def do_Gather(self, args, a):
        return np.take(args[0], args[1], a.get("axis", 0))

    def do_Unsqueeze(self, args, a):
        return np.expand_dims(args[0], tuple(a["axes"]))

    def do_Cast(self, args, a):
        return args[0]

    def do_Slice(self, args, a):
        begin, end = int(args[1][0]), int(min(args[2][0], 1 << 30))
        return args[0][begin:end]
