# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu_parts.sh - the parts of tests/gpu.sh, which sources it.
#
# Each item is a `part` or a `bench` of gpu.sh, which packs the results after the item. So a
# machine that is taken away costs one item. The most decisive items come first.
# shellcheck shell=bash disable=SC2317,SC2154,SC2034 # functions are called by part(); gpu.sh's variables

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

configure() {
    local arch=${RVOS_GPU_ARCH:-}
    [ -n "$arch" ] || arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null |
        head -1 | tr -d .)
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" "$root" -Dgst=disabled -Dtools=auto -Dcuda=enabled \
            "-Dcuda-arch=${arch:-90}" -Dbuildtype=release
}

compile_first() {
    configure || return
    ninja -k 0 -C "$build" engine/src/cuda/librvos-cuda.so tests/golden tests/models.stamp \
        tests/cuda/cuda-{bench,half,tiles} || return
    # Without CUPTI only the trace is missing.
    ninja -C "$build" tests/cuda/librvos-trace.so || true
}

# A target that cannot be built and is not needed here does not stop the others.
compile() {
    configure || return
    ninja -k 0 -C "$build" || ninja -C "$build" engine/src/cuda/librvos-cuda.so tests/golden \
        tests/models.stamp tests/engine/{broken.stamp,api,badmodel,output,seeds,stream,batch} \
        tests/cuda/cuda-{agree,bench,faults,half,tiles}
}

