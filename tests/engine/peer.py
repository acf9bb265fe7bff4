#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""peer.py GOLDEN_PROGRAM BACKEND... [--count N] [--seed N]: compares videos on random networks of
random shapes and options with data/rvos_train/model.py in float64. It writes cases in the layout of
tests/golden for the program that runs those. It skips (77) without PyTorch."""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "data"))
try:
    import torch
except ImportError:
    print("skipped: no PyTorch for this python")
    sys.exit(77)
import golden
from rvos_train import model


def random_seeds(r, objects, count, size):
    """Masks for some slots, sometimes late, repeated, or of another size."""
    seeds, left = [], list(range(1, objects + 1))
    frame = 0 if r.random() < 0.8 else 1
    while left and frame < count:
        n = r.randint(1, len(left))
        which, left = left[:n], left[n:]
        if seeds and r.random() < 0.3:  # shown once more
            which = sorted({*which, 1})
        slots = tuple(int(k in which) for k in range(1, objects + 1))
        shape = None if r.random() < 0.7 else (size[0] + r.randint(0, 30), size[1] * 2 + 1)
        seeds.append((frame, slots, tuple(which), shape))
        frame += r.randint(1, 3)
    return seeds


def random_case(r, i):
    base = model.BASES[i % len(model.BASES)]
    size = (r.randint(32, 80), r.randint(32, 90))
    if base == "vgg16":
        size = tuple(n // 32 * 32 for n in size)
    settings = dict(base=base, hidden=r.choice((8, 8, 16, 24)), width=r.choice((4, 7, 8, 12)),
                    kernel_size=r.choice((1, 3, 3)), skip_mode=r.choice(model.SKIP_MODES),
                    seed=r.randint(1, 10**6))
    task = r.choice(model.TASKS)
    objects, count = r.randint(1, 4), r.randint(2, 5)
    c = golden.case(None, task, "random", r.choice(model.VARIANTS), objects, count, size,
                    frame=None if r.random() < 0.5 else (r.randint(20, 120), r.randint(20, 120)),
                    seeds=random_seeds(r, objects, count, size) if task == "one-shot" else (),
                    all_slots=r.random() < 0.4)
    return f"case{i}", settings, c


def write(folder, name, settings, c):
    """Write the network and the case, with the results of data/rvos_train/model.py."""
    bundle = os.path.join(folder, f"{name}.model.safetensors")
    golden.write_network(bundle, settings, "f32")
    net = model.load_bundle(bundle).double()
    frames, seeds = golden.inputs(name, c)
    # Before the first mask neither the engine nor model.run with live slots has a first frame.
    all_slots = c["all_slots"] and 0 in seeds
    c["all_slots"] = all_slots
    with torch.no_grad():
        steps = list(model.run(net, c["task"], frames, c["objects"], c["variant"], c["size"],
                               seeds, all_slots))
    logits = torch.stack([s.logits_half for s in steps])
    probs = torch.stack([s.prob for s in steps]).float().numpy()
    output = c["frame"] or c["size"]
    path = os.path.join(folder, f"{name}.safetensors")
    meta = golden.describe(c, len(frames), os.path.basename(bundle), ("1e-3", "5e-4"))
    golden.write_case(path, frames, seeds, logits.numpy(), meta, probs=probs,
                      labels=golden.labels_of(logits, c["size"], output))
    spread = float(logits.std())
    print(f"{name}: {settings} {c['task']} {c['variant']} {c['objects']} objects, {c['size']}, "
          f"frames {output}, seeds {[(s[0], s[2], s[3]) for s in c['seeds']]}, "
          f"all slots {int(all_slots)}, logits' deviation {spread:.2f}")
    return path, spread


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("backends", nargs="+")
    p.add_argument("--count", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(1)  # teams of threads spin, on tensors this small
    r, status = random.Random(a.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        written = [write(folder, *random_case(r, i)) for i in range(a.count)]
        sys.stdout.flush()
        if sum(spread > 0.1 for _, spread in written) < a.count // 2:
            print("too many networks give constant outputs: the comparison is void")
            status = 1
        for backend in a.backends:
            run = subprocess.run([a.program, backend, folder, *(f for f, _ in written)])
            status = status or run.returncode
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
