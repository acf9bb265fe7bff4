#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# launch.sh MODEL: runs gst-launch-1.0 with nvcodec's cudaupload and cudadownload on both sides,
# and checks the driver's counts. NV12 needs two copies a frame. Exits with 77 without nvcodec.
set -u
model=$1
report=$(mktemp)
log=$(mktemp)
trap 'rm -f "$report" "$log"' EXIT
frames=10 failed=0
export FAKE_CUDA_DEVICES=2 FAKE_CUDA_REPORT="$report"

gst-launch-1.0 --version >/dev/null 2>&1 || { echo "skipped: no gst-launch-1.0"; exit 77; }
gst-inspect-1.0 cudaupload >/dev/null 2>&1 || { echo "skipped: no plugin nvcodec"; exit 77; }

# check NAME "COUNTS" REST...: runs a source, upload, and the rest of the line. COUNTS are the
# driver's.
check()
{
    name=$1 wanted=$2
    shift 2
    : >"$report"
    timeout 100 gst-launch-1.0 -q videotestsrc num-buffers=$frames ! \
        video/x-raw,format=NV12,width=320,height=240 ! cudaupload "$@" >"$log" 2>&1
    status=$?
    counted=$(sed -n '1,4s/-/_/;1,4p' "$report" | tr '\n' ' ')
    if [ "$status" = 0 ] && [ "$counted" = "$wanted " ]; then
        echo "ok    $name: $counted"
    else
        echo "FAIL  $name: exit status $status, $counted, not $wanted"
        sed 's/^/      /' "$log"
        failed=1
    fi
}

cuda='video/x-raw(memory:CUDAMemory)'
small="model=$model network-width=32 network-height=32 objects=2"

# shellcheck disable=SC2086 # properties
{
check "stays on the GPU" "to_host 0 to_device $((2 * frames)) on_device 0 misuses 0" \
    ! "$cuda" ! rvosseg engine=cuda $small ! fakesink
check "up and down" \
    "to_host $((2 * frames)) to_device $((2 * frames)) on_device 0 misuses 0" \
    ! "$cuda" ! rvosseg engine=cuda $small ! cudadownload ! "video/x-raw(memory:SystemMemory)" ! \
    fakesink
check "with the mask pad" "to_host $frames to_device $((2 * frames)) on_device 0 misuses 0" \
    ! "$cuda" ! rvosseg name=r engine=cuda $small r.src ! queue ! fakesink \
    r.mask ! queue ! fakesink
check "the other GPU" "to_host 0 to_device $((2 * frames)) on_device 0 misuses 0" \
    cuda-device-id=1 ! "$cuda" ! rvosseg engine=cuda $small ! fakesink
check "two in a row" "to_host 0 to_device $((2 * frames)) on_device 0 misuses 0" \
    ! "$cuda" ! rvosseg engine=cuda $small ! rvosseg engine=cuda $small output=mask ! fakesink
check "without CUDA: system memory" "to_host 0 to_device 0 on_device 0 misuses 0" \
    ! rvosseg engine=cpu $small ! cudadownload ! fakesink
}
exit $failed
