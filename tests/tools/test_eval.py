#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests rvos-eval: J, F and statistics against numpy and the original's scores, the rules of
each protocol, reports, and messages about bad data sets."""
import csv
import itertools
import json
import os
import shutil
import time
import unittest
from pathlib import Path

import common
import metrics_peer as peer
import numpy as np
from PIL import Image
from common import disk, scratch, write_mask


def synthetic_pairs():
    """name, truth, guess: small masks of difficult kinds."""
    rng = np.random.default_rng(5)
    h, w = 61, 130  # more than a 64-bit word, with a remainder
    empty = np.zeros((h, w), bool)
    full = ~empty
    one = empty.copy()
    one[30, 64] = True
    corner = empty.copy()
    corner[-1, -1] = True
    blob = disk(h, w, 30, 63, 20)
    hole = blob & ~disk(h, w, 30, 60, 6)
    border = disk(h, w, 0, w - 1, 25)
    noise = rng.random((h, w)) < 0.4
    last = empty.copy()
    last[:, -1] = True
    masks = {"empty": empty, "full": full, "one": one, "corner": corner, "blob": blob,
             "hole": hole, "border": border, "noise": noise, "last": last,
             "shifted": np.roll(blob, 5, 1), "far": np.roll(blob, 60, 1)}
    for (a, x), (b, y) in itertools.product(masks.items(), repeat=2):
        yield f"{a}-{b}", x, y
    for w in (1, 2, 63, 64, 65, 128):  # row ends and words
        x, y = rng.random((9, w)) < 0.5, rng.random((9, w)) < 0.5
        yield f"wide{w}", x, y


def pair_scores(truth, guess, *options):
    code, out, err = common.run("rvos-eval", *options, truth, guess)
    assert code == 0, err
    return [tuple(map(float, line.split()[3::2])) for line in out.splitlines()]


class Pairs(common.ToolTest):
    def test_against_numpy(self):
        for name, truth, guess in synthetic_pairs():
            a, b = scratch("pairs", "a.png"), scratch("pairs", "b.png")
            write_mask(a, truth)
            write_mask(b, guess)
            (j, f), = pair_scores(a, b)
            self.assertAlmostEqual(j, peer.region_similarity(truth, guess), 9, name)
            self.assertAlmostEqual(f, peer.contour_accuracy(truth, guess), 9, name)

    def test_objects_apart(self):
        truth, guess = np.zeros((50, 80), int), np.zeros((50, 80), int)
        truth[5:20, 5:20], truth[25:45, 40:70] = 1, 2
        guess[5:20, 8:22], guess[25:45, 40:70] = 1, 3
        a, b = scratch("pairs", "c.png"), scratch("pairs", "d.png")
        write_mask(a, truth)
        write_mask(b, guess)
        have = pair_scores(a, b)
        want = [(peer.region_similarity(truth == i, guess == i),
                 peer.contour_accuracy(truth == i, guess == i)) for i in (1, 2, 3)]
        np.testing.assert_allclose(have, want, atol=1e-9)

    @unittest.skipUnless(os.path.isdir(common.GOLDEN), f"no {common.GOLDEN}")
    def test_golden(self):
        folder = os.path.join(common.GOLDEN, "j_metrics")
        scores = json.loads(Path(folder, "scores.json").read_text())
        self.assertEqual(len(scores), 15)
        for s in scores:
            paths = [os.path.join(folder, f"{s['name']}_{k}.png") for k in ("gt", "pred")]
            (j, f), = pair_scores(*paths, "-p", "davis2016")
            self.assertLess(abs(j - s["J"]), 1e-6, s["name"])
            self.assertLess(abs(f - s["F"]), 1e-6, s["name"])
            masks = [common.read_mask(p) > 0 for p in paths]
            self.assertLess(abs(peer.contour_accuracy(*masks) - s["F"]), 1e-6, s["name"])


# ---- a small data set ------------------------------------------------------------------

SIZE = (64, 100)


def truth_at(sequence, t):
    """one: an object; two: two of them, the second from frame 2 on."""
    out = np.zeros(SIZE, int)
    out[disk(*SIZE, 30, 25 + 3 * t, 14)] = 1
    if sequence == "two" and t >= 2:
        out[disk(*SIZE, 40, 80 - 2 * t, 10)] = 2
    return out


def guess_at(sequence, t):
    out = np.roll(truth_at(sequence, t), t % 4, 1)
    if t == 5:
        out[out == 1] = 0
    return out


def make_set(root, count=7, relabel=None, truth=truth_at, guess=guess_at):
    shutil.rmtree(root, ignore_errors=True)
    for s in ("one", "two"):
        for t in range(count):
            write_mask(os.path.join(root, "gt", s, f"{t:05d}.png"), truth(s, t))
            g = guess(s, t)
            write_mask(os.path.join(root, "pred", s, f"{t:05d}.png"),
                       g if relabel is None else np.array(relabel)[g])
    return os.path.join(root, "gt"), os.path.join(root, "pred")


def evaluate(test, protocol, gt, pred, *more):
    out = scratch("eval.json")
    test.ok("rvos-eval", "-q", "-p", protocol, gt, pred, "--json", out, *more)
    return json.loads(Path(out).read_text())


def objects_of(result):
    return {(s["name"], o["id"]): o for s in result["sequences"] for o in s["objects"]}


def scores(frames, sequence, i, truth=truth_at, guess=guess_at):
    t = [truth(sequence, k) == i for k in frames]
    g = [guess(sequence, k) == i for k in frames]
    return ([peer.region_similarity(a, b) for a, b in zip(t, g)],
            [peer.contour_accuracy(a, b) for a, b in zip(t, g)])


class ScoreTest(common.ToolTest):
    def check(self, o, j, f):
        np.testing.assert_allclose(o["J_frames"], j, atol=1e-9)
        np.testing.assert_allclose(o["F_frames"], f, atol=1e-9)
        for key, values in (("J", j), ("F", f)):
            have = [o[key][k] for k in ("mean", "recall", "decay")]
            np.testing.assert_allclose(have, peer.statistics(values), atol=1e-9)


class Protocols(ScoreTest):
    def test_davis2017(self):
        """Ids of the first annotation; the first and last frame left out."""
        gt, pred = make_set(scratch("d17"))
        # object 2 does not count, because the first annotation lacks it
        result = evaluate(self, "davis2017", gt, pred, "-l", self.names("one"))
        o = objects_of(result)
        self.assertEqual(set(o), {("one", 1)})
        self.assertEqual(o["one", 1]["frames"], [f"{t:05d}" for t in range(1, 6)])
        self.check(o["one", 1], *scores(range(1, 6), "one", 1))
        self.assertAlmostEqual(result["mean"]["J"]["mean"], o["one", 1]["J"]["mean"])
        self.fault(2, "has an object 2, and there may be no more than 1", "rvos-eval",
                   "-q", gt, pred)

    def names(self, *names):
        path = scratch("names.txt")
        Path(path).write_text("# scored\n" + "\n".join(names) + "\n")
        return path

    def test_davis2016(self):
        """Any value is the object, 255 too; several values are one object."""
        gt, pred = make_set(scratch("d16"), relabel=[0, 255, 9])
        o = objects_of(evaluate(self, "davis2016", gt, pred))
        for s in ("one", "two"):
            j, f = scores(range(1, 6), s, 1, lambda s, t: (truth_at(s, t) > 0) * 1,
                          lambda s, t: (guess_at(s, t) > 0) * 1)
            self.check(o[s, 1], j, f)
        self.assertEqual(len(o), 2)

    def test_unsupervised(self):
        """All frames count; the best pairing over the sequence; 255 is left out of both
        masks."""
        def truth(s, t):
            out = truth_at(s, max(t, 2))
            out[:8] = 255
            return out

        def guess(s, t):
            out = guess_at(s, max(t, 2))
            out[:8] = 1  # in the void: not scored
            return out

        def without_void(mask):
            def masked(s, t):
                out = mask(s, t).copy()
                out[:8] = 0
                return out
            return masked
        gt, pred = make_set(scratch("uns"), relabel=[0, 7, 20], truth=truth, guess=guess)
        o = objects_of(evaluate(self, "davis2017-unsupervised", gt, pred))
        for s, i, mask in (("one", 1, 7), ("two", 1, 7), ("two", 2, 20)):
            self.assertEqual(o[s, i]["prediction"], mask)
            self.check(o[s, i], *scores(range(7), s, i, without_void(truth),
                                        without_void(guess)))
        gt, pred = make_set(scratch("uns"), relabel=[0, 21, 20])
        self.fault(2, "no more than 20", "rvos-eval", "-q", "-p",
                   "davis2017-unsupervised", gt, pred, lines=2)

    def test_best_pairing(self):
        """With many overlapping proposals, the total of (J + F) / 2 equals scipy's."""
        try:
            from scipy.optimize import linear_sum_assignment
        except ImportError:
            self.skipTest("no scipy")
        rng = np.random.default_rng(11)

        def labels(count, seed, t):
            r, out = np.random.default_rng(seed), np.zeros(SIZE, int)
            for i in range(count):
                y, x, size = r.integers(8, 56), r.integers(8, 92), r.integers(6, 16)
                out[disk(*SIZE, y, x + t, size)] = i + 1
            return out
        for _ in range(4):
            objects, proposals = int(rng.integers(4, 9)), int(rng.integers(3, 15))
            a, b = (int(v) for v in rng.integers(1, 1000, 2))
            gt, pred = make_set(scratch("pairing"), 4, None,
                                lambda s, t: labels(objects, a, t),
                                lambda s, t: labels(proposals, b, t))
            o = objects_of(evaluate(self, "davis2017-unsupervised", gt, pred))
            n = labels(objects, a, 0).max()
            score = np.zeros((n, 20))
            for i, k in itertools.product(range(n), range(20)):
                j, f = [], []
                for t in range(4):
                    x = labels(objects, a, t) == i + 1
                    y = labels(proposals, b, t) == k + 1
                    j.append(peer.region_similarity(x, y))
                    f.append(peer.contour_accuracy(x, y))
                score[i, k] = (np.mean(j) + np.mean(f)) / 2
            rows, columns = linear_sum_assignment(-score)
            mine = [o["one", i + 1] for i in range(n)]
            self.assertAlmostEqual(sum((m["J"]["mean"] + m["F"]["mean"]) / 2
                                       for m in mine),
                                   score[rows, columns].sum(), 9)
            self.assertEqual(len({m["prediction"] for m in mine}), n)

    def test_zero_shot(self):
        """The mask of an object is chosen at the first frame and kept."""
        def guess(s, t):  # from frame 1 on the other mask would fit better
            right = guess_at(s, max(t, 2))
            return right if t < 1 else np.array([0, 2, 1])[right]

        gt, pred = make_set(scratch("zs"), truth=lambda s, t: truth_at(s, max(t, 2)),
                            guess=guess)
        o = objects_of(evaluate(self, "davis2017-zero-shot", gt, pred))
        self.assertEqual(o["two", 1]["prediction"], 1)
        self.assertEqual(o["two", 2]["prediction"], 2)
        self.check(o["two", 1], *scores(range(1, 6), "two", 1,
                                        lambda s, t: truth_at(s, max(t, 2)), guess))

    def test_youtube(self):
        """Objects count from the frame after their first; seen and unseen are separate."""
        gt, pred = make_set(scratch("yt"))
        meta = {"videos": {s: {"objects": {str(i): {"category": c} for i, c in o.items()}}
                           for s, o in (("one", {1: "cat"}),
                                        ("two", {1: "cat", 2: "emu"}))}}
        path = scratch("meta.json")
        Path(path).write_text(json.dumps(meta))
        seen = scratch("seen.txt")
        Path(seen).write_text("cat\ndog\n")
        result = evaluate(self, "youtube-vos", gt, pred, "--meta", path, "--seen", seen)
        o = objects_of(result)
        self.check(o["two", 1], *scores(range(1, 7), "two", 1))
        self.check(o["two", 2], *scores(range(3, 7), "two", 2))
        self.assertEqual(o["two", 2]["category"], "emu")
        self.assertEqual(o["two", 2]["group"], "unseen")
        self.assertEqual(result["seen"]["objects"], 2)
        self.assertAlmostEqual(result["unseen"]["F"]["mean"], o["two", 2]["F"]["mean"])
        self.assertAlmostEqual(result["seen"]["J"]["mean"],
                               (o["one", 1]["J"]["mean"] + o["two", 1]["J"]["mean"]) / 2)
        by = {b["instances"]: b for b in result["by_instances"]}
        self.assertEqual({n: b["objects"] for n, b in by.items()}, {1: 1, 2: 2})
        with open(path) as f:  # the training set's meta.json says the same as a list
            self.assertIn("emu", f.read())
        again = evaluate(self, "youtube-vos", gt, pred, "--meta", path, "--seen", path)
        self.assertEqual(again["seen"]["objects"], 3)
        zero = objects_of(evaluate(self, "youtube-vos-zero-shot", gt, pred))
        self.assertEqual(zero["two", 2]["prediction"], 2)
        self.check(zero["two", 2], *scores(range(3, 7), "two", 2))

    def test_meta_frames(self):
        """Only frames in meta.json count; the first one there is an object's first."""
        gt, pred = make_set(scratch("lists"))
        frames = {("one", 1): ("00000", "00002", "00004"), ("two", 1): ("00001", "00005"),
                  ("two", 2): ("00003", "00006")}
        meta = {"videos": {s: {"objects": {str(i): {"category": "c", "frames": list(f)}
                                           for (v, i), f in frames.items() if v == s}}
                           for s in ("one", "two")}}
        path = scratch("lists.json")
        Path(path).write_text(json.dumps(meta))
        o = objects_of(evaluate(self, "youtube-vos", gt, pred, "--meta", path))
        self.check(o["one", 1], *scores((2, 4), "one", 1))
        self.check(o["two", 1], *scores((3, 5, 6), "two", 1))
        self.check(o["two", 2], *scores((5, 6), "two", 2))
        o = objects_of(evaluate(self, "youtube-vos-zero-shot", gt, pred, "--meta", path))
        self.check(o["two", 2], *scores((5, 6), "two", 2))

    def test_every_fifth(self):
        """If only some frames are annotated, these are scored."""
        gt, pred = make_set(scratch("fifth"), count=7)
        for s in ("one", "two"):
            remove(os.path.join(gt, s), (1, 3, 4, 6))
        o = objects_of(evaluate(self, "youtube-vos", gt, pred))
        self.check(o["one", 1], *scores((2, 5), "one", 1))


