#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu.sh OUT_DIR [MINUTES] - all that needs a GPU, in one go, unattended.
#
# For a bare machine: gcc, nvcc 13, cuDNN 9, meson, ninja, python3 with numpy and PyTorch;
# no GStreamer, no network. Builds, checks the numbers, runs compute-sanitizer, measures,
# and measures PyTorch in turn. A part that fails does not stop the others. Writes a log,
# one results file and one table into OUT_DIR; 0: all passed, 1: something failed, 77:
# there is no GPU (the build is tried all the same).
#
# RVOS_SHARED: folder with the golden data of the original (else ./shared or ../shared).
# RVOS_FRAMES: raw RGB frames of 448x256 for the comparison of fp16 and fp32.
set -u
[ $# -ge 1 ] || { echo "usage: gpu.sh OUT_DIR [MINUTES]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
limit=$((${2:-8} * 60))
build=${RVOS_GPU_BUILD:-$(mktemp -d /tmp/rvos-gpu-XXXXXX)}
log=$out/gpu.log
rows=$out/rows.jsonl
parts=$out/parts.txt
: > "$log"; : > "$rows"; : > "$parts"
export PATH=$PATH:/usr/local/cuda/bin XDG_CACHE_HOME=$build/cache PYTHONDONTWRITEBYTECODE=1
worst=0
python=python3
"$python" -c 'import numpy' 2> /dev/null || python=/usr/bin/python3

left() { echo $((limit - SECONDS)); }

# part NAME SECONDS COMMAND...: runs it, in the log; tells PASS, FAIL or SKIP.
part() {
    local name=$1 most=$2 began=$SECONDS rc verdict
    shift 2
    [ "$most" -le "$(left)" ] || most=$(left)
    if [ "$most" -lt 5 ]; then
        verdict="SKIP (no time left)"
    else
        { echo; echo "==== $name: $*"; } >> "$log"
        timeout -k 5 "$most" bash -c '"$@"' part "$@" >> "$log" 2>&1
        rc=$?
        case $rc in
            0) verdict=PASS ;;
            77) verdict="SKIP" ;;
            124|137) verdict="FAIL (more than $most s)"; worst=1 ;;
            *) verdict="FAIL ($rc)"; worst=1 ;;
        esac
    fi
    printf '%-34s %-22s %4d s\n' "$name" "$verdict" $((SECONDS - began)) | tee -a "$parts"
    [ "$verdict" = PASS ]
}

# bench MODEL TASK OBJECTS PRECISION STREAMS FRAMES [host]: one row of results.
bench() {
    local line times=()
    [ "$5" = 1 ] && times=(RVOS_CUDA_TIMES=1)
    if [ "$(left)" -lt 20 ] || [ ! -x "$build/tests/cuda/cuda-bench" ]; then
        echo "SKIP bench $2 $3 $4 $5" >> "$log"
        return
    fi
    echo "==== bench $*" >> "$log"
    line=$(env "${times[@]}" timeout -k 5 60 "$build/tests/cuda/cuda-bench" "$@" 2>> "$log")
    if [ -n "$line" ]; then
        echo "$line" | tee -a "$rows" >> "$log"
    else
        printf '%-34s FAIL\n' "bench $(basename "$1") $2 $3 $4 $5" | tee -a "$parts"
        worst=1
    fi
}

machine() {
    date -u
    command -v nvidia-smi > /dev/null || return 77
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader
    nvcc --version | tail -2
    uname -a
    "$python" -c 'import torch; print("PyTorch", torch.__version__, torch.version.cuda)'
    git -C "$root" log -1 --format=%h 2> /dev/null
    true
}

compile() {
    local arch=${RVOS_GPU_ARCH:-}
    [ -n "$arch" ] || arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null |
        head -1 | tr -d .)
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" "$root" -Dgst=disabled -Dtools=auto -Dcuda=enabled \
            "-Dcuda-arch=${arch:-90}" -Dbuildtype=release || return 1
    ninja -C "$build"
}

