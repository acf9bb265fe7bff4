#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Finds and follows the objects of a video, and writes the video with its objects tinted.
set -u

usage()
{
    cat <<'END'
usage: sh data/demo.sh [VIDEO] [--output FILE] [--mode auto|zero-shot|one-shot] [NAME=VALUE ...]
       sh data/demo.sh --live [--mode auto|zero-shot|one-shot] [NAME=VALUE ...]

Finds the objects of VIDEO (default: data/clips/cup.mp4), follows them, and writes the video
with each object in its colour, by default into demo-output/. Every frame is segmented.
--live shows the camera on the screen instead. NAME=VALUE sets a property of the element
rvosseg, such as objects=3, overlay-alpha=0.7 or init-mask-location=first-frame.png.

  --no-install   install no Debian packages
  --help         this text

In the environment: RVOS_CAMERA and RVOS_SCREEN replace source and sink of --live, in
gst-launch syntax, such as RVOS_CAMERA='v4l2src device=/dev/video2'. RVOS_BUILD_DIR is the
build folder (default: ./build beside this folder).

Missing packages are installed (Debian, Ubuntu; this asks for root), and what is not built
yet is built in ./build. The demo does not need GstAnalytics metadata, whose packages are
large; it is built only if libgstreamer-plugins-bad1.0-dev is already installed.
END
}

fail()
{
    echo "demo: $*" >&2
    exit 1
}

bad_usage()
{
    echo "demo: $*" >&2
    usage >&2
    exit 2
}

has_element()
{
    # Without --atleast-version the plugin must be as new as GStreamer itself.
    gst-inspect-1.0 --exists --atleast-version=0.0 "$1"
}

# ---- arguments ----------------------------------------------------------------

video='' output='' live='' mode=''
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP # a shell that a signal ends does not run its EXIT trap
trap 'exit 143' TERM
: >"$tmp/properties" # one per line, because file names may hold blanks
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --live) live=1 ;;
    --no-install) export RVOS_NO_INSTALL=1 ;;
    --output | -o | --mode)
        [ $# -ge 2 ] || bad_usage "$1 needs a value"
        if [ "$1" = --mode ]; then mode=$2; else output=$2; fi
        shift
        ;;
    --output=*) output=${1#*=} ;;
    --mode=*) mode=${1#*=} ;;
    -*) bad_usage "unknown option $1" ;;
    [a-z]*=*)
        # A file whose name looks like a property is a file.
        if [ -z "$video" ] && [ -e "$1" ]; then
            video=$1
        else
            printf '%s\n' "$1" >>"$tmp/properties"
        fi
        ;;
    *)
        [ -z "$video" ] || bad_usage "one video at a time: $video, $1"
        video=$1
        ;;
    esac
    shift
done
[ -z "$mode" ] || printf 'mode=%s\n' "$mode" >>"$tmp/properties"
[ -z "$live" ] || [ -z "$video$output" ] ||
    bad_usage "--live takes no VIDEO and no --output: it shows the camera on the screen"

