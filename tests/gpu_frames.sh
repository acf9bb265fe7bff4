#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu_frames.sh OUT_DIR [CLIP [COUNT]] - writes a clip as pictures of the network's size, for
# tests/gpu.sh on a machine without a decoder (RVOS_FRAMES=OUT_DIR).
#
# It needs GStreamer. 100 frames of data/clips/cup.mp4 as JPEG are 3 MB.
set -eu
[ $# -ge 1 ] || { echo "usage: gpu_frames.sh OUT_DIR [CLIP [COUNT]]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
clip=${2:-$root/data/clips/cup.mp4}
count=${3:-100}
mkdir -p "$1"
[ -r "$clip" ] || { echo "gpu_frames.sh: $clip: cannot be read" >&2; exit 1; }
gst-launch-1.0 -q filesrc "location=$clip" ! decodebin ! videoconvert ! videoscale ! \
    video/x-raw,width=448,height=256,pixel-aspect-ratio=1/1 ! identity "eos-after=$((count - 1))" ! \
    jpegenc quality=95 ! multifilesink "location=$1/%05d.jpg"
n=$(find "$1" -name '*.jpg' | wc -l)
echo "$1: $n frames, $(du -sk "$1" | cut -f1) KB"
[ "$n" -ge 60 ] || { echo "gpu_frames.sh: fewer than 60 frames" >&2; exit 1; }
