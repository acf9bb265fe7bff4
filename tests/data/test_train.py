#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The trainer: resuming, overfitting, presets, export; the exported model in librvos."""
import contextlib
import io
import os
import shutil
import signal
import subprocess
import unittest

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")
import numpy as np
import torch
from PIL import Image

import checkpoint
import config
import datasets
import encoder_init
import evaluate
import export
import losses
import metrics
import model
import report
import safetensors_io
import shapes
import train
import trainer
from common import GOLDEN, SHARED, shared_golden
from config import ConfigError

torch.set_num_threads(1)  # teams of threads crawl on a busy machine
SAMPLE = os.path.join(SHARED, "data-sample")
TINY = dict(hidden=8, base_width=8, size="64x48", batch=2, length=3, late_length=0,
            objects=2,
            log_every=2, check_every=4, warmup=2, cut_outs=2)


def fresh(name):
    path = os.path.join(common.scratch(), name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def folders():
    video, stills = (os.path.join(common.scratch(), n) for n in ("videos", "stills"))
    if not os.path.isdir(video):
        shapes.videos(video, 2, 8, 48, 64)
        shapes.stills(stills, 4, 48, 64)
    return "folder:" + video, "folder:" + stills


def settings(**more):
    video, stills = folders()
    return config.merge(dict(TINY, video=[video], stills=[stills], steps=8, **more))


def new_run(name, c):
    path = fresh(name)
    os.mkdir(path)
    return train.Run(path, trainer.Trainer(c, lambda s: None), lambda s: None)


def main(*args):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = train.main(list(map(str, args)))
        except SystemExit as e:
            status = e.code
    return status, out.getvalue(), err.getvalue()


def same_state(test, a, b):
    for part in ("net", "ema"):
        test.assertEqual(list(a[part]), list(b[part]))
        for k in a[part]:
            test.assertTrue(torch.equal(a[part][k], b[part][k]), (part, k))
    test.assertEqual(len(a["opt"]), len(b["opt"]))
    for x, y in zip(a["opt"].values(), b["opt"].values()):
        for k in x:
            test.assertTrue(torch.equal(torch.as_tensor(x[k]), torch.as_tensor(y[k])))
    for k in ("step", "total", "best", "scores"):
        test.assertEqual(a["meta"][k], b["meta"][k])


class Resume(unittest.TestCase):
    def test_bit_for_bit(self):
        """Interrupted at step 3 (in the middle of a log interval) and at step 6."""
        whole = new_run("whole", settings())
        self.assertTrue(whole.go())
        parts = new_run("parts", settings())
        for stop in (3, 6, None):
            self.assertEqual(parts.go(stop_at=stop), stop is None)
            state = trainer.load(parts.path("checkpoint.pt"))
            parts = train.Run(parts.folder, trainer.Trainer(settings(), lambda s: None),
                              lambda s: None)
            parts.restore(state)
        same_state(self, trainer.load(whole.path("checkpoint.pt")), state)
        timing = ("ms/step", "images/s")
        keep = lambda rows: [{k: v for k, v in r.items() if k not in timing}
                             for r in rows]
        self.assertEqual(keep(whole.rows), keep(parts.rows))
        a, b = (safetensors_io.read(r.path("model.safetensors"))[0]
                for r in (whole, parts))
        for k in a:
            self.assertTrue(np.array_equal(a[k], b[k]))

    def test_epochs_resume(self):
        video, _ = folders()
        c = lambda: config.merge(dict(TINY, video=[video], order="epochs", epochs=3,
                                      batch=1,
                                      augment="paper"))
        whole = new_run("whole", c())
        self.assertTrue(whole.go())
        self.assertEqual(whole.trainer.total, 3 * 4)  # 2 videos of 8 frames, clips of 3
        part = new_run("part", c())
        self.assertFalse(part.go(stop_at=5))
        self.assertEqual(main(part.folder, "--resume")[0], 0)
        same_state(self, *(trainer.load(r.path("checkpoint.pt")) for r in (whole, part)))

    def test_interrupt(self):
        """A signal ends the run after the step, with a checkpoint; a crash leaves the
        last."""
        run = new_run("killed", settings())
        advance = run.trainer.advance

        def interrupted(plan):
            if run.trainer.step == 5:
                os.kill(os.getpid(), signal.SIGTERM)
            return advance(plan)

        run.trainer.advance = interrupted
        self.assertFalse(run.go())
        self.assertEqual(trainer.load(run.path("checkpoint.pt"))["meta"]["step"], 6)
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)
        status, out, err = main(run.folder, "--resume")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("goes on at step 6 of 8", out)
        status, _, err = main(run.folder, "--video", "folder:x", "--steps", 5)
        self.assertEqual((status, err.strip()),
                         (1, f"train.py: {run.folder}: holds a run: "
                          "--resume goes on with it"))

    def test_not_finite(self):
        run = new_run("nan", settings(check_every=2))
        run.go(stop_at=2)
        with torch.no_grad():
            run.trainer.net.encoder.sk5.weight[0, 0, 0, 0] = float("nan")
        with self.assertRaisesRegex(trainer.TrainError, "not finite at step 4"):
            run.go()
        self.assertEqual(trainer.load(run.path("checkpoint.pt"))["meta"]["step"], 2)

    def test_damaged_checkpoint(self):
        path = fresh("bad.pt")
        for data in (b"", b"PK\3\4 no", b"\x80\x02}q\0."):
            with open(path, "wb") as f:
                f.write(data)
            with self.assertRaisesRegex(trainer.TrainError, "bad.pt"):
                trainer.load(path)


