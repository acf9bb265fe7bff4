# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings of a training run: presets, a YAML file, and the command line, in this order.

What a run used is saved with it as config.yaml and can be given to another run.
"""
import argparse
import dataclasses
import math
from dataclasses import dataclass, field

import yaml

from . import files
from .convert import parse_size
from .files import show
from .layout import BASES

# The kinds of cells.py. They are here so that settings can be read without PyTorch.
KINDS = ("auto", "torch", "compile", "triton")


class ConfigError(ValueError):
    """The message names the setting and the fault."""


def option(default, help, choices=None):
    metadata = dict(help=help, choices=choices)
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class Config:
    # data: sources as in datasets.py
    video: list = option([], "sources of annotated video")
    stills: list = option([], "sources of annotated stills, for synthetic clips")
    backgrounds: list = option([], "sources of backgrounds; default: the stills")
    validation: list = option([], "sources of validation videos")
    validation_frames: int = option(0, "frames of each validation video; 0: all")
    synthetic: float = option(0.5, "share of synthetic clips if there is also video")
    cut_outs: int = option(4, "most cut-outs in a synthetic clip")
    max_stride: int = option(4, "largest step between the frames of a clip")
    augment: str = option("strong", "of video clips", ("strong", "paper", "none"))
    order: str = option("random", "of video clips: random, or epochs as in the paper",
                        ("random", "epochs"))
    # network
    base: str = option("resnet18", "encoder", tuple(BASES))
    hidden: int = option(128, "channels of the coarsest hidden state, divisible by 8")
    base_width: int = option(0, "channels of the encoder's first convolution; 0: as "
                             "published")
    tasks: list = option(["zero-shot", "one-shot"], "decoders to train, on one encoder")
    variant: str = option("spatio-temporal", "recurrences",
                          ("spatio-temporal", "spatial", "temporal"))
    weights: str = option("", "encoder to start from: state dictionary or .safetensors")
    init: str = option("", "bundle (.safetensors) or checkpoint (.pt) to start from")
    start_licence: str = option("", "terms of the file it starts from, in words; default: "
                                "those that the file states, or that are known")
    size: str = option("448x256", "network input size, WxH")
    # clips and loss
    objects: int = option(5, "slots")
    batch: int = option(16, "clips a step")
    length: int = option(5, "frames a clip")
    late_length: int = option(0, "frames a clip late in the schedule; 0: no change")
    late_from: float = option(0.7, "share of the schedule after which clips are longer")
    loss: str = option("clip", "clip: ours; paper: soft IoU a frame", ("clip", "paper"))
    feed: str = option("ramp",
                       "fed masks: the true masks of the frame before, the network's own, "
                       "or first the one, then the other", ("true", "own", "ramp"))
    ramp: float = option(0.4,
                         "share of the schedule after which only its own masks are fed")
    late_objects: float = option(0.5,
                                 "share of late objects whose mask is given when they "
                                 "appear; the others must stay empty")
    imperfect: float = option(0.0, "share of given masks with a fault, as in real use: "
                              "shifted, cut, coarse")
    found: float = option(0.0, "share of these that the zero-shot decoder found")
    swaps: float = option(0.0, "weight of the loss for covering other slots' objects")
    # optimiser
    optimiser: str = option("adamw", "AdamW, or Adam as in the paper", ("adamw", "adam"))
    lr: float = option(4e-4, "learning rate of decoders and skip projections")
    lr_encoder: float = option(1.5e-4, "learning rate of the encoder's base")
    weight_decay: float = option(1e-3, "of the optimiser")
    clip_norm: float = option(1.0, "largest norm of the gradient; 0: no limit")
    schedule: str = option("cosine", "of the learning rates", ("cosine", "constant"))
    warmup: int = option(300, "steps of rising learning rate")
    ema: float = option(0.999,
                        "decay of the averaged weights, which are exported; 0: none")
    # run
    steps: int = option(0, "length of the schedule")
    minutes: float = option(0.0, "or its length in time: steps are measured, then fixed")
    epochs: int = option(0, "or its length in epochs (order epochs)")
    seed: int = option(0, "of all random numbers")
    device: str = option("auto", "cuda, cpu, or auto: cuda if there is one")
    precision: str = option("auto", "bf16 on CUDA, else fp32", ("auto", "fp32", "bf16"))
    cells: str = option("auto", "what updates the cells; auto: triton on CUDA, else "
                        "torch", KINDS)
    graph: bool = option(False, "capture the passes as CUDA graphs")
    compile: bool = option(False, "torch.compile the encoder (PyTorch 2.1 or later)")
    memory: float = option(32.0,
                           "GB of decoded frames to keep on the device; more is streamed")
    workers: int = option(8, "threads that decode pictures")
    threads: int = option(0, "CPU threads of PyTorch; 0: its own choice")
    log_every: int = option(100, "steps between lines of log.csv")
    check_every: int = option(1000, "steps between validations, samples and checkpoints")
    licence: str = option("",
                          "of the trained weights, in words; default: from the data's")


PRESETS = {
    "rvos-resnet18": dict(late_length=8),
    # These settings made the shipped model; for comparisons.
    "prototype": dict(late_objects=0.0, clip_norm=1.0),
    # As published (Ventura et al., CVPR 2019). One-shot: --stage 1, then --stage 2 from its result.
    "paper": dict(base="resnet101", objects=10, batch=4, length=5, loss="paper",
                  feed="true", augment="paper", order="epochs", optimiser="adam", lr=1e-3,
                  lr_encoder=1e-6, weight_decay=1e-6, clip_norm=0.0, schedule="constant",
                  warmup=0, ema=0.0, synthetic=0.0, late_objects=0.0, epochs=20,
                  tasks=["one-shot"], precision="fp32"),
}


def check(c):
    """Raise ConfigError for bad settings; return (height, width)."""
    if not c.video and not c.stills:
        raise ConfigError("no data: give --video or --stills")
    lengths = [n for n in ("steps", "minutes", "epochs") if getattr(c, n)]
    if len(lengths) != 1:
        raise ConfigError("say how long to train with one of --steps, --minutes, --epochs"
                          + (f", not {' and '.join(lengths)}" if lengths else ""))
    if (c.epochs or c.order == "epochs") and (c.stills or not c.video):
        raise ConfigError("--order epochs works on video only: leave out --stills")
    if c.epochs and c.order != "epochs":
        raise ConfigError("--epochs needs --order epochs")
    if c.hidden % 8 or c.hidden <= 0:
        raise ConfigError(f"hidden is {c.hidden}, must be divisible by 8")
    bad = set(c.tasks) - {"zero-shot", "one-shot"}
    if bad or not c.tasks:
        raise ConfigError("tasks are zero-shot and one-shot")
    for f in dataclasses.fields(c):
        value, choices = getattr(c, f.name), f.metadata["choices"]
        if choices and value not in choices:
            raise ConfigError(f"{f.name} is {show(value)}, none of {', '.join(choices)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{f.name} is {value}, must be a finite number")
    for name in ("steps", "minutes", "epochs"):
        if getattr(c, name) < 0:
            raise ConfigError(f"{name} is {getattr(c, name)}, must be above 0")
    for name in ("batch", "length", "objects", "max_stride", "log_every", "check_every",
                 "workers"):
        if getattr(c, name) < 1:
            raise ConfigError(f"{name} is {getattr(c, name)}, must be at least 1")
    try:
        width, height = parse_size(c.size)
    except argparse.ArgumentTypeError as e:
        raise ConfigError(str(e)) from None
    return height, width


def merge(values, c=None):
    """Config with `values` over it; types are checked."""
    c = c or Config()
    for name, value in values.items():
        if not hasattr(c, name):
            raise ConfigError(f"unknown setting {show(name)}")
        old = getattr(c, name)
        if type(old) is float and type(value) is int:
            value = float(value)
        if isinstance(old, list) and isinstance(value, str):
            value = [value]
        if type(value) is not type(old):
            raise ConfigError(f"{name} is {show(value)}, must be of type "
                              f"{type(old).__name__}")
        setattr(c, name, value)
    return c


def load(path):
    try:
        values = yaml.safe_load(files.read_text(path, 1 << 20))
    except files.FileError as e:
        raise ConfigError(str(e)) from None
    except (yaml.YAMLError, RecursionError) as e:
        raise ConfigError(f"{path}: {show(str(e), 1000)}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: no settings")
    return values


def load_words(words):
    """Settings written as NAME=VALUE."""
    out = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise ConfigError(f"{show(word)}: not NAME=VALUE")
        try:
            out[name] = yaml.safe_load(value)
        except yaml.YAMLError as e:
            raise ConfigError(f"{show(word)}: {show(str(e))}") from None
    return out


def dump(c):
    return yaml.safe_dump(dataclasses.asdict(c), sort_keys=False)


def parser(description):
    p = files.parser(description)
    p.add_argument("out",
                   help="folder of the run: settings, log, checkpoints, samples, result")
    p.add_argument("--preset", choices=tuple(PRESETS), default="rvos-resnet18")
    p.add_argument("--stage", type=int, choices=(1, 2),
                   help="of preset paper: fed masks are "
                   "true ones (1), the network's own (2)")
    p.add_argument("--config", metavar="FILE.yaml", help="settings of an earlier run")
    for f in dataclasses.fields(Config):
        name, help = "--" + f.name.replace("_", "-"), f.metadata["help"]
        default = f.default_factory() if f.default is dataclasses.MISSING else f.default
        args = dict(dest=f.name, default=None, help=f"{help} [{default}]".strip())
        if isinstance(default, list):
            p.add_argument(name, nargs="*", metavar="S", **args)
        elif isinstance(default, bool):
            p.add_argument(name, action=argparse.BooleanOptionalAction, **args)
        else:
            p.add_argument(name, type=type(default), choices=f.metadata["choices"],
                           metavar=None if f.metadata["choices"] else "X", **args)
    return p


def from_args(a):
    """The settings of a parsed command line."""
    values = dict(PRESETS[a.preset])
    if a.stage:
        values.update(feed="true" if a.stage == 1 else "own", tasks=["one-shot"])
    if a.config:
        values = load(a.config)
    for f in dataclasses.fields(Config):
        if getattr(a, f.name) is not None:
            values[f.name] = getattr(a, f.name)
            # a new length replaces the old one
            if f.name in ("steps", "minutes", "epochs"):
                for other in {"steps", "minutes", "epochs"} - {f.name}:
                    if getattr(a, other) is None:
                        values[other] = 0 if other != "minutes" else 0.0
    return merge(values)
