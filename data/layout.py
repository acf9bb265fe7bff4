# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names and shapes of every tensor of a network (docs/model-format.md); no dependencies.

The same facts as in model.py's modules, for programs that must do without PyTorch; that
they agree is tested.
"""
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3),
          "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
BOTTLENECK = ("resnet50", "resnet101")
VGG_CONVOLUTIONS = ((0, 1), (2, 1), (5, 2), (7, 2), (10, 4), (12, 4), (14, 4),
                    (17, 8), (19, 8), (21, 8), (24, 8), (26, 8), (28, 8))
BASES = (*BLOCKS, "vgg16")


def batch_norm(name, c):
    return {f"{name}.{part}": (c,)
            for part in ("weight", "bias", "running_mean", "running_var")}


def convolution(name, c_out, c_in, k, bias=True):
    out = {f"{name}.weight": (c_out, c_in, k, k)}
    if bias:
        out[f"{name}.bias"] = (c_out,)
    return out


def resnet(base, width):
    out = convolution("base.conv1", width, 3, 7, bias=False)
    out.update(batch_norm("base.bn1", width))
    wide = 4 if base in BOTTLENECK else 1
    c_in = width
    for layer, blocks in enumerate(BLOCKS[base]):
        c = width << layer
        for b in range(blocks):
            name = f"base.layer{layer + 1}.{b}"
            if wide == 4:
                shapes = ((c, c_in, 1), (c, c, 3), (4 * c, c, 1))
            else:
                shapes = ((c, c_in, 3), (c, c, 3))
            for n, shape in enumerate(shapes, 1):
                out.update(convolution(f"{name}.conv{n}", *shape, bias=False))
                out.update(batch_norm(f"{name}.bn{n}", shape[0]))
            if b == 0 and (layer or wide == 4):
                out.update(convolution(f"{name}.downsample.0", c * wide, c_in, 1,
                                       bias=False))
                out.update(batch_norm(f"{name}.downsample.1", c * wide))
            c_in = c * wide
    return out


def vgg(width):
    out, c_in = {}, 3
    for index, times in VGG_CONVOLUTIONS:
        out.update(convolution(f"base.features.{index}", times * width, c_in, 3))
        c_in = times * width
    return out


def encoder(base, hidden, kernel_size=3, width=64):
    out = vgg(width) if base == "vgg16" else resnet(base, width)
    if base == "vgg16":
        inputs = [width * m for m in (8, 8, 4, 2)]
    else:
        inputs = [width * m * (4 if base in BOTTLENECK else 1) for m in (8, 4, 2, 1)]
    outputs = (hidden, hidden, hidden // 2, hidden // 4)
    for n, i, o in zip((5, 4, 3, 2), inputs, outputs):
        out.update(convolution(f"sk{n}", o, i, kernel_size))
        out.update(batch_norm(f"bn{n}", o))
    return out


def decoder(hidden, kernel_size=3, skip_mode="concat", one_shot=False):
    out = {}
    for k in range(4):
        h = hidden >> k
        below = hidden if k == 0 else hidden >> (k - 1)
        c_in = below * (2 if k and skip_mode == "concat" else 1) + int(one_shot) + 2 * h
        out.update(convolution(f"clstm_list.{k}.Gates", 4 * h, c_in, kernel_size))
    out.update(convolution("conv_out", 1, hidden >> 3, kernel_size))
    return out


def bundle(base, hidden, kernel_size=3, skip_mode="concat", width=64,
           tasks=("zero-shot", "one-shot")):
    """Of a whole .safetensors bundle (docs/model-format.md)."""
    out = {f"encoder.{k}": v for k,
           v in encoder(base, hidden, kernel_size, width).items()}
    for task in tasks:
        for k, v in decoder(hidden, kernel_size, skip_mode, task == "one-shot").items():
            out[f"{task.replace('-', '_')}.{k}"] = v
    return out
