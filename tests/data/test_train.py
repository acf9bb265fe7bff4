#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the trainer: resuming, presets, export, and the exported model in librvos."""
import gc
import os
import shutil
import signal
import subprocess
import unittest
import weakref
from unittest import mock
from pathlib import Path

import common

common.need("numpy", "torch", "PIL", "scipy", "yaml")
import numpy as np
import torch
from PIL import Image

from rvos_train import checkpoint, config, export, model, safetensors_io
import shapes
from rvos_train import train, trainer
from rvos_train.config import ConfigError
from shapes import folders, fresh

torch.set_num_threads(1)  # teams of threads crawl on a busy machine
TINY = dict(hidden=8, base_width=8, size="64x48", batch=2, length=3, late_length=0,
            objects=2, log_every=2, check_every=4, warmup=2, cut_outs=2)


def settings(**more):
    video, stills = folders()
    values = dict(TINY, video=[video], stills=[stills], steps=8)
    return config.merge(dict(values, **more))


def new_run(name, c):
    path = fresh(name)
    os.mkdir(path)
    return train.Run(path, trainer.Trainer(c, lambda s: None), lambda s: None)


def main(*args):
    return common.captured(train.main, *args)


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
        """A run that stops at step 3, within a log interval, and at step 6 has the same bits."""
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
        """A signal ends the run after the step, with a checkpoint. After a crash the last
        checkpoint is there."""
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
                         (1, f"rvos_train train: {run.folder}: holds a run: "
                          "--resume goes on with it"))

    def test_graphs(self):
        """Capturing, here without a GPU, does not change the result; it is done once for
        each length."""
        lengths, held = [], []

        def capture(passes, args, **_):
            # Like a graphed module, this is part of a reference cycle. The cycle must be
            # freed when the next modules are captured.
            self.assertEqual([v() for v in held if v()], [])
            for p in passes:
                p.held = (p,)
                held.append(weakref.ref(p))
            lengths.append(args[0][0].shape[1])
            return passes

        c = dict(steps=4, late_length=4, late_from=0.5)
        plain, graphed = (new_run(n, settings(**c)) for n in ("plain", "graphed"))
        plain.go()
        graphed.trainer.c.graph = True
        gc.disable()  # so that it does not free the cycle by chance
        self.addCleanup(gc.enable)
        with mock.patch("torch.cuda.make_graphed_callables", capture):
            graphed.go()
        self.assertEqual((lengths, len(held)), ([3, 4], 6))
        same_state(self, *(trainer.load(r.path("checkpoint.pt"))
                           for r in (plain, graphed)))

    def test_best_survives(self):
        """The best score is in the checkpoint that was written with it."""
        video, _ = folders()
        run = new_run("best", settings(validation=[video], validation_frames=3,
                                       check_every=2))
        run.go(stop_at=2)
        self.assertGreaterEqual(run.best, 0)
        meta = trainer.load(run.path("checkpoint.pt"))["meta"]
        self.assertEqual((meta["best"], meta["took"]), (run.best, run.took))
        self.assertEqual([r["step"] for r in run.rows if "J one-shot" in r], [0, 2])

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
            Path(path).write_bytes(data)
            with self.assertRaisesRegex(trainer.TrainError, "bad.pt"):
                trainer.load(path)