class Reports(common.ToolTest):
    def test_reports_agree(self):
        common.need_report("page")
        gt, pred = make_set(scratch("rep"))
        table, page = scratch("rep.csv"), scratch("rep.html")
        text = self.ok("rvos-eval", "-p", "youtube-vos", gt, pred, "--csv", table,
                       "--html", page, "--json", scratch("rep.json"))
        o = objects_of(json.loads(Path(scratch("rep.json")).read_text()))
        with open(table) as f:
            rows = list(csv.DictReader(f))
        self.assertEqual(len(rows), 3)
        for row in rows:
            have = o[row["sequence"], int(row["object"])]
            for key in ("J", "F"):
                for part in ("mean", "recall", "decay"):
                    self.assertAlmostEqual(float(row[f"{key}_{part}"]), have[key][part],
                                           8)
            self.assertEqual(int(row["id_switches"]), have["id_switches"])
            self.assertIn(f"{100 * have['J']['mean']:.1f}", text)
        html = Path(page).read_text()
        self.assertEqual(html.count("<figure><img"), 2)  # one object worst, one best
        self.assertNotIn("http://", html)
        self.assertNotIn("https://", html)
        self.assertEqual(html.count("<polyline"), 3)

    def test_standard_output_is_clean(self):
        gt, pred = make_set(scratch("rep"))
        json.loads(self.ok("rvos-eval", "-p", "youtube-vos", gt, pred, "--json", "-"))

    def test_threads_do_not_matter(self):
        gt, pred = make_set(scratch("rep"))
        one = evaluate(self, "youtube-vos-zero-shot", gt, pred, "-j", 1)
        self.assertEqual(one, evaluate(self, "youtube-vos-zero-shot", gt, pred, "-j", 7))


