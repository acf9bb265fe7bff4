#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu_bundle.sh OUT.tar.xz - packs the element and the GStreamer files that it needs into one
# file, for a GPU machine without GStreamer.
#
# Made where GStreamer 1.22 with the nvcodec plugin is installed; taken there, unpacked,
# and run by its own run.sh SOURCE_ROOT [MODULE_DIR [OUT_DIR]], which plays the clip of the
# source tree through the decoder of the GPU and the element (MODULE_DIR: where
# librvos-cuda.so was built, for it needs that machine's cuDNN). It tells how long a frame
# took, how long of it the engine, and how often gst-cuda has copied between GPU and host.
# The element is built without oneDNN, to be small.
set -eu
[ $# -eq 1 ] || { echo "usage: gpu_bundle.sh OUT.tar.xz" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/rvos-bundle
plugins="coreelements isomp4 videoparsersbad nvcodec videoconvertscale videotestsrc"

fail() { echo "gpu_bundle.sh: $*" >&2; exit 1; }

from=$(pkg-config --variable=pluginsdir gstreamer-1.0) || fail "no gstreamer-1.0.pc"
mkdir -p "$bundle/bin" "$bundle/lib" "$bundle/plugins"
for p in $plugins; do
    cp "$from/libgst$p.so" "$bundle/plugins/" || fail "no plugin $p: see data/packages.sh"
done
meson setup "$work/build" "$root" -Dgst=enabled -Donednn=disabled -Dcuda=disabled \
    -Dcuda-memory=enabled -Dtools=disabled -Dtests=disabled -Dbuildtype=release > "$work/log" ||
    { cat "$work/log"; fail "meson"; }
ninja -C "$work/build" > "$work/log" || { tail -30 "$work/log"; fail "ninja"; }
cp "$work"/build/gst/*.so "$bundle/plugins/"
cp -L "$work"/build/engine/librvos.so.0 "$bundle/lib/"
cc -O2 -shared -fPIC -o "$bundle/lib/counting.so" "$root/tests/cuda/counting.c" -ldl ||
    fail "counting.c"
for tool in gst-launch-1.0 gst-inspect-1.0; do
    cp "$(command -v $tool)" "$bundle/bin/" || fail "no $tool"
done
scanner=$(pkg-config --variable=libexecdir gstreamer-1.0 2> /dev/null || true)
find "${scanner:-/usr/lib}" -name gst-plugin-scanner 2> /dev/null | head -1 |
    xargs -r -I{} cp {} "$bundle/bin/"

# The libraries that they link to, except the C library and the driver, which must be the machine's.
find "$bundle" -type f \( -name '*.so*' -o -path '*/bin/*' \) -print0 |
    LD_LIBRARY_PATH=$bundle/lib xargs -0 ldd 2> /dev/null |
    awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    grep -vE '/(ld-linux.*|libc|libm|libdl|libpthread|librt|libresolv|libutil|libcuda|libnv.*)\.so|rvos-bundle' |
    while read -r lib; do cp -L "$lib" "$bundle/lib/"; done
find "$bundle" -name '*.so*' -exec strip --strip-unneeded {} +

cat > "$bundle/run.sh" <<'RUN'
#!/bin/bash
# run.sh SOURCE_ROOT [MODULE_DIR [OUT_DIR]] - 0: all pipelines ran, 1: one did not, 77: no GPU.
# RVOS_BUNDLE_FRAMES: of the made-up video of 1080p (300); RVOS_BUNDLE_PROPERTIES: more of rvosseg.
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: run.sh SOURCE_ROOT [MODULE_DIR [OUT_DIR]]" >&2; exit 2; }
out=${3:-$(mktemp -d)}
mkdir -p "$out"
export LD_LIBRARY_PATH=$here/lib:${2:-}:${LD_LIBRARY_PATH:-} GST_PLUGIN_SYSTEM_PATH="" \
    GST_PLUGIN_PATH=$here/plugins GST_REGISTRY=$out/registry.bin PATH=$here/bin:$PATH \
    GST_DEBUG_NO_COLOR=1
[ -x "$here/bin/gst-plugin-scanner" ] && export GST_PLUGIN_SCANNER=$here/bin/gst-plugin-scanner
model=$1/data/models/rvos-resnet18-h128.safetensors
clip=$1/data/clips/cup.mp4
frames=${RVOS_BUNDLE_FRAMES:-300}
cuda='video/x-raw(memory:CUDAMemory)'
worst=0

# run NAME ELEMENTS...: how it went; then, of lines with rvosseg, its own times and the
# copies of gst-cuda.
run() {
    local name=$1 began ended rc
    shift
    began=$(date +%s%N)
    timeout 60 env GST_DEBUG=rvosseg:4 LD_PRELOAD="$here/lib/counting.so" \
        COUNTING_REPORT="$out/$name.copies" gst-launch-1.0 -q "$@" > "$out/$name.log" 2>&1
    rc=$?
    ended=$(date +%s%N)
    [ "$rc" = 0 ] || { worst=1; tail -5 "$out/$name.log"; }
    printf '%-28s %-9s %6d ms\n' "$name" "$([ $rc = 0 ] && echo PASS || echo "FAIL $rc")" \
        $(((ended - began) / 1000000))
    sed -n 's/.*log_stats:<[^>]*> \(.* us in the engine\);.*inference-ns-p95=(guint64)\([0-9]*\),.*/    \1, p95 \2 ns/p' \
        "$out/$name.log"
    [ ! -s "$out/$name.copies" ] || echo "    copies: $(cat "$out/$name.copies")"
}
play() { # NAME ELEMENTS...: the clip
    local name=$1
    shift
    run "$name" filesrc location="$clip" ! qtdemux ! h264parse ! "$@"
}
make_up() { # NAME ELEMENTS...: 1080p, uploaded
    local name=$1
    shift
    run "$name" videotestsrc num-buffers="$frames" pattern=ball ! \
        video/x-raw,format=NV12,width=1920,height=1080 ! "$@"
}
segment="rvosseg engine=cuda model=$model ${RVOS_BUNDLE_PROPERTIES:-}"

