#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the table of tests/gpu.sh with fake results: good, bad, incomplete, none."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import gpu_table
import testing  # noqa: E402

check = testing.Checks()


def row(what, **more):
    return {"what": what, "p50_ms": 0.7, "p99_ms": 0.75, "min_ms": 0.69, "graph_p50_ms": -1,
            "fps": 1400.0, "start_ms": 600.0, "context_ms": 200.0, "model_mb": 180.0,
            "stream_mb": 9.5, "parity_frames": 3, "parity_iou": 0.995, "failed": 0, **more}


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as f:
        f.write(text)


GOLDEN = "{:34} logit 1.00e-05 (<= 1e-03)  probability {} (<= 5e-04)  labels 0 of 10\n"


# Parts with a line of their own: name of the part -> of the line.
OWN = {"memcheck, own kernels": "memcheck, own kernels",
       "racecheck, own kernels": "racecheck, own kernels",
       "golden, fp16, own kernels": "fp16 golden cases, own kernels",
       "golden, fp16, chained": "fp16 golden cases, chained",
       "own kernels against plain ones": "own kernels against plain ones",
       "batched passes": "batched passes against single ones"}


def good(folder):
    rows = [row("latency r101 10", p50_ms=p) for p in (0.70, 0.72, 0.71)]
    rows += [row("events r101 10", p50_ms=0.9, graph_p50_ms=g) for g in (0.66, 0.65, 0.64)]
    rows += [row("latency r18 10"), row("latency r18 5"), row("start cold", start_ms=9000),
             row("start warm")]
    rows += [row(f"streams r101 {n} {how}", fps=5000.0) for n in (4, 16)
             for how in ("batched", "each alone")]
    rows += [row(f"objects r18 {n}") for n in (1, 2, 3, 5, 10, 20, 32)]
    write(folder, "rows.jsonl", "".join(json.dumps(r) + "\n" for r in rows) + "{\"half\": ")
    write(folder, "golden.log", GOLDEN.format("r18_zero.safetensors", "2.00e-06"))
    write(folder, "long.log", "".join(
        GOLDEN.format(f"{b}_{t}_20.safetensors", "3.00e-06")
        for b in ("resnet50", "resnet101") for t in ("zero_shot", "one_shot")))
    write(folder, "agree.log", "100 frames: IoU 0.9971 in the mean, 0.9902 in the worst; "
                               "99.932 % of labels agree\n")
    write(folder, "parts.txt", "".join(f"{n:34} {'PASS':22} {3:4d} s\n" for n in (
        "golden, fp32", "long cases, fp32", "golden, fp16", "faults", "api", "memcheck",
        *OWN))
        + f"{'racecheck':34} {'SKIP (no time left)':22} {0:4d} s\n")
    write(folder, "peers-resnet101.json", json.dumps({"rows": [
        {"name": "rvosseg fp16", "p50_ms": 0.7}, {"name": "rvosseg fp32", "p50_ms": 3.0},
        {"name": "PyTorch 2.9 graph", "p50_ms": 2.9}, {"name": "PyTorch 2.9 fp32",
                                                       "p50_ms": 28.0}],
        "unshown": ["PyTorch compile: Error: of some kind"]}))
    write(folder, "engines-cold.txt", """plan: 3 steps
cuDNN: 91400-GPU-sm90-n1-8x8x8-8x8x8-k3s1p1-f16f16-relu: fused 0.0042 ms, best of 3 of 5: engine 41 2=5
cuDNN: 91400-GPU-sm90-n1-9x9x8-8x8x8-k3s1p1-f16f16: fused32 0.0120 ms, best of 1 of 6: engine 7
cuda: cuDNN_9-GPU-sm90-n1-9x9x8-8x8x8-k3s1p1-f16: own kernel 0.0080 ms, best 0.0080 ms: own
""")


def verdicts(folder):
    data, lines = gpu_table.table(folder)
    return {what: (bar, value, verdict) for what, bar, value, verdict in lines}, data


def of(table, begin):
    """The verdicts of the lines with this beginning."""
    return {v[2] for k, v in table.items() if k.startswith(begin)}