here=$PWD
absolute()
{
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$here" "$1" ;;
    esac
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
[ -n "$video" ] || video=$root/data/clips/cup.mp4
video=$(absolute "$video")
[ -n "$output" ] && output=$(absolute "$output")
if [ -z "$live" ]; then
    [ -e "$video" ] || fail "$video: there is no such file"
    [ ! -d "$video" ] || fail "$video: a folder; give a video file"
    [ -r "$video" ] || fail "$video: no permission to read it"
    [ -s "$video" ] || fail "$video: the file is empty"
    [ ! -d "$output" ] || fail "$output: a folder; --output needs the name of a file"
fi

# ---- what it needs: packages, then the build -----------------------------------

# Use Debian's own tools first: another python3 in PATH may lack modules that meson needs.
# The output of gst-launch is parsed below, so it must be English.
PATH=/usr/bin:/bin:$PATH LC_ALL=C.UTF-8
export PATH LC_ALL

cd "$root" || exit 1
# shellcheck source=data/packages.sh
. "$root/data/packages.sh"
need_packages gcc libc6-dev meson ninja-build pkg-config libgstreamer1.0-dev \
    libgstreamer-plugins-base1.0-dev libpng-dev gstreamer1.0-tools \
    gstreamer1.0-plugins-base-apps gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
    -- libdnnl-dev libpango1.0-dev gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad gstreamer1.0-libav \
    ${live:+gstreamer1.0-x gstreamer1.0-gl} || fail "packages are missing (see above)"

plugin=gst/libgstrvosseg.so # this target builds librvos too, but not the tests and tools
build_dir=${RVOS_BUILD_DIR:-$root/build}
build()
{
    if [ ! -f "$build_dir/build.ninja" ]; then
        meson setup "$build_dir" "$root" || meson setup --wipe "$build_dir" "$root" || return 1
    fi
    ninja -C "$build_dir" $plugin
}
if [ ! -f "$build_dir/build.ninja" ] ||
    ! ninja -C "$build_dir" -n $plugin 2>/dev/null | grep -q 'no work to do'; then
    echo "Building rvosseg in $build_dir ..."
    build </dev/null >"$tmp/build.log" 2>&1 || {
        tail -n 30 "$tmp/build.log" >&2
        fail "the build failed (above: the end of its log)"
    }
fi
export GST_PLUGIN_PATH="$build_dir/gst${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
export GST_REGISTRY="$build_dir/demo-registry.bin"
has_element rvosseg || fail "GStreamer does not load the element rvosseg. This says why:" \
    "GST_PLUGIN_PATH=$build_dir/gst gst-inspect-1.0 -b"

# ---- running a pipeline ---------------------------------------------------------

# Prints the errors of gst-launch, without the file names of sources.
errors()
{
    sed -n -e 's/^ERROR: from element [^ ]*: //p' -e 's/^WARNING: erroneous pipeline: //p' \
        -e 's/^ERROR: pipeline could not be constructed: //p' "$tmp/log" | sort -u
}

# pipeline BEFORE AFTER OPTIONS...: runs BEFORE rvosseg PROPERTIES AFTER. BEFORE and AFTER
# are split at blanks; the properties are the lines of the file of properties. In a file
# each frame is segmented, however long it takes.
pipeline()
{
    before=$1 after=$2 late=process
    [ -z "$live" ] || late=reuse
    shift 2
    # shellcheck disable=SC2086 # split into words
    set -- "$@" $before rvosseg name=rvosseg "late-policy=$late"
    while IFS= read -r property; do
        set -- "$@" "$property"
    done <"$tmp/properties"
    trap ':' INT # leave Ctrl-C to gst-launch, which with -e finishes the file
    # shellcheck disable=SC2086
    gst-launch-1.0 "$@" $after </dev/null 2>&1
    echo $? >"$tmp/status"
}

# ---- camera to screen -----------------------------------------------------------

if [ -n "$live" ]; then
    camera=${RVOS_CAMERA:-v4l2src}
    screen=${RVOS_SCREEN:-autovideosink}
    if [ -z "${RVOS_CAMERA:-}" ] && ! ls /dev/video* >/dev/null 2>&1; then
        fail "no camera: there is no /dev/video*. Plug one in, or name a source:" \
            "RVOS_CAMERA='rtspsrc location=rtsp://...' sh data/demo.sh --live"
    fi
    if [ -z "${RVOS_SCREEN:-}" ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        fail "no screen: neither DISPLAY nor WAYLAND_DISPLAY is set. Run it in a desktop" \
            "session (or over ssh -X), or name a sink in RVOS_SCREEN"
    fi
    echo "The camera, segmented. Stop with Ctrl-C."
    # A late frame shows the last masks (late-policy=reuse). The queue before the network
    # keeps the newest frame only.
    pipeline "$camera ! decodebin ! queue leaky=downstream max-size-buffers=1 ! videoconvert !" \
        "! queue max-size-buffers=2 ! videoconvert ! $screen" -q >"$tmp/log"
    [ "$(cat "$tmp/status")" = 0 ] && exit 0
    errors >&2
    grep -q -e 'Cannot identify device' -e 'Could not open device' "$tmp/log" &&
        fail "the camera cannot be opened (is another program using it?)"
    fail "the live pipeline stopped (see above)"
fi

# ---- what the file holds ----------------------------------------------------------

# Links give the files names that need no quoting in a pipeline.
ln -s "$video" "$tmp/input"
gst-discoverer-1.0 -v "$tmp/input" </dev/null >"$tmp/found" 2>&1
if ! grep -q '^ *video #' "$tmp/found"; then
    why=$(sed -n '/^An error was encountered/{n;s/^ *//p;}' "$tmp/found")
    fail "$video: not a video that GStreamer can read${why:+ ($why)}"
fi
seconds_of() # H:MM:SS.fraction -> whole seconds; anything else -> 0
{
    case $1 in
    [0-9]*:[0-9][0-9]:[0-9][0-9]*) ;;
    *) echo 0 && return ;;
    esac
    time_h=${1%%:*} time_m=${1#*:} time_s=${1##*:}
    time_m=${time_m%%:*} time_s=${time_s%%.*}
    echo $((time_h * 3600 + ${time_m#0} * 60 + ${time_s#0}))
}
milliseconds_of() # the same -> milliseconds
{
    ms=${1##*.}000
    ms=${ms%"${ms#???}"}
    ms=${ms#0} ms=${ms#0}
    echo $(($(seconds_of "$1") * 1000 + ms))
}
length=$(sed -n 's/^ *Duration: *//p' "$tmp/found" | head -n 1)
total=$(milliseconds_of "${length:-0}")
width=$(sed -n 's/^ *Width: *//p' "$tmp/found" | head -n 1)
height=$(sed -n 's/^ *Height: *//p' "$tmp/found" | head -n 1)
sound=''
grep -q '^ *audio #' "$tmp/found" && ! grep -q 'gstreamer|1.0|.*|audio/' "$tmp/found" && sound=1

# ---- which encoder ------------------------------------------------------------------

suffix=mp4 muxer=mp4mux audio=''
if has_element x264enc; then
    encoder='x264enc pass=qual quantizer=20 speed-preset=veryfast ! video/x-h264,profile=high'
    codec='H.264'
elif has_element openh264enc && has_element h264parse; then
    encoder='openh264enc bitrate=4000000 ! h264parse' codec='H.264'
elif has_element avenc_mpeg4; then
    encoder='avenc_mpeg4 bitrate=6000000 ! mpeg4videoparse' codec='MPEG-4'
    has_element mpeg4videoparse || encoder='avenc_mpeg4 bitrate=6000000'
elif has_element vp8enc; then
    encoder='vp8enc deadline=1 cpu-used=4 target-bitrate=4000000' codec='VP8'
    suffix=webm muxer=webmmux
else
    encoder='jpegenc quality=90' codec='MJPEG' suffix=avi muxer=avimux
fi
case $suffix in
mp4) audio_encoders='avenc_aac voaacenc fdkaacenc' ;;
webm) audio_encoders='opusenc vorbisenc' ;;
avi) audio_encoders='identity' ;;
esac
for name in $audio_encoders; do
    has_element "$name" && audio=$name && break
done
[ -n "$audio" ] || sound=''

name=${video##*/}
if [ -z "$output" ]; then
    output=$root/demo-output/${name%.*}-rvos.$suffix
elif [ "${output##*.}" != $suffix ]; then
    echo "Note: ${output##*/} will hold $codec as .$suffix, despite its name."
fi
# The output must not replace the video, or a mask or model of the properties.
same_file() # FILE FILE
{
    [ -e "$1" ] && [ -e "$2" ] &&
        [ "$(stat -L -c %d:%i -- "$1")" = "$(stat -L -c %d:%i -- "$2")" ]
}
! same_file "$output" "$video" || fail "$output: that is the input"
while IFS= read -r property; do
    ! same_file "$output" "$(absolute "${property#*=}")" ||
        fail "$output: that is the file of ${property%%=*}"
done <"$tmp/properties"
folder=${output%/*}
mkdir -p "$folder" 2>/dev/null || fail "$folder: the folder cannot be made"
part=$(mktemp "$folder/.rvos-demo-XXXXXXXXXX" 2>/dev/null) || fail "$folder: cannot be written to"
trap 'rm -rf "$tmp" "$part"' EXIT
chmod "$(printf '%o' $((0666 & ~0$(umask))))" "$part"
ln -s "$part" "$tmp/output"

# ---- the run, with a progress bar ---------------------------------------------------------------

bar()
{
    [ "$total" -gt 0 ] || { printf '%d frames  %d s' "$1" "$3" && return; }
    part_done=$(($2 * 100 / total))
    [ $part_done -le 100 ] || part_done=100
    hashes=$((part_done / 4)) line=''
    while [ ${#line} -lt 25 ]; do
        if [ ${#line} -lt $hashes ]; then line="$line#"; else line="$line."; fi
    done
    printf '[%s] %3d %%  frame %d' "$line" $part_done "$1"
    [ "$3" -gt 0 ] || return 0
    printf '  %d.%d frames/s' $(($1 / $3)) $(($1 * 10 / $3 % 10))
    [ $part_done -gt 0 ] && printf '  %d s left' $(($3 * (100 - part_done) / part_done))
}

time_of() # a line of identity -> milliseconds
{
    stamp=${1#*pts: }
    milliseconds_of "${stamp%%,*}"
}

# Reads the output of gst-launch -v -m: a line for each frame (from the identity element) and
# the element's messages. Other lines go to the log, for errors.
watch()
{
    trap '' INT
    frames=0 start=$(date +%s) shown=$start every=1 last=''
    while IFS= read -r line; do
        case $line in
        *GstIdentity:count*last-message*chain*)
            [ $frames -gt 0 ] || start=$(date +%s)
            frames=$((frames + 1)) last=$line
            [ $((frames % every)) = 0 ] || continue
            now=$(date +%s)
            # Print once a second on a terminal, every 15 seconds or less often into a file.
            [ "$now" != "$shown" ] || { every=$((every + 1)) && continue; }
            [ -t 1 ] || [ $((now - shown)) -ge 15 ] || continue
            shown=$now
            if [ -t 1 ]; then
                printf '\r%s   ' "$(bar $frames "$(time_of "$line")" $((now - start)))"
            else
                printf '%s\n' "$(bar $frames "$(time_of "$line")" $((now - start)))"
            fi
            ;;
        *rvosseg-object*event=*appeared*)
            id=${line#*tracking-id=(guint64)}
            printf '%s\n' "${id%%,*}" >>"$tmp/objects"
            ;;
        *last-message*) ;;
        *) printf '%s\n' "$line" >>"$tmp/log" ;;
        esac
    done
    at=$(time_of "$last")
    printf '%d %d %d\n' $frames $(($(date +%s) - start)) "$at" >"$tmp/counts"
    [ $frames -gt 0 ] || return
    # The last frame begins a little before the end.
    [ $((at * 100)) -lt $((total * 90)) ] || at=$total
    if [ -t 1 ]; then printf '\r'; fi
    printf '%s   \n' "$(bar $frames "$at" $(($(date +%s) - start)))"
}

even='' # 4:2:0 in files needs even sizes
if [ $((${width:-0} % 2)) = 1 ] || [ $((${height:-0} % 2)) = 1 ]; then
    even=",width=$((width + width % 2)),height=$((height + height % 2))"
fi
after="! identity name=count silent=false ! queue max-size-buffers=3 ! videoconvert !
    ${even:+videoscale !} video/x-raw,format=I420$even ! $encoder ! queue ! mux. $muxer name=mux ! filesink
    location=$tmp/output"
if [ -n "$sound" ]; then
    after="$after decode. ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 !
        audioconvert ! audioresample ! $audio ! queue ! mux."
fi

echo "$video (${width:-?}x${height:-?}, ${length%??????}) -> $codec"
: >"$tmp/objects"
: >"$tmp/log"
interrupted=''
trap 'interrupted=1' INT
pipeline "filesrc location=$tmp/input ! decodebin name=decode decode. ! queue ! videoconvert !
    videoflip video-direction=auto !" "$after" -e -v -m | watch
trap - INT

status=$(cat "$tmp/status" 2>/dev/null || echo 1)
read -r frames seconds at <"$tmp/counts"
[ -z "$interrupted" ] || ! grep -q '^EOS received' "$tmp/log" || status=0
if [ "$status" != 0 ] || [ ! -s "$part" ] || [ "$frames" = 0 ]; then
    errors >&2
    if [ "$(df -P "$folder" | awk 'NR == 2 { print $4 }')" -lt 1024 ] ||
        grep -q -i 'no space left' "$tmp/log"; then
        fail "$output: the disk is full"
    fi
    missing=$(sed -n 's/.*gstreamer|1\.0|[^|]*|\([^|]*\)|.*/\1/p' "$tmp/log" | sort -u)
    [ -z "$missing" ] || fail "$video: GStreamer lacks the $missing"
    fail "$video: not segmented (see above)"
fi
mv -f "$part" "$output" || fail "$output: cannot be written"

# ---- what came out ------------------------------------------------------------------------

objects=$(sort -u "$tmp/objects" | wc -l)
[ "$seconds" -gt 0 ] || seconds=1
if [ -n "$interrupted" ]; then
    echo "Stopped early: the file holds the frames until then."
elif [ $((at * 100)) -lt $((total * 90)) ]; then
    echo "Note: the input ended after $((at / 1000)) of $((total / 1000)) s: it may be truncated."
fi
# The element's warnings, except the one about CUDA, which nobody asked for here.
sed -n 's/^WARNING: from element [^ ]*GstRvosSeg:[^ ]*: /Note: /p' "$tmp/log" |
    grep -v 'CUDA does not start' | sort -u
echo "Followed $objects object(s) through $frames frames in $seconds s:" \
    "$((frames / seconds)).$((frames * 10 / seconds % 10)) frames/s, decoding and encoding included."
echo "The video is here: $output ($(($(wc -c <"$output") / 1024)) KB)"
player=''
for name in mpv vlc ffplay totem xdg-open; do
    command -v $name >/dev/null 2>&1 && player=$name && break
done
echo "Watch it: ${player:-gst-play-1.0} '$output'"
[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] ||
    echo "(This session has no screen: copy the file to a machine with one; any browser plays it.)"
