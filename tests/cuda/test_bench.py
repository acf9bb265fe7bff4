#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test_bench.py CUDA_BENCH_EMULATED MODEL_DIR - checks that the benchmark compares masks with the
CPU's before it measures, for one stream and for several in one pass. With a kernel that does
nothing it must print no times."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import testing  # noqa: E402

bench, models = sys.argv[1:3]
check = testing.Checks()


def run(folder, task, streams, skip=None):
    env = {**os.environ, "RVOS_BENCH_REFERENCE": folder, "RVOS_CUDA_CONV": "tile"}
    if skip:
        env["RVOS_EMULATED_SKIP"] = skip
    got = subprocess.run([bench, os.path.join(models, "r18-h64.safetensors"), task, "2", "fp16",
                          str(streams), "2", f"batch={streams}", "wait=20000", "parity=3",
                          "size=75x50", "warm=1"], env=env, text=True, capture_output=True, timeout=100)
    return got.returncode, json.loads(got.stdout), got.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        for task, streams in (("zero-shot", 1), ("zero-shot", 2), ("one-shot", 1)):
            code, row, said = run(folder, task, streams)
            check(code == 0 and not row["failed"], f"{task}, {streams} streams: {said}")
            check(row["parity_frames"] == 3 and 0 < row["parity_worst"] <= 0.1
                  and row["parity_iou"] >= 0.98 and row["p50_ms"] > 0 and row["fps"] > 0, row)
        kept = sorted(os.listdir(folder))
        check(kept == ["resnet18-one-shot-2-75x50-3.f32", "resnet18-zero-shot-2-75x50-3.f32"], kept)
        code, row, said = run(folder, "zero-shot", 2, "0 cell_tile")
        check(code != 0 and row["failed"] and row["p50_ms"] == 0 and row["fps"] == 0, row)
        check("not the CPU's" in said, said)
        # Stored CPU results of another network must be found wrong, too.
        path = os.path.join(folder, kept[1])
        data = Path(path).read_bytes()
        Path(path).write_bytes(bytes(len(data)))
        check(run(folder, "zero-shot", 1)[0] != 0, "logits of zero")
    return check.end()


sys.exit(main())
