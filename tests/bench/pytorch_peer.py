#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""RVOS in PyTorch, as published, to compare the engine's speed with.

The decoder runs object after object, level after level, with one whole gate convolution per cell
over the concatenated input (data/rvos_train/model.py). It uses PyTorch's best settings: batch norm
is folded into the convolutions, and no gradients are recorded. Unless --eager is given, encoder
and decoder are traced, frozen and optimised by torch.jit.optimize_for_inference.

    pytorch_peer.py MODEL --serve [--threads 2]     runs frames on request, see turns.py;
                                                    it prints the milliseconds of the network
                                                    (normalised input to probabilities) and of
                                                    all, with normalising and labels
    pytorch_peer.py MODEL --probs OUT.npy           probabilities (frames, objects, H, W)

Frames: --frames FILE.npy, uint8 (T,H,W,3) of the network's size, or noise from --seed.
One-shot: --init-mask FILE.npy, uint8 (H,W) labels, or one rectangle per object.
"""
import argparse
import itertools
import sys
import time

import numpy as np
import torch
import torch.nn as nn

from turns import ROOT, serve

sys.path.insert(0, str(ROOT / "data"))
from rvos_train import model, pixels


def folded(conv, norm):
    """Fold a batch norm into the convolution before it, in float64."""
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    bias = 0 if conv.bias is None else conv.bias.double()
    out = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride,
                    conv.padding)
    out.weight.data = (conv.weight.double() * gain[:, None, None, None]).float()
    out.bias.data = ((bias - norm.running_mean.double()) * gain
                     + norm.bias.double()).float()
    return out


def fold(module):
    """Replace every pair convN, bnN (and 0, 1 of a downsampling) by one convolution."""
    children = dict(module.named_children())
    pairs = [(a, a.replace("conv", "bn").replace("sk", "bn")) for a in children
             if a.startswith(("conv", "sk"))]
    if isinstance(module, nn.Sequential) and isinstance(children.get("1"),
                                                        nn.BatchNorm2d):
        pairs.append(("0", "1"))
    for a, b in pairs:
        if isinstance(children.get(b), nn.BatchNorm2d):
            setattr(module, a, folded(children[a], children[b]))
            setattr(module, b, nn.Identity())
    for child in children.values():
        fold(child)


class Network(nn.Module):
    """One frame, as a function of tensors: image, fed mask and hidden states -> half-size
    logits, probabilities, hidden states."""

    def __init__(self, net, task, objects):
        super().__init__()
        self.encoder, self.decoder, self.objects = net.encoder, net.decoder(task), objects
        self.size = net.settings["size"]

    def states(self):
        """Zeros, which stand for absent states."""
        h, w = self.size
        out = []
        for k, f in enumerate(self.encoder(torch.zeros(1, 3, h, w))):
            c = self.decoder.clstm_list[k].hidden
            out.append(torch.zeros(1, self.objects, c, *f.shape[-2:]))
        return out

    def forward(self, x, fed, h0, h1, h2, h3):
        logits, hidden, _ = self.decoder.frame(self.encoder(x), self.objects,
                                               [h0, h1, h2, h3], fed)
        return (logits, torch.sigmoid(model.upsample(logits, self.size)), *hidden)


class Peer:
    def __init__(self, net, task, objects, init, eager):
        self.network = Network(net, task, objects).eval()
        self.mask, self.init = task == "one-shot", init
        self.zeros = self.network.states()
        self.size = net.settings["size"]
        if not eager:
            example = (torch.zeros(1, 3, *self.size), init, *self.zeros)
            traced = torch.jit.trace(self.network, example, check_trace=False)
            self.network = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        self.mean = torch.from_numpy(pixels.MEAN)[:, None, None]
        self.std = torch.from_numpy(pixels.STD)[:, None, None]
        self.reset()

    def reset(self):
        self.hidden, self.count, self.fed = self.zeros, 0, self.init

    def frame(self, image):
        """(probabilities, labels, ms of the network, ms of everything)"""
        begin = time.perf_counter()
        x = torch.from_numpy(image).permute(2, 0, 1).float().div_(255)
        x = x.sub_(self.mean).div_(self.std)[None].contiguous()
        inner = time.perf_counter()
        _, prob, *self.hidden = self.network(x, self.fed, *self.hidden)
        if self.count >= 1 and self.mask:
            self.fed = prob  # frame 1 is fed the annotation again
        self.count += 1
        outer = time.perf_counter()
        best, slot = prob[0].max(0)
        labels = torch.where(best >= 0.5, slot + 1, 0).to(torch.uint8).numpy()
        end = time.perf_counter()
        return prob, labels, (outer - inner) * 1e3, (end - begin) * 1e3


def answer(peer, frames):
    for _ in range(3):  # the tracing executor settles in its first runs
        peer.frame(frames[0])
    peer.reset()
    turn = itertools.cycle(frames)
    serve(f"{torch.__version__} {torch.get_num_threads()}",
          lambda: peer.frame(next(turn))[2:], peer.reset)


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("--task", choices=model.TASKS, default="zero-shot")
    p.add_argument("--objects", type=int, help="default: the model's")
    p.add_argument("--size", metavar="WxH", help="default: what the model says")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--frames", metavar="FILE.npy")
    p.add_argument("--count", type=int, default=4, help="number of frames made by --seed")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--init-mask", metavar="FILE.npy")
    p.add_argument("--eager", action="store_true", help="without torch.jit")
    how = p.add_mutually_exclusive_group(required=True)
    how.add_argument("--serve", action="store_true")
    how.add_argument("--probs", metavar="OUT.npy")
    return p.parse_args(argv)


# Without inference mode PyTorch 2 has no max pooling for the packed (mkldnn) tensors of an
# optimised network.
@torch.inference_mode()
def main(argv=None):
    a = arguments(argv)
    torch.set_num_threads(a.threads)
    # flush denormals like the engine; decaying states are slow otherwise
    torch.set_flush_denormal(True)
    net = model.load_bundle(a.model)
    if a.size:
        w, h = map(int, a.size.split("x"))
        net.settings["size"] = h, w
    for p in net.parameters():
        p.requires_grad_(False)
    fold(net)
    height, width = net.settings["size"]
    objects = a.objects or net.settings["objects"]
    if a.frames:
        frames = np.load(a.frames)
    else:
        frames = np.random.RandomState(a.seed).randint(0, 256,
                                                       (a.count, height, width, 3))
    frames = np.ascontiguousarray(frames, np.uint8)
    if frames.shape[1:] != (height, width, 3):
        sys.exit(f"frames are {frames.shape}, must be (T,{height},{width},3)")
    if a.init_mask:
        labels = pixels.resize_nearest(np.load(a.init_mask), height, width)
    else:
        labels = np.zeros((height, width), np.uint8)
        for k in range(objects):
            x = k * width // objects
            labels[height // 4:height * 3 // 4, x:x + width // (2 * objects)] = k + 1
    init = torch.from_numpy(pixels.object_planes(labels, objects))[None]
    peer = Peer(net, a.task, objects, init, a.eager)
    if a.probs:
        np.save(a.probs, np.concatenate([peer.frame(f)[0].numpy() for f in frames]))
    else:
        answer(peer, frames)


if __name__ == "__main__":
    main()
