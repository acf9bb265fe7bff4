# SPDX-License-Identifier: LGPL-2.1-or-later
"""One training run: network, optimiser, data, and the step. train.py is its command line.

Everything random in step n depends on (seed, n) alone. The state of a run is therefore
the weights, their average, the optimiser and the step number. A resumed run ends with the
same bits as an uninterrupted one (on one device, with one thread count).
"""
import copy
import gc
import json
import math

import numpy as np
import torch
import torch.nn as nn

from . import (
    clips, compose, config, datasets, encoder_init, files, imperfect, layout, losses, model,
    pixels, recurrent, safetensors_io)
from .store import Store


class TrainError(RuntimeError):
    pass


class Cast(nn.Module):
    """A module under autocast to bf16, or unchanged. Autocast's cache of weights is off,
    because CUDA graphs cannot use it."""

    def __init__(self, module, device, enabled):
        super().__init__()
        self.module, self.device, self.enabled = module, device, enabled

    def forward(self, *args):
        with torch.autocast(self.device, torch.bfloat16, self.enabled,
                            cache_enabled=False):
            return self.module(*args)


class Data:
    """The stores and samplers of a run."""

    def __init__(self, c, size, device):
        self.c, self.device, self.sources = c, device, []
        self.size, self.budget = size, c.memory * 1e9
        video, stills, backgrounds = (self.read(getattr(c, n), n)
                                      for n in ("video", "stills", "backgrounds"))
        self.epochs = self.video = self.synthetic = self.store = None
        if video:
            self.store = self.keep(video)
            # Streamed frames are not decoded yet.
            if self.store.resident and not self.store.masks.any():
                raise datasets.DataError(f"{', '.join(c.video)}: no mask shows an object")
            if c.order == "epochs":
                self.epochs = clips.EpochClips(self.store, c.batch, c.length, c.seed,
                                               c.augment)
            else:
                self.video = clips.VideoClips(self.store, c.max_stride, c.augment)
        if stills:
            store = self.keep(stills)
            self.store = self.store or store
            if backgrounds:
                # neighbouring frames of a video are nearly the same
                for s in backgrounds:
                    s.frames = s.frames[::8]
                backgrounds = self.keep(backgrounds)
            self.synthetic = compose.SyntheticClips(store, backgrounds, c.cut_outs)
        share = c.synthetic if video else 1.0
        self.composed = round(c.batch * share) if stills else 0  # clips of a batch

    def read(self, sources, use):
        out = []
        for source in sources:
            sequences, kind, licence = datasets.read_source(source)
            if use != "backgrounds":  # a frame without a mask does not show objects
                for s in sequences:
                    s.frames = [f for f in s.frames if f.png]
                sequences = [s for s in sequences if s.frames]
                if not sequences:
                    raise datasets.DataError(f"{source}: no frame is annotated")
            path = source.split(":")[1] if ":" in source else source
            self.sources.append(dict(
                name=f"{kind}:{path.rstrip('/').rsplit('/', 1)[-1]}", use=use,
                licence=licence,
                sequences=len(sequences), frames=sum(len(s.frames) for s in sequences)))
            out += sequences
        return out

    def keep(self, sequences):
        store = Store(sequences, self.size, self.device, self.budget, self.c.workers)
        if store.resident:
            self.budget -= len(store) * 4 * self.size[0] * self.size[1]
        return store

    def plan(self, step, length):
        """Draw the clips of a step, and start to decode them."""
        if self.epochs:
            return [(self.epochs, self.epochs.plan_step(step))]
        draw = clips.Draw("cpu", self.c.seed, step, "plan")
        out = []
        if self.c.batch > self.composed and self.video:
            out.append((self.video,
                        self.video.plan(self.c.batch - self.composed, length, draw)))
        if self.composed:
            out.append((self.synthetic, self.synthetic.plan(self.composed, length, draw)))
        return out

    def make(self, plan, step):
        draw = clips.Draw(self.device, self.c.seed, step, "make")
        parts = [source.make(p, draw) for source, p in plan]
        return [torch.cat(v) for v in zip(*parts)], draw


def build(c, size):
    width = c.base_width or layout.standard_width(c.base)
    net = model.RVOS(c.base, c.hidden, 3, "concat", width, c.tasks)
    net.settings.update(size=size, objects=c.objects)
    return net


