#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the Debian packages, checks them with lintian, installs them, uses them like an
# ordinary user, and removes them again.
#
#     sh tests/package.sh [--speed] --install USER
#
# Run it as root on a system whose packages may change: a chroot or a container (tests/debian.sh).
# USER runs the pipeline, with nothing of this tree in the environment. --speed compares the
# installed rvos-bench with a default build, in turn (tests/bench/dpkg_build.py).
set -u

speed=''
[ "${1:-}" != --speed ] || { speed=1 && shift; }
[ "${1:-}" = --install ] && [ $# = 2 ] || { sed -n '3,10s/^# \{0,1\}//p' "$0"; exit 2; }
user=$2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
[ "$(id -u)" = 0 ] || { echo "skipped: packages are installed by root"; exit 77; }
# The same folder each time, because ccache compares its name.
work=${TMPDIR:-/tmp}/rvosseg-package
rm -rf "$work" && mkdir "$work" || exit 1
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
failed=0

check()
{
    about=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok: $about"
    else
        echo "FAILED: $about"
        tail -n 30 "$work/log" | sed 's/^/    /'
        failed=1
    fi
}

# by COMMAND: runs it as the ordinary user, in an empty folder.
by()
{
    runuser -u "$user" -- env -i LC_ALL=C.UTF-8 HOME="$work/home" PATH=/usr/bin:/bin \
        sh -c 'cd "$HOME" && eval "$1"' sh "$1"
}

mkdir "$work/home" "$work/source"
tar -C "$root" --exclude=./.git --exclude='./build*' -c . | tar -C "$work/source" -x || exit 1
chown -R "$user:" "$work/home" "$work/source" "$work"

# ---- build ------------------------------------------------------------------------------

echo "building ..."
runuser -u "$user" -- sh -c 'cd "$1" && dpkg-buildpackage -b -us -uc' sh "$work/source" \
    >"$work/build.log" 2>&1 </dev/null || {
    tail -n 30 "$work/build.log"
    echo "FAILED: dpkg-buildpackage"
    exit 1
}
sed -n '/^ *What is built/,/^$/p' "$work/build.log"
# Overrides with their reasons are in debian/*lintian-overrides.
check "lintian finds no errors and no warnings" lintian --allow-root --fail-on error,warning \
    --suppress-tags initial-upload-closes-no-bugs,bogus-mail-host-in-debian-changelog \
    "$work"/*.changes
cat "$work/log"

# ---- install ----------------------------------------------------------------------------

names="librvos0 librvos-dev gstreamer1.0-rvosseg rvos-tools rvos-models"
files=''
for name in $names; do
    files="$files $(ls "$work/${name}"_*.deb)"
done
# shellcheck disable=SC2086 # file names without blanks
check "apt installs $names" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y --no-install-recommends install $files
[ $failed = 0 ] || exit 1

# ---- use --------------------------------------------------------------------------------

cp "$root/data/clips/cup.mp4" "$work/home/" && chmod 644 "$work/home/cup.mp4"
check "gst-inspect-1.0 knows rvosseg" by 'gst-inspect-1.0 rvosseg'
check "a pipeline writes 10 masks" by '
    gst-launch-1.0 -q filesrc location=cup.mp4 ! decodebin ! videoconvert ! identity eos-after=11 ! \
        rvosseg name=seg output=none late-policy=process ! fakesink \
        seg.mask ! queue ! pngenc ! multifilesink location=%05d.png &&
    [ "$(ls 0*.png | wc -l)" -ge 10 ] && mkdir masks && mv 0*.png masks/'
check "they are not empty" by '
    for file in masks/*; do [ "$(stat -c %s "$file")" -gt 300 ] && exit 0; done; exit 1'
if pkg-config --exists 'gstreamer-1.0 >= 1.24' 2>/dev/null; then
    check "GstAnalytics is in it" by 'gst-inspect-1.0 rvosseg | grep -q "analytics.*GstAnalyticsRelationMeta"'
fi
check "rvos-segment segments frames" by '
    gst-launch-1.0 -q filesrc location=cup.mp4 ! decodebin ! videoconvert ! identity eos-after=4 ! \
        pngenc ! multifilesink location=f%d.png && mkdir frames && mv f*.png frames/ &&
    rvos-segment frames out && ls out/f0.png'
for name in rvos-segment rvos-info rvos-eval rvos-bench rvos-report; do
    check "man $name" by "man $name | grep -q 'EXIT STATUS'"
done
cat >"$work/home/program.c" <<'END'
#include <rvos.h>
#include <stdio.h>

int main(void)
{
    return puts(rvos_strerror(RVOS_ERR_MEMORY)) < 0;
}
END
check "a C program compiles by pkg-config and runs" by '
    cc program.c -o program $(pkg-config --cflags --libs rvos) && ./program'

if [ "$speed" ]; then
    check "the package is at most 5 % slower than the default build" by "
        cd $work/source && python3 tests/bench/dpkg_build.py --anyway --against /usr/bin/rvos-bench"
    cat "$work/log"
fi

# shellcheck disable=SC2086 # names without blanks
check "apt removes them" env DEBIAN_FRONTEND=noninteractive apt-get -q -y purge $names
exit $failed