def test_good(folder):
    good(folder)
    t, data = verdicts(folder)
    check(not [k for k, v in t.items() if v[2] == "FAIL"], "no FAIL")
    check(of(t, "fp32, ") == {"PASS"} and of(t, "fp16 against") == {"PASS"}, "parity passes")
    name = "ResNet-101, 10 objects: host call, p50 of 3 runs"
    check(t[name] == ("<= 1.0 ms", "0.710 ms (+-0.010)", "PASS"), t.get(name))
    check(t["ResNet-101, 10 objects: 64 streams, batched"][2] == "SKIP", "64 streams: none")
    check(t["ResNet-101, 10 objects: first frame, cold cache"][1] == "9.00 s", "cold start")
    check(t["in turn, resnet101: PyTorch 2.9 graph"][1:] == ("2.900 ms, x4.14", "PASS"),
          "the graph")
    check("x9.33 in fp32" in t["in turn, resnet101: PyTorch 2.9 fp32"][1], "fp32 in turn")
    events = "objects: device events, p50, with submission"
    check(t[f"ResNet-101, 10 {events}"][1] == "0.650 ms", "events")
    check(t[f"ResNet-18, 5 {events}"][2] == "SKIP", "no events")
    check({t[line] for line in OWN.values()} == {("passes", "1 passed", "PASS")}, "own lines")
    check(t["compute-sanitizer"][1:] == ("1 passed", "PASS"), t["compute-sanitizer"])
    check(data["parts"]["racecheck"] == "SKIP (no time left)", data["parts"])
    text = gpu_table.text_of(*gpu_table.table(folder)[::-1], folder)
    check(text.index("  0.0080 ms  own ") < text.index("  0.0042 ms  library"), "slowest first")
    check("cuDNN   0.0120  own   0.0080  n1-9x9x8-8x8x8-k3s1p1-f16 " in text, "both of a shape")
    check("2 shapes, 0.0122 ms" in text, "the sum")
    check("to submit the graph is between" in text, "what device events are")


def test_bad(folder):
    good(folder)
    rows = [row("latency r101 10", p50_ms=1.2, p99_ms=2.0, fps=800.0),
            row("latency r18 10", failed=1), row("start cold", start_ms=21000.0),
            row("start warm", start_ms=1100.0, model_mb=320.0),
            row("streams r101 16 each alone", stream_mb=41.0),
            row("streams r101 16 batched", fps=2900.0, stream_mb=50.0),
            row("streams r101 16 batched", parity_iou=0.4, fps=0, failed=1),
            row("latency r18 5", parity_frames=0)]
    write(folder, "rows.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    write(folder, "golden.log", GOLDEN.format("r18_zero.safetensors", "6.00e-04"))
    write(folder, "long.log", GOLDEN.format("resnet50_zero_shot_19.safetensors", "1e-06")
          + GOLDEN.format("resnet50_one_shot_20.safetensors", "inf"))
    write(folder, "agree.log", "59 frames: IoU 0.9871 in the mean, 0.9602 in the worst; "
                               "99.332 % of labels agree\n")
    write(folder, "parts.txt", f"{'golden, fp32':34} {'FAIL (1)':22} {3:4d} s\n"
                               f"{'faults':34} {'FAIL (more than 60 s)':22} {60:4d} s\n"
                               + "".join(f"{n:34} {'FAIL (no graph)':22}    1 s\n" for n in OWN))
    write(folder, "peers-resnet101.json", json.dumps({"rows": [
        {"name": "rvosseg fp16", "p50_ms": 3.0}, {"name": "PyTorch 2.9 graph",
                                                  "p50_ms": 2.9}], "unshown": []}))
    t, _ = verdicts(folder)
    for what in ("fp32, 1 golden", "fp32, resnet50 zero", "fp32, resnet50 one", "fp32 parts",
                 "fp16 against", "ResNet-101, 10 objects: host", "ResNet-101, 10 objects: p99",
                 "ResNet-101, 10 objects: one stream", "ResNet-101, 10 objects: first frame",
                 "ResNet-101, 10 objects: memory", "ResNet-101, 10 objects: 16 streams, batched",
                 "in turn", "faults", *OWN.values()):
        check(of(t, what) == {"FAIL"}, f"{what}: {of(t, what)}")
    check(of(t, "fp32, resnet101") == {"SKIP"}, "not played")
    check(of(t, "ResNet-18, 10 objects: host") == {"SKIP"}, "a run that failed counts for nothing")
    check(of(t, "ResNet-18, 5 objects: host") == {"SKIP"}, "nor one that was not compared")
    line = "ResNet-101, 10 objects, 16 streams batched: timed masks against the CPU's, IoU"
    check(t[line][1:] == ("0.4000", "FAIL"), t[line])
    check(t["faults"][1] == "faults: FAIL (more than 60 s)", t["faults"])


def test_nothing(folder):
    t, _ = verdicts(folder)
    check({v[2] for v in t.values()} == {"SKIP"}, "nothing measured is SKIP")
    write(folder, "peers-x.json", "{")
    run = subprocess.run([sys.executable, HERE / "gpu_table.py", folder], capture_output=True)
    check(run.returncode == 0, run.stderr)
    check(os.path.exists(os.path.join(folder, "results.json")), "results.json")


for test in (test_good, test_bad, test_nothing):
    with tempfile.TemporaryDirectory() as tmp:
        test(tmp)
sys.exit(check.end())
