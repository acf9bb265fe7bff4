#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the CPU images of the Dockerfile and runs them.
set -u

usage()
{
    cat <<'END'
usage: sh tests/dockerfile.sh RELEASE

Builds the target cameras of the Dockerfile, and so cpu, on which it stands, on Debian RELEASE
(12, 13) by buildah, without a registry: the base image is made by mmdebstrap. Then runs
gst-inspect-1.0, a pipeline, rvos-segment and the cameras' service in the image. It takes five
minutes and, while it runs, 10 GB in $TMPDIR. The packages come from $DEBIAN_MIRROR, by default
from mmdebstrap's own choice. It needs root, mmdebstrap, buildah and the network, and exits with
77 where one is not there.
END
}

skip()
{
    echo "skipped: $*"
    exit 77
}

case ${1:-} in
12) suite=bookworm ;;
13) suite=trixie ;;
--help | -h) usage && exit 0 ;;
*) usage >&2 && exit 2 ;;
esac
release=$1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
[ "$(id -u)" = 0 ] || skip "a base image is made by root"
command -v mmdebstrap >/dev/null 2>&1 || skip "no mmdebstrap"
command -v buildah >/dev/null 2>&1 || skip "no buildah"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 143' INT TERM
# Use a chroot instead of namespaces, so that this also runs inside a container.
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
oci()
{
    oci_command=$1
    shift
    buildah --root "$work/images" --runroot "$work/run" "$oci_command" "$@" </dev/null
}

echo "making the base image, Debian $release ..."
mmdebstrap --quiet --variant=minbase "$suite" "$work/base.tar" \
    ${DEBIAN_MIRROR:+"deb $DEBIAN_MIRROR $suite main"} \
    >"$work/log" 2>&1 || {
    tail -n 5 "$work/log"
    grep -q -e 'Could not resolve' -e 'Failed to fetch' -e 'Unable to connect' "$work/log" &&
        skip "the packages of Debian $release cannot be fetched"
    exit 1
}
base=$(oci from scratch) && oci add --quiet "$base" "$work/base.tar" / >/dev/null &&
    oci commit --quiet --rm "$base" "docker.io/library/debian:$release" >/dev/null || exit 1
rm -f "$work/base.tar"

# The files of a clone, uncommitted changes included.
mkdir "$work/source" && (cd "$root" && git ls-files -z -c -o --exclude-standard |
    xargs -0 ls -d 2>/dev/null | tar -c -T -) | tar -x -C "$work/source" || exit 1
echo "building ..."
oci build --pull=never --build-arg "DEBIAN=$release" --target cameras --tag rvosseg \
    "$work/source" >"$work/log" 2>&1 || {
    tail -n 30 "$work/log"
    echo "FAILED: the build of the image"
    exit 1
}
grep -o 'STEP .*' "$work/log" | cut -c1-100

image=$(oci from --pull=never localhost/rvosseg) || exit 1
oci add --quiet "$image" "$root/data/clips/cup.mp4" /video/ >/dev/null || exit 1
failed=0
check()
{
    about=$1
    shift
    if oci run "$image" -- sh -c "cd /video && $*" >"$work/log" 2>&1; then
        echo "ok: $about"
    else
        tail -n 30 "$work/log"
        echo "FAILED: $about"
        failed=1
    fi
}
check "gst-inspect-1.0 knows rvosseg" "gst-inspect-1.0 rvosseg"
[ "$release" -lt 13 ] || check "GstAnalytics is in it" \
    "gst-inspect-1.0 rvosseg | grep -q 'analytics.*GstAnalyticsRelationMeta'"
check "a video is segmented and encoded" "
    gst-launch-1.0 -q filesrc location=cup.mp4 ! decodebin ! videoconvert ! \
        identity eos-after=11 ! rvosseg late-policy=process ! videoconvert ! x264enc ! \
        mp4mux ! filesink location=out.mp4 && [ \$(stat -c %s out.mp4) -gt 5000 ]"
check "rvos-segment segments frames" "
    gst-launch-1.0 -q filesrc location=cup.mp4 ! decodebin ! videoconvert ! \
        identity eos-after=4 ! pngenc ! multifilesink location=f%d.png &&
    mkdir FRAMES && mv f*.png FRAMES/ && rvos-segment FRAMES OUT && ls OUT/f0.png"
check "the cameras' service answers" "
    python3 /usr/local/bin/rvosseg-cameras one=rtsp://127.0.0.1:1/ & sleep 5
    python3 -c 'import urllib.request as r; print(r.urlopen(\"http://127.0.0.1:8080/healthz\").read())' &&
    kill \$!"
exit $failed
