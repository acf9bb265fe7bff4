#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virtual-camera.sh blur|PICTURE [PROPERTY=VALUE...]: a camera for calls, with the background
# blurred, or with a picture instead of it. docs/examples.md says what to install.
#
# OUT is the device of v4l2loopback, /dev/video10 if unset, or `pipewire`. SIZE is that of the
# camera. SOURCE and SINK name other elements. The queue keeps the newest frame only.
set -eu
if [ $# = 0 ]; then
    echo "usage: virtual-camera.sh blur|PICTURE [PROPERTY=VALUE...]" >&2
    exit 2
fi
background=$1 out=${OUT:-/dev/video10} size=${SIZE:-640x480}
shift
width=${size%x*} height=${size#*x}
if [ "$background" != blur ] && [ ! -r "$background" ]; then
    echo "virtual-camera.sh: $background: no such picture" >&2
    exit 2
fi
if [ "${SINK:-}" ]; then
    sink=$SINK
elif [ "$out" = pipewire ]; then
    sink="pipewiresink mode=provide \
        stream-properties=props,media.class=Video/Source,media.role=Camera,node.description=rvosseg"
    if gst-inspect-1.0 pipewiresink | grep -q use-bufferpool; then
        # PipeWire 1.4 passes on what is written into its own buffers, by an element that only writes.
        sink="video/x-raw,format=I420 ! queue ! videoconvert ! video/x-raw,format=YUY2 ! $sink sync=false"
    else
        # PipeWire 0.3 crashes if elements before its sink use the buffers that it offers.
        sink="video/x-raw,format=YUY2 ! queue ! identity drop-allocation=true ! $sink"
    fi
elif [ -c "$out" ]; then
    sink="v4l2sink device=$out"
else
    echo "virtual-camera.sh: there is no $out: is v4l2loopback loaded? As root:" >&2
    echo "    modprobe v4l2loopback video_nr=10 card_label=rvosseg exclusive_caps=1" >&2
    exit 1
fi
frame="video/x-raw,width=$width,height=$height"
camera="${SOURCE:-v4l2src} ! videoconvert ! videoscale ! $frame ! \
    queue leaky=downstream max-size-buffers=1 ! videoconvert ! rvosseg name=r output=alpha"
# The first frame may come late. Without start-time-selection a chequered picture comes before it.
compose="compositor name=c start-time-selection=first background=black \
    sink_0::width=$width sink_0::height=$height"
[ "$out" = pipewire ] && [ ! "${SINK:-}" ] || sink="video/x-raw,format=YUY2 ! queue ! $sink"
finish="videoconvert ! $sink"
# Both branches start behind the network: their frames come at the same time.
# shellcheck disable=SC2086 # descriptions of pipelines
if [ "$background" = blur ]; then
    # I420 drops the alpha channel. A quarter of the size: a wider blur, in less time.
    exec gst-launch-1.0 -q $camera "$@" ! tee name=t \
        $compose ! $finish \
        t. ! queue ! videoconvert ! videoscale ! \
        video/x-raw,format=I420,width=$((width / 4)),height=$((height / 4)) ! \
        videoconvert ! gaussianblur sigma=4 ! videoconvert ! c.sink_0 \
        t. ! queue ! c.sink_1
fi
# The picture comes once and is repeated until the camera ends.
# shellcheck disable=SC2086
exec gst-launch-1.0 -q $compose sink_0::repeat-after-eos=true ! $finish \
    filesrc location="$background" ! decodebin ! videoconvert ! videoscale ! $frame ! c.sink_0 \
    $camera "$@" ! queue ! c.sink_1
