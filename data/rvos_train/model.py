# SPDX-License-Identifier: LGPL-2.1-or-later
"""RVOS in PyTorch: the executable specification of the numbers.

"RVOS: End-to-End Recurrent Network for Video Object Segmentation", Ventura et al., 2019.
With [ | ] for channel concatenation, the paper's equations are

    (1)  h_input  = [ B2(h(t,i,k-1)) | f'(t,k) | S(t-1,i) ]
    (2)  h_state  = [ h(t,i-1,k) | h(t-1,i,k) ]
    (3)  h(t,i,k) = ConvLSTM_k( h_input, h_state )

for frame t, object i and level k (0 is the coarsest, stride 32; 3 has stride 4).
Decoder.frame follows them literally: object after object, level after level, one
convolution per cell over the whole concatenation. This code is meant to be read, not to
be fast.

Names of parameters are those of the published checkpoints (encoder: base.*, sk5..sk2,
bn5..bn2; decoder: clstm_list.K.Gates.*, conv_out.*), so their state dictionaries load
unchanged. It needs PyTorch 1.13 or later and numpy.
"""
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from . import layout, pixels, safetensors_io

BASES = layout.BASES
SKIP_MODES = ("concat", "sum", "mul", "none")
TASKS = ("zero-shot", "one-shot")
VARIANTS = ("spatio-temporal", "spatial", "temporal")
VGG16 = (1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M")


# ---- encoder ---------------------------------------------------------------------------

class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or 1x1, 3x3, 1x1 for a bottleneck."""

    def __init__(self, c_in, c, stride, bottleneck):
        super().__init__()
        c_out = 4 * c if bottleneck else c
        if bottleneck:  # the stride is on the 3x3 convolution
            shapes = [(c_in, c, 1, 1), (c, c, 3, stride), (c, c_out, 1, 1)]
        else:
            shapes = [(c_in, c, 3, stride), (c, c, 3, 1)]
        for n, (i, o, k, s) in enumerate(shapes, 1):
            setattr(self, f"conv{n}", nn.Conv2d(i, o, k, s, k // 2, bias=False))
            setattr(self, f"bn{n}", nn.BatchNorm2d(o))
        self.count = len(shapes)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False),
                                            nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = x
        for n in range(1, self.count + 1):
            y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            if n < self.count:
                y = F.relu(y)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, base, width):
        super().__init__()
        bottleneck, blocks = base in layout.BOTTLENECK, layout.BLOCKS[base]
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        c_in = width
        for layer, count in enumerate(blocks):
            c = width << layer
            row = []
            for b in range(count):
                row.append(Block(c_in, c, 2 if layer and b == 0 else 1, bottleneck))
                c_in = 4 * c if bottleneck else c
            setattr(self, f"layer{layer + 1}", nn.Sequential(*row))

    def forward(self, x):
        """x1..x5, of strides 2, 4, 8, 16, 32; x1 is not used"""
        x1 = F.relu(self.bn1(self.conv1(x)))
        x2 = self.layer1(F.max_pool2d(x1, 3, 2, 1))
        x3 = self.layer2(x2)
        x4 = self.layer3(x3)
        return x1, x2, x3, x4, self.layer4(x4)


class VGG(nn.Module):
    """VGG16 without batch norm; x1..x5 are the outputs of its five poolings (floor
    mode)."""

    def __init__(self, width):
        super().__init__()
        layers, c_in = [], 3
        for item in VGG16:
            if item == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(c_in, item * width, 3, padding=1), nn.ReLU()]
                c_in = item * width
        self.features = nn.Sequential(*layers)

    def forward(self, x):
        out = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                out.append(x)
        return tuple(out)


class InvertedResidual(nn.Module):
    """1x1 to `inside` channels, a depthwise convolution, 1x1 back. ReLU6 follows the first
    two, no activation the last ("MobileNetV2", Sandler et al., 2018)."""

    def __init__(self, size, stride, c_in, inside, c_out):
        super().__init__()
        self.expand = None
        if inside != c_in:
            self.expand = nn.Conv2d(c_in, inside, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inside)
        self.depthwise = nn.Conv2d(inside, inside, size, stride, size // 2,
                                   groups=inside, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.project = nn.Conv2d(inside, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.stride, self.adds = stride, stride == 1 and c_in == c_out

    def forward(self, x):
        y = x if self.expand is None else F.relu6(self.bn1(self.expand(x)))
        y = self.bn3(self.project(F.relu6(self.bn2(self.depthwise(y)))))
        return x + y if self.adds else y


class Mobile(nn.Module):
    """MobileNetV2 or EfficientNet-Lite, without the last 1x1 convolution."""

    def __init__(self, base, width):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(InvertedResidual(*b)
                                    for b in layout.mobile_blocks(base, width))

    def forward(self, x):
        """x1..x5, of strides 2, 4, 8, 16, 32: the last of each stride; x1 is not used"""
        x, out = F.relu6(self.bn(self.stem(x))), []
        for block in self.blocks:
            if block.stride == 2:
                out.append(x)
            x = block(x)
        return (*out, x)


def make_base(base, width):
    if base == "vgg16":
        return VGG(width)
    return Mobile(base, width) if base in layout.MOBILE else ResNet(base, width)


def skip_inputs(base, width=64):
    """Channels of x5, x4, x3, x2."""
    if base in layout.MOBILE:
        return tuple(layout.mobile_outputs(base, width)[::-1])
    if base == "vgg16":
        return tuple(width * m for m in (8, 8, 4, 2))
    expansion = 4 if base in layout.BOTTLENECK else 1
    return tuple(width * m * expansion for m in (8, 4, 2, 1))


def skip_channels(hidden):
    """Channels of f'(0) to f'(3)."""
    return hidden, hidden, hidden // 2, hidden // 4


class Encoder(nn.Module):
    """Normalised RGB (B,3,H,W) -> f'(0) to f'(3), of strides 32, 16, 8, 4."""

    def __init__(self, base="resnet101", hidden=128, kernel_size=3, width=64):
        super().__init__()
        self.base = make_base(base, width)
        k = kernel_size
        for n, i, o in zip((5, 4, 3, 2), skip_inputs(base, width), skip_channels(hidden)):
            setattr(self, f"sk{n}", nn.Conv2d(i, o, k, padding=k // 2))
            setattr(self, f"bn{n}", nn.BatchNorm2d(o))

    def forward(self, x):
        _, x2, x3, x4, x5 = self.base(x)
        return [self.bn5(self.sk5(x5)), self.bn4(self.sk4(x4)),
                self.bn3(self.sk3(x3)), self.bn2(self.sk2(x2))]  # no activation


# ---- decoder ---------------------------------------------------------------------------

def upsample(x, size):
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def mask_pyramid(mask):
    """(B,n,H,W) -> the fed masks for levels 0 to 3 (strides 32, 16, 8, 4)."""
    steps = []
    for _ in range(5):  # ceil mode: border windows cover only pixels that exist
        mask = F.max_pool2d(mask, 2, 2, ceil_mode=True)
        steps.append(mask)
    return steps[:0:-1]  # the one of stride 2 is not used


class Cell(nn.Module):
    """A ConvLSTM level. Gates reads [input | mask? | spatial hidden | temporal hidden]."""

    def __init__(self, c_input, c_hidden, mask, kernel_size):
        super().__init__()
        self.hidden = c_hidden
        self.Gates = nn.Conv2d(c_input + int(mask) + 2 * c_hidden, 4 * c_hidden,
                               kernel_size, padding=kernel_size // 2)

    def forward(self, h_input, h_spatial, c_spatial, h_temporal):
        """Absent states (None) are zeros. The cell state runs along objects only."""
        b, _, h, w = h_input.shape
        zero = h_input.new_zeros(b, self.hidden, h, w)
        h_spatial, c_spatial, h_temporal = (
            zero if s is None else s for s in (h_spatial, c_spatial, h_temporal))
        gates = self.Gates(torch.cat([h_input, h_spatial, h_temporal], 1))
        i, f, o, g = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c_spatial + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Decoder(nn.Module):
    def __init__(self, hidden=128, kernel_size=3, skip_mode="concat", mask=False):
        super().__init__()
        h = [hidden, hidden // 2, hidden // 4, hidden // 8]
        below = [hidden, *h[:3]]  # channels that f' and the upsampled level below share
        twice = skip_mode == "concat"
        self.skip_mode, self.mask = skip_mode, mask
        self.clstm_list = nn.ModuleList(
            Cell(below[k] * (2 if k and twice else 1), h[k], mask, kernel_size)
            for k in range(4))
        self.conv_out = nn.Conv2d(h[3], 1, kernel_size, padding=kernel_size // 2)

    def join(self, up, feature):
        if self.skip_mode == "concat":
            return torch.cat([up, feature], 1)
        if self.skip_mode == "sum":
            return up + feature
        return up * feature if self.skip_mode == "mul" else up

    def frame(self, features, objects, h_before=None, masks=None, spatial=True):
        """Run one frame. features: f'(0..3); h_before: h(t-1), a list of 4
        (B,objects,C,h,w), or None; masks: S(t-1), (B,objects,H,W); spatial: whether
        object i sees object i-1. Return half-size logits (B,objects,h,w), h(t) and c(t)."""
        pyramid = mask_pyramid(masks) if self.mask else None
        h_left, c_left = [None] * 4, [None] * 4
        hs, cs, logits = ([], [], [], []), ([], [], [], []), []
        for i in range(objects):
            if not spatial:
                h_left, c_left = [None] * 4, [None] * 4
            for k, cell in enumerate(self.clstm_list):
                f = features[k]
                x = f if k == 0 else self.join(upsample(h_left[k - 1], f.shape[-2:]), f)
                if self.mask:
                    x = torch.cat([x, pyramid[k][:, i:i + 1]], 1)
                before = None if h_before is None else h_before[k][:, i]
                # h_left[k - 1] is already this object's state, h_left[k] still that of
                # the object before.
                h_left[k], c_left[k] = cell(x, h_left[k], c_left[k], before)
                hs[k].append(h_left[k])
                cs[k].append(c_left[k])
            size = [2 * n for n in h_left[3].shape[-2:]]
            logits.append(self.conv_out(upsample(h_left[3], size)))
        stack = lambda levels: [torch.stack(v, 1) for v in levels]
        return torch.cat(logits, 1), stack(hs), stack(cs)


class RVOS(nn.Module):
    """One encoder and a decoder for each task; .settings describes them."""

    def __init__(self, base="resnet101", hidden=128, kernel_size=3, skip_mode="concat",
                 width=64, tasks=TASKS):
        super().__init__()
        if base not in BASES or skip_mode not in SKIP_MODES or hidden % 8:
            raise ValueError(f"no network with base {base}, skip mode {skip_mode}, "
                             f"hidden {hidden}")
        self.settings = dict(base=base, hidden=hidden, kernel_size=kernel_size,
                             skip_mode=skip_mode, width=width, tasks=tuple(tasks))
        self.encoder = Encoder(base, hidden, kernel_size, width)
        for task in tasks:
            setattr(self, task.replace("-", "_"),
                    Decoder(hidden, kernel_size, skip_mode, task == "one-shot"))

    def decoder(self, task):
        found = getattr(self, task.replace("-", "_"), None)
        if found is None:
            raise ValueError(f"the model has no {task} decoder, only "
                             + ", ".join(self.settings["tasks"]))
        return found


# ---- loading ---------------------------------------------------------------------------

IGNORED = ("num_batches_tracked", "base.fc.", "base.classifier.", "fc_stop")


def read_settings(tensors, metadata):
    """The settings of a bundle's network, from its metadata and the shapes of its tensors."""
    first = "encoder." + layout.first_tensor(metadata["rvos.base"])
    for name in (first, "encoder.sk5.weight"):
        if name not in tensors:
            raise ValueError(f"the bundle lacks {name}")
    hidden, _, kernel, _ = tensors["encoder.sk5.weight"].shape
    return dict(base=metadata["rvos.base"], hidden=hidden, kernel_size=kernel,
                skip_mode=metadata.get("rvos.skip_mode", "concat"),
                width=tensors[first].shape[0],
                tasks=tuple(metadata["rvos.tasks"].split(",")))


def load_state(module, tensors):
    """Fill a module from {name: array}, in float32. The error names missing tensors and
    wrong shapes."""
    have = {k: torch.tensor(np.asarray(v, np.float32)) for k, v in tensors.items()
            if not any(word in k for word in IGNORED)}
    want = {k: v for k, v in module.state_dict().items()
            if not k.endswith("num_batches_tracked")}
    missing = [k for k in want if k not in have]
    if missing:
        raise ValueError(f"missing tensors: {', '.join(missing[:5])}"
                         + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""))
    for k, v in want.items():
        if have[k].shape != v.shape:
            raise ValueError(f"{k} is {list(have[k].shape)}, must be {list(v.shape)}")
    module.load_state_dict({k: have[k] for k in want}, strict=False)


