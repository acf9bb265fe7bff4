#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test_gpu_sh.py - runs tests/gpu.sh with programs that do nothing in place of the build, the GPU
and the engine. It checks what runs and in which order, that a run that is cut off leaves an
archive with all items so far, and that the tree is small enough to send to such a machine."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import testing  # noqa: E402

TREE_MIB = 64
ROW = {"p50_ms": 0.7, "p99_ms": 0.75, "min_ms": 0.69, "graph_p50_ms": 0.6, "fps": 1400, "start_ms": 600,
       "context_ms": 200, "model_mb": 180, "stream_mb": 9.5, "memory": "device", "per_pass": 1,
       "parity_frames": 3, "parity_iou": 0.995, "failed": 0}
# Counts its calls. Call number STUB_HANG leaves a mark and hangs.
STUB = """#!/bin/bash
echo "${{0##*/}} $*" >> "$STUB_LOG"
if [ "$(wc -l < "$STUB_LOG")" = "${{STUB_HANG:-0}}" ]; then
    touch "$STUB_LOG.hangs"
    sleep 60
fi
{then}
"""
BENCH = """[ -z "${CUDA_INJECTION64_PATH:-}" ] || printf 'kernel 10 20 7 1 shrink\\n' > "$RVOS_TRACE_FILE"
echo '""" + json.dumps(ROW) + "'"

check = testing.Checks()


def stub(path, then=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STUB.format(then=then))
    path.chmod(0o755)


