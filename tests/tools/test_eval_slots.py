#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests rvos-eval for slots that are found, not given: the best slot of a sequence, id switches
and false objects, against numpy; annotations that begin late or are sparse."""
import os
import shutil
from pathlib import Path

import common
import metrics_peer as peer
import numpy as np
from common import scratch, write_mask
from test_eval import (SIZE, ScoreTest, evaluate, guess_at, make_set, objects_of, scores,
                       truth_at)


class Slots(ScoreTest):
    def test_davis2016_unsupervised(self):
        """One object of any value gets the best slot of the whole sequence."""
        def guess(s, t):  # in parts: slot 5 has more of it in most frames
            out = guess_at("one", t)
            out[:, :30 + 3 * t] *= 3 if t in (1, 2) else 5
            return out

        gt, pred = make_set(scratch("d16u"), relabel=None,
                            truth=lambda s, t: truth_at("one", t) * 255, guess=guess)
        o = objects_of(evaluate(self, "davis2016-unsupervised", gt, pred))["one", 1]
        truth = np.array([truth_at("one", t) for t in range(1, 6)])
        found = np.array([guess("one", t) for t in range(1, 6)])
        mean = [np.mean([peer.region_similarity(a > 0, b == k)
                         for a, b in zip(truth, found)]) for k in range(1, 6)]
        self.assertEqual(o["prediction"], np.argmax(mean) + 1)
        self.check(o, *scores(range(1, 6), "one", 1, guess=lambda s, t: (
            guess(s, t) == o["prediction"]) * 1))
        best, score = peer.best_slots(truth, found, 1, 32)
        self.assertEqual(o["best_slot_frames"], best.tolist())
        np.testing.assert_allclose(o["best_J_frames"], score, atol=1e-9)
        self.assertEqual(o["id_switches"], peer.id_switches(best))
        self.assertGreater(o["id_switches"], 0)

    def test_first_annotations_empty(self):
        """Frames before the object comes count, with an empty or a wrong mask."""
        def late(mask):
            return lambda s, t: mask("one", t) * (t >= 3)

        def guess(s, t):
            out = guess_at("one", t) * (t >= 3)
            out[:4, :4] = t == 2  # a mask where there is no object yet
            return out

        for protocol in ("davis2016", "davis2016-unsupervised", "davis2017",
                         "davis2017-unsupervised", "davis2017-zero-shot", "best-slot"):
            gt, pred = make_set(scratch("late"), truth=late(truth_at), guess=guess)
            o = objects_of(evaluate(self, protocol, gt, pred))["one", 1]
            frames = range(7) if protocol in ("davis2017-unsupervised",
                                              "best-slot") else range(1, 6)
            self.assertEqual(o["prediction"], 1, protocol)
            self.check(o, *scores(frames, "one", 1, late(truth_at), guess))
            at = list(frames).index(2)
            self.assertEqual([o["J_frames"][at - 1], o["J_frames"][at]], [1, 0])
        gt, pred = make_set(scratch("late"), truth=lambda s, t: np.zeros(SIZE))
        self.fault(2, ["shows an object", "gt/one/00000.png"], "rvos-eval", "-q", "-p",
                   "davis2016", gt, pred, lines=2)

    def test_best_slot(self):
        """Objects that come late count; annotations may be sparse; a slot that stays
        empty does not win because the object is away."""
        relabel = [0, 4, 9]
        gt, pred = make_set(scratch("best"), relabel=relabel)
        for t in (1, 4):
            os.remove(os.path.join(gt, "two", f"{t:05d}.png"))
        o = objects_of(evaluate(self, "best-slot", gt, pred))
        self.assertEqual(set(o), {("one", 1), ("two", 1), ("two", 2)})
        for i in (1, 2):
            self.assertEqual(o["two", i]["prediction"], relabel[i])
            self.assertEqual(o["two", i]["frames"],
                             ["00000", "00002", "00003", "00005", "00006"])
            self.check(o["two", i], *scores((0, 2, 3, 5, 6), "two", i))
        self.assertIsNone(o["two", 2]["best_J_frames"][0])  # not shown there

        def seldom(s, t):
            out = truth_at("two", max(t, 2))
            out[out == 2] = 0 if t not in (3, 4) else 2
            return out
        gt, pred = make_set(scratch("best"), relabel=relabel, truth=seldom)
        o = objects_of(evaluate(self, "best-slot", gt, pred))
        self.assertEqual(o["two", 2]["prediction"], 9)


class Viewers(common.ToolTest):
    """Id switches and false objects, against numpy."""

    def sequences(self):
        """name -> truth and result, (40,H,W) both."""
        rng = np.random.default_rng(3)
        truth = np.array([truth_at("two", t % 13) for t in range(40)])
        swap, noisy = truth.copy(), truth.copy()
        swap[20:] = np.array([0, 2, 1])[truth[20:]]
        swap[30:33][truth[30:33] == 1] = 0  # lost for a while: no switch
        for t in range(40):
            part = rng.integers(0, 100)
            noisy[t, :, :part] = np.array([0, 3, 2])[truth[t, :, :part]]
        ghost = truth.copy()
        ghost[5:16, 50:60, :10] = 7     # 11 frames
        ghost[20:30, 50:60, :10] = 8    # 10 frames: too short
        ghost[0:9, :6, 90:] = 9         # two lives of 9 frames
        ghost[21:30, :6, 90:] = 9
        ghost[0:8, 50:60, 90:] = 10     # one life with a gap
        ghost[18:26, 50:60, 90:] = 10
        ghost[3:30][truth[3:30] == 2] = 11  # on an annotation
        return {"swap": (truth, swap), "noisy": (truth, noisy), "ghost": (truth, ghost)}

    def test_against_numpy(self):
        common.need_report("page")
        root, made = scratch("viewers"), self.sequences()
        shutil.rmtree(root, ignore_errors=True)
        for name, pair in made.items():
            for kind, masks in zip(("gt", "pred"), pair):
                for t, mask in enumerate(masks):
                    write_mask(os.path.join(root, kind, name, f"{t:05d}.png"), mask)
        gt, pred = os.path.join(root, "gt"), os.path.join(root, "pred")
        page = scratch("viewers.html")
        result = evaluate(self, "best-slot", gt, pred, "--all-annotated", "-H", page)
        o = objects_of(result)
        for name, (truth, guess) in made.items():
            for i in (1, 2):
                best, score = peer.best_slots(truth, guess, i, 32)
                self.assertEqual(o[name, i]["best_slot_frames"], best.tolist())
                np.testing.assert_allclose(
                    np.array(o[name, i]["best_J_frames"], float), score, atol=1e-9)
                self.assertEqual(o[name, i]["id_switches"], peer.id_switches(best))
        self.assertEqual([o["swap", i]["id_switches"] for i in (1, 2)], [1, 1])
        self.assertGreater(o["noisy", 1]["id_switches"], 3)
        have = {s["name"]: s["false_objects"] for s in result["sequences"]}
        self.assertEqual(have, {n: peer.false_objects(*p, 32) for n, p in made.items()})
        self.assertEqual(have, {"swap": 0, "noisy": 0, "ghost": 2})
        total = sum(v["id_switches"] for v in o.values())
        self.assertEqual(result["mean"]["id_switches"], total)
        self.assertEqual(result["mean"]["frames"], 120)
        self.assertEqual(result["mean"]["false_objects"], 2)
        text = self.ok("rvos-eval", "-a", "-p", "best-slot", gt, pred)
        self.assertIn(f"id switches: {total} in 120 frames ({total / 0.4:.2f} per 300)",
                      text)
        self.assertIn("false objects: 2\n", text)
        html = Path(page).read_text()
        self.assertIn(f"<b>{total}</b>id switches", html)
        self.assertIn("<b>2</b>false objects", html)

    def test_not_counted(self):
        """False objects are counted only with --all-annotated."""
        gt, pred = make_set(scratch("viewers2"))
        result = evaluate(self, "best-slot", gt, pred)
        self.assertNotIn("false_objects", result["mean"])
        self.assertNotIn("false_objects", result["sequences"][0])
        self.assertNotIn("false objects", self.ok("rvos-eval", "-p", "best-slot", gt,
                                                  pred))


if __name__ == "__main__":
    common.main()