def remove(folder, frames):
    for t in frames:
        os.remove(os.path.join(folder, f"{t:05d}.png"))


class BadData(common.ToolTest):
    # words, what is broken, how, protocol
    CASES = (
        ("No such file", "pred/two/00003.png", os.remove, "youtube-vos"),
        ("99x64", "pred/two/00003.png", lambda p: write_mask(p, np.zeros((64, 99))),
         "youtube-vos"),
        ("colours", "pred/two/00004.png", lambda p: common.write_frame(
            p, np.arange(SIZE[0] * SIZE[1] * 3).reshape(*SIZE, 3) % 251), "youtube-vos"),
        ("0, 1, 2, 3", "gt/two/00002.png", lambda p: Image.fromarray(np.arange(
            SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)).save(p), "youtube-vos"),
        ("damaged", "pred/two/00001.png", common.cut, "youtube-vos"),
        ("No such file", "pred/two/", shutil.rmtree, "youtube-vos"),
        ("leaves out the first and the last", "gt/two/", lambda p: remove(p, range(2, 7)), "davis2016"),
        # only first frames are annotated, as in YouTube-VOS' public validation set
        ("no object has a frame to score", "gt/two/00000.png",
         lambda p: remove(os.path.dirname(p), range(1, 7)), "youtube-vos"))

    def test_broken(self):
        """One message that names the file; the other sequence is scored all the same."""
        for words, name, spoil, protocol in self.CASES:
            with self.subTest(words):
                gt, pred = make_set(scratch("bad"))
                spoil(scratch("bad", name))
                out = self.fault(2, [words, name], "rvos-eval", "-p", protocol, gt, pred)
                self.assertIn("one ", out)
                self.assertIn("means", out)
                self.assertNotIn("two ", out)
                self.assertEqual(self.fault(2, name, "rvos-eval", "-S", "-p", protocol, gt,
                                            pred), "")

    def test_nothing_scored(self):
        """No empty table: each sequence has said why it cannot be scored."""
        gt, pred = make_set(scratch("bad"))
        for s in ("one", "two"):
            shutil.rmtree(os.path.join(pred, s))
        self.assertEqual(self.fault(2, pred, "rvos-eval", gt, pred, lines=2), "")

    def test_command_line(self):
        gt, pred = make_set(scratch("bad"))
        self.fault(1, "takes a protocol", "rvos-eval", "-p", "davis2015", gt, pred)
        self.fault(1, "give the folder", "rvos-eval", gt)
        self.fault(1, "--meta", "rvos-eval", "--seen", "x", gt, pred)
        self.fault(1, "--threads", "rvos-eval", "-j", "0", gt, pred)
        self.fault(2, "no folder of results", "rvos-eval", gt, pred + "x")
        self.fault(2, "No such file", "rvos-eval", gt + "x", pred)
        self.fault(2, 'rvos-eval: "": ', "rvos-eval", "", pred)  # an unset variable of a shell
        self.fault(2, "nowhere.json", "rvos-eval", "-q", "-p", "youtube-vos", gt, pred,
                   "-m", "nowhere.json")
        self.fault(4, "/no/such", "rvos-eval", "-q", "-p", "youtube-vos", gt, pred,
                   "--csv", "/no/such/x.csv")
        self.assertIn("Usage", self.ok("rvos-eval", "--help"))