class Learning(unittest.TestCase):
    def test_overfit(self):
        """Soft IoU above 0.9 on one real clip, both tasks, with inference's own loop."""
        if not os.path.isdir(SAMPLE):
            self.skipTest(f"no {SAMPLE}")
        folder = os.path.join(common.scratch(), "clip", "bear")
        os.makedirs(folder, exist_ok=True)
        source = os.path.join(SAMPLE, "video", "bear")
        for name in sorted(os.listdir(source))[:6]:
            os.symlink(os.path.join(source, name), os.path.join(folder, name))
        c = config.merge(dict(
            video=["folder:" + os.path.dirname(folder)], augment="none", max_stride=1,
            size="224x128", base_width=16, hidden=48, objects=2, batch=2, length=3,
            steps=180,
            late_length=0, lr=4e-3, lr_encoder=4e-3, warmup=10, ema=0.97,
            weight_decay=0.0))
        t = trainer.Trainer(c, lambda s: None)
        while t.step < c.steps:
            t.advance()
        images, labels = t.data.store.fetch(torch.arange(3))
        truth = (labels == 1).float()[None, :, None]
        for task in model.TASKS:
            with torch.no_grad():
                steps = model.run(t.best_net(), task,
                                  images.permute(0, 2, 3, 1).numpy(), 2,
                                  size=t.size, seeds={0: (labels[0].numpy(), None)})
                p = torch.stack([s.prob for s in steps])[None]
            iou = losses.soft_iou(p, truth).max().item()
            print(f"overfit, {task}: soft IoU {iou:.3f}")
            self.assertGreater(iou, 0.9)

    def test_variants_and_presets(self):
        """Every variant, and the paper's stages, run and learn something."""
        video, _ = folders()
        base = dict(TINY, video=[video], steps=30, lr=3e-3, lr_encoder=3e-3)
        cases = [dict(base, variant=v) for v in model.VARIANTS]
        paper = {k: v for k,
                 v in config.PRESETS["paper"].items() if k not in ("epochs", "base")}
        cases += [dict(base, **dict(paper, feed=f)) for f in ("true", "own")]
        cases += [dict(base, **dict(paper, tasks=["zero-shot"]))]
        for values in cases:
            values = dict(values, lr=3e-3, lr_encoder=3e-3, length=3, batch=2, objects=2,
                          augment="none", schedule="constant")
            t = trainer.Trainer(config.merge(values), lambda s: None)
            before = [p.clone() for p in t.net.parameters()]
            plan = t.data.plan(0, 3)  # the same clips each time
            found = [sum(v.item() for v in t.advance(plan).values()) for _ in range(30)]
            self.assertLess(np.mean(found[-3:]), 0.985 * np.mean(found[:3]), values)
            moved = sum(not torch.equal(a, b) for a, b in zip(before, t.net.parameters()))
            self.assertEqual(moved, len(before))

    def test_stage_2_from_stage_1(self):
        video, _ = folders()
        one, two = fresh("stage1"), fresh("stage2")
        shape = ("--base", "resnet18", "--hidden", 8, "--base-width", 8, "--size",
                 "64x48",
                 "--length", 3, "--batch", 2, "--objects", 2, "--video", video)
        self.assertEqual(main(one, "--preset", "paper", "--stage", 1, "--epochs", 1,
                              *shape)[0],
                         0)
        status, out, err = main(two, "--preset", "paper", "--stage", 2, "--epochs", 1,
                                "--init",
                                one + "/checkpoint.pt", *shape)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("0 new", out)
        c = config.load(two + "/config.yaml")
        self.assertEqual((c["feed"], c["order"], c["loss"], c["optimiser"], c["lr"],
                          c["lr_encoder"]),
                          ("own", "epochs", "paper", "adam", 1e-3, 1e-6))

    def test_longer_clips_and_minutes(self):
        t = trainer.Trainer(settings(late_length=5, late_from=0.5), lambda s: None)
        self.assertEqual([t.length(s) for s in (0, 3, 4, 7)], [3, 3, 5, 5])
        self.assertEqual(len(t.data.plan(5, 5)[0][1][0][0]), 5)
        rates = [t.rate(s) for s in range(9)]
        self.assertEqual(max(rates), rates[1])
        self.assertAlmostEqual(rates[8], 0.02)
        c = settings(minutes=0.05)
        c.steps, c.log_every, c.check_every = 0, 1000, 1000
        run = new_run("minutes", c)
        self.assertTrue(run.go())
        self.assertLess(run.trainer.elapsed, 10)
        self.assertEqual(run.trainer.step, run.trainer.total)

    def test_shown(self):
        """Late objects are shown at their first frame, some of them; the rest must be
        empty."""
        t = trainer.Trainer(settings(late_objects=0.5, objects=4), lambda s: None)
        late = 0
        for step in range(30):
            plan = t.data.plan(step, 5)
            _, targets, valid, _, shown = t.prepare(step, plan)
            here = targets.sum((3, 4)) > 0
            self.assertLessEqual(float(shown.sum(1).max()), 1)
            self.assertTrue(bool((here | (shown == 0)).all()))
            first = here[:, 0] & (targets[:, 0].sum((2, 3)) > 5e-4 * 64 * 48)
            self.assertTrue(bool((shown[:, 0] == first.float()).all()))
            late += float(shown[:, 1:].sum())
        self.assertGreater(late, 0)