gst-inspect-1.0 rvosseg > "$out/inspect.txt" 2>&1 || { echo "FAIL: no rvosseg"; exit 1; }
grep -q memory:CUDAMemory "$out/inspect.txt" || { echo "FAIL: no CUDA memory"; exit 1; }
if ! gst-inspect-1.0 cudaupload > /dev/null 2>&1; then
    echo "SKIP: nvcodec knows neither decoder nor encoder here, or there is no GPU"
    exit 77
fi
# shellcheck disable=SC2086 # properties
{
make_up 1080p-upload cudaupload ! "$cuda" ! fakesink sync=false
# The element must add no copy to those of cudaupload: two a frame, one for each plane.
make_up 1080p-on-gpu cudaupload ! "$cuda" ! $segment ! fakesink sync=false
make_up 1080p-mask-pad cudaupload ! "$cuda" ! $segment name=r r.src ! queue ! fakesink \
    sync=false r.mask ! queue ! fakesink sync=false
make_up 1080p-from-host $segment ! fakesink sync=false
make_up 1080p-twice cudaupload ! "$cuda" ! tee name=t t. ! queue ! $segment ! fakesink \
    sync=false t. ! queue ! $segment output=mask ! fakesink sync=false
}
if ! gst-inspect-1.0 nvh264dec > /dev/null 2>&1; then
    echo "SKIP: the GPU has no decoder that nvcodec knows"
    exit $worst
fi
# shellcheck disable=SC2086
{
play decode nvh264dec ! fakesink sync=false
play decode-to-host nvh264dec ! cudadownload ! fakesink sync=false
play segment-cuda nvh264dec ! cudadownload ! video/x-raw ! $segment ! fakesink sync=false
# Frames that stay on the GPU from the decoder on: no copy to the host.
play segment-on-gpu nvh264dec ! "$cuda" ! $segment ! fakesink sync=false
play segment-on-gpu-download nvh264dec ! "$cuda" ! $segment ! cudadownload ! \
    "video/x-raw(memory:SystemMemory)" ! fakesink sync=false
}
exit $worst
RUN
chmod +x "$bundle/run.sh"
tar -C "$work" -cJf "$1" rvos-bundle
size=$(stat -c %s "$1")
echo "$1: $((size / 1024)) KB, $(find "$bundle/lib" -type f | wc -l) libraries"
[ "$size" -le $((25 * 1024 * 1024)) ] || fail "larger than 25 MiB"
