#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu.sh OUT_DIR [MINUTES] - runs all tests and measurements that need a GPU, unattended.
#
# The machine needs gcc, nvcc 13, cuDNN 9, meson, ninja, python3 with numpy and PyTorch, but
# no GStreamer and no network. The script builds, checks the numbers, measures, measures
# PyTorch in turn, and runs compute-sanitizer. An item that fails does not stop the others.
# OUT_DIR gets logs, one table (table.txt) and results.json. It ends with 0: all passed, 1:
# something failed, 77: there is no GPU (the build is tried all the same).
#
# RVOS_GPU_PARTS   the parts of gpu_parts.sh to run:
#                  first    at most 180 s: is it right, how fast, where the time goes
#                  speed    at most 400 s: PyTorch in turn, streams, objects, the element
#                  numbers  golden cases, batched passes, fp16 against fp32
#                  peers    PyTorch compiled, minutes of its compiler included
#                  checks   the engine's own tests, compute-sanitizer
#                  long     long cases in fp32, faults
#                  engines  every engine of cuDNN, for some minutes
#                  Without it, all but engines run. Several calls may share OUT_DIR and
#                  RVOS_GPU_BUILD; the table has the results of all.
# RVOS_GPU_BUILD   build folder, kept; else a new one in /tmp.
# RVOS_GPU_ARCHIVE a .tar.gz of OUT_DIR, made anew after each item. It is the result of a run
#                  that is cut off, or of a machine that gives back a few files only.
# RVOS_GPU_BUNDLE  for `speed`: the file of tests/gpu_bundle.sh, or its unpacked folder.
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
wanted=${RVOS_GPU_PARTS:-first speed numbers peers checks long}
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

# Seconds until the end of the call or of the current part, less the reserve for later items.
ends=$limit
reserve=0
left() { echo $(((ends < limit ? ends : limit) - SECONDS - reserve)); }
wants() { [[ " $wanted " == *" $1 "* ]]; }

# RVOS_GPU_ARCHIVE is complete at any time.
pack() {
    [ -n "$archive" ] || return 0
    tar -C "$out" --exclude="./${archive##*/}*" -czf "$archive.new" . 2> /dev/null || [ $? = 1 ] || return
    mv -f "$archive.new" "$archive"
}

# Whether the engine ran without a graph. A test may pass then, but a user notices.
no_graph() { grep -q "could not be captured" "$1"; }

# part NAME SECONDS COMMAND...: runs it and prints PASS, FAIL or SKIP. Its output goes to the
# log, and to OUT_DIR/$own.log if own is set.
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
        # "faults" makes it fail for lack of memory.
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
    # Masks are compared with the CPU's before timing; the CPU's masks are made once.
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

# shellcheck source=tests/gpu_parts.sh
. "$root/tests/gpu_parts.sh"

model=$root/data/models/rvos-resnet18-h128.safetensors
large=$build/resnet101.safetensors
gpu=
nvidia-smi -L 2> /dev/null | grep -q GPU && gpu=yes

export root out build model large python
export -f machine configure compile compile_first random_model golden golden_two shared_golden half_golden half_two \
    long_golden raw_frames agree sanitizer tiles_checked batched peers trace bundle clocks

run_part() {
    ! wants "$1" || { ends=$limit reserve=0; "part_$1"; }
}

! wants first || first_begins
part "machine" 20 machine
! wants first || part "build, what is needed first" 120 compile_first
if [ -z "$gpu" ]; then
    [ "$wanted" = first ] || part "build" 300 compile
    sed -n 's/^.*part "\([^"$]*\)" .*$/\1/p' "$root/tests/gpu_parts.sh" | while read -r name; do
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
[ -s "$large" ] || part "random ResNet-101" 60 random_model

! wants first || part_first
ends=$limit
[ "$wanted" = first ] || part "build" 300 compile
for name in speed numbers peers checks long engines; do
    run_part $name
done

"$python" "$root/tests/cuda/gpu_table.py" "$out" || worst=1
pack
echo "took $SECONDS s; log: $log"
exit $worst