def from_tensors(tensors, metadata):
    net = RVOS(**read_settings(tensors, metadata))
    load_state(net, tensors)
    size = tuple(int(metadata.get(k, d))
                 for k, d in (("rvos.height", 256), ("rvos.width", 448)))
    net.settings.update(size=size, objects=int(metadata.get("rvos.objects", 10)))
    return net.eval()


def load_bundle(path):
    """Load a .safetensors bundle (docs/model-format.md) as an RVOS module in float32."""
    return from_tensors(*safetensors_io.read(path))


# ---- loops over frames ------------------------------------------------------------------

class Step:
    """The results of one frame; arrays of (objects, ...) in the network's type."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def seed_rows(fed, seeds, slots):
    """Overwrite rows of the fed masks (objects,H,W) with those of a label map; nearest
    neighbour."""
    labels = torch.from_numpy(pixels.resize_nearest(np.asarray(seeds),
                                                    *fed.shape[-2:]).copy())
    for i in range(fed.shape[0]):
        if slots is None or (i < len(slots) and slots[i]):
            fed[i] = (labels == i + 1).to(fed)


def run(net, task, frames, objects, variant="spatio-temporal", size=None, seeds=None,
        all_slots=False):
    """Yield a Step for each frame: logits_half, prob, fed, hidden, cell, features, live.

    frames: uint8 RGB (T,h,w,3), resized to `size` (H,W) if necessary. seeds, one-shot
    only: {frame: (label map, slots)}, where slots has a flag for each object that the map
    sets; None: all objects. At the first frame, rows without a seed are empty.

    all_slots: run every row from the first frame on, as the original does. Otherwise only
    the rows up to the highest seeded one run, and the others are zeros. This does not
    change the rows that run, but a row that starts late has no history. Before the first
    seed nothing runs and time does not count.
    """
    device, dtype = next(net.parameters()).device, next(net.parameters()).dtype
    decoder = net.decoder(task)
    size = size or net.settings["size"]
    one_shot = task == "one-shot"
    fed = torch.zeros(objects, *size, device=device, dtype=dtype)
    prob = torch.zeros_like(fed)
    hidden, count, live = None, 0, 0 if one_shot and not all_slots else objects
    for t, frame in enumerate(frames):
        if count >= 2:  # frame 1 is fed the masks of frame 0 again
            fed = prob.clone()
        if one_shot and t in (seeds or {}):
            labels, slots = seeds[t]
            seed_rows(fed, labels, slots)
            top = objects if slots is None else max(
                [i + 1 for i in range(min(objects, len(slots))) if slots[i]], default=0)
            if top > live:
                hidden, live = grow(hidden, top), top
        x = pixels.normalise(pixels.resize_bilinear(frame, *size))
        features = net.encoder(torch.from_numpy(x)[None].to(device, dtype))
        h, w = features[3].shape[-2:]
        logits = torch.zeros(objects, 2 * h, 2 * w, device=device, dtype=dtype)
        prob, cell = torch.zeros_like(fed), None
        if live:
            # temporal variant: frame 0 still has the spatial recurrence
            out, hidden, cell = decoder.frame(
                features, live, None if variant == "spatial" else hidden,
                fed[None, :live],
                spatial=variant != "temporal" or count == 0)
            logits[:live] = out[0]
            prob[:live] = torch.sigmoid(upsample(out, size))[0]
            count += 1
        yield Step(logits_half=logits, prob=prob, fed=fed.clone(), live=live,
                   features=features, input=x, hidden=hidden, cell=cell)


def grow(hidden, rows):
    """Append rows of zeros to the hidden states."""
    if hidden is None:
        return None
    return [torch.cat([h, h.new_zeros(1, rows - h.shape[1], *h.shape[2:])], 1)
            for h in hidden]


def label_map(logits_half, size, output=None, threshold=0.5):
    """Half-size logits (n,h,w) -> uint8 labels of output size (docs/numerics.md)."""
    full = upsample(upsample(logits_half[None], size), output or size)[0]
    best, slot = full.max(0)  # the first of equal ones; torch's max() does not promise that
    slot = torch.where(full == best,
                       torch.arange(len(full), device=full.device)[:, None, None],
                       len(full)).min(0).values
    limit = math.log(threshold / (1 - threshold))
    return torch.where(best >= limit, slot + 1, 0).to(torch.uint8).cpu().numpy()
