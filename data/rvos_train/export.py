# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a trained network as a .safetensors bundle, with its model card.

    python3 data/rvos_train export RUN -o FILE.safetensors [--dtype f16|f32]
"""
import dataclasses
import hashlib
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import numpy as np
import torch
import yaml

from . import config, convert, files, safetensors_io, trainer

HERE = os.path.dirname(os.path.abspath(__file__))


def commit():
    """The program's commit, with '+' if there are changes; 'unknown' outside a checkout."""
    def git(*args):
        return subprocess.run(["git", "-C", HERE, *args], stdout=subprocess.PIPE,
                              text=True,
                              stderr=subprocess.DEVNULL, check=True).stdout.strip()
    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--", HERE) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def run_licence(c, facts):
    if c.licence:
        return c.licence
    terms = sorted({s["licence"] for s in facts["sources"] if s["use"] != "validation"})
    start = facts.get("start_licence")
    return ("by the training data's licences: " + "; ".join(terms)
            + (f"; by that of the weights it started from: {start}" if start else ""))


def provenance(c, facts):
    data = ", ".join(f"{s['name']} ({s['frames']} frames) [{s['licence']}]"
                     for s in facts["sources"] if s["use"] != "validation")
    scores = ", ".join(f"{t} J {s['J']:.1f} F {s['F']:.1f}"
                       for t, s in facts["scores"].items())
    start = " ".join(os.path.basename(p) for p in (c.init, c.weights) if p) or "random"
    if facts.get("start_licence"):
        start += f" [{facts['start_licence']}]"
    return (f"{data}; start {start}; {facts['step']} steps of {c.batch} clips, seed "
            f"{c.seed}; program {facts['commit']}; {facts['date']}"
            + (f"; validation {scores}" if scores else ""))


def bundle(net, c, facts, dtype="f16"):
    """(tensors, metadata)"""
    skip = ("num_batches_tracked",)
    tensors = {k: v.detach().float().cpu().contiguous().numpy()
               for k, v in net.state_dict().items() if not k.endswith(skip)}
    bad = [k for k, v in tensors.items() if not np.isfinite(v).all()]
    if bad:
        raise trainer.TrainError(f"{bad[0]} has values that are not finite")
    height, width = config.check(c)
    meta = convert.metadata(dict(base=c.base, hidden=c.hidden, skip_mode="concat",
                                 task=",".join(c.tasks)), (width, height),
                            run_licence(c, facts), provenance(c, facts),
                            c.objects)
    return convert.narrow(tensors, dtype), meta


def short_source(source):
    kind, *parts = source.split(":")
    return ":".join([kind, *(os.path.basename(p.rstrip("/")) for p in parts)])


