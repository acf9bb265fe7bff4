#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tests data/demo.sh: a small video with sound goes through it completely, and bad arguments get
# one clear message. It uses the build in BUILD_DIR and installs nothing.
#
#     sh tests/demo.sh BUILD_DIR
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
[ $# = 1 ] || { echo "usage: sh tests/demo.sh BUILD_DIR" >&2; exit 2; }
RVOS_BUILD_DIR=$(CDPATH='' cd -- "$1" && pwd) || exit 1
export RVOS_BUILD_DIR
if [ ! -e "$RVOS_BUILD_DIR/gst/libgstrvosseg.so" ]; then
    echo "skipped: the element is not in this build"
    exit 77
fi
unset DISPLAY WAYLAND_DISPLAY RVOS_CAMERA RVOS_SCREEN
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

demo()
{
    sh "$root/data/demo.sh" --no-install "$@" </dev/null >"$work/log" 2>&1
}

fault()
{
    echo "FAILED: $*"
    sed 's/^/    /' "$work/log"
    failed=1
}

# refused TEXT ARGUMENTS...: the demo must fail, print TEXT, and leave no file behind.
refused()
{
    text=$1
    shift
    if demo "$@" --output "$work/no.mp4"; then
        fault "accepted: $*"
    elif ! grep -q -e "$text" "$work/log"; then
        fault "not said of $*: $text"
    elif [ -e "$work/no.mp4" ] || ls "$work"/.rvos-demo-* >/dev/null 2>&1; then
        fault "left a file behind: $*"
    else
        echo "ok: refused with \"$text\""
    fi
}

# An odd size, sound, and a name that needs quoting.
small="a \"small\" ! it's.mkv"
gst-launch-1.0 -q matroskamux name=mux ! filesink location=made.mkv \
    videotestsrc pattern=ball num-buffers=20 ! video/x-raw,width=161,height=121,framerate=10/1 ! \
    jpegenc ! mux. \
    audiotestsrc num-buffers=86 samplesperbuffer=1024 ! audio/x-raw,rate=44100,channels=1 ! mux. \
    >"$work/log" 2>&1 || { fault "no test video"; exit 1; }
mv made.mkv "$small"

if ! demo "$small" --output "out put/o.mp4" objects=1 overlay-alpha=0.7; then
    fault "the small video"
elif ! grep -q 'through 20 frames' "$work/log"; then
    fault "not all frames were segmented"
else
    gst-discoverer-1.0 -v "out put/o.mp4" >"$work/log" 2>&1
    if grep -q '^ *video #' "$work/log" && grep -q '^ *audio #' "$work/log" &&
        grep -q 'Width: 162' "$work/log"; then
        echo "ok: 20 frames and the sound, at an even size"
    else
        fault "the output is not what it should be"
    fi
fi

: >empty.mp4
head -c 5000 /dev/urandom >noise.mp4
gst-launch-1.0 -q audiotestsrc num-buffers=20 ! wavenc ! filesink location=sound.wav
refused 'there is no such file' nothing.mp4
refused 'the file is empty' empty.mp4
refused 'not a video' noise.mp4
refused 'not a video' sound.wav
refused 'a folder' "$work"
refused 'no property "colour"' "$small" colour=red
refused '/nothing.safetensors' "$small" model=/nothing.safetensors
refused 'could not set property "mode"' "$small" --mode three-shot
# Input must not be replaced, whatever name it has.
ln "$small" hard.mkv
ln -s "$small" soft.mkv
cp "$small" mask.png
for case in "hard.mkv|that is the input" "soft.mkv|that is the input" \
    "./mask.png|that is the file of init-mask-location"; do
    before=$(cat "$small" mask.png | cksum)
    if demo "$small" --output "${case%%|*}" init-mask-location=mask.png ||
        ! grep -q "${case#*|}" "$work/log" || [ "$before" != "$(cat "$small" mask.png | cksum)" ]; then
        fault "wrote over what it reads: $case"
    fi
done
if [ "$(id -u)" != 0 ]; then
    mkdir locked && chmod 500 locked
    demo "$small" --output locked/o.mp4 && fault "wrote into a locked folder"
fi
if demo --nothing || ! grep -q 'unknown option --nothing' "$work/log"; then
    fault "an unknown option"
fi
if [ ! -e /dev/video0 ]; then
    if demo --live || ! grep -q 'no camera' "$work/log"; then
        fault "--live without a camera"
    fi
fi
export RVOS_CAMERA='videotestsrc num-buffers=5'
if demo --live || ! grep -q 'no screen' "$work/log"; then
    fault "--live without a screen"
fi
export RVOS_SCREEN=fakesink
demo --live objects=1 || fault "--live with another source and sink"
[ $failed = 0 ] && echo "data/demo.sh does what it says"
exit $failed
