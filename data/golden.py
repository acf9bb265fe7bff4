#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes golden cases for the engine's tests; tests/golden/README.md describes them.

    golden.py --models DIR
        writes the random tiny networks of the cases (numpy only)
    golden.py --cases tests/golden
        writes what data/rvos_train/model.py computes with them
    golden.py --from-shared GOLDEN -o DIR
        writes the original's own outputs in the same layout
    golden.py --random-bundle resnet101 --hidden 128 -o FILE [--dtype f16|f32]
        writes a random network of full size
"""
import lzma
import os
import shutil
import sys
import tempfile

import numpy as np

from rvos_train import convert, files, layout, pixels, safetensors_io

# ---- random networks -------------------------------------------------------------------

GOLDEN_RATIO, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & MASK
    return h


def uniform(seed, name, count):
    """u in [0, 1), exact in float32: splitmix64 whose state starts at seed ^ fnv1a(name)."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN_RATIO)
    z += np.uint64((seed ^ fnv1a(name)) & MASK)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0 ** -24)


def random_tensor(seed, name, shape, norms):
    """norms: names of the batch norms. The ranges keep activations of deep networks finite,
    and gates and masks away from saturation. States and masks are small, so their weights
    are larger."""
    u = uniform(seed, name, int(np.prod(shape)))
    v = (2 * u - 1).astype(np.float32)  # in [-1, 1)
    owner, part = name.rsplit(".", 1)
    if part == "running_var":
        out = u + np.float32(0.5)
    elif part == "running_mean":
        out = v * np.float32(0.3)
    elif owner in norms and part == "weight":
        size = np.float32(0.6) + np.float32(0.8) * abs(v)
        out = np.where(v < 0, -1, 1).astype(np.float32) * size
        last = ".bn2" if owner[:-1] + "3" not in norms else ".bn3"
        if ".layer" in owner and owner.endswith(last):
            out *= np.float32(0.35)  # else the sum of a hundred blocks overflows
    elif part == "bias":
        out = v * np.float32(0.5 if owner in norms else 0.3)
    else:
        fan_in = int(np.prod(shape[1:]))
        gain = 6.0 if ".base." in name else 200.0 if "conv_out" in name else 3.0
        out = (v * np.float32(np.sqrt(gain / fan_in))).reshape(shape)
        if "Gates" in name:
            states = shape[0] // 2  # hidden = outputs / 4; two states
            out[:, -states:] *= np.float32(5)
            if name.startswith("one_shot."):
                out[:, -states - 1] *= np.float32(4)
    return out.reshape(shape).astype(np.float32)


def random_network(seed, base="resnet18", hidden=8, kernel_size=3, skip_mode="concat",
                   width=8,
                   tasks=("zero-shot", "one-shot")):
    """({name: float32 array}, metadata)"""
    shapes = layout.bundle(base, hidden, kernel_size, skip_mode, width, tasks)
    norms = {k[:-len(".running_var")] for k in shapes if k.endswith(".running_var")}
    tensors = {k: random_tensor(seed, k, s, norms) for k, s in shapes.items()}
    meta = convert.metadata(dict(base=base, hidden=hidden, skip_mode=skip_mode,
                                 task=",".join(tasks)), (448, 256),
                            "public domain: random numbers", f"golden.py, seed {seed}")
    return tensors, meta


MODELS = {  # name: (settings, stored type)
    "r18": (dict(seed=1), "f32"),
    "r18-f16": (dict(seed=1), "f16"),
    "r18-bf16": (dict(seed=1), "bf16"),
    "r18-sum": (dict(seed=2, skip_mode="sum"), "f32"),
    "r18-mul": (dict(seed=3, skip_mode="mul"), "f32"),
    "r18-none": (dict(seed=4, skip_mode="none"), "f32"),
    "r18-k1": (dict(seed=5, kernel_size=1), "f32"),
    "r18-h64": (dict(seed=10, hidden=64), "f32"),
    "r34": (dict(seed=6, base="resnet34"), "f32"),
    "r50": (dict(seed=7, base="resnet50", hidden=16), "f32"),
    "r101": (dict(seed=8, base="resnet101"), "f32"),
    "vgg16": (dict(seed=9, base="vgg16"), "f32"),
    "mobilenetv2": (dict(seed=11, base="mobilenetv2"), "f32"),
    "effnet-lite0": (dict(seed=12, base="effnet-lite0"), "f32"),
}