golden() {
    "$build/tests/golden" cuda "$build/tests/models" "$root"/tests/golden/*.safetensors
}

golden_two() { # both tasks, and both kinds of residual blocks
    "$build/tests/golden" cuda "$build/tests/models" "$root"/tests/golden/{r18_one,r50_one}.safetensors
}

half_two() {
    "$build/tests/cuda/cuda-half" "$build/tests/models" \
        "$root"/tests/golden/{r18_one,r18_zero_odd}.safetensors
}

random_model() {
    "$python" "$root/data/golden.py" --random-bundle resnet101 -o "$large"
}

shared_golden() {
    "$python" "$root/tests/engine/shared_golden.py" "$build/tests/golden" cuda "$root" "$build/tests"
}

half_golden() { # few, because each has new shapes that need engines
    "$build/tests/cuda/cuda-half" "$build/tests/models" \
        "$root"/tests/golden/{r18_one,r18_zero_odd,r50_one,vgg16_zero}.safetensors || return
    [ -f "$build/tests/shared-cases/reference_one_shot.safetensors" ] || return 0
    "$build/tests/cuda/cuda-half" "$build/tests/shared-cases" \
        "$build"/tests/shared-cases/reference_*.safetensors
}

# Takes minutes of PyTorch on the CPU. A signal to this function also ends PyTorch.
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

# Converts RVOS_FRAMES to raw frames in the build folder.
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

# Uses plain convolutions, because a pass of many is compared bit for bit with passes of one.
batched() {
    RVOS_CUDA_CONV=plain "$build/tests/engine/batch" cuda "$build/tests/models"
}

peers() { # NAME MODEL OBJECTS SECONDS [OPTION...]
    local name=$1 model=$2 objects=$3 seconds=$4
    shift 4
    "$python" "$root/tests/cuda/peers.py" "$build/tests/cuda/cuda-bench" "$model" zero-shot "$objects" \
        --seconds "$seconds" --json "$out/peers-$name.json" "$@"
}

# Traces each kernel's start and end in three frames of ResNet-101 with 10 objects.
trace() {
    [ -s "$build/tests/cuda/librvos-trace.so" ] || { echo "skipped: no CUPTI to build with"; return 77; }
    CUDA_INJECTION64_PATH=$build/tests/cuda/librvos-trace.so RVOS_TRACE_FILE=$out/trace.txt \
        "$build/tests/cuda/cuda-bench" "$large" zero-shot 10 fp16 1 3 warm=5 || return
    "$python" "$root/tests/cuda/timeline.py" "$out/trace.txt" --svg "$out/trace.svg"
}

# Prints the clocks after the measurements, and those that were seen meanwhile.
clocks() {
    nvidia-smi -q -d CLOCK,PERFORMANCE,TEMPERATURE,POWER || return
    sort "$out/clocks.csv" | uniq -c | sort -rn | head -20
}

# Runs the element on a machine without GStreamer.
bundle() {
    local from=${RVOS_GPU_BUNDLE:-}
    [ -n "$from" ] || { echo "skipped: no RVOS_GPU_BUNDLE (tests/gpu_bundle.sh makes it)"; return 77; }
    if [ -f "$from" ]; then
        tar -C "$build" -xf "$from" || return
        from=$build/rvos-bundle
    fi
    "$from/run.sh" "$root" "$build/engine/src/cuda" "$out/bundle"
}

# ---- first: at most 180 s, the build included -----------------------------------------

# Called before anything else.
first_begins() {
    ends=$((SECONDS + 180))
    [ -n "$gpu" ] || return
    timeout 190 nvidia-smi --query-gpu=clocks.sm,clocks.mem,clocks_throttle_reasons.active \
        --format=csv,noheader -lms 500 > "$out/clocks.csv" 2> /dev/null &
    sampler=$!
}

part_first() {
    local -x RVOS_CUDA_TUNE=0 # hundreds of shapes, each for a few frames
    reserve=30 # for the trace and the clocks
    own=first-tiles part "tile kernels against plain" 20 "$build/tests/cuda/cuda-tiles"
    own=first-golden part "two golden cases, fp32" 25 golden_two ||
        RVOS_CUDA_CHECK=1 own=first-check part "which step is off, fp32" 20 golden_two
    own=first-half part "two golden cases, fp16" 25 half_two ||
        RVOS_CUDA_CHECK=1 own=first-check-half part "which step is off, fp16" 20 half_two
    unset RVOS_CUDA_TUNE
    bench_s=30
    rm -rf "$XDG_CACHE_HOME"
    bench_s=45 RVOS_BENCH_LOG=$out/engines-cold.txt bench "start cold" "$large" zero-shot 10 fp16 1 300
    bench "latency r101 10" "$large" zero-shot 10 fp16 1 1000
    bench "start warm" "$large" zero-shot 10 fp16 1 50
    RVOS_CUDA_STEPS=1 RVOS_BENCH_LOG=$out/steps-r101.txt bench "steps r101" "$large" zero-shot 10 fp16 1 20
    reserve=8
    own=timeline part "kernel trace" 22 trace
    bench "cold r18 10" "$model" zero-shot 10 fp16 1 300
    bench "latency r18 10" "$model" zero-shot 10 fp16 1 1000
    bench "cold r18 5" "$model" zero-shot 5 fp16 1 300
    bench "latency r18 5" "$model" zero-shot 5 fp16 1 1000
    RVOS_CUDA_TIMES=1 bench "events r101 10" "$large" zero-shot 10 fp16 1 200
    reserve=0
    [ -z "${sampler:-}" ] || kill "$sampler" 2> /dev/null
    own=clocks part "clocks" 8 clocks
    unset bench_s
}

# ---- speed: at most 400 s -------------------------------------------------------------

part_speed() {
    local streams objects
    ends=$((SECONDS + 400))
    for _ in 1 2 3; do
        bench "latency r101 10" "$large" zero-shot 10 fp16 1 1000
        bench "latency r18 10" "$model" zero-shot 10 fp16 1 1000
        bench "latency r18 5" "$model" zero-shot 5 fp16 1 1000
    done
    part "PyTorch in turn, ResNet-101" 75 peers resnet101 "$large" 10 55 --peers fp32,tf32,fp16,graph
    for streams in 16 1 4 64 2 8 32; do
        bench "streams r101 $streams batched" "$large" zero-shot 10 fp16 "$streams" \
            $((3000 / streams + 20)) batch=16 wait=2000
    done
    for streams in 16 4; do
        bench "streams r101 $streams each alone" "$large" zero-shot 10 fp16 "$streams" \
            $((2000 / streams + 20))
    done
    part "PyTorch in turn, ResNet-18" 45 peers resnet18 "$model" 10 30 --peers fp32,graph --ours fp16
    part "the element's bundle" 60 bundle
    for objects in 1 2 3 5 10 20 32; do
        bench "objects r18 $objects" "$model" zero-shot "$objects" fp16 1 300
    done
    # Run separately, because events and log lines would disturb the timed frames.
    for _ in 1 2; do
        RVOS_CUDA_TIMES=1 bench "events r101 10" "$large" zero-shot 10 fp16 1 200
        RVOS_CUDA_TIMES=1 bench "events r18 10" "$model" zero-shot 10 fp16 1 200
        RVOS_CUDA_TIMES=1 bench "events r18 5" "$model" zero-shot 5 fp16 1 200
    done
    for _ in 1 2; do
        RVOS_BENCH_LOG=$out/start-warm.txt bench "start warm" "$large" zero-shot 10 fp16 1 50
    done
    for streams in 1 4 16 64; do
        bench "streams r18 $streams batched" "$model" zero-shot 10 fp16 "$streams" \
            $((4000 / streams + 20)) batch=16 wait=2000
    done
    RVOS_CUDA_STEPS=1 RVOS_BENCH_LOG=$out/steps-r18.txt bench "steps r18" "$model" zero-shot 10 fp16 1 20
    bench "fp32 r101 10" "$large" zero-shot 10 fp32 1 100
    bench "tf32 r101 10" "$large" zero-shot 10 tf32 1 200
    bench "one-shot r18 10" "$model" one-shot 10 fp16 1 500
    bench "one-shot r101 10" "$large" one-shot 10 fp16 1 300
    bench "host r18 5" "$model" zero-shot 5 fp16 1 300 host
}

# ---- the others -----------------------------------------------------------------------

part_numbers() {
    # Hundreds of shapes, each for a few frames: do not time engines for these.
    local -x RVOS_CUDA_TUNE=0
    if ! own=golden part "golden, fp32" 120 golden; then
        # Find the faulty engine: without cuDNN the result must be the same.
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
    unset RVOS_CUDA_TUNE
    own=agree part "fp16 against fp32" 60 agree
}

part_peers() {
    part "PyTorch compiled, ResNet-101" 170 peers resnet101-compiled "$large" 10 150 --peers compile \
        --ours fp16
}

part_long() {
    rm -f "$build/long.rc"
    write_long > "$build/long.log" 2>&1 &
    writer=$!
    trap '[ -z "$writer" ] || kill "$writer"' EXIT
    own=faults part "faults" 90 "$build/tests/cuda/cuda-faults" "$model"
    RVOS_CUDA_TUNE=0 own=long part "long cases, fp32" 240 long_golden
    kill "$writer" 2> /dev/null
    wait "$writer" 2> /dev/null
    writer=
}

# All of cuDNN's engines, compiled ones included, whatever the cost.
part_engines() {
    bench_s=$(left) RVOS_CUDA_TUNE=all XDG_CACHE_HOME=$build/cache-all \
        RVOS_BENCH_LOG=$out/engines-all.txt \
        bench "all engines r101 10" "$large" zero-shot 10 fp16 1 500
}

part_checks() {
    local name dir
    # Checks the code around the convolutions, and our own kernels.
    export RVOS_CUDA_CONV=plain
    for name in api badmodel output seeds stream; do
        dir=$build/tests/models
        case $name in api|badmodel) dir=$build/tests/engine/broken ;; esac
        part "$name" 60 "$build/tests/engine/$name" cuda "$dir"
    done
    # Measuring whether chaining pays takes minutes under these tools.
    export RVOS_CUDA_CHAIN=0
    part "memcheck" 60 sanitizer memcheck r18_one
    part "racecheck" 60 sanitizer racecheck r18_zero
    unset RVOS_CUDA_CONV
    part "memcheck, own kernels" 60 tiles_checked memcheck
    part "racecheck, own kernels" 60 tiles_checked racecheck
    unset RVOS_CUDA_CHAIN
}