class Speed(common.ToolTest):
    @unittest.skipUnless(os.environ.get("RVOS_BENCH"), "set RVOS_BENCH=1 to time it")
    def test_ten_times_numpy(self):
        """Includes reading; frames of 480x854 with an object of real size."""
        root = scratch("speed")
        paths = []
        for s, t in itertools.product(range(4), range(25)):
            truth = disk(480, 854, 240, 300 + 4 * t, 110 + 10 * s) * 1
            truth[disk(480, 854, 150, 600 - 3 * t, 60)] = 2
            for kind, shift in (("gt", 0), ("pred", 3)):
                path = os.path.join(root, kind, f"s{s}", f"{t:05d}.png")
                write_mask(path, np.roll(truth, shift, 1))
            if 0 < t < 24:
                paths.append([os.path.join(root, k, f"s{s}", f"{t:05d}.png")
                              for k in ("gt", "pred")])
        def with_numpy():
            for gt, pred in paths:
                a, b = common.read_mask(gt), common.read_mask(pred)
                for i in (1, 2):
                    peer.region_similarity(a == i, b == i)
                    peer.contour_accuracy(a == i, b == i)

        def with_rvos_eval():
            result = evaluate(self, "davis2017", os.path.join(root, "gt"),
                              os.path.join(root, "pred"))
            self.assertEqual(result["mean"]["objects"], 8)

        def best_of_three(work):
            """Seconds by the clock, and of processor time."""
            clock, used = [], []
            for _ in range(3):
                start, before = time.monotonic(), os.times()
                work()
                clock.append(time.monotonic() - start)
                used.append(sum(os.times()[:4]) - sum(before[:4]))
            return min(clock), min(used)

        (numpy_s, numpy_cpu), (ours_s, ours_cpu) = map(best_of_three,
                                                       (with_numpy, with_rvos_eval))
        print(f"processor time: numpy {numpy_cpu:.2f} s, rvos-eval {ours_cpu:.3f} s: "
              f"{numpy_cpu / ours_cpu:.1f}x")
        print(f"numpy {numpy_s:.2f} s, rvos-eval {ours_s:.3f} s: {numpy_s / ours_s:.1f}x")
        if os.getloadavg()[0] > 1.5:
            self.skipTest(f"not quiet: load {os.getloadavg()[0]:.1f}")
        self.assertGreater(numpy_s / ours_s, 10)


if __name__ == "__main__":
    common.main()