class Encoders(unittest.TestCase):
    def net(self):
        torch.manual_seed(1)
        base = model.ResNet("resnet18", 8).eval()
        for m in base.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.running_mean.uniform_(-0.5, 0.5)
                m.running_var.uniform_(0.5, 2)
                m.weight.data.uniform_(-1, 1)
        return base

    def images(self):
        return np.random.RandomState(0).randint(0, 256, (4, 48, 64, 3), np.uint8)

    def test_forms(self):
        """torchvision's names, ours, DataParallel's; halves; with a classifier."""
        base = self.net()
        state = base.state_dict()
        for prefix in ("", "encoder.base.", "module.base."):
            path = fresh("encoder.pt")
            some = {prefix + k: v for k, v in state.items()}
            some[prefix + "fc.weight"] = torch.ones(10, 64)
            torch.save(some, path)
            other = model.ResNet("resnet18", 8)
            loaded, missing = encoder_init.load_encoder(other, path)
            self.assertEqual(missing, [])
            for k, v in other.state_dict().items():
                if "num_batches" not in k:
                    self.assertTrue(torch.equal(v, state[k]))
        path = fresh("part.pt")
        torch.save({k: v.half() for k, v in state.items() if not k.startswith("layer4")},
                   path)
        loaded, missing = encoder_init.load_encoder(model.ResNet("resnet18", 8), path)
        self.assertTrue(missing and all(k.startswith("layer4") for k in missing))
        with self.assertRaisesRegex(ValueError,
                                    "conv1.weight is .*8, 3, 7, 7.*16, 3, 7, 7"):
            encoder_init.load_encoder(model.ResNet("resnet18", 16), path)

    def test_parameters(self):
        """Old torchvision files hold parameters."""
        path = fresh("old.pt")
        torch.save({"conv1.weight": torch.nn.Parameter(torch.ones(8, 3, 7, 7))}, path,
                   _use_new_zipfile_serialization=False)
        self.assertEqual(encoder_init.read_encoder(path)["conv1.weight"].sum().item(),
                         8 * 147)

    def test_folded(self):
        """Folded weights get batch norms back that change nothing, with fitting
        statistics."""
        base, other = self.net(), model.ResNet("resnet18", 8)
        path = fresh("folded.pt")
        torch.save(encoder_init.fold(base), path)
        loaded, missing = encoder_init.load_encoder(other, path, self.images())
        self.assertEqual(missing, [])
        x = torch.randn(2, 3, 48, 64)
        with torch.no_grad():
            for a, b in zip(base.eval()(x), other.eval()(x)):
                self.assertLess((a - b).abs().max().item(), 1e-3 * a.abs().max().item())
            pictures = torch.stack([torch.from_numpy(trainer.pixels.normalise(i))
                                    for i in self.images()])
            z = other.conv1(pictures)
            torch.testing.assert_close(other.bn1.running_mean, z.mean((0, 2, 3)),
                                       atol=1e-4,
                                       rtol=1e-3)
        with self.assertRaisesRegex(ValueError, "folded"):
            encoder_init.load_encoder(model.ResNet("resnet18", 8), path)

    def test_training_starts_from_weights(self):
        path = fresh("encoder.pt")
        torch.save(self.net().state_dict(), path)
        t = trainer.Trainer(settings(weights=path), lambda s: None)
        want = checkpoint.read_state(path)["layer3.0.conv1.weight"]
        have = t.net.encoder.base.layer3[0].conv1.weight.detach().numpy()
        self.assertTrue(np.array_equal(have, want))