class Machine:
    def __init__(self, folder, gpu=True):
        self.folder, self.build, self.out = folder, folder / "build", folder / "out"
        tests = self.build / "tests"
        for name in ("golden", "cuda/cuda-half", "cuda/cuda-tiles", "cuda/cuda-faults", "cuda/cuda-agree",
                     *(f"engine/{n}" for n in ("api", "badmodel", "output", "seeds", "stream", "batch"))):
            stub(tests / name)
        stub(tests / "cuda" / "cuda-bench", BENCH)
        for name in ("build.ninja", "resnet101.safetensors", "tests/cuda/librvos-trace.so"):
            (self.build / name).write_text("x")
        tools = folder / "bin"
        for name in ("meson", "ninja", "nvcc"):
            (tools / name).parent.mkdir(exist_ok=True)
            (tools / name).write_text("#!/bin/sh\nexit 0\n")
            (tools / name).chmod(0o755)
        # With numpy, or gpu.sh takes another Python, and PyTorch is imported.
        (tools / "python3").write_text('#!/bin/sh\ncase "$*" in *peers.py* | *torch* | *numpy*) exit 0 ;; esac\n'
                                       f'exec {sys.executable} "$@"\n')
        (tools / "python3").chmod(0o755)
        (tools / "nvidia-smi").write_text("#!/bin/sh\n" + ("echo GPU 0: made up, 90\n" if gpu else "exit 9\n"))
        (tools / "nvidia-smi").chmod(0o755)
        self.env = {**{k: v for k, v in os.environ.items() if not k.startswith("RVOS_")},
                    "PATH": f"{tools}:/usr/bin:/bin", "STUB_LOG": str(folder / "calls"),
                    "RVOS_GPU_BUILD": str(self.build),
                    "RVOS_GPU_ARCHIVE": str(folder / "back" / "gpu.tar.gz")}

    def start(self, parts, **env):
        return subprocess.Popen(["bash", ROOT / "tests" / "gpu.sh", self.out, "9"], text=True,
                                env={**self.env, "RVOS_GPU_PARTS": parts, **env}, start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def calls(self):
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def archive(self):
        """{name: text} of the archive's files."""
        with tarfile.open(self.folder / "back" / "gpu.tar.gz") as tar:
            return {m.name.removeprefix("./"): tar.extractfile(m).read().decode(errors="replace")
                    for m in tar.getmembers() if m.isfile()}


def verdicts(text):
    return {line[:34].strip(): line[34:].split()[0] for line in text.splitlines()}


def whole(folder):
    machine = Machine(folder)
    said, _ = machine.start("first").communicate(timeout=60)
    calls, back = machine.calls(), machine.archive()
    tools = [c.split()[0] for c in calls]
    check(tools[:3] == ["cuda-tiles", "golden", "cuda-half"], calls[:3])
    check(calls[1].count(".safetensors") == 2 and calls[2].count(".safetensors") == 2, "two cases each")
    bench = [c.split() for c in calls[3:]]
    check(all(c[0] == "cuda-bench" for c in bench), calls[3:])
    check("resnet101" in bench[0][1] and bench[0][3] == "10", "the large network first")
    check({(c[1].rsplit("/", 1)[1], c[3]) for c in bench} == {
        ("resnet101.safetensors", "10"), ("rvos-resnet18-h128.safetensors", "10"),
        ("rvos-resnet18-h128.safetensors", "5")}, "which networks")
    parts = verdicts(back["parts.txt"])
    check(set(parts.values()) == {"PASS"}, (parts, said))
    for name in ("machine", "build, what is needed first", "tile kernels against plain", "kernel trace", "clocks"):
        check(name in parts, name)
    check("build" not in parts, "nothing else is built")
    check("frame 0: 1 kernels" in back["timeline.log"] and "<svg" in back["trace.svg"], "the trace")
    rows = [json.loads(line) for line in back["rows.jsonl"].splitlines()]
    check({"start cold", "latency r101 10", "latency r18 5", "steps r101"} <= {r["what"] for r in rows}, rows)
    check("host call, p50 of 1 runs" in back["table.txt"], "the table")
    return len(calls)


def cut_off(folder, at):
    machine = Machine(folder)
    run = machine.start("first", STUB_HANG=str(at))
    for _ in range(600):
        if (folder / "calls.hangs").exists() or run.poll() is not None:
            break
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    calls, back = machine.calls(), machine.archive()
    check(len(calls) == at, calls)
    done = [line for line in back["parts.txt"].splitlines()
            if not line.startswith(("machine", "build"))] + back.get("rows.jsonl", "").splitlines()
    # The trace is both a part and a call of the benchmark.
    check(len(done) == at - 1, (at, done))


def speed(folder):
    machine = Machine(folder)
    machine.start("speed").communicate(timeout=120)
    calls = [c.split() for c in machine.calls() if c.startswith("cuda-bench")]
    check({c[5] for c in calls} >= {"1", "2", "4", "8", "16", "32", "64"}, "streams")
    check({c[3] for c in calls} >= {"1", "2", "3", "5", "10", "20", "32"}, "objects")
    check(all("parity=3" in c or "host" in c or "--serve" in c for c in calls), "all are compared")
    parts = verdicts(machine.archive()["parts.txt"])
    check(parts.get("the element's bundle") == "SKIP" and parts["build"] == "PASS", parts)
    check(any(name.startswith("PyTorch in turn") for name in parts), parts)


def no_gpu(folder):
    machine = Machine(folder, gpu=False)
    run = machine.start("first")
    said, _ = run.communicate(timeout=60)
    check(run.returncode == 77 and not machine.calls(), said)
    check(verdicts(machine.archive()["parts.txt"])["kernel trace"] == "SKIP", said)


def size():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True).stdout.split(b"\0")
    total = sum(os.path.getsize(ROOT / os.fsdecode(n)) for n in names if n and (ROOT / os.fsdecode(n)).is_file())
    check(total <= TREE_MIB << 20, f"{total} bytes travel")
    print(f"the tree: {total / (1 << 20):.1f} MiB")


def main():
    for test in (whole, lambda f: cut_off(f, 2), lambda f: cut_off(f, 6), speed, no_gpu):
        with tempfile.TemporaryDirectory() as tmp:
            test(pathlib.Path(tmp))
    size()
    return check.end()


sys.exit(main())
