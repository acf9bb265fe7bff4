# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encoders to start from: torchvision's files, any state dictionary, our own bundles, and
weights whose batch norms were folded into the convolutions.

Files are read by checkpoint.py: nothing in them is executed.
"""
import torch
import torch.nn as nn

import checkpoint
import pixels
import safetensors_io

PREFIXES = ("module.", "encoder.", "base.")


def read_encoder(path):
    """{name as in torchvision: array}, without classifier and counters."""
    if path.endswith(".safetensors"):
        state = safetensors_io.read(path)[0]
        state = {k: v for k,
                 v in state.items() if not k.startswith(("zero_shot.", "one_shot."))}
    else:
        state = checkpoint.read_state(path)
    out = {}
    for key, value in state.items():
        for prefix in PREFIXES:
            key = key[len(prefix):] if key.startswith(prefix) else key
        if not key.startswith(("fc.", "classifier.")) and "num_batches" not in key:
            out[key] = torch.from_numpy(value.copy()).float()
    return out


def bn_of(conv):
    """The batch norm behind a convolution."""
    return conv[:-1] + "1" if conv.endswith("downsample.0") else conv.replace("conv",
                                                                              "bn")


def load_encoder(base, path, images=None):
    """Fills the ResNet `base` (model.ResNet).  Returns (loaded, missing) names; missing
    ones keep their random start.  images: uint8 (n,H,W,3), needed for folded weights."""
    state = read_encoder(path)
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
    """Gives each folded convolution a batch norm that changes nothing: statistics as
    measured on the pictures, gain sqrt(var + eps), bias = folded bias + mean.  So
    training starts from the same function, with statistics that fit."""
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