class Export(unittest.TestCase):
    def run_it(self):
        video, stills = folders()
        path = fresh("run")
        status, out, err = main(path, "--video", video, "--stills", stills,
                                "--validation", video,
                                "--steps", 20, "--lr", 0.01, "--lr-encoder", 0.01,
                                *[w for k, v in TINY.items() for w in
                                                 ("--" + k.replace("_", "-"), v)])
        self.assertEqual((status, err), (0, ""))
        return path

    def test_folder(self):
        """All files are there and say what they should; no path of this machine leaks."""
        path = self.run_it()
        names = set(os.listdir(path))
        self.assertLessEqual({"config.yaml", "log.csv", "plot.png", "samples",
                              "checkpoint.pt",
                              "model.safetensors", "model.md", "best.safetensors"}, names)
        self.assertEqual([n for n in names if n.endswith(".part")], [])
        for name, size in (("plot.png", (900, 600)),
                           ("samples/000020.jpg", (64 * 3, 48 * 3))):
            with Image.open(os.path.join(path, name)) as im:
                self.assertEqual(im.size, size)
        tensors, meta = safetensors_io.read(os.path.join(path, "model.safetensors"))
        self.assertEqual({v.dtype.str for v in tensors.values()}, {"<f2"})
        self.assertEqual((meta["rvos.width"], meta["rvos.height"], meta["rvos.objects"],
                          meta["rvos.tasks"]), ("64", "48", "2", "zero-shot,one-shot"))
        with open(os.path.join(path, "model.md")) as f:
            card = f.read()
        for words in ("folder:videos", "folder:stills", "validation", "seed",
                      "20 of 20 steps",
                      "J |", "unknown", "PyTorch " + torch.__version__, "hidden: 8"):
            self.assertIn(words, card)
        for text in (card, *meta.values()):
            self.assertNotIn(common.scratch(), text)
        for words in ("seed 0", "20 steps", "folder:videos (16 frames)", "J "):
            self.assertIn(words, meta["rvos.provenance"])
        # the bundle is the averaged network, rounded
        state = trainer.load(os.path.join(path, "checkpoint.pt"))
        net = model.load_bundle(os.path.join(path, "model.safetensors"))
        for k, v in net.state_dict().items():
            if "num_batches" not in k:
                self.assertTrue(torch.equal(v, state["ema"][k].half().float()), k)

    def test_round_trip_through_librvos(self):
        """20 steps, exported in F32: the engine gives PyTorch's probabilities within
        5e-4."""
        tool = os.environ.get("RVOS_SEGMENT") or shutil.which("rvos-segment")
        if not tool or not os.path.exists(tool):
            self.skipTest("no rvos-segment: name it in RVOS_SEGMENT")
        path = self.run_it()
        file, out = os.path.join(path, "f32.safetensors"), os.path.join(path, "out")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(export.main([path, "-o", file, "--dtype", "f32"]), 0)
        net = model.load_bundle(file)
        frames = os.path.join(common.scratch(), "png")
        os.makedirs(frames, exist_ok=True)
        images = []
        for t in range(4):
            image, labels = shapes.picture(48, 64, (1, 2), t)
            Image.fromarray(image).save(os.path.join(frames, f"{t:05d}.png"))
            images.append(image)
            if t == 0:
                mask = os.path.join(common.scratch(), "mask.png")
                Image.fromarray(labels, "P").save(mask)
                first = labels
        for engine in ("reference", "cpu"):
            for task in model.TASKS:
                npy = os.path.join(path, "probs.npy")
                command = [tool, "--model", file, "--task", task, "--engine", engine,
                           "--objects",
                           "2", "--precision", "fp32", "--dump-probs", npy]
                if task == "one-shot":
                    command += ["--init-mask", mask]
                done = subprocess.run(command + [frames, out], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
                self.assertEqual(done.returncode, 0, done.stdout)
                with torch.no_grad():
                    want = np.stack([s.prob.numpy() for s in model.run(
                        net, task, images, 2, seeds={0: (first, None)})])
                self.assertGreater(want.std(), 0.02)  # it says something
                error = np.abs(np.load(npy) - want).max()
                print(f"round trip, {engine}, {task}: {error:.1e}")
                self.assertLess(error, 5e-4)


class Settings(unittest.TestCase):
    def test_errors(self):
        video, stills = folders()
        for args, words in (((), "no data"), (("--video", video), "say how long"),
                            (("--video", video, "--steps", 5, "--minutes", 1),
                             "with one of"),
                            (("--video", video, "--steps", 5, "--hidden", 12),
                             "divisible by 8"),
                            (("--video", video, "--steps", 5, "--size", "9x9"),
                             "no size such"),
                            (("--video", video, "--epochs", 5), "--order epochs"),
                            (("--video", video, "--steps", 5, "--batch", 0),
                             "batch is 0"),
                            (("--video", "folder:/no/where", "--steps", 5), "/no/where"),
                            (("--video", video, "--steps", 5, "--init", "/no/x.pt"),
                             "/no/x.pt"),
                            (("--video", video, "--steps", 5, "--graph",
                              "--late-length", 0,
                              "--device", "cpu", "--size", "64x48", "--hidden", 8),
                              "CUDA")):
            status, _, err = main(fresh("errors"), *args)
            self.assertEqual(status, 1, args)
            self.assertIn(words, err)

    def test_yaml(self):
        c = settings(lr=1e-4, tasks=["one-shot"])
        path = fresh("c.yaml")
        with open(path, "w") as f:
            f.write(config.dump(c))
        self.assertEqual(config.merge(config.load(path)), c)
        a = config.parser("").parse_args(["x", "--config", path, "--lr", "0.5",
                                          "--minutes", "3"])
        d = config.from_args(a)
        self.assertEqual((d.lr, d.minutes, d.steps, d.tasks), (0.5, 3.0, 0, ["one-shot"]))
        for values, words in (({"nose": 1}, "unknown setting 'nose'"),
                              ({"batch": "x"}, "batch is 'x'"),
                              ({"graph": 1}, "of type bool")):
            with self.assertRaisesRegex(ConfigError, words):
                config.merge(values)


class Metrics(unittest.TestCase):
    @shared_golden
    def test_golden(self):
        """Item 27: all pairs to 1e-6."""
        import json
        folder = os.path.join(GOLDEN, "j_metrics")
        with open(os.path.join(folder, "scores.json")) as f:
            scores = json.load(f)
        load = lambda n: np.array(Image.open(os.path.join(folder, n + ".png"))) > 0
        for s in scores:
            a, b = load(s["name"] + "_pred"), load(s["name"] + "_gt")
            self.assertAlmostEqual(metrics.jaccard(a, b), s["J"], 6, s["name"])
            self.assertAlmostEqual(metrics.contour(a, b), s["F"], 6, s["name"])
        self.assertEqual(len(scores), 15)

    def setting(self):
        torch.manual_seed(0)
        net = model.RVOS("resnet18", 8, width=8)
        net.settings.update(size=(48, 64), objects=3)
        video = datasets.read_source(folders()[0])[0]
        return net.eval(), video

    def test_evaluate(self):
        """A perfect one-shot result scores 100; the ends do not count; slots are
        chosen."""
        truth = np.zeros((4, 48, 64), np.uint8)
        truth[:, 5:20, 5:20], truth[:, 25:40, 30:60] = 1, 2
        self.assertEqual(metrics.sequence(truth, truth, (1, 2)), [(1, 1), (1, 1)])
        bad = truth.copy()
        bad[0] = bad[3] = 0
        self.assertEqual(metrics.sequence(truth, bad, (1, 2)), [(1, 1), (1, 1)])
        bad[1] = 0
        self.assertEqual(metrics.sequence(truth, bad, (1, 2)), [(0.5, 0.5)] * 2)
        masks = [truth[0] == 2, truth[0] == 0, truth[0] == 1]
        self.assertEqual(metrics.assign([truth[0] == 1, truth[0] == 2], masks),
                         {0: 2, 1: 0})
        net, video = self.setting()
        scores = evaluate.evaluate(net, video, model.TASKS, (48, 64), slots=3, frames=4)
        self.assertEqual(scores["one-shot"]["objects"], 5)  # ids 1, 2 and 1, (2), 3

    def test_as_rvos_eval(self):
        """The same masks scored by the tool, within 1e-3."""
        tool = os.environ.get("RVOS_EVAL") or shutil.which("rvos-eval")
        if not tool or not os.path.exists(tool):
            self.skipTest("no rvos-eval: name it in RVOS_EVAL")
        import json
        net, video = self.setting()
        truth, result = fresh("truth"), fresh("result")

        def imperfect(net, task, images, truth, slots, size):
            """Shifted, with a hole, and for zero-shot in other slots"""
            out = np.roll(truth, 3, 2)
            out[2, :20] = out[3] = 0
            return np.where(out, (out + 1) % 3 + 1,
                            0).astype(np.uint8) if slots == 3 and (
                task == "zero-shot") else out

        old, evaluate.label_maps = evaluate.label_maps, imperfect
        self.addCleanup(setattr, evaluate, "label_maps", old)
        protocols = {"one-shot": "davis2017", "zero-shot": "davis2017-zero-shot"}

        def keep(name, task, images, labels):
            if task == wanted:
                shutil.copytree(os.path.join(folders()[0][7:], name),
                                os.path.join(truth, name),
                                dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("*.jpg"))
                os.makedirs(os.path.join(result, name), exist_ok=True)
                for t, m in enumerate(labels):
                    Image.fromarray(m,
                                    "P").save(os.path.join(result, name, f"{t:05d}.png"))

        for wanted, protocol in protocols.items():
            scores = evaluate.evaluate(net, video, [wanted], (48, 64), 3,
                                       keep=keep)[wanted]
            done = subprocess.run([tool, "-q", "--protocol", protocol, "--json",
                                   "-", truth,
                                   result], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT,
                                  text=True)
            self.assertEqual(done.returncode, 0, done.stdout)
            mean = json.loads(done.stdout)["mean"]
            self.assertEqual(mean["objects"], scores["objects"])
            for letter in "JF":
                error = abs(mean[letter]["mean"] - scores[letter] / 100)
                self.assertLess(error, 1e-3, (protocol, letter, mean, scores))
                self.assertGreater(scores[letter], 0)


class Report(unittest.TestCase):
    def test_palette_and_plot(self):
        self.assertEqual(report.palette()[:4].tolist(),
                         [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]])
        rows = [{"step": 2, "loss a": 1.0}, {"step": 4, "loss a": 0.5},
                {"step": 4, "J a": 50.0}]
        rows.append({"step": 6, "loss a": 0.4})
        path = fresh("plot.png")
        report.write_plot(path, rows)
        with Image.open(path) as im:
            self.assertEqual(im.size, (900, 600))
        log = fresh("log.csv")
        report.write_csv(log, rows)
        with open(log) as f:
            self.assertEqual(f.read().splitlines()[:2], ["step,loss a,J a", "2,1.0,"])


if __name__ == "__main__":
    common.main()
