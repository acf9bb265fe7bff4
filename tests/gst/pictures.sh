#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# pictures.sh ROOT OUT: makes the documentation's pictures in OUT with the shipped model, and
# checks their content. Exits with 77 if something is missing.
set -eu
root=$1 out=$2

skip()
{
    echo "skipped: $*"
    exit 77
}

for file in models/rvos-resnet18-h128.safetensors clips/cup.mp4; do
    [ -r "$root/data/$file" ] || skip "no data/$file here"
done
/usr/bin/python3 -c 'import PIL, numpy' 2>/dev/null || skip "no Pillow or no numpy here"
for element in avdec_h264 qtdemux jpegenc pngenc compositor; do
    gst-inspect-1.0 "$element" >/dev/null 2>&1 || skip "no element $element here"
done
sh "$root/docs/element_pictures.sh" "$out" 3 # an early frame is faster and shows as much
exec /usr/bin/python3 - "$out" <<'END'
import sys
import numpy as np
from PIL import Image

pictures = {name: np.asarray(Image.open(f"{sys.argv[1]}/element-{name}.jpg").convert("RGB"),
                             dtype=int)
            for name in ("overlay", "contour", "mask", "alpha", "pad", "none")}
pad = np.asarray(Image.open(f"{sys.argv[1]}/element-pad.jpg").convert("L"), dtype=int)
objects, rest = pad > 60, pad < 20
changed = abs(pictures["overlay"] - pictures["none"]).max(axis=2) > 20
failures = [what for what, good in {
    "objects on the mask pad": 0.02 < objects.mean() < 0.7,
    "the overlay tints objects": changed[objects].mean() > 0.8,
    "and nothing else": changed[rest].mean() < 0.03,
    "contours are thin": 0 < (abs(pictures["contour"] - pictures["none"]).max(axis=2) > 20).mean()
                         < changed.mean(),
    "the mask is black where nothing is": pictures["mask"][rest].mean() < 5,
    "and coloured where objects are": pictures["mask"][objects].max(axis=1).mean() > 100,
    "the matte keeps objects": abs(pictures["alpha"] - pictures["none"])[objects].mean() < 25,
    "and shows green elsewhere": (pictures["alpha"][rest][:, 1] >
                                  pictures["alpha"][rest][:, 0] + 60).mean() > 0.9,
}.items() if not good]
sys.exit("failed: " + "; ".join(failures) if failures else 0)
END