def write_network(path, settings, dtype):
    tensors, meta = random_network(**settings)
    if dtype == "f16":
        tensors = convert.narrow(tensors, "f16")
    safetensors_io.write(path, tensors, meta, bf16=dtype == "bf16")


def write_models(folder):
    os.makedirs(folder, exist_ok=True)
    for name, (settings, dtype) in MODELS.items():
        write_network(os.path.join(folder, name + ".safetensors"), settings, dtype)
    print(f"{folder}: {len(MODELS)} models")


# ---- cases -----------------------------------------------------------------------------

def frames_of(name, count, h, w):
    """Discs that move over a gradient, with a little noise; uint8 (count,h,w,3)"""
    r = uniform(0, name, 64)
    y, x = np.mgrid[0:h, 0:w] / np.float32(max(h, w))
    out = np.zeros((count, h, w, 3), np.float32)
    for t in range(count):
        out[t] = 60 + 80 * x[..., None] * r[:3] + 90 * y[..., None] * r[3:6]
        for d in range(3):
            p = r[8 + 12 * d:20 + 12 * d]
            cy = h / max(h, w) * (0.2 + 0.6 * p[0]) + 0.08 * t * (p[1] - 0.5)
            cx = 0.15 + 0.7 * p[2] + 0.08 * t * (p[3] - 0.5)
            inside = (y - cy) ** 2 + (x - cx) ** 2 < (0.08 + 0.12 * p[4]) ** 2
            out[t][inside] = 255 * p[5:8]
    out += 30 * (uniform(1, name, out.size).reshape(out.shape) - 0.5)
    return np.clip(out, 0, 255).astype(np.uint8)


