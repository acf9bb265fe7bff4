#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu.sh OUT_DIR [MINUTES] - all that needs a GPU, in one go, unattended.
#
# For a bare machine: gcc, nvcc 13, cuDNN 9, meson, ninja, python3 with numpy and PyTorch;
# no GStreamer, no network. Builds, checks the numbers, measures, measures PyTorch in turn,
# runs compute-sanitizer. A part that fails does not stop the others. Leaves logs, one table
# (table.txt) and results.json in OUT_DIR; 0: all passed, 1: something failed, 77: there is
# no GPU (the build is tried all the same).
#
# RVOS_GPU_PARTS   of "numbers speed peers checks engines", what to run; else all but engines,
#                  which tries every engine of cuDNN, for some minutes. Several calls may share
#                  OUT_DIR and RVOS_GPU_BUILD, and the table is of all.
# RVOS_GPU_BUILD   build folder, kept; else a new one in /tmp.
# RVOS_GPU_ARCHIVE file to be made, a .tar.gz of OUT_DIR. After each part it is replaced by a
#                  newer one: what comes back from a run that is cut off, or from a machine
#                  that gives back a few files only.
# RVOS_FRAMES      for fp16 against fp32: pictures of 448x256 (tests/gpu_frames.sh), or one
#                  file of raw RGB.
# RVOS_SHARED      folder with golden data of the original, or some of it (else ./shared).
# shellcheck disable=SC2317 # functions are called by part()
set -u
[ $# -ge 1 ] || { echo "usage: gpu.sh OUT_DIR [MINUTES]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
limit=$((${2:-8} * 60))
build=${RVOS_GPU_BUILD:-$(mktemp -d /tmp/rvos-gpu-XXXXXX)}
wanted=${RVOS_GPU_PARTS:-numbers speed peers checks}
archive=${RVOS_GPU_ARCHIVE:-}
[ -z "$archive" ] || { mkdir -p "$(dirname "$archive")" && archive=$(realpath "$archive"); } || exit 2
mkdir -p "$build/reference" || exit 2
log=$out/gpu.log
rows=$out/rows.jsonl
parts=$out/parts.txt
[ -n "${RVOS_GPU_PARTS:-}" ] || rm -f "$log" "$rows" "$parts" "$out"/*.log "$out"/peers-*.json
touch "$log" "$rows" "$parts"
export PATH=$PATH:/usr/local/cuda/bin XDG_CACHE_HOME=$build/cache PYTHONDONTWRITEBYTECODE=1
worst=0
python=python3
"$python" -c 'import numpy' 2> /dev/null || python=/usr/bin/python3

left() { echo $((limit - SECONDS)); }
wants() { [[ " $wanted " == *" $1 "* ]]; }

# RVOS_GPU_ARCHIVE is whole at any time.
pack() {
    [ -n "$archive" ] || return 0
    tar -C "$out" --exclude="./${archive##*/}*" -czf "$archive.new" . 2> /dev/null || [ $? = 1 ] || return
    mv -f "$archive.new" "$archive"
}

# Whether the engine went without a graph somewhere, which a test may pass and a user notices.
no_graph() { grep -q "could not be captured" "$1"; }

# part NAME SECONDS COMMAND...: runs it; tells PASS, FAIL or SKIP. What it says is in the
# log, and in OUT_DIR/$own.log if own is set.
part() {
    local name=$1 most=$2 began=$SECONDS rc verdict file=$build/part.log
    shift 2
    [ -n "${own:-}" ] && file=$out/$own.log
    [ "$most" -le "$(left)" ] || most=$(left)
    if [ "$most" -lt 5 ]; then
        verdict="SKIP (no time left)"
    else
        { echo; echo "==== $name: $*"; } >> "$log"
        timeout -k 5 "$most" bash -c '"$@"' part "$@" 2>&1 | tee "$file" >> "$log"
        rc=${PIPESTATUS[0]}
        case $rc in
            0) verdict=PASS ;;
            77) verdict="SKIP" ;;
            124|137) verdict="FAIL (more than $most s)"; worst=1 ;;
            *) verdict="FAIL ($rc)"; worst=1 ;;
        esac
        # "faults" has it fail for want of memory.
        if [ "$verdict" = PASS ] && [ "$name" != faults ] && no_graph "$file"; then
            verdict="FAIL (no graph)"
            worst=1
        fi
    fi
    printf '%-34s %-22s %4d s\n' "$name" "$verdict" $((SECONDS - began)) | tee -a "$parts"
    pack
    [ "$verdict" = PASS ]
}

