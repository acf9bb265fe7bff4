#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# checked.sh valgrind|leaks PROGRAM: runs a test of the element under valgrind, or with
# GStreamer's leaks tracer. Exits with 77 if the tool is missing.
set -u

skip()
{
    echo "skipped: $*"
    exit 77
}

tool=$1
program=$2
here=$(dirname "$0")
log=$(mktemp)
trap 'rm -f "$log"' EXIT

export CK_FORK=no CK_DEFAULT_TIMEOUT=0 CK_TIMEOUT_MULTIPLIER=20 G_SLICE=always-malloc
unset MALLOC_PERTURB_
# The program may run directly at the same time. Both would write the same files.
export RVOSSEG_TEST_DIR="$RVOSSEG_TEST_DIR/$tool"
mkdir -p "$RVOSSEG_TEST_DIR"

case $tool in
valgrind)
    command -v valgrind >/dev/null || skip "no valgrind here"
    glib=/usr/share/glib-2.0/valgrind/glib.supp
    [ -r "$glib" ] || skip "no $glib here (libglib2.0-dev)"
    # Few plugins: reading a registry of all takes longer than most of the tests.
    few=$RVOSSEG_TEST_DIR/few
    mkdir -p "$few"
    system=$(pkg-config --variable=pluginsdir gstreamer-1.0)
    for name in app coreelements deinterlace videobox videoconvert videoconvertscale videocrop \
        videofilter videorate videoscale videotestsrc; do
        [ ! -e "$system/libgst$name.so" ] || ln -sf "$system/libgst$name.so" "$few/"
    done
    export GST_PLUGIN_SYSTEM_PATH_1_0="$few" GST_REGISTRY="$GST_REGISTRY-few"
    exec valgrind --quiet --error-exitcode=9 --num-callers=30 \
        --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect \
        --suppressions="$glib" --suppressions="$here/valgrind.supp" "$program"
    ;;
leaks)
    gst-inspect-1.0 coretracers >/dev/null 2>&1 || skip "no GStreamer tracers here"
    # The tracer turns a leak into a failure when the program ends.
    GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1 GST_DEBUG_FILE=$log \
        "$program" && exit 0
    grep 'object-alive, type-name=(string)' "$log" >&2
    exit 1
    ;;
*)
    echo "usage: $0 valgrind|leaks PROGRAM" >&2
    exit 2
    ;;
esac
