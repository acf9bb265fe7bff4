# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names and shapes of every tensor of a network (docs/model-format.md); no dependencies.

model.py's modules hold the same facts. This module is for programs without PyTorch; a
test checks that both agree.
"""
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3),
          "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
BOTTLENECK = ("resnet50", "resnet101")
VGG_CONVOLUTIONS = ((0, 1), (2, 1), (5, 2), (7, 2), (10, 4), (12, 4), (14, 4),
                    (17, 8), (19, 8), (21, 8), (24, 8), (26, 8), (28, 8))
# Rows of inverted residuals: kernel size, stride of the first, channels, number.
MOBILE = {
    "mobilenetv2": ((3, 1, 16, 1), (3, 2, 24, 2), (3, 2, 32, 3), (3, 2, 64, 4),
                    (3, 1, 96, 3), (3, 2, 160, 3), (3, 1, 320, 1)),
    "effnet-lite0": ((3, 1, 16, 1), (3, 2, 24, 2), (5, 2, 40, 2), (3, 2, 80, 3),
                     (5, 1, 112, 3), (5, 2, 192, 4), (3, 1, 320, 1)),
    "effnet-lite2": ((3, 1, 16, 1), (3, 2, 24, 3), (5, 2, 48, 3), (3, 2, 88, 4),
                     (5, 1, 120, 4), (5, 2, 208, 5), (3, 1, 352, 1)),
}
MOBILE_WIDTH = 32  # width of the first convolution that these channels are for
BASES = (*BLOCKS, "vgg16", *MOBILE)


def standard_width(base):
    """Channels of the first convolution in published models."""
    return MOBILE_WIDTH if base in MOBILE else 64


def first_tensor(base):
    """The weight of the first convolution, within the encoder."""
    if base in MOBILE:
        return "base.stem.weight"
    return "base.features.0.weight" if base == "vgg16" else "base.conv1.weight"


def mobile_blocks(base, width):
    """(kernel size, stride, channels in, inside, out) of each inverted residual."""
    out, c_in = [], width
    for row, (size, stride, channels, count) in enumerate(MOBILE[base]):
        c = -(-channels * width // MOBILE_WIDTH)
        for i in range(count):
            out.append((size, 1 if i else stride, c_in, c_in * (6 if row else 1), c))
            c_in = c
    return out


def mobile_outputs(base, width):
    """Channels of x2 to x5, at strides 4, 8, 16, 32."""
    out = []
    for _, stride, _, _, c in mobile_blocks(base, width):
        if stride == 2:
            out.append(c)
        elif out:
            out[-1] = c
    return out


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


def mobile(base, width):
    out = convolution("base.stem", width, 3, 3, bias=False)
    out.update(batch_norm("base.bn", width))
    for n, (size, _, c_in, inside, c_out) in enumerate(mobile_blocks(base, width)):
        name = f"base.blocks.{n}"
        if inside != c_in:
            out.update(convolution(f"{name}.expand", inside, c_in, 1, bias=False))
            out.update(batch_norm(f"{name}.bn1", inside))
        out.update(convolution(f"{name}.depthwise", inside, 1, size, bias=False))
        out.update(batch_norm(f"{name}.bn2", inside))
        out.update(convolution(f"{name}.project", c_out, inside, 1, bias=False))
        out.update(batch_norm(f"{name}.bn3", c_out))
    return out


def encoder(base, hidden, kernel_size=3, width=64):
    if base in MOBILE:
        out = mobile(base, width)
        inputs = mobile_outputs(base, width)[::-1]
    elif base == "vgg16":
        out = vgg(width)
        inputs = [width * m for m in (8, 8, 4, 2)]
    else:
        out = resnet(base, width)
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
    """All tensors of a .safetensors bundle (docs/model-format.md)."""
    out = {f"encoder.{k}": v
           for k, v in encoder(base, hidden, kernel_size, width).items()}
    for task in tasks:
        for k, v in decoder(hidden, kernel_size, skip_mode, task == "one-shot").items():
            out[f"{task.replace('-', '_')}.{k}"] = v
    return out