def cell(text):
    """Escape a name or terms, which may come from a pack, for a table of Markdown."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", files.show(text, 1000))


def card(path, c, facts, meta):
    """The model card of the bundle at `path`, in Markdown."""
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    tensors, _ = safetensors_io.read(path)
    count = sum(v.size for k, v in tensors.items() if "running_" not in k)
    kind = {v.dtype.name for v in tensors.values()}
    lines = [f"# {os.path.basename(path)}", "",
             f"**Licence of the weights:** {files.show(meta['rvos.licence'], 1000)}.", "",
             "| | |", "|---|---|", f"| sha256 | `{digest}` |",
             f"| size | {os.path.getsize(path) / 1e6:.1f} MB, {len(tensors)} tensors, "
             f"{', '.join(sorted(kind))}, {count / 1e6:.2f} M parameters |",
             f"| network | {c.base}, hidden {c.hidden}, {', '.join(c.tasks)}, "
             f"{c.variant}; input {c.size}; trained with {c.objects} slots |",
             f"| schedule | {facts['step']} of {facts['total']} steps of {c.batch} clips "
             f"x {c.length} "
             "frames" + (f" ({c.late_length} late)" if c.late_length else "")
             + f", {facts['elapsed'] / 60:.1f} minutes on {facts['device']} |",
             f"| optimiser | {c.optimiser}, learning rate {c.lr:g} (ResNet "
             f"{c.lr_encoder:g}), {c.schedule}, weight decay {c.weight_decay:g}"
             + (f", average of weights {c.ema:g}" if c.ema else "") + " |",
             f"| start | encoder: {os.path.basename(c.weights) or 'random'}; network: "
             f"{os.path.basename(c.init) or 'random'}; licence of these: "
             f"{cell(facts.get('start_licence') or 'none needed')} |",
             f"| loss | {c.loss}; fed masks: {c.feed}; augmentation: {c.augment} |",
             f"| seed, program, date | {c.seed}, {facts['commit']}, {facts['date']} |",
             f"| software | Python {platform.python_version()}, PyTorch "
             f"{torch.__version__} |",
             "", "## Data", "", "| source | use | videos or stills | frames | licence |",
             "|---|---|---|---|---|"]
    lines += [f"| {cell(s['name'])} | {s['use']} | {s['sequences']} | {s['frames']} | "
              f"{cell(s['licence'])} |"
              for s in facts["sources"]]
    lines += ["", "## Scores", ""]
    if facts["scores"]:
        lines += ["On the validation sources above, in percent, mean over objects; "
                  "measured by `data/rvos_train/evaluate.py` in float32 before rounding to the "
                  "stored type.", "",
                  "| task | J | F | objects |", "|---|---|---|---|"]
        lines += [f"| {t} | {s['J']:.1f} | {s['F']:.1f} | {s['objects']} |"
                  for t, s in facts["scores"].items()]
    else:
        lines += ["Not measured: the run had no validation data."]
    shown = dataclasses.replace(c, **{  # names of sources, not paths of this machine
        n: [short_source(s) for s in getattr(c, n)]
        for n in ("video", "stills", "backgrounds", "validation")},
        init=os.path.basename(c.init), weights=os.path.basename(c.weights))
    lines += ["", "Last training losses: " + (", ".join(
        f"{t} {v:.4f}" for t, v in facts["losses"].items()) or "none") + ".", "",
        "## Weaknesses", "",
        "What the data lack, the model has not learnt: see the sources. Slots can swap "
        "in long zero-shot clips, small objects are missed, and unannotated regions are "
        "sometimes taken for "
        "objects.", "", "## Settings", "", "```yaml", config.dump(shown).rstrip(),
        "```", ""]
    return "\n".join(lines)


def card_path(path):
    return os.path.splitext(path)[0] + ".md"


def write(net, c, facts, path, dtype="f16"):
    tensors, meta = bundle(net, c, facts, dtype)
    safetensors_io.write(path, tensors, meta)
    with files.atomic(card_path(path)) as f:
        f.write(card(path, c, facts, meta).encode())


@files.refuses("export", OSError, ValueError, trainer.TrainError)
def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("run", help="folder of a training run")
    p.add_argument("-o", "--output", required=True, metavar="FILE.safetensors")
    p.add_argument("--dtype", choices=("f16", "f32"), default="f16")
    a = p.parse_args(argv)
    guard = files.Guard(*(os.path.join(a.run, n)
                          for n in ("checkpoint.pt", "facts.json", "config.yaml")))
    for path in (a.output, card_path(a.output)):
        guard.write(path)
    if os.path.basename(card_path(a.output)) == os.path.basename(a.output):
        raise ValueError(f"{a.output}: is the name of the model card: name a "
                         ".safetensors file")
    state = trainer.load(os.path.join(a.run, "checkpoint.pt"))
    facts = json.loads(Path(a.run, "facts.json").read_text())
    c = config.merge(yaml.safe_load(state["meta"]["config"]))
    net = trainer.build(c, config.check(c))
    net.load_state_dict(state["ema"] or state["net"])
    write(net, c, facts, a.output, a.dtype)
    print(f"{a.output}: {os.path.getsize(a.output) / 1e6:.1f} MB")
    return 0
