#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# file.sh IN OUT.mp4 [PROPERTY=VALUE...]: a video with its objects drawn on it.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: file.sh IN OUT.mp4 [PROPERTY=VALUE...]" >&2
    exit 2
fi
in=$1 out=$2
shift 2
exec gst-launch-1.0 -q filesrc location="$in" ! decodebin ! videoconvert ! \
    rvosseg "$@" ! videoconvert ! queue ! x264enc tune=zerolatency ! \
    h264parse ! mp4mux ! filesink location="$out"
