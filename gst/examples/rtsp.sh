#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# rtsp.sh rtsp://HOST/PATH [PROPERTY=VALUE...]: a network camera, segmented, on the
# screen. For the other direction see rtsp-server.py. SINK names another element.
set -eu
if [ $# -lt 1 ]; then
    echo "usage: rtsp.sh rtsp://HOST/PATH [PROPERTY=VALUE...]" >&2
    exit 2
fi
url=$1
shift
exec gst-launch-1.0 -q rtspsrc location="$url" latency=200 ! decodebin ! videoconvert ! \
    queue leaky=downstream max-size-buffers=1 ! \
    rvosseg max-inference-rate=10/1 "$@" ! \
    queue ! videoconvert ! ${SINK:-autovideosink}