class Trainer:
    def __init__(self, c, say=print, data=None):
        self.c, self.say = c, say
        self.size = config.check(c)
        self.device = c.device
        if c.device == "auto":
            self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if c.threads:
            torch.set_num_threads(c.threads)
        on_cuda = self.device.startswith("cuda")
        if c.graph and not on_cuda:
            raise TrainError("--graph needs a CUDA device")
        if c.compile and not hasattr(torch, "compile"):
            raise TrainError(f"--compile needs PyTorch 2.1, this is {torch.__version__}")
        self.captured = None  # length of the clips whose passes are graphs
        self.bf16 = c.precision == "bf16" or (c.precision == "auto" and on_cuda)
        if on_cuda:
            index = torch.device(self.device).index
            if index is not None:  # Triton launches on the current one
                torch.cuda.set_device(index)
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = self.bf16
            torch.backends.cudnn.allow_tf32 = self.bf16
        torch.manual_seed(c.seed)
        self.data = data or Data(c, self.size, self.device)
        self.net = build(c, self.size)
        self.start_weights()
        self.net.to(self.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.net).eval() if c.ema else None
        if c.ema:  # running statistics, too
            pairs = zip(self.ema.state_dict().values(), self.net.state_dict().values())
            self.averaged = list(zip(*[p for p in pairs if p[0].dtype.is_floating_point]))
        self.make_optimiser()
        self.make_passes()
        self.step, self.elapsed = 0, 0.0
        self.total = c.steps or (c.epochs * self.data.epochs.steps if c.epochs else 0)
        mean, std = (torch.from_numpy(v)[:, None, None].to(self.device)
                     for v in (pixels.MEAN, pixels.STD))
        self.normalise = lambda x: (x - mean) / std

    # ---- making ------------------------------------------------------------------------

    def start_weights(self):
        if self.c.init:
            tensors = read_weights(self.c.init)
            own = self.net.state_dict()
            for key in own:
                if key in tensors and tensors[key].shape != own[key].shape:
                    raise TrainError(f"{self.c.init}: {key} is "
                                     f"{list(tensors[key].shape)}, must "
                                     f"be {list(own[key].shape)}")
            missing = [k for k in own if k not in tensors and "num_batches" not in k]
            self.net.load_state_dict(tensors, strict=False)
            self.say(f"{self.c.init}: {len(set(tensors) & set(own))} tensors, "
                     f"{len(missing)} new")
        if self.c.weights:
            store = self.data.store
            some = torch.linspace(0, len(store) - 1, min(24, len(store))).long()
            images = store.fetch(some)[0].permute(0, 2, 3, 1).cpu().numpy()
            loaded, missing = encoder_init.load_encoder(self.net.encoder.base,
                                                        self.c.weights,
                                                        images)
            self.say(f"{self.c.weights}: {len(loaded)} tensors; random: "
                     + (", ".join(sorted({k.split('.')[0] for k in missing})) or "none"))
        path = self.c.init or self.c.weights
        self.start_licence = self.c.start_licence
        if path and not self.start_licence:
            self.start_licence = encoder_init.licence_of(path)

    def make_optimiser(self):
        base = list(self.net.encoder.base.parameters())
        ids = {id(p) for p in base}
        rest = [p for p in self.net.parameters() if id(p) not in ids]
        kind = torch.optim.AdamW if self.c.optimiser == "adamw" else torch.optim.Adam
        self.rates = (self.c.lr, self.c.lr_encoder)
        self.opt = kind([dict(params=rest, lr=self.c.lr),
                         dict(params=base, lr=self.c.lr_encoder)],
                        weight_decay=self.c.weight_decay,
                        **({"fused": True} if self.device.startswith("cuda") else {}))

    def make_passes(self):
        c, cast = self.c, lambda m: Cast(m, self.device.split(":")[0], self.bf16)
        encoder = recurrent.EncodeClip(self.net.encoder)
        if c.compile:
            encoder = torch.compile(encoder)
        self.encode = cast(encoder)
        self.zero = self.one = None
        if "zero-shot" in c.tasks:
            self.zero = cast(recurrent.ZeroClip(self.net.zero_shot, c.objects, c.variant,
                                                c.cells))
        if "one-shot" in c.tasks:
            self.one = cast(recurrent.OneClip(self.net.one_shot, c.objects, c.variant,
                                              c.cells, twice=c.loss != "paper"))

    def capture(self, length):
        """Capture the passes over clips of a length as CUDA graphs. Without graphs, some
        thousand small kernels a step wait for Python. This is done again when clips become
        longer."""
        c, dev, (h, w) = self.c, self.device, self.size
        # Graphs of another length are a reference cycle (a graphed module holds its own
        # forward). Free them and their memory now, because no graph may be freed during a
        # capture.
        self.opt.zero_grad(set_to_none=True)  # gradients lie in the graphs' memory
        self.make_passes()
        gc.collect()
        self.captured = length
        # Capturing runs on noise, which changes the statistics of batch norms.
        before = copy.deepcopy(self.net.state_dict())
        self.net.train()
        x = torch.randn(c.batch, length, 3, h, w, device=dev)
        feats = [torch.randn_like(f).requires_grad_() for f in self.encode(x)]
        truth = torch.rand(c.batch, length, c.objects, h, w, device=dev)
        shown = torch.ones(c.batch, length, c.objects, device=dev)
        teach = torch.ones(c.batch, length, device=dev)
        passes = {"encode": (x,)}
        if self.zero:
            passes["zero"] = tuple(feats)
        if self.one:
            passes["one"] = (truth, shown, teach, *feats)
        graphed = torch.cuda.make_graphed_callables(
            tuple(getattr(self, n) for n in passes), tuple(passes.values()),
            allow_unused_input=True)
        self.net.load_state_dict(before)
        self.opt.zero_grad(set_to_none=True)
        for name, g in zip(passes, graphed):
            setattr(self, name, g)

    # ---- schedule ----------------------------------------------------------------------

    def share(self, step):
        """The share of the schedule that is done, 0 to 1."""
        return min(1.0, step / self.total) if self.total else 0.0

    def rate(self, step):
        warm = min(1.0, (step + 1) / self.c.warmup) if self.c.warmup else 1.0
        if self.c.schedule == "constant":
            return warm
        return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.share(step))))

    def length(self, step):
        late = self.c.late_length and self.share(step) >= self.c.late_from
        return self.c.late_length if late else self.c.length

    def teaching(self, step, b, t):
        """(B,T): 1 if the true mask of the frame before is fed."""
        if self.c.feed != "ramp":
            return torch.full((b, t), float(self.c.feed == "true"), device=self.device)
        p = max(0.0, 1 - self.share(step) / self.c.ramp) if self.c.ramp else 0.0
        draw = clips.Draw("cpu", self.c.seed, step, "teach")
        return (draw.rand(b, t) < p).float().to(self.device, non_blocking=True)

    # ---- a step ------------------------------------------------------------------------

    def prepare(self, step, plan):
        """Images, full-size targets, valid, exhaustive, shown."""
        (x, labels, exhaustive), draw = self.data.make(plan, step)
        n = self.c.objects
        if self.c.loss == "paper":
            targets, valid = clips.ordered_objects(labels, n)
            shown = torch.zeros(*targets.shape[:3], device=x.device)
            shown[:, 0] = 1  # the original feeds the annotation from the start
            return x, targets, valid, exhaustive, shown
        targets, valid = clips.select_objects(labels, n, draw)
        here = targets.sum((3, 4)) >= 5e-4 * targets[0, 0, 0].numel()
        first = here & (here.cumsum(1) == 1)
        late = draw.rand(*valid.shape) < self.c.late_objects
        shown = first.float()
        shown[:, 1:] *= late[:, None].float()
        return x, targets, valid, exhaustive, shown

    def losses(self, step, plan):
        """{task: loss}"""
        with torch.no_grad():
            x, targets, valid, exhaustive, shown = self.prepare(step, plan)
            b, t = x.shape[:2]
            x = self.normalise(x)
            half = nn.functional.avg_pool2d(targets.flatten(0, 1), 2).unflatten(0, (b, t))
        if self.c.graph and self.captured != t:
            self.capture(t)
        feats = self.encode(x)
        out = {}
        if self.zero:
            logits = self.zero(*feats)
            if self.c.loss == "paper":
                full = self.full(logits)
                pick = losses.paper_match(full, targets, valid)
                out["zero-shot"] = losses.paper_loss(full, *losses.permute(targets,
                                                                           valid, pick))
            else:
                out["zero-shot"] = losses.zero_shot_loss(self.fit(logits, half),
                                                         half, valid,
                                                         exhaustive, self.c.swaps)
        if self.one:
            seeds = self.seeds(step, targets, shown, logits if self.zero else None)
            logits = self.one(seeds, shown, self.teaching(step, b, t), *feats)
            if self.c.loss == "paper":
                out["one-shot"] = losses.paper_loss(self.full(logits), targets, valid)
            else:
                out["one-shot"] = losses.one_shot_loss(self.fit(logits, half), half,
                                                       shown.cummax(1).values,
                                                       self.c.swaps)
        return out

    def seeds(self, step, targets, shown, zero_logits):
        """The targets to feed: given masks with faults."""
        if not self.c.imperfect or self.c.loss == "paper":
            return targets
        draw = clips.Draw(self.device, self.c.seed, step, "seeds")
        if zero_logits is not None:
            zero_logits = zero_logits.detach() if self.c.found else None
        with torch.no_grad():
            return imperfect.seeds(targets, shown, self.c.imperfect, zero_logits,
                                   self.c.found, draw)

    def full(self, logits):
        return model.upsample(logits.flatten(0, 1), self.size).unflatten(0,
                                                                         logits.shape[:2])

    @staticmethod
    def fit(logits, half):
        """Crop half-size logits, which are too large if a size does not divide by 4."""
        if logits.shape == half.shape:
            return logits
        return model.upsample(logits.flatten(0, 1), half.shape[-2:]).unflatten(
            0, logits.shape[:2])

    def advance(self, plan=None):
        """One step; {task: loss as a tensor on the device}."""
        step = self.step
        plan = plan or self.data.plan(step, self.length(step))
        self.net.train()
        for group, lr in zip(self.opt.param_groups, self.rates):
            group["lr"] = lr * self.rate(step)
        out = self.losses(step, plan)
        self.opt.zero_grad(set_to_none=True)
        sum(out.values()).backward()
        self.update(step)
        self.step += 1
        return {k: v.detach() for k, v in out.items()}

    def update(self, step):
        if self.c.clip_norm:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.c.clip_norm)
        self.opt.step()
        self.average(step)

    def average(self, step):
        if self.ema is None:
            return
        decay = min(self.c.ema, (1 + step) / (20 + step))
        with torch.no_grad():
            torch._foreach_mul_(self.averaged[0], decay)
            torch._foreach_add_(*self.averaged, alpha=1 - decay)

    def best_net(self):
        return self.net if self.ema is None else self.ema

    # ---- state -------------------------------------------------------------------------

    def state(self):
        """Tensors, and `meta` for everything else. The optimiser's settings are in the
        config, and its learning rates are set each step."""
        meta = dict(format="rvosseg-checkpoint-1", config=config.dump(self.c),
                    step=self.step,
                    total=self.total, elapsed=self.elapsed)
        return dict(meta=meta, net=self.net.state_dict(),
                    ema=self.ema.state_dict() if self.ema is not None else {},
                    opt=self.opt.state_dict()["state"])

    def restore(self, state):
        self.net.load_state_dict(state["net"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.opt.load_state_dict(dict(state=state["opt"],
                                      param_groups=self.opt.state_dict()["param_groups"]))
        meta = state["meta"]
        self.step, self.total, self.elapsed = meta["step"], meta["total"], meta["elapsed"]


def save(path, state):
    # meta is text, because PyTorch 1.13's weights-only loader reads no Python floats.
    with files.atomic(path) as f:
        torch.save(dict(state, meta=json.dumps(state["meta"])), f)


def load(path):
    """Load a checkpoint of a run. With weights_only nothing in it is executed."""
    try:
        with files.open_regular(path) as f:
            found = files.impostor(f.read(100))
        if found:
            raise ValueError(found)
        state = torch.load(path, map_location="cpu", weights_only=True)
        state["meta"] = json.loads(state["meta"])
        if state["meta"]["format"] != "rvosseg-checkpoint-1":
            raise ValueError("the format is another one")
        return state
    except OSError as e:
        raise TrainError(f"{path}: {e.strerror or e}") from None
    except Exception as e:  # torch raises many kinds for damaged files
        raise TrainError(f"{path}: not a checkpoint of a run: "
                         + files.show(str(e).split("\n")[0])) from None


def read_weights(path):
    """{name: float32 tensor} of a bundle or of a checkpoint (its average, if it has
    one)."""
    if path.endswith(".safetensors"):
        tensors = safetensors_io.read(path)[0]
        return {k: torch.from_numpy(np.asarray(v, np.float32))
                for k, v in tensors.items()}
    state = load(path)
    return state["ema"] or state["net"]
