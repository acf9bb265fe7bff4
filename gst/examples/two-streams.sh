#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# two-streams.sh IN1 IN2 OUT.mp4 [PROPERTY=VALUE...]: two videos side by side. Both
# elements share one copy of the weights by themselves; each has its own state.
set -eu
if [ $# -lt 3 ]; then
    echo "usage: two-streams.sh IN1 IN2 OUT.mp4 [PROPERTY=VALUE...]" >&2
    exit 2
fi
one=$1 two=$2 out=$3
shift 3
exec gst-launch-1.0 -q compositor name=c background=black sink_0::width=480 sink_0::height=360 \
    sink_1::width=480 sink_1::height=360 sink_1::xpos=480 ! videoconvert ! queue ! \
    x264enc tune=zerolatency ! h264parse ! mp4mux ! filesink location="$out" \
    filesrc location="$one" ! decodebin ! videoconvert ! rvosseg "$@" ! queue ! c.sink_0 \
    filesrc location="$two" ! decodebin ! videoconvert ! rvosseg "$@" ! queue ! c.sink_1
