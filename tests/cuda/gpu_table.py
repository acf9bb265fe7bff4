#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gpu_table.py OUT_DIR: makes one table of the results of tests/gpu.sh, a line for each bar.

Reads rows.jsonl (lines of cuda-bench, with a "what" that says what they are for),
parts.txt, the logs of parts, peers-*.json and engines-*.txt. Writes table.txt and
results.json. A line is PASS, FAIL, SKIP (nothing was measured) or, without a bar, a figure.
It ends with 0 if no line is FAIL."""
import glob
import json
import os
import re
import statistics
import sys
from pathlib import Path

FULL = "ResNet-101, 10 objects"


def read(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return ""
    return Path(path).read_text(errors="replace")


def load(folder):
    rows = []
    for line in read(folder, "rows.jsonl").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            pass  # the program was ended in the middle of the line
    peers = {}
    for path in sorted(glob.glob(os.path.join(folder, "peers-*.json"))):
        try:
            peers[os.path.basename(path)[6:-5]] = json.loads(Path(path).read_text())
        except ValueError:
            pass
    return {"rows": rows, "peers": peers, "parts": parts(read(folder, "parts.txt"))}


def parts(text):
    """{name: verdict} of lines NAME, two spaces or more, VERDICT, SECONDS s"""
    out = {}
    for line in text.splitlines():
        m = re.match(r"(.+?)\s{2,}((?:PASS|FAIL|SKIP).*?)(?:\s{2,}\d+ s)?$", line.rstrip())
        if m:
            out[m.group(1)] = m.group(2).strip()
    return out


# ---- lines of the table: (what, bar, measured, verdict) ---------------------------------


def limit(what, bar, value, most=None, least=None, unit="", how=".3f"):
    """Compare a figure with a bar; None: nothing was measured."""
    if value is None:
        return what, bar, "-", "SKIP"
    good = (most is None or value <= most) and (least is None or value >= least)
    verdict = "" if most is None and least is None else "PASS" if good else "FAIL"
    return what, bar, f"{value:{how}}{unit}", verdict


def part_line(data, what, *names):
    """PASS if all parts that ran passed; SKIP if none ran."""
    have = {n: data["parts"][n] for n in names if n in data["parts"]}
    ran = {n: v for n, v in have.items() if not v.startswith("SKIP")}
    bad = [f"{n}: {v}" for n, v in ran.items() if v != "PASS"]
    if not ran:
        return what, "passes", "-", "SKIP"
    return what, "passes", "; ".join(bad) or f"{len(ran)} passed", "FAIL" if bad else "PASS"


def golden(log):
    """(cases, worst probability, most frames named at the end of a case's name)"""
    found = re.findall(r"^(\S+)\.safetensors\s+logit \S+ \(.*?\)\s+probability (\S+)", log, re.M)
    return [(name, float(p)) for name, p in found]


def exact_lines(folder, data):
    cases = golden(read(folder, "golden.log")) + golden(read(folder, "shared.log"))
    worst = max((p for _, p in cases), default=None)
    out = [limit(f"fp32, {len(cases)} golden cases, probability", "<= 5e-4", worst, most=5e-4,
                 how=".1e")]
    played = golden(read(folder, "long.log"))
    for base in ("resnet50", "resnet101"):
        for task in ("zero_shot", "one_shot"):
            mine = [(n, p) for n, p in played if n.startswith(f"{base}_{task}_")]
            frames = max((int(n.rsplit("_", 1)[1]) for n, _ in mine), default=0)
            value = max((p for _, p in mine), default=None)
            if mine and frames < 20:
                value = float("inf")  # too few frames to count
            out.append(limit(f"fp32, {base} {task.replace('_', '-')}, {frames} frames",
                             "<= 5e-4", value, most=5e-4, how=".1e"))
    out.append(part_line(data, "fp32 parts", "golden, fp32", "golden of the original, fp32",
                         "long cases, fp32"))
    return out


def agree_lines(folder):
    m = re.search(r"(\d+) frames: IoU (\S+) in the mean, (\S+) in the worst; (\S+) % of labels",
                  read(folder, "agree.log"))
    frames, mean, worst, labels = (int(m[1]), *map(float, m.groups()[1:])) if m else (None,) * 4
    return [limit("fp16 against fp32, frames", ">= 60", frames, least=60, how=".0f"),
            limit("fp16 against fp32, mask IoU, mean", ">= 0.99", mean, least=0.99, how=".4f"),
            limit("fp16 against fp32, mask IoU, worst", ">= 0.97", worst, least=0.97, how=".4f"),
            limit("fp16 against fp32, labels alike", ">= 99.5 %", labels, least=99.5,
                  unit=" %")]


def pick(data, what):
    """Rows whose masks were first compared with the CPU's; other times do not count."""
    return [r for r in data["rows"] if r.get("what") == what and not r.get("failed")
            and (r.get("parity_frames") or "host" in r.get("memory", ""))]


def parity_lines(data):
    out = []
    for what, name in (("latency r101 10", FULL), ("streams r101 16 batched",
                                                   f"{FULL}, 16 streams batched")):
        rows = [r for r in data["rows"] if r.get("what") == what and r.get("parity_frames")]
        least = min((r["parity_iou"] for r in rows), default=None)
        line = limit(f"{name}: timed masks against the CPU's, IoU", ">= 0.98", least, least=0.98,
                     how=".4f")
        if any(r.get("failed") for r in rows):
            line = (*line[:3], "FAIL")
        out.append(line)
    return out


def median(rows, key):
    return statistics.median(r[key] for r in rows) if rows else None


def latency_lines(data):
    out = []
    for what, name, bar in (("latency r101 10", FULL, 1.0),
                            ("latency r18 10", "ResNet-18, 10 objects", None),
                            ("latency r18 5", "ResNet-18, 5 objects", None)):
        rows = pick(data, what)
        p50, p99 = median(rows, "p50_ms"), median(rows, "p99_ms")
        spread = max(r["p50_ms"] for r in rows) - min(r["p50_ms"] for r in rows) if rows else 0
        out.append(limit(f"{name}: host call, p50 of {len(rows)} runs", f"<= {bar} ms" if bar
                         else "", p50, most=bar, unit=f" ms (+-{spread / 2:.3f})"))
        out.append(limit(f"{name}: p99 over p50", "<= 1.15", p99 / p50 if p50 else None,
                         most=1.15))
        events = pick(data, what.replace("latency", "events"))
        out.append(limit(f"{name}: device events, p50, with submission", "",
                         median(events, "graph_p50_ms"), unit=" ms"))
    rows = pick(data, "latency r101 10")
    out.append(limit(f"{FULL}: one stream", ">= 1000 fps", median(rows, "fps"), least=1000,
                     unit=" fps", how=".0f"))
    return out


def stream_lines(data):
    out = []
    for streams, least in ((4, 2500), (16, 3000), (64, None)):
        for how in ("batched", "each alone"):
            rows = pick(data, f"streams r101 {streams} {how}")
            bar = least if how == "batched" else None
            passes = median([r for r in rows if "per_pass" in r], "per_pass")
            out.append(limit(f"{FULL}: {streams} streams, {how}", f">= {bar} fps" if bar else
                             "", median(rows, "fps"), least=bar, how=".0f",
                             unit=" fps" + (f", {passes:.1f} a pass" if passes else "")))
    return out


def start_lines(data):
    cold, warm = (median(pick(data, w), "start_ms") for w in ("start cold", "start warm"))
    rows = pick(data, "start warm")
    return [limit(f"{FULL}: first frame, cold cache", "<= 20 s", cold and cold / 1e3, most=20,
                  unit=" s", how=".2f"),
            limit(f"{FULL}: first frame, warm cache", "<= 1 s", warm and warm / 1e3, most=1,
                  unit=" s", how=".2f"),
            limit("of which context of the driver", "", median(rows, "context_ms"), unit=" ms",
                  how=".0f"),
            limit(f"{FULL}: memory of a model", "<= 300 MB", median(rows, "model_mb"), most=300,
                  unit=" MB", how=".0f"),
            *(limit(f"{FULL}: memory of a stream, {how}", "<= 40 MB",
                    median(pick(data, f"streams r101 16 {how}"), "stream_mb"), most=40,
                    unit=" MB", how=".1f") for how in ("each alone", "batched"))]


def peer_lines(data):
    """Our time against the fastest peer of each comparison in turn."""
    out = []
    for name, p in data["peers"].items():
        ours = {r["name"]: r["p50_ms"] for r in p["rows"] if r["name"].startswith("rvosseg")}
        mine = ours.get("rvosseg fp16")
        for r in p["rows"]:
            if r["name"].startswith("rvosseg"):
                continue
            same = ours.get("rvosseg fp32") if r["name"].endswith(" fp32") else None
            text = f"{r['p50_ms']:.3f} ms" + (f", x{r['p50_ms'] / mine:.2f}" if mine else "")
            text += f", x{r['p50_ms'] / same:.2f} in fp32" if same else ""
            verdict = "SKIP" if not mine else "PASS" if mine < r["p50_ms"] else "FAIL"
            out.append((f"in turn, {name}: {r['name']}", f"> {mine:.3f} ms" if mine else "",
                        text, verdict))
        out += [(f"in turn, {name}: {line[:60]}", "", "left out", "") for line in p["unshown"]]
    return out


def other_lines(data):
    return [part_line(data, "faults", "faults"),
            part_line(data, "the engine's tests", "api", "badmodel", "output", "seeds", "stream"),
            part_line(data, "compute-sanitizer", "memcheck", "racecheck"),
            part_line(data, "memcheck, own kernels", "memcheck, own kernels"),
            part_line(data, "racecheck, own kernels", "racecheck, own kernels"),
            part_line(data, "fp16 golden cases", "golden, fp16"),
            part_line(data, "fp16 golden cases, own kernels", "golden, fp16, own kernels"),
            part_line(data, "fp16 golden cases, chained", "golden, fp16, chained"),
            part_line(data, "own kernels against plain ones", "own kernels against plain ones"),
            part_line(data, "batched passes against single ones", "batched passes")]


def objects_lines(data):
    return [limit(f"ResNet-18, {n} objects: host call, p50", "",
                  median(pick(data, f"objects r18 {n}"), "p50_ms"), unit=" ms")
            for n in (1, 2, 3, 5, 10, 20, 32)]


def shape_of(key):
    """The part of a key that has the shape, equal for both kinds of engines."""
    m = re.search(r"-(n\d+-\d+x.*)$", key)
    shape = m[1] if m else key
    return re.sub(r"-(f16|tf32|f32)(f16|f32)\b", r"-\2", shape) if m else shape


def engine_lines(text):
    """The measurements of each shape, the slowest first, from the log of a cold start:
    cuDNN's best and its engine, our own kernel's best, and which was chosen."""
    found = {}
    for key, form, ms, rest in re.findall(r"^cuDNN: (.*?): (\S+) (\d+\.\d+) ms, best of (.*)$",
                                          text, re.M):
        found.setdefault(shape_of(key), {}).update(cudnn=float(ms), how=f"{form}, of {rest}")
    for key, own, best, who in re.findall(
            r"^cuda: (.*?): own kernel (\S+) ms, best (\S+) ms: (\w+)$", text, re.M):
        found.setdefault(shape_of(key), {}).update(own=float(own), best=float(best), who=who)
    for f in found.values():
        f.setdefault("best", f.get("cudnn", 0))
    total = sum(f["best"] for f in found.values())
    out = [f"{len(found)} shapes, {total:.4f} ms if each ran once:" if found else "none"]
    for shape, f in sorted(found.items(), key=lambda item: -item[1]["best"]):
        times = [f"{f[k]:8.4f}" if k in f else f"{'-':>8}" for k in ("best", "cudnn", "own")]
        out.append(f"  {times[0]} ms  {f.get('who', 'library'):8} cuDNN {times[1]}  own {times[2]}"
                   f"  {shape:50} {f.get('how', '')}")
    return out


def table(folder):
    data = load(folder)
    lines = (exact_lines(folder, data) + agree_lines(folder) + parity_lines(data)
             + latency_lines(data)
             + stream_lines(data) + start_lines(data) + peer_lines(data) + objects_lines(data)
             + other_lines(data))
    return data, lines


NOTE = """Device events: one before and one behind the graph, in an idle stream, so the time
to submit the graph is between them, too."""


def text_of(lines, data, folder):
    out = [f"{'':4} {'what':62} {'bar':14} measured"]
    out += [f"{verdict:4} {what:62} {bar:14} {value}" for what, bar, value, verdict in lines]
    out += ["", NOTE, ""]
    out += [f"{name:34} {verdict}" for name, verdict in data["parts"].items()]
    for path in sorted(glob.glob(os.path.join(folder, "engines-*.txt"))):
        out += ["", os.path.basename(path)] + engine_lines(read(folder, os.path.basename(path)))
    return "\n".join(out)


def main():
    folder = sys.argv[1]
    data, lines = table(folder)
    text = text_of(lines, data, folder)
    print(text)
    Path(folder, "table.txt").write_text(text + "\n")
    Path(folder, "results.json").write_text(json.dumps({**data, "table": lines}, indent=1))
    return 1 if any(verdict == "FAIL" for *_, verdict in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