# bench WHAT MODEL TASK OBJECTS PRECISION STREAMS FRAMES [OPTION...]: a row of results.
bench() {
    local what=$1 line most=${bench_s:-45} said=$build/bench.log verdict=
    shift
    [ "$most" -le "$(left)" ] || most=$(left)
    if [ "$most" -lt 15 ] || [ ! -x "$build/tests/cuda/cuda-bench" ] || [ ! -s "$1" ]; then
        echo "==== SKIP bench $what" >> "$log"
        return
    fi
    echo "==== bench $what: $*" >> "$log"
    # What is timed must first give the CPU's masks; the CPU's are made once.
    [[ " $* " == *" host "* ]] || set -- "$@" parity=3
    line=$(RVOS_BENCH_REFERENCE=$build/reference \
        timeout -k 5 "$most" "$build/tests/cuda/cuda-bench" "$@" 2> "$said")
    cat "$said" >> "$log"
    [[ $line == "{"* ]] && echo "{\"what\": \"$what\", ${line#\{}" | tee -a "$rows" >> "$log"
    [[ $line == "{"* ]] || verdict=FAIL
    ! no_graph "$said" || verdict="FAIL (no graph)"
    if [ -n "$verdict" ]; then
        printf '%-34s %s\n' "bench $what" "$verdict" | tee -a "$parts"
        worst=1
    fi
    pack
}

machine() {
    date -u
    command -v nvidia-smi > /dev/null || return 77
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm --format=csv,noheader
    nvcc --version | tail -2
    uname -a
    nproc
    "$python" -c 'import torch; print("PyTorch", torch.__version__, torch.version.cuda)'
    git -C "$root" log -1 --format=%h 2> /dev/null
    true
}

# What cannot be built and is not needed here costs nothing else.
compile() {
    local arch=${RVOS_GPU_ARCH:-}
    [ -n "$arch" ] || arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null |
        head -1 | tr -d .)
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" "$root" -Dgst=disabled -Dtools=auto -Dcuda=enabled \
            "-Dcuda-arch=${arch:-90}" -Dbuildtype=release || return 1
    ninja -k 0 -C "$build" || ninja -C "$build" engine/src/cuda/librvos-cuda.so tests/golden \
        tests/models.stamp tests/engine/{broken.stamp,api,badmodel,output,seeds,stream,batch} \
        tests/cuda/cuda-{agree,bench,faults,half,tiles}
}