golden() { # [environment] of one backend
    "$build/tests/golden" cuda "$build/tests/models" "$root"/tests/golden/*.safetensors
}

shared_golden() {
    "$python" "$root/tests/engine/shared_golden.py" "$build/tests/golden" cuda "$root" "$build/tests"
}

half_golden() { # a few: cuDNN compiles a kernel for each shape
    "$build/tests/cuda/cuda-half" "$build/tests/models" \
        "$root"/tests/golden/{r18_one,r18_zero_odd,r50_one,vgg16_zero}.safetensors || return
    [ -f "$build/tests/shared-cases/done" ] || return 0
    "$build/tests/cuda/cuda-half" "$build/tests/shared-cases" \
        "$build"/tests/shared-cases/reference_*.safetensors
}

agree() {
    [ -n "${RVOS_FRAMES:-}" ] || return 77
    "$build/tests/cuda/cuda-agree" "$model" "$RVOS_FRAMES"
}

sanitizer() { # TOOL CASE
    command -v compute-sanitizer > /dev/null || return 77
    compute-sanitizer --tool "$1" --error-exitcode 9 --print-limit 20 \
        "$build/tests/golden" cuda "$build/tests/models" "$root/tests/golden/$2.safetensors"
}

peers() { # MODEL TASK OBJECTS SECONDS FILE
    "$python" "$root/tests/cuda/peers.py" "$build/tests/cuda/cuda-bench" "$1" "$2" "$3" \
        --seconds "$4" --json "$out/$5"
}

report() {
    "$python" - "$rows" "$out" <<'PYTHON'
import glob, json, os, sys
rows = [json.loads(l) for l in open(sys.argv[1]) if l.startswith("{")]
print(f"{'encoder':10} {'task':9} {'N':>2} {'prec':5} {'streams':>7} {'memory':15} "
      f"{'p50 ms':>8} {'p99 ms':>8} {'graph ms':>8} {'fps':>8} {'start ms':>8} {'MB':>7}")
for r in rows:
    print(f"{r['encoder']:10} {r['task']:9} {r['objects']:2} {r['precision']:5} {r['streams']:7} "
          f"{r['memory']:15} {r['p50_ms']:8.3f} {r['p99_ms']:8.3f} {r['graph_p50_ms']:8.3f} "
          f"{r['fps']:8.1f} {r['start_ms']:8.0f} {r['device_mb']:7.1f}")
peers = {}
for name in sorted(glob.glob(os.path.join(sys.argv[2], "peers-*.json"))):
    peers[os.path.basename(name)] = p = json.load(open(name))
    print(f"\nin turn, {p['model']}, {p['task']}, {p['objects']} objects, {p['gpu']}:")
    for r in p["rows"]:
        print(f"  {r['name']:34} p50 {r['p50_ms']:9.3f} ms  p99 {r['p99_ms']:9.3f} ms")
    for l in p["left_out"]:
        print(f"  left out: {l}")
parts = [l.rstrip() for l in open(os.path.join(sys.argv[2], "parts.txt"))]
json.dump({"rows": rows, "peers": peers, "parts": parts},
          open(os.path.join(sys.argv[2], "results.json"), "w"), indent=1)
PYTHON
}

model=$root/data/models/rvos-resnet18-h128.safetensors
large=$build/resnet101.safetensors
gpu=
nvidia-smi -L 2> /dev/null | grep -q GPU && gpu=yes

export root out build model large python
export -f machine compile golden shared_golden half_golden agree sanitizer peers

part "machine" 60 machine
part "build" 300 compile
if [ -z "$gpu" ]; then
    for name in "golden, fp32" "golden of the original, fp32" "golden, fp16" "fp16 against fp32" \
        "api" "memcheck" "racecheck" "benchmark" "PyTorch in turn"; do
        printf '%-34s SKIP (no GPU)\n' "$name" | tee -a "$parts"
    done
    [ "$worst" = 0 ] && exit 77
    exit 1
fi
export LD_LIBRARY_PATH=$build/engine/src/cuda:${LD_LIBRARY_PATH:-}
[ -n "${RVOS_SHARED:-}" ] || { [ -d "$root/shared/golden" ] && export RVOS_SHARED=$root/shared; }

# Shapes by the hundred, each for a few frames: not worth timing engines for. Whose fault
# it is when the numbers are off: without cuDNN the same must come out.
export RVOS_CUDA_TUNE=0
if ! part "golden, fp32" 120 golden; then
    export RVOS_CUDA_CONV=plain
    part "golden, fp32, without cuDNN" 60 golden
    unset RVOS_CUDA_CONV
fi
part "golden of the original, fp32" 60 shared_golden
part "golden, fp16" 90 half_golden
unset RVOS_CUDA_TUNE
part "fp16 against fp32" 60 agree

# Of the engine around the convolutions, and of our own kernels.
export RVOS_CUDA_CONV=plain
for name in api badmodel output seeds stream; do
    dir=$build/tests/models
    case $name in api|badmodel) dir=$build/tests/engine/broken ;; esac
    part "$name" 60 "$build/tests/engine/$name" cuda "$dir"
done
part "memcheck" 60 sanitizer memcheck r18_one
part "racecheck" 60 sanitizer racecheck r18_zero
unset RVOS_CUDA_CONV

part "random ResNet-101" 60 "$python" "$root/data/golden.py" --random-bundle resnet101 -o "$large"
bench "$large" zero-shot 10 fp16 1 500       # with an empty cache of engine choices
bench "$large" zero-shot 10 fp16 1 2000      # and with a warm one
bench "$model" zero-shot 10 fp16 1 2000
bench "$model" zero-shot 5 fp16 1 2000
part "PyTorch in turn, ResNet-101" 110 peers "$large" zero-shot 10 95 peers-resnet101.json
bench "$large" zero-shot 10 fp32 1 100
bench "$large" zero-shot 10 tf32 1 200
bench "$model" one-shot 10 fp16 1 1000
bench "$model" zero-shot 5 fp16 1 500 host
for streams in 4 16 64; do
    bench "$large" zero-shot 10 fp16 "$streams" $((800 / streams + 20))
    bench "$model" zero-shot 10 fp16 "$streams" $((1600 / streams + 20))
done
for objects in 1 2 3 20 32; do
    bench "$model" zero-shot "$objects" fp16 1 500
done
part "PyTorch in turn, ResNet-18" 70 peers "$model" zero-shot 10 55 peers-resnet18.json

{ cat "$parts"; echo; report; } | tee "$out/table.txt"
echo "took $SECONDS s; log: $log"
exit $worst
