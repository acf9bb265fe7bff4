#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# background.sh IN OUT.mp4 blur|PICTURE [PROPERTY=VALUE...]: the objects before another
# background, by output=alpha and compositor. SIZE is that of the result with a PICTURE.
set -eu
if [ $# -lt 3 ]; then
    echo "usage: background.sh IN OUT.mp4 blur|PICTURE [PROPERTY=VALUE...]" >&2
    exit 2
fi
in=$1 out=$2 background=$3
shift 3
encode="videoconvert ! video/x-raw,format=I420 ! queue ! x264enc tune=zerolatency ! h264parse ! mp4mux"
if [ "$background" = blur ]; then
    exec gst-launch-1.0 -q filesrc location="$in" ! decodebin ! videoconvert ! tee name=t \
        compositor name=c background=black ! $encode ! filesink location="$out" \
        t. ! queue ! videoconvert ! gaussianblur sigma=8 ! videoconvert ! c.sink_0 \
        t. ! queue ! videoconvert ! rvosseg output=alpha "$@" ! c.sink_1
fi
# The picture comes once and is repeated until the video ends.
size=${SIZE:-640x480}
width=${size%x*} height=${size#*x}
exec gst-launch-1.0 -q compositor name=c background=black sink_0::repeat-after-eos=true \
    sink_0::width="$width" sink_0::height="$height" \
    sink_1::width="$width" sink_1::height="$height" ! \
    $encode ! filesink location="$out" \
    filesrc location="$background" ! decodebin ! videoconvert ! c.sink_0 \
    filesrc location="$in" ! decodebin ! videoconvert ! rvosseg output=alpha "$@" ! \
    queue ! c.sink_1
