# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips of annotated video, augmented on the device.

Every draw comes from a generator that is made from (seed, step, purpose). So step n of a
run is the same whether or not the run was interrupted, and samplers have no state to
save.

A clip batch is images (B,T,3,H,W) in [0,1], labels (B,T,H,W) uint8 with 0 for
background, and exhaustive (B,), 1 if every object of the clip is annotated.
"""
import hashlib
import math

import torch
import torch.nn.functional as F


def generator(device, *key):
    """A torch generator that depends on the key alone."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "little"))


class Draw:
    """Uniform numbers from one generator on one device."""

    def __init__(self, device, *key):
        self.device, self.gen = device, generator(device, *key)

    def rand(self, *shape):
        return torch.rand(*shape, generator=self.gen, device=self.device)

    def sym(self, *shape):
        return self.rand(*shape) * 2 - 1

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.gen, device=self.device)

    def integers(self, high, *shape):
        return torch.randint(high, shape, generator=self.gen, device=self.device)

    def sign(self, *shape):
        return torch.where(self.rand(*shape) < 0.5, -1.0, 1.0)


def rotation(angle, size):
    """(...) -> (...,2,2), in coordinates of [-1,1] for both axes of a picture H x W"""
    c, s = torch.cos(angle), torch.sin(angle)
    a = size[1] / size[0]
    return torch.stack([torch.stack([c, -s / a], -1), torch.stack([s * a, c], -1)], -2)


def warp(x, grid, mode, padding):
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=False)


def photometric(x, draw):
    """Change brightness, contrast, saturation and channel gains, and add a little noise;
    one draw for each clip."""
    b = x.shape[0]
    u = lambda lo, hi, c=1: lo + (hi - lo) * draw.rand(b, 1, c, 1, 1)
    x = x * u(0.7, 1.3)
    mean = x.mean((1, 2, 3, 4), keepdim=True)
    x = (x - mean) * u(0.7, 1.3) + mean
    grey = x.mean(2, keepdim=True)
    x = (grey + (x - grey) * u(0.3, 1.4)) * u(0.9, 1.1, 3)
    return (x + draw.normal(*x.shape) * u(0.0, 0.02)).clamp(0, 1)


def strong(x, y, draw):
    """Our augmentation: zoom, turn, shift and flip, with a little jitter between frames."""
    b, t, _, h, w = x.shape
    scale = torch.exp(draw.sym(b, 1) * 0.3 - 0.12 + draw.sym(b, t) * 0.02)
    a = rotation(draw.sym(b, 1) * 0.25 + draw.sym(b, t) * 0.01,
                 (h, w)) * scale[..., None, None]
    a = torch.cat([a[..., :1] * draw.sign(b, 1)[..., None, None], a[..., 1:]], -1)
    room = (scale - 1).abs() + 0.1
    shift = draw.sym(b, 1, 2) * room[..., None] + draw.sym(b, t, 2) * 0.01
    grid = F.affine_grid(torch.cat([a, shift[..., None]], -1).view(b * t, 2, 3),
                         (b * t, 1, h, w), align_corners=False)
    x = warp(x.flatten(0, 1), grid, "bilinear", "reflection").view(b, t, 3, h, w)
    y = warp(y.flatten(0, 1)[:, None].float(), grid, "nearest", "reflection")
    return photometric(x, draw), y.view(b, t, h, w).to(torch.uint8)


def paper(x, y, draw):
    """The original's augmentation: one flip and one affine map for all frames of a clip;
    nearest sampling of image and mask, coordinates clamped to the border."""
    b, t, _, h, w = x.shape
    angle = draw.sym(b) * math.radians(10)
    zoom = 0.7 + 0.7 * draw.rand(b, 2)
    a = rotation(angle, (h, w)) / zoom[:, None, :]
    a = torch.cat([a[..., :1] * draw.sign(b)[:, None, None], a[..., 1:]], -1)
    shift = draw.sym(b, 2) * 0.2  # 10 % of a picture that is 2 wide
    theta = torch.cat([a, shift[..., None]], -1)[:, None].expand(-1, t, -1, -1)
    grid = F.affine_grid(theta.reshape(b * t, 2, 3), (b * t, 1, h, w),
                         align_corners=False)
    x = warp(x.flatten(0, 1), grid, "nearest", "border").view(b, t, 3, h, w)
    y = warp(y.flatten(0, 1)[:, None].float(), grid, "nearest", "border")
    return x, y.view(b, t, h, w).to(torch.uint8)


AUGMENT = {"strong": strong, "paper": paper, "none": lambda x, y, draw: (x, y)}