class Learning(unittest.TestCase):
    def test_variants_and_presets(self):
        """Every variant, and the paper's stages, run and learn something."""
        video, _ = folders()
        base = dict(TINY, video=[video], steps=30)
        cases = [dict(base, variant=v) for v in model.VARIANTS]
        paper = {k: v for k,
                 v in config.PRESETS["paper"].items() if k not in ("epochs", "base")}
        cases += [dict(base, **dict(paper, feed=f)) for f in ("true", "own")]
        cases += [dict(base, **dict(paper, tasks=["zero-shot"]))]
        for values in cases:
            values = dict(values, lr=1e-2, lr_encoder=1e-2, length=2, batch=2, objects=2,
                          augment="none", schedule="constant")
            t = trainer.Trainer(config.merge(values), lambda s: None)
            before = [p.clone() for p in t.net.parameters()]
            plan = t.data.plan(0, 2)  # the same clips each time
            found = [sum(v.item() for v in t.advance(plan).values()) for _ in range(14)]
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
        """Some late objects are shown at their first frame; the others must stay empty."""
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

    def test_training_starts_from_weights(self):
        path = fresh("encoder.pt")
        torch.save(model.ResNet("resnet18", 8).state_dict(), path)
        t = trainer.Trainer(settings(weights=path), lambda s: None)
        want = checkpoint.read_state(path)["layer3.0.conv1.weight"]
        have = t.net.encoder.base.layer3[0].conv1.weight.detach().numpy()
        self.assertTrue(np.array_equal(have, want))


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Train for a few steps; the tests share the folder."""
        video, stills = folders()
        cls.path = fresh("run")
        cls.said = main(cls.path, "--video", video, "--stills", stills,
                        "--validation", video, "--steps", 20, "--lr", 0.01, "--lr-encoder",
                        0.01, *[w for k, v in TINY.items() for w in
                                ("--" + k.replace("_", "-"), v)])

    def setUp(self):
        status, _, err = self.said
        self.assertEqual((status, err), (0, ""))

    def test_folder(self):
        """All files are there with the right content, without paths of this machine."""
        path = self.path
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
        card = Path(path, "model.md").read_text()
        for words in ("folder:videos", "folder:stills", "validation", "seed",
                      "20 of 20 steps",
                      "J |", "unknown", "PyTorch " + torch.__version__, "hidden: 8"):
            self.assertIn(words, card)
        for text in (card, *meta.values()):
            self.assertNotIn(common.scratch(), text)
        for words in ("seed 0", "20 steps", "folder:videos (16 frames) [unknown]",
                      "J "):
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
        path = self.path
        file, out = os.path.join(path, "f32.safetensors"), os.path.join(path, "out")
        self.assertEqual(common.captured(export.main, path, "-o", file, "--dtype", "f32")[0], 0)
        net = model.load_bundle(file)
        frames = common.scratch("png")
        os.makedirs(frames, exist_ok=True)
        images = []
        for t in range(4):
            image, labels = shapes.picture(48, 64, (1, 2), t)
            Image.fromarray(image).save(os.path.join(frames, f"{t:05d}.png"))
            images.append(image)
            if t == 0:
                mask = common.scratch("mask.png")
                shapes.save_labels(mask, labels)
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
                self.assertGreater(want.std(), 0.02)  # masks are not constant
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
                             "is not a size such"),
                            (("--video", video, "--epochs", 5), "--order epochs"),
                            (("--video", video, "--steps", 5, "--batch", 0),
                             "batch is 0"),
                            (("--video", video, "--steps", -1), "steps is -1"),
                            (("--video", video, "--minutes", "nan"), "minutes is nan"),
                            (("--video", video, "--steps", 5, "--lr", "inf"), "lr is inf"),
                            (("--video", video, "--steps", 5, "--workers", 0),
                             "workers is 0"),
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

    def test_frames_without_masks(self):
        """Frames without masks are not used for training. As validation data they are an
        error before the first step."""
        path = shapes.videos(fresh("gaps"), 2, 6, 48, 64)
        for t in (1, 3):
            os.remove(f"{path}/video0/{t:05d}.png")
        c = dict(TINY, video=["folder:" + path], steps=5)
        self.assertEqual(len(trainer.Trainer(config.merge(c), print).data.store), 10)
        args = ("--steps", 5, "--size", "64x48", "--hidden", 8)
        status, _, err = main(fresh("errors"), "--video", c["video"][0],
                              "--validation", c["video"][0], *args)
        self.assertEqual((status, err), (
            1, "rvos_train train: video0: frames without annotation: nothing to validate with\n"))
        bare = os.path.join(fresh("bare"), "video")
        shapes.save(bare + "/00000", shapes.picture(48, 64, (1,))[0])
        status, _, err = main(fresh("errors"), "--video",
                              "folder:" + os.path.dirname(bare), *args)
        self.assertEqual(status, 1)
        self.assertIn("no frame is annotated", err)

    def test_masks_without_objects(self):
        path = shapes.videos(fresh("nothing"), 1, 6, 48, 64)
        for t in range(6):
            Image.new("L", (64, 48)).save(f"{path}/video0/{t:05d}.png")
        status, _, err = main(fresh("errors"), "--video", "folder:" + path, "--steps", 1,
                              "--size", "64x48", "--hidden", 8)
        self.assertEqual(
            (status, err),
            (1, f"rvos_train train: folder:{path}: no mask shows an object\n"))

    def test_yaml(self):
        c = settings(lr=1e-4, tasks=["one-shot"])
        path = fresh("c.yaml")
        Path(path).write_text(config.dump(c))
        self.assertEqual(config.merge(config.load(path)), c)
        a = config.parser("").parse_args(["x", "--config", path, "--lr", "0.5",
                                          "--minutes", "3"])
        d = config.from_args(a)
        self.assertEqual((d.lr, d.minutes, d.steps, d.tasks), (0.5, 3.0, 0, ["one-shot"]))
        for values, words in (({"nose": 1}, "unknown setting nose"),
                              ({"batch": "x"}, "batch is x, must be of type int"),
                              ({"graph": 1}, "of type bool")):
            with self.assertRaisesRegex(ConfigError, words):
                config.merge(values)


if __name__ == "__main__":
    common.main()
