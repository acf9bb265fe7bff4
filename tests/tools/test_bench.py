#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests that the output of rvos-bench is complete and consistent. No test checks times."""
import json
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import common
from common import scratch, tiny_model


def points_of(chart):
    """The points of each line of an SVG by rvos-report."""
    groups = [g for g in xml.parse(chart).getroot().iterfind(".//{*}g")
              if g.get("id", "").startswith("line-")]
    return [len(g.findall(".//{*}use")) for g in groups]


class Bench(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        common.tool("rvos-bench")
        cls.model = tiny_model()

    def measure(self, name, *args, **more):
        path = scratch(name)
        self.ok("rvos-bench", "-f", 4, "-w", 1, "--frame-size", "64x48", "--json", path,
                *args, self.model, **more)
        return json.loads(Path(path).read_text())

    def test_one(self):
        r, = self.measure("one.json", "-n", 3, "-j", 1)["results"]
        self.assertEqual((r["encoder"], r["objects"], r["streams"], r["threads"],
                          r["frames"], r["task"], r["engine"]),
                         ("resnet18", 3, 1, 1, 4, "zero-shot", "cpu"))
        ms = r["latency_ms"]
        self.assertTrue(0 < ms["min"] <= ms["p50"] <= ms["p95"] <= ms["p99"] <= ms["max"])
        self.assertTrue(ms["min"] <= ms["mean"] <= ms["max"])
        # frames of one stream come one after another
        self.assertGreater(r["fps"] * ms["min"], 0)
        self.assertLessEqual(r["fps"], 1.001e3 / ms["mean"])
        self.assertAlmostEqual(r["gflops"], 2 * r["gmacs"] * r["fps"], 5)
        self.assertGreater(r["roofline"], 0)
        self.assertGreater(r["peak_rss_mb"], 5)
        self.assertGreater(r["state_bytes"], 0)
        self.assertEqual(set(r["start_ms"]), {"load", "open", "first_frame"})
        self.assertEqual(set(r["stages_ms"]), {"network", "encoder", "object", "labels"})
        self.assertEqual(r["p50_runs"], [ms["p50"]])

    def test_all_combinations(self):
        results = self.measure("all.json", "-n", "1,2", "-S", "1,3", "-e",
                               "cpu,reference", "-t", "zero-shot,one-shot,auto", "-s",
                               "64x32")["results"]
        seen = {(r["engine"], r["task"], r["objects"], r["streams"]) for r in results}
        self.assertEqual(len(results), 24)
        self.assertEqual(len(seen), 24)
        self.assertTrue(all(r["frames"] == 4 * r["streams"] for r in results))
        self.assertTrue(all((r["width"], r["height"]) == (64, 32) for r in results))

    def test_batches(self):
        """The CPU runs frames one after another, and says so."""
        results = self.measure("batches.json", "-S", "1,4", "-b", "1,8", "--batch-wait",
                               "100", "-n", "2")["results"]
        self.assertEqual(sorted(r["streams"] for r in results), [1, 1, 4, 4])
        self.assertTrue(all(r["max_batch"] == 1 for r in results))
        self.assertTrue(all("frames_a_pass" not in r for r in results))

    def test_macs(self):
        """rvos-bench and rvos-info count the same."""
        r, = self.measure("macs.json", "-n", 5)["results"]
        line = next(l for l in self.ok("rvos-info", self.model).splitlines()
                    if l.startswith("MACs"))
        self.assertIn("MACs", line)
        one, = self.measure("macs1.json", "-n", 1)["results"]
        self.assertGreater(r["gmacs"], one["gmacs"])

    def test_peak(self):
        r, = self.measure("peak.json", "--peak", "1000", "-p", "int8", "--steps")["results"]
        self.assertAlmostEqual(r["roofline"], r["gflops"] / 1000, 6)
        for s in filter(lambda s: s["gmacs"], r["steps"]):
            self.assertAlmostEqual(s["of_peak"], s["gflops"] * r["threads"] / 1000, 6)
        for wrong in ("fast", "12,5", "100x", "inf", ""):
            self.fault(1, "--peak", "rvos-bench", "--peak", wrong, "--frames", 1, self.model)

    def test_steps(self):
        """The multiply-accumulates of the encoder's steps add up to the network's, and all
        columns are consistent."""
        macs = [self.measure(f"macs{n}.json", "-n", n)["results"][0]["gmacs"]
                for n in (1, 2)]
        data = self.measure("steps.json", "-n", 2, "-j", 2, "-e", "cpu,reference", "-p",
                            "fp32", "--steps")
        for r in data["results"]:
            steps = {s["name"]: s for s in r["steps"]}
            self.assertEqual(len(steps), len(r["steps"]))
            for name in ("image", "conv1", "layer4.1.conv2", "sk5", "max pool",
                         "gates 0 of the image", "gates 3 of the last frame", "cell 0",
                         "cell 3", "masks", "labels"):
                self.assertIn(name, steps)
            encoder = sum(s["gmacs"] for name, s in steps.items()
                          if not name.startswith(("gates", "cell")))
            self.assertAlmostEqual(encoder, 2 * macs[0] - macs[1], 9)
            # without a left neighbour the first object has nothing to convolve at level 0
            self.assertAlmostEqual(steps["cell 0"]["gmacs"],
                                   steps["gates 0 of the last frame"]["gmacs"] / 2, 9)
            for s in r["steps"]:
                self.assertGreaterEqual(s["parts"], 1)
                self.assertGreater(s["ms"], 0)
                self.assertGreater(s["mb"], 0)
                if s["gmacs"]:
                    self.assertLessEqual(s["gflops"],
                                         2.001 * s["gmacs"] / s["ms"] * 1e3)
                    self.check_peak(s, r, data, "peak_gflops")
                    self.assertTrue(s["way"])
        text = self.ok("rvos-bench", "-f", 2, "-w", 1, "-n", 1, "--frame-size", "64x48",
                       "--steps", self.model)
        self.assertIn("gates 1 of the image", text)
        self.assertIn("together", text)

    def check_peak(self, step, result, data, key):
        """The share of the peak is that of one thread."""
        self.assertAlmostEqual(step["of_peak"],
                               step["gflops"] * result["threads"] / data[key], 6)

    def test_steps_of_integers(self):
        """A step in integers has its share of their peak."""
        data = self.measure("integers.json", "-n", 2, "-j", 2, "-p", "int8", "--steps")
        r, = data["results"]
        keys = {"int8": "peak_int8_gops", "int16": "peak_int16_gops"}
        counts = dict.fromkeys([*keys, ""], 0)
        for s in filter(lambda s: s["gmacs"], r["steps"]):
            kind = s["way"].split()[-1]
            kind = kind if kind in keys else ""
            self.check_peak(s, r, data, keys.get(kind, "peak_gflops"))
            counts[kind] += 1
        for kind, key in keys.items():
            self.assertLessEqual(counts[kind] > 0, key in data)

    def test_uneven_cores(self):
        """On cores of two kinds there are more parts than threads, so that a fast core can
        take more of them."""
        parts = []
        for uneven in ("0", "1"):
            r, = self.measure(f"uneven{uneven}.json", "-n", 2, "-j", 2, "-s", "224x128",
                              "--steps", env={"RVOS_CPU_UNEVEN": uneven})["results"]
            parts.append({s["name"]: s["parts"] for s in r["steps"]})
        even, uneven = parts
        self.assertEqual(even["conv1"], 2)
        self.assertGreater(uneven["conv1"], 2)
        self.assertTrue(all(uneven[name] >= even[name] for name in even))

    def test_no_bf16(self):
        """Plain C is not faster with bfloat16 or integers. It says so once, and uses float32."""
        for precision in ("bf16", "int16", "int8"):
            path = scratch(precision + ".json")
            code, _, err = common.run("rvos-bench", "-e", "reference", "-p", precision,
                                      "-f", 2, "-w", 1, "-s", "32x32", "--frame-size",
                                      "32x32", "-J", path, self.model)
            self.assertEqual(code, 0, err)
            self.assertEqual(err.count(precision), 1, err)
            self.assertIn("float32 is used", err)
            self.assertEqual(json.loads(Path(path).read_text())["results"][0]["precision"], "fp32")

    def test_integers(self):
        """Without VNNI int8 is int16, and without AVX2 float32. Each is said once."""
        flags = Path("/proc/cpuinfo").read_text().split()
        cases = [("plain", "int8", "fp32", "float32"), ("plain", "int16", "fp32", "float32")]
        if "avx2" in flags and "fma" in flags:
            cases += [("avx2", "int8", "int16", "int16"), ("avx2", "int16", "int16", None)]
        for limit, asked, used, said in cases:
            path = scratch(f"{limit}-{asked}.json")
            code, _, err = common.run("rvos-bench", "-p", asked, "-f", 2, "-w", 1, "-s",
                                      "32x32", "--frame-size", "32x32", "-J", path, self.model,
                                      env={"RVOS_CPU_WINOGRAD": limit})
            self.assertEqual(code, 0, err)
            self.assertEqual(err.count("is not faster on this processor"), bool(said), err)
            if said:
                self.assertIn(f"{said} is used, which is more exact", err)
            self.assertEqual(json.loads(Path(path).read_text())["results"][0]["precision"], used)

    def test_repeats(self):
        r, = self.measure("repeats.json", "-r", 3)["results"]
        self.assertEqual(len(r["p50_runs"]), 3)
        self.assertEqual(sorted(r["p50_runs"])[1], r["latency_ms"]["p50"])

    def test_real_frames(self):
        folder = scratch("bench-frames")
        common.clip_frames(folder, 3)
        self.measure("real.json", "--images", folder)
        self.fault(2, "nowhere", "rvos-bench", "--images", "nowhere", self.model)

    def test_compare(self):
        def row(engine, objects, p50, spread):
            return {"engine": engine, "encoder": "resnet18", "hidden": 128,
                    "task": "zero-shot", "objects": objects, "width": 448, "height": 256,
                    "precision": "auto", "streams": 1, "threads": 2, "fps": 1000 / p50,
                    "latency_ms": {"p50": p50}, "p50_runs": [p50 - spread, p50 + spread]}

        def write(name, *rows):
            Path(scratch(name)).write_text(json.dumps({"results": [row(*r) for r in rows]}))
            return scratch(name)
        a = write("a.json", ("cpu", 5, 100, 1), ("cpu", 10, 200, 1), ("cpu", 7, 9, 1))
        b = write("b.json", ("cpu", 5, 150, 1), ("cpu", 10, 201, 1), ("torch", 10, 50, 1))
        text = self.ok("rvos-bench", "--compare", a, b)
        rows = {(l.split()[3], l.split()[8]): l for l in text.splitlines()
                if "resnet18" in l}
        self.assertIn("A is faster", rows["N=5", "cpu"])
        self.assertIn("0.67x", rows["N=5", "cpu"])
        self.assertIn("tie", rows["N=10", "cpu"])
        self.assertIn("B is faster", rows["N=10", "torch"])
        self.assertIn("2 of 3 results", text)
        none = write("none.json", ("cpu", 3, 1, 0))
        self.fault(2, "no result like", "rvos-bench", "--compare", a, none)
        self.fault(2, "nowhere", "rvos-bench", "--compare", a, "nowhere")
        self.fault(1, "two files", "rvos-bench", "--compare", a)

    def test_plot(self):
        common.need_report("charts")
        path, chart = scratch("plot.json"), scratch("plot.svg")
        self.ok("rvos-bench", "-f", 2, "-w", 1, "-n", "1,3,5", "-S", "1,2",
                "--frame-size", "64x48", "--json", path, "--plot", chart, self.model)
        self.assertEqual(points_of(chart), [3, 3, 2, 2, 2])
        self.ok("rvos-bench", "--plot", chart, path, path)
        self.assertEqual(points_of(chart), [6, 6, 4, 4, 4])
        self.fault(1, "--json", "rvos-bench", "--plot", chart, self.model)

    def test_serve(self):
        done = subprocess.run([common.tool("rvos-bench"), "--serve", "-n", "2",
                               self.model],
                              input="run\nreset\nrun\nwhat\nquit\n", capture_output=True,
                              text=True, timeout=600)
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(lines[0].startswith("ready "))
        self.assertGreater(float(lines[1]), 0)
        self.assertEqual(lines[2], "ok")
        self.assertGreater(float(lines[3]), 0)
        self.assertIn("what", lines[4])

    def test_refusals(self):
        for args, words in ((["-n", "1,x"], "--objects"), (["-S", "0"], "--streams"),
                            (["-b", "65"], "--max-batch"),
                            (["--batch-wait", "x"], "--batch-wait"),
                            (["-e", "gpu"], "--engine"), (["-s", "5"], "--size"),
                            (["-f", "0"], "--frames"), (["-t", "two"], "--task")):
            self.fault(1, words, "rvos-bench", *args, self.model)
        self.fault(3, "nowhere", "rvos-bench", "nowhere.safetensors")
        # an unsupported precision does not stop the other measurements
        text = self.fault(3, "--precision", "rvos-bench", "-f", 2, "-w", 1, "-p",
                          "fp16,fp32", "-e", "reference", "-s", "32x32", "--frame-size",
                          "32x32", self.model)
        self.assertIn(" fp32 ", text)
        self.assertNotIn(" fp16 ", text)


if __name__ == "__main__":
    common.main()
