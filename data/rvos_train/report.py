# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes log.csv, its plot and sample pictures, with Pillow."""
import csv
import io

import numpy as np
import torch
from PIL import Image, ImageDraw

from . import mask_rule, model, recurrent
from .files import atomic


def palette(count=256):
    """The colours of DAVIS and Pascal annotations."""
    return np.array([mask_rule.davis_colour(n) for n in range(count)], np.uint8)


def write_csv(path, rows):
    """rows: dictionaries, which may lack keys. The whole file is written each time: logs
    are short, and the file is complete even after a crash."""
    names = []
    for row in rows:
        names += [k for k in row if k not in names]
    text = io.StringIO()
    out = csv.DictWriter(text, names, lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    with atomic(path) as f:
        f.write(text.getvalue().encode())


def write_plot(path, rows, size=(900, 300)):
    """A panel for the losses and, if there were validations, one for the scores."""
    losses = sorted({k for r in rows for k in r if k.startswith("loss ")})
    scores = sorted({k for r in rows for k in r if k.startswith(("J ", "F "))})
    panels = [p for p in (losses, scores) if p]
    if not panels:
        return
    image = Image.new("RGB", (size[0], size[1] * len(panels)), "white")
    for n, names in enumerate(panels):
        panel(ImageDraw.Draw(image), rows, names, (0, n * size[1], *size))
    with atomic(path) as f:
        image.save(f, "PNG")


def panel(draw, rows, names, box):
    x0, y0, w, h = box[0] + 60, box[1] + 15, box[2] - 200, box[3] - 45
    points = {n: [(r["step"], r[n]) for r in rows if n in r and r[n] == r[n]]
              for n in names}
    values = [v for p in points.values() for _, v in p]
    if not values:
        return
    low, high = min(0.0, min(values)), max(values) or 1.0
    last = max(r["step"] for r in rows) or 1  # the same axis for all panels
    place = lambda s, v: (x0 + w * s / last, y0 + h - h * (v - low) / ((high - low) or 1))
    colours = [tuple(int(v) for v in c) for c in palette(8)[1:]]
    draw.rectangle((x0, y0, x0 + w, y0 + h), outline="grey")
    for q in range(5):
        v = low + (high - low) * q / 4
        draw.line((*place(0, v), *place(last, v)), fill="lightgrey")
        draw.text((x0 - 55, place(0, v)[1] - 6), f"{v:.3g}", fill="black")
        draw.text((place(last * q / 4, low)[0] - 10, y0 + h + 4), f"{last * q / 4:.0f}",
                  fill="black")
    for k, n in enumerate(names):
        line = [place(*p) for p in points[n]]
        draw.line(line * 2 if len(line) == 1 else line, fill=colours[k % 7], width=2)
        draw.text((x0 + w + 10, y0 + 14 * k), f"{n} {points[n][-1][1]:.3g}",
                  fill=colours[k % 7])


def tint(images, labels):
    """Mix labelled pixels of uint8 (...,H,W,3) half and half with the label's colour."""
    colour = palette()[labels]
    mixed = (images.astype(np.uint16) + colour) // 2
    return np.where(labels[..., None] > 0, mixed, images).astype(np.uint8)


def write_sample(path, trainer, plan, step=0):
    """Draw one clip: a row with the truth, and a row for each decoder."""
    with torch.no_grad():
        x, targets, _, _, shown = trainer.prepare(step, plan)
        x, targets, shown = x[:1], targets[:1], shown[:1]
        images = (x[0].permute(0, 2, 3, 1).cpu().numpy() * 255).astype(np.uint8)
        ids = torch.arange(1, targets.shape[2] + 1, device=x.device)
        truth = (targets[0] * ids[:, None, None]).amax(1).to(torch.uint8).cpu().numpy()
        rows = [tint(images, truth)]
        net = trainer.best_net()
        was = net.training
        net.eval()
        feats = recurrent.EncodeClip(net.encoder)(trainer.normalise(x))
        c = trainer.c
        for task in c.tasks:
            if task == "zero-shot":
                logits = recurrent.ZeroClip(net.zero_shot, c.objects, c.variant)(*feats)
            else:
                own = torch.zeros(shown.shape[:2], device=x.device)
                logits = recurrent.OneClip(net.one_shot, c.objects, c.variant)(
                    targets, shown, own, *feats)
            labels = np.stack([model.label_map(v, trainer.size) for v in logits[0]])
            rows.append(tint(images, labels))
        net.train(was)
    picture = Image.fromarray(np.concatenate([np.concatenate(list(r), 1) for r in rows],
                                             0))
    picture.thumbnail((2000, 2000))
    with atomic(path) as f:
        picture.save(f, "JPEG", quality=85)