golden() {
    "$build/tests/golden" cuda "$build/tests/models" "$root"/tests/golden/*.safetensors
}

shared_golden() {
    "$python" "$root/tests/engine/shared_golden.py" "$build/tests/golden" cuda "$root" "$build/tests"
}

half_golden() { # a few: each has shapes of its own to find engines for
    "$build/tests/cuda/cuda-half" "$build/tests/models" \
        "$root"/tests/golden/{r18_one,r18_zero_odd,r50_one,vgg16_zero}.safetensors || return
    [ -f "$build/tests/shared-cases/reference_one_shot.safetensors" ] || return 0
    "$build/tests/cuda/cuda-half" "$build/tests/shared-cases" \
        "$build"/tests/shared-cases/reference_*.safetensors
}

# Written beside the compiler's work: minutes of PyTorch on the CPU. Whoever ends this ends
# that, too.
write_long() {
    local child
    [ -f "$build/long/done" ] || {
        "$python" "$root/tests/cuda/long_cases.py" "$build/long" --size 128x224 &
        child=$!
        trap 'kill "$child"' TERM
        wait "$child" && touch "$build/long/done"
    }
    echo $? > "$build/long.rc"
}

long_golden() {
    while [ ! -f "$build/long.rc" ]; do sleep 1; done
    cat "$build/long.log"
    local rc
    rc=$(cat "$build/long.rc")
    [ "$rc" = 0 ] || return "$rc"
    "$build/tests/golden" cuda "$build/long" "$build"/long/*_20.safetensors
}

# RVOS_FRAMES as raw frames in the build folder.
raw_frames() {
    [ -n "${RVOS_FRAMES:-}" ] || { echo "no RVOS_FRAMES: see tests/gpu_frames.sh"; return 77; }
    [ -d "$RVOS_FRAMES" ] || { ln -sf "$(realpath "$RVOS_FRAMES")" "$build/frames.rgb"; return; }
    "$python" - "$RVOS_FRAMES" "$build/frames.rgb" <<'PYTHON'
import pathlib, sys
try:
    from PIL import Image
except ImportError:
    print("skipped: this python has no PIL to read pictures")
    sys.exit(77)
names = sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.suffix in (".jpg", ".png"))
with open(sys.argv[2], "wb") as f:
    for name in names:
        f.write(Image.open(name).convert("RGB").resize((448, 256)).tobytes())
print(len(names), "frames")
PYTHON
}

agree() {
    raw_frames || return
    "$build/tests/cuda/cuda-agree" "$model" "$build/frames.rgb"
}

sanitizer() { # TOOL CASE
    command -v compute-sanitizer > /dev/null || return 77
    compute-sanitizer --tool "$1" --error-exitcode 9 --print-limit 20 \
        "$build/tests/golden" cuda "$build/tests/models" "$root/tests/golden/$2.safetensors"
}

tiles_checked() { # TOOL
    command -v compute-sanitizer > /dev/null || return 77
    compute-sanitizer --tool "$1" --error-exitcode 9 --print-limit 20 \
        "$build/tests/cuda/cuda-tiles" quick
}

# Plain convolutions: what is compared to the bit is a pass of many with passes of one.
batched() {
    RVOS_CUDA_CONV=plain "$build/tests/engine/batch" cuda "$build/tests/models"
}

peers() { # NAME MODEL OBJECTS SECONDS [OPTION...]
    local name=$1 model=$2 objects=$3 seconds=$4
    shift 4
    "$python" "$root/tests/cuda/peers.py" "$build/tests/cuda/cuda-bench" "$model" zero-shot "$objects" \
        --seconds "$seconds" --json "$out/peers-$name.json" "$@"
}

# ---- what is run ---------------------------------------------------------------------

numbers() {
    # Shapes by the hundred, each for a few frames: not worth timing engines for.
    export RVOS_CUDA_TUNE=0
    if ! own=golden part "golden, fp32" 120 golden; then
        # Whose fault it is: without cuDNN the same must come out.
        RVOS_CUDA_CONV=plain own=golden-plain part "golden, fp32, without cuDNN" 60 golden
    fi
    own=shared part "golden of the original, fp32" 60 shared_golden
    own=half part "golden, fp16" 90 half_golden
    RVOS_CUDA_CONV=tile RVOS_CUDA_CHAIN=0 own=half-tile \
        part "golden, fp16, own kernels" 60 half_golden
    RVOS_CUDA_CONV=tile RVOS_CUDA_CHAIN=1 own=half-chained \
        part "golden, fp16, chained" 60 half_golden
    own=tiles part "own kernels against plain ones" 60 "$build/tests/cuda/cuda-tiles"
    own=batched part "batched passes" 90 batched
    own=long part "long cases, fp32" 150 long_golden
    unset RVOS_CUDA_TUNE
    own=agree part "fp16 against fp32" 60 agree
    own=faults part "faults" 90 "$build/tests/cuda/cuda-faults" "$model"
}

speed() {
    local streams objects
    rm -rf "$XDG_CACHE_HOME"
    RVOS_BENCH_LOG=$out/engines-cold.txt bench "start cold" "$large" zero-shot 10 fp16 1 200
    for _ in 1 2 3; do
        RVOS_BENCH_LOG=$out/start-warm.txt bench "start warm" "$large" zero-shot 10 fp16 1 50
    done
    for _ in 1 2 3 4 5; do
        bench "latency r101 10" "$large" zero-shot 10 fp16 1 1000
        bench "latency r18 10" "$model" zero-shot 10 fp16 1 1000
        bench "latency r18 5" "$model" zero-shot 5 fp16 1 1000
    done
    # By themselves: events and a line in the log are not for the frames whose time counts.
    for _ in 1 2 3; do
        RVOS_CUDA_TIMES=1 bench "events r101 10" "$large" zero-shot 10 fp16 1 200
        RVOS_CUDA_TIMES=1 bench "events r18 10" "$model" zero-shot 10 fp16 1 200
        RVOS_CUDA_TIMES=1 bench "events r18 5" "$model" zero-shot 5 fp16 1 200
    done
    for streams in 16 4 64; do
        bench "streams r101 $streams batched" "$large" zero-shot 10 fp16 "$streams" \
            $((4000 / streams + 50)) batch=16 wait=2000
        bench "streams r101 $streams each alone" "$large" zero-shot 10 fp16 "$streams" \
            $((2000 / streams + 20))
    done
    RVOS_CUDA_STEPS=1 RVOS_BENCH_LOG=$out/steps-r101.txt bench "steps r101" "$large" zero-shot 10 fp16 1 20
    RVOS_CUDA_STEPS=1 RVOS_BENCH_LOG=$out/steps-r18.txt bench "steps r18" "$model" zero-shot 10 fp16 1 20
    for objects in 1 2 3 5 10 20 32; do
        bench "objects r18 $objects" "$model" zero-shot "$objects" fp16 1 300
    done
    for streams in 2 8 32; do
        bench "streams r101 $streams batched" "$large" zero-shot 10 fp16 "$streams" \
            $((2000 / streams + 20)) batch=16 wait=2000
    done
    for streams in 1 4 16 64; do
        bench "streams r18 $streams batched" "$model" zero-shot 10 fp16 "$streams" \
            $((4000 / streams + 20)) batch=16 wait=2000
    done
    bench "fp32 r101 10" "$large" zero-shot 10 fp32 1 100
    bench "tf32 r101 10" "$large" zero-shot 10 tf32 1 200
    bench "one-shot r18 10" "$model" one-shot 10 fp16 1 500
    bench "one-shot r101 10" "$large" one-shot 10 fp16 1 300
    bench "host r18 5" "$model" zero-shot 5 fp16 1 300 host
}

# What the compiled engines would add, whatever they cost.
engines() {
    bench_s=$(left) RVOS_CUDA_TUNE=all XDG_CACHE_HOME=$build/cache-all \
        RVOS_BENCH_LOG=$out/engines-all.txt \
        bench "all engines r101 10" "$large" zero-shot 10 fp16 1 500
}

checks() {
    local name dir
    # Of the engine around the convolutions, and of our own kernels.
    export RVOS_CUDA_CONV=plain
    for name in api badmodel output seeds stream; do
        dir=$build/tests/models
        case $name in api|badmodel) dir=$build/tests/engine/broken ;; esac
        part "$name" 60 "$build/tests/engine/$name" cuda "$dir"
    done
    # To find out whether chaining pays takes minutes under these tools.
    export RVOS_CUDA_CHAIN=0
    part "memcheck" 60 sanitizer memcheck r18_one
    part "racecheck" 60 sanitizer racecheck r18_zero
    unset RVOS_CUDA_CONV
    part "memcheck, own kernels" 60 tiles_checked memcheck
    part "racecheck, own kernels" 60 tiles_checked racecheck
    unset RVOS_CUDA_CHAIN
}

model=$root/data/models/rvos-resnet18-h128.safetensors
large=$build/resnet101.safetensors
gpu=
nvidia-smi -L 2> /dev/null | grep -q GPU && gpu=yes

export root out build model large python
export -f machine compile golden shared_golden half_golden long_golden raw_frames agree sanitizer tiles_checked \
    batched peers

part "machine" 60 machine
if [ -n "$gpu" ] && wants numbers; then
    rm -f "$build/long.rc"
    write_long > "$build/long.log" 2>&1 &
    writer=$!
    trap '[ -z "$writer" ] || kill "$writer"' EXIT
fi
part "build" 300 compile
if [ -z "$gpu" ]; then
    for name in "golden, fp32" "golden of the original, fp32" "golden, fp16" \
        "golden, fp16, own kernels" "golden, fp16, chained" "own kernels against plain ones" \
        "batched passes" "long cases, fp32" "fp16 against fp32" "faults" "benchmark" \
        "PyTorch in turn" "api" "memcheck" "racecheck" "memcheck, own kernels" \
        "racecheck, own kernels"; do
        printf '%-34s SKIP (no GPU)\n' "$name" | tee -a "$parts"
    done
    "$python" "$root/tests/cuda/gpu_table.py" "$out" > /dev/null || worst=1
    pack
    echo "no GPU; log: $log"
    [ "$worst" = 0 ] && exit 77
    exit 1
fi
export LD_LIBRARY_PATH=$build/engine/src/cuda:${LD_LIBRARY_PATH:-}
[ -n "${RVOS_SHARED:-}" ] || { [ -d "$root/shared" ] && export RVOS_SHARED=$root/shared; }
[ -s "$large" ] || part "random ResNet-101" 60 "$python" "$root/data/golden.py" --random-bundle resnet101 -o "$large"

wants numbers && numbers
[ -n "${writer:-}" ] && { kill "$writer" 2> /dev/null; wait "$writer" 2> /dev/null; writer=; }
wants speed && speed
if wants peers; then
    part "PyTorch in turn, ResNet-101" 75 peers resnet101 "$large" 10 55 --peers fp32,tf32,fp16,graph
    part "PyTorch in turn, ResNet-18" 45 peers resnet18 "$model" 10 30 --peers fp32,graph --ours fp16
    part "PyTorch compiled, ResNet-101" 170 peers resnet101-compiled "$large" 10 150 --peers compile \
        --ours fp16
fi
wants checks && checks
wants engines && engines

"$python" "$root/tests/cuda/gpu_table.py" "$out" || worst=1
pack
echo "took $SECONDS s; log: $log"
exit $worst