def seed_of(h, w, *objects):
    """A label map with a rectangle for each object's number."""
    out = np.zeros((h, w), np.uint8)
    for k in objects:
        y, x = (k * 5 % 11) * h // 16, (k * 7 % 13) * w // 20
        out[y:y + h * 2 // 5, x:x + w // 3] = k
    return out


def case(model, task, about, variant="spatio-temporal", objects=2, count=3, size=(32, 56),
         frame=None, seeds=(), all_slots=False, labels=False):
    """seeds: (frame, slots, objects in the map, size of the map or None)"""
    return dict(locals())


SEED = ((0, (1, 1), (1, 2), None),)
LATE = ((0, (1, 0, 0), (1,), None), (2, (0, 0, 1), (3,), None))
CASES = {
    "r18_zero": case("r18", "zero-shot", "the plain network", objects=3),
    "r18_zero_spatial": case("r18", "zero-shot", "no temporal state", "spatial"),
    "r18_zero_temporal": case("r18", "zero-shot", "spatial recurrence at frame 0 only",
                              "temporal", objects=3),
    "r18_one": case("r18", "one-shot",
                    "frame 1 is fed the annotation again, then soft masks",
                    count=4, seeds=SEED),
    "r18_one_spatial": case("r18", "one-shot", "masks are fed, hidden states are not",
                            "spatial", seeds=SEED),
    "r18_one_temporal": case("r18", "one-shot", "spatial recurrence at frame 0 only",
                             "temporal", seeds=SEED),
    "r18_one_late": case("r18", "one-shot",
                         "slot 2 appears at frame 2, slot 1 never; rows "
                         "behind the highest seeded do not run", objects=3, count=5,
                         seeds=LATE),
    "r18_one_late_all": case("r18", "one-shot",
                             "the same with every slot run from the start",
                             objects=3, count=5, seeds=LATE, all_slots=True),
    "r18_one_wait": case("r18", "one-shot",
                         "nothing before frame 1, then a small seed; slot 0 "
                         "is shown anew at frame 3", count=5,
                         seeds=((1, (1, 1), (1, 2), (20, 31)),
                                (3, (1, 0), (1,), (64, 100)))),
    "r18_one_frame1": case("r18", "one-shot",
                           "slot 1 appears at frame 1, where slot 0 is still "
                           "fed its annotation", count=4,
                           seeds=((0, (1, 0), (1,), None), (1, (0, 1), (2,), None))),
    "r18_one_odd": case("r18", "one-shot", "60x107: odd sizes at every level", count=3,
                        size=(60, 107), seeds=SEED),
    "r18_zero_odd": case("r18", "zero-shot", "33x50", count=2, size=(33, 50)),
    "r18_zero_shrink": case("r18", "zero-shot",
                            "frames of 75x101 shrunk to 32x56; labels at "
                            "the frames' size", count=2, frame=(75, 101), labels=True),
    "r18_one_grow": case("r18", "one-shot",
                         "frames of 24x30 enlarged to 32x56; labels at the "
                         "frames' size", frame=(24, 30), seeds=SEED, labels=True),
    "r18_f16": case("r18-f16", "one-shot", "weights stored as F16", seeds=SEED),
    "r18_bf16": case("r18-bf16", "zero-shot", "weights stored as BF16"),
    "r18_sum_one": case("r18-sum", "one-shot", "skip mode sum", seeds=SEED),
    "r18_mul_zero": case("r18-mul", "zero-shot", "skip mode mul"),
    "r18_none_one": case("r18-none", "one-shot", "skip mode none", seeds=SEED),
    "r18_k1_one": case("r18-k1", "one-shot", "kernels of 1x1", seeds=SEED),
    "r18_h64_one": case("r18-h64", "one-shot",
                        "hidden 64: cells wide enough for a GPU's tensor cores",
                        objects=3, seeds=((0, (1, 0, 1), (1, 3), None),)),
    "r34_zero": case("r34", "zero-shot", "ResNet-34"),
    "r50_one": case("r50", "one-shot", "ResNet-50, hidden 16", count=3, seeds=SEED),
    "r101_zero": case("r101", "zero-shot", "ResNet-101"),
    "vgg16_zero": case("vgg16", "zero-shot", "VGG16 without batch norm", size=(32, 64)),
    "vgg16_one": case("vgg16", "one-shot", "VGG16 with masks", size=(32, 64), seeds=SEED),
    "mobile_v2_zero": case("mobilenetv2", "zero-shot", "MobileNetV2: depthwise"),
    "mobile_lite0_one": case("effnet-lite0", "one-shot", "EfficientNet-Lite0: depthwise 5x5",
                      size=(36, 61), count=2, seeds=SEED),
}


def inputs(name, c):
    """Frames and {frame: (label map, slots)} of a case."""
    h, w = c["frame"] or c["size"]
    seeds = {t: (seed_of(*(size or c["size"]), *which), slots)
             for t, slots, which, size in c["seeds"]}
    return frames_of(name, c["count"], h, w), seeds


def compute(net, name, c):
    """(frames, seeds, half-size logits) in the network's precision."""
    import torch
    from rvos_train import model
    frames, seeds = inputs(name, c)
    with torch.no_grad():
        steps = model.run(net, c["task"], frames, c["objects"], c["variant"],
                          c["size"], seeds,
                          c["all_slots"])
        return frames, seeds, torch.stack([s.logits_half for s in steps])


def labels_of(logits, size, output):
    """Label maps; 255 where the largest logit is within 1e-3 of the next or of the
    threshold."""
    import torch
    from rvos_train import model
    out = []
    for row in logits:
        full = model.upsample(model.upsample(row[None], size), output)[0]
        best = torch.cat([full, torch.zeros_like(full[:1])]).topk(2, 0).values
        labels = model.label_map(row, size, output)
        labels[((best[0] - best[1]) < 1e-3).numpy()] = 255
        out.append(labels)
    return np.stack(out)


def describe(c, count, model_file, tolerance=("2e-4", "5e-4")):
    return {"case.model": model_file, "case.task": c["task"],
            "case.variant": c["variant"],
            "case.objects": str(c["objects"]), "case.width": str(c["size"][1]),
            "case.height": str(c["size"][0]), "case.frames": str(count),
            "case.seeds": ",".join(str(s[0]) for s in c["seeds"]),
            "case.all_slots": str(int(c["all_slots"])), "case.about": c["about"],
            "case.tolerance_logit": tolerance[0], "case.tolerance_prob": tolerance[1]}


def write_case(path, frames, seeds, logits, meta, **more):
    tensors = dict(frames=frames, logits_half=np.asarray(logits, np.float32), **more)
    for t, (labels, slots) in seeds.items():
        tensors[f"seed.{t}"] = labels
        tensors[f"slots.{t}"] = np.array(slots, np.uint8)
    safetensors_io.write(path, tensors, meta)


def write_cases(folder):
    """Compute the cases in float64, so that rounding of a reference plays no part."""
    from rvos_train import model
    nets = {}
    for name, c in CASES.items():
        if c["model"] not in nets:
            settings, dtype = MODELS[c["model"]]
            with tempfile.TemporaryDirectory() as tmp:
                file = os.path.join(tmp, "net")
                write_network(file, settings, dtype)
                nets[c["model"]] = model.load_bundle(file).double()
        frames, seeds, logits = compute(nets[c["model"]], name, c)
        more = {}
        if c["labels"]:
            more["labels"] = labels_of(logits, c["size"], frames.shape[1:3])
        path = os.path.join(folder, name + ".safetensors")
        write_case(path, frames, seeds, logits.numpy(),
                   describe(c, len(frames), c["model"] + ".safetensors"), **more)
        print(f"{path}: {os.path.getsize(path)} bytes, logits "
              + " ".join(f"{q:.2f}"
                         for q in np.quantile(logits.numpy(), (0, .05, .5, .95, 1)))
              + f", std over objects {float(logits.std(1).mean()):.2f}")


# ---- the original's own cases ----------------------------------------------------------

SHARED = {
    "a_small_zeroshot": ("zero-shot", "spatio-temporal"),
    "b_small_oneshot": ("one-shot", "spatio-temporal"),
    "e1_small_only_spatial_zeroshot": ("zero-shot", "spatial"),
    "e3_small_only_temporal_zeroshot": ("zero-shot", "temporal"),
    "f1_small_skip_sum": ("zero-shot", "spatio-temporal"),
}


def unpack_checkpoint(golden, name, folder):
    """Unpack a case's checkpoint folder, with the encoder that all cases share."""
    out = os.path.join(folder, name)
    shutil.copytree(os.path.join(golden, name, "model"), out)
    encoder = os.path.join(folder, "encoder.pt")
    if not os.path.exists(encoder):
        with lzma.open(os.path.join(golden, "encoder_resnet34.pt.xz")) as f, \
                open(encoder, "wb") as g:
            shutil.copyfileobj(f, g)
    os.link(encoder, os.path.join(out, "encoder.pt"))
    return out


def absent(folder, *names):
    """Whether one of these files or folders is missing; then print it. The case is left
    out, because not every machine has room for all of them."""
    for name in names:
        if not os.path.exists(os.path.join(folder, name)):
            print(f"left out: no {os.path.join(folder, name)}")
            return True
    return False


def no_pictures(what):
    try:
        import PIL  # noqa: F401
    except ImportError:
        print(f"left out: {what}: there is no PIL to read pictures")
        return True
    return False


def convert_case(golden, name, task, variant, tmp, out):
    """Convert one of the original's cases; False: it is missing."""
    if absent(golden, "encoder_resnet34.pt.xz") or absent(
            os.path.join(golden, name), "model", "frames.npy", "logits_half_f64.npy",
            "probs.npy", *(["annotations/00000.png"] if task == "one-shot" else [])):
        return False
    if task == "one-shot" and no_pictures(name):
        return False
    load = lambda file: np.load(os.path.join(golden, name, file))
    frames = load("frames.npy")
    tensors, settings = convert.load(unpack_checkpoint(golden, name, tmp), task=task)
    size, model_file = frames.shape[1:3], name + ".model.safetensors"
    meta = convert.metadata(settings, size[::-1], "public domain: random numbers", name)
    c = case(None, task, "of the original", variant, 3, size=size)
    seeds = {}
    if task == "one-shot":
        path = os.path.join(golden, name, "annotations", "00000.png")
        seeds[0] = pixels.read_labels(path), (1, 1, 1)
        c["seeds"] = ((0,),)
    safetensors_io.write(os.path.join(out, model_file), convert.narrow(tensors, "f32"),
                         meta)
    write_case(os.path.join(out, name + ".safetensors"), frames, seeds,
               load("logits_half_f64.npy"), describe(c, len(frames), model_file),
               probs=load("probs.npy"))
    print(f"{out}/{name}.safetensors")
    return True


def from_shared(golden, out):
    """Convert all cases that are there; return their number."""
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        n = sum(convert_case(golden, name, *how, tmp, out)
                for name, how in SHARED.items())
    shipped = os.path.join(os.path.dirname(os.path.abspath(golden)), "model")
    return n + from_reference(shipped, out)


def from_reference(shipped, out):
    """Convert the trained model's reference on real frames. Its model is the shipped one."""
    folder, name = os.path.join(shipped, "reference"), "rvos-resnet18-h128.safetensors"
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
    model_file = os.path.abspath(os.path.join(
        shipped if os.path.exists(os.path.join(shipped, name)) else here, name))
    if absent(folder, *(f"{t:05d}.png" for t in range(8)), "init_mask.png",
              "zero_shot_logits_half.npy", "one_shot_logits_half.npy", model_file):
        return 0
    if no_pictures("the trained model's reference"):
        return 0
    from PIL import Image
    frames = np.stack([np.array(Image.open(os.path.join(folder, f"{t:05d}.png")))
                       for t in range(8)])
    for task in ("zero-shot", "one-shot"):
        key = task.replace("-", "_")
        logits = np.load(os.path.join(folder, key + "_logits_half.npy"))
        c = case(None, task, "the trained model on real frames", objects=logits.shape[1],
                 size=frames.shape[1:3])
        seeds = {}
        if task == "one-shot":
            seeds[0] = pixels.read_labels(os.path.join(folder, "init_mask.png")), (1,)
            c["seeds"] = ((0,),)
        path = os.path.join(out, f"reference_{key}.safetensors")
        write_case(path, frames, seeds, logits,
                   describe(c, len(frames), model_file, ("1e-3", "5e-4")))
        print(path)
    return 2


def main(argv=None):
    p = files.parser(__doc__)
    p.add_argument("--models", metavar="DIR")
    p.add_argument("--cases", metavar="DIR")
    p.add_argument("--from-shared", metavar="GOLDEN")
    p.add_argument("--random-bundle", choices=layout.BASES, metavar="BASE")
    p.add_argument("-o", "--output", metavar="DIR|FILE")
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--dtype", choices=("f16", "f32"), default="f16")
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args(argv)
    if (a.from_shared or a.random_bundle) and not a.output:
        p.error("name the output with -o")
    if not (a.models or a.cases or a.from_shared or a.random_bundle):
        p.error("nothing to do")
    if a.models:
        write_models(a.models)
    if a.cases:
        write_cases(a.cases)
    if a.from_shared:
        from_shared(a.from_shared, a.output)
    if a.random_bundle:
        settings = dict(seed=a.seed, base=a.random_bundle, hidden=a.hidden,
                        width=layout.standard_width(a.random_bundle))
        write_network(a.output, settings, a.dtype)
    return 0


if __name__ == "__main__":
    sys.exit(files.run(main, "golden.py"))