class VideoClips:
    """Random clips. The chance of a sequence is the square root of its length, so that long
    ones do not dominate. The stride is 1 to max_stride. Half of the clips run backwards."""

    def __init__(self, store, max_stride=4, augment="strong"):
        self.store, self.max_stride, self.augment = store, max_stride, AUGMENT[augment]

    def plan(self, batch, length, draw):
        """Frame numbers (B,T) and sequence numbers (B,), drawn on the CPU."""
        long = [k for k, (_, n) in enumerate(self.store.spans) if n >= length]
        if not long:
            raise ValueError(f"no video has {length} frames, the length of a clip: give longer "
                             "videos or set --length and --late-length")
        weight = torch.tensor([math.sqrt(self.store.spans[k][1]) for k in long])
        ends = (weight / weight.sum()).cumsum(0)
        which = torch.searchsorted(ends, draw.rand(batch)).clamp(max=len(long) - 1)
        which = torch.tensor(long)[which]
        rows = []
        for k, (a, b, c) in zip(which.tolist(), draw.rand(batch, 3).tolist()):
            first, n = self.store.spans[k]
            most = min(self.max_stride, (n - 1) // max(1, length - 1))
            stride = 1 + int(a * most)
            start = first + int(b * (n - stride * (length - 1)))
            row = [start + stride * t for t in range(length)]
            rows.append(row[::-1] if c < 0.5 else row)
        index = torch.tensor(rows)
        self.store.prefetch(index)
        return index, which

    def make(self, plan, draw):
        index, which = plan
        x, y = self.store.fetch(index)
        x, y = self.augment(x.float().div_(255), y, draw)
        return x, y, self.store.exhaustive[which].to(x.device, non_blocking=True)


class EpochClips(VideoClips):
    """The original's order: clips of consecutive frames that start at multiples of the
    length, shuffled anew each epoch. An incomplete batch is dropped."""

    def __init__(self, store, batch, length, seed, augment="paper"):
        super().__init__(store, 1, augment)
        self.batch, self.length, self.seed = batch, length, seed
        self.clips = [(k, first + s) for k, (first, n) in enumerate(store.spans)
                      for s in range(0, n - length + 1, length)]
        self.steps = len(self.clips) // batch  # in an epoch
        if not self.steps:
            raise ValueError(f"{len(self.clips)} clips are less than a batch of {batch}")

    def plan_step(self, step):
        epoch, at = divmod(step, self.steps)
        order = torch.randperm(len(self.clips),
                               generator=generator("cpu", self.seed, epoch))
        some = [self.clips[i]
                for i in order[at * self.batch:(at + 1) * self.batch].tolist()]
        index = torch.tensor([[first + t for t in range(self.length)]
                              for _, first in some])
        self.store.prefetch(index)
        return index, torch.tensor([k for k, _ in some])


def histogram(labels, lanes=64, most=1 << 20):
    """uint8 (B,n) -> (B,256): how often each label occurs. bincount would make the host
    wait for the largest label.

    Most pixels are background, and additions to one bin would queue up. So each label has
    `lanes` bins, which pixels use in turn. histc computes bins in float32; with `most` bins
    at most, a bin's number plus a half cannot be rounded into another bin."""
    b, n = labels.shape
    lanes = max(1, min(lanes, most // (256 * b)))
    at = (labels + torch.arange(b, device=labels.device)[:, None] * 256.0) * lanes
    at = at + (torch.arange(n, device=labels.device) % lanes + 0.5)
    bins = 256 * b * lanes
    return torch.histc(at, bins, 0, bins).view(b, 256, lanes).sum(2)


def select_objects(labels, slots, draw, min_share=5e-4):
    """Labels (B,T,H,W) -> targets (B,T,slots,H,W) float and valid (B,slots): the largest
    objects of each clip, in random order. Objects below min_share of a picture are left
    out."""
    b, t, h, w = labels.shape
    counts = histogram(labels.reshape(b, -1))
    counts[:, 0] = 0
    counts[counts < min_share * t * h * w] = 0
    top, ids = counts.topk(slots, 1)
    order = draw.rand(b, slots).masked_fill(top == 0, 2).argsort(1)
    ids, valid = ids.gather(1, order), top.gather(1, order) > 0
    targets = (labels[:, :, None].long() == ids[:, None, :, None, None])
    return (targets & valid[:, None, :, None, None]).float(), valid


def ordered_objects(labels, slots):
    """As in the original: object k of the annotation is row k - 1, valid if the clip has
    it."""
    ids = torch.arange(1, slots + 1, device=labels.device)
    targets = (labels[:, :, None] == ids[None, None, :, None, None]).float()
    return targets, targets.flatten(3).amax((1, 3)) > 0
