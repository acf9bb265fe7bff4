#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# element_pictures.sh [FOLDER [FRAME]]: makes a picture of each output of rvosseg, element-*.jpg in
# FOLDER (default: docs/images), from frame FRAME of the shipped clip, with the shipped model in
# zero-shot mode.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
out=${1:-$root/docs/images}
clip=$root/data/clips/cup.mp4
frame=${2:-24}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# Segments all frames up to FRAME with each output. The decoder may send one more on its end.
set --
while read -r name properties; do
    # shellcheck disable=SC2086 # several properties
    set -- "$@" t. ! queue ! rvosseg mode=zero-shot engine=cpu $properties ! videoconvert ! \
        videoscale ! video/x-raw,format=RGB,width=480,height=360 ! jpegenc quality=88 ! \
        multifilesink location="$work/element-$name-%d.jpg" post-messages=false
done <<'END'
overlay
contour overlay-alpha=0 contour-width=4
mask output=mask
none output=none
text overlay-text=id
END
gst-launch-1.0 -q filesrc location="$clip" ! decodebin ! videoconvert ! \
    identity eos-after=$((frame + 1)) ! tee name=t "$@"
for picture in "$work"/element-*-"$frame".jpg; do
    name=${picture##*/}
    mv "$picture" "$out/${name%-"$frame".jpg}.jpg"
done

# The alpha channel, over a green background: one frame, repeated.
gst-launch-1.0 -q compositor name=c sink_0::repeat-after-eos=true ! \
    video/x-raw,width=640,height=480 ! videoconvert ! \
    videoscale ! video/x-raw,format=RGB,width=480,height=360 ! jpegenc quality=88 ! \
    multifilesink location="$work/alpha%02d.jpg" post-messages=false \
    videotestsrc pattern=solid-color foreground-color=0xff20a040 num-buffers=1 ! \
    video/x-raw,width=640,height=480 ! c.sink_0 \
    filesrc location="$clip" ! decodebin ! videoconvert ! \
    identity eos-after=$((frame + 1)) ! rvosseg mode=zero-shot engine=cpu output=alpha ! queue ! c.sink_1
mv "$work/$(printf 'alpha%02d.jpg' $((frame - 2)))" "$out/element-alpha.jpg"

# The pad `mask`: slots as grey values, multiplied by 60 to make them visible.
gst-launch-1.0 -q filesrc location="$clip" ! decodebin ! videoconvert ! \
    identity eos-after=$((frame + 1)) ! rvosseg name=r mode=zero-shot engine=cpu output=none \
    r.src ! queue ! fakesink sync=false \
    r.mask ! queue ! pngenc ! multifilesink location="$work/pad%02d.png" post-messages=false
/usr/bin/python3 - "$work/$(printf 'pad%02d.png' "$frame")" "$out/element-pad.jpg" <<'END'
import sys
from PIL import Image
mask = Image.open(sys.argv[1]).point([min(255, 60 * slot) for slot in range(256)])
mask.resize((480, 360), Image.NEAREST).save(sys.argv[2], quality=88)
END
