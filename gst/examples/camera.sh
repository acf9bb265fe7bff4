#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# camera.sh [PROPERTY=VALUE...]: the camera, segmented, on the screen.
#
# The leaky queue keeps the newest frame only; the network runs at most 10 times a
# second and frames between show its last mask. SOURCE and SINK name other elements.
set -eu
exec gst-launch-1.0 -q ${SOURCE:-v4l2src} ! videoconvert ! \
    queue leaky=downstream max-size-buffers=1 ! \
    rvosseg max-inference-rate=10/1 "$@" ! \
    queue ! videoconvert ! ${SINK:-autovideosink}
