#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs parts of the tests on another Debian release, in a chroot.
set -u

usage()
{
    cat <<'END'
usage: sh tests/debian.sh [--as-root] RELEASE PART...

Makes a chroot of Debian RELEASE (12, 13) if there is none yet, copies the tree into it, and
runs each PART there, as an ordinary user or, with --as-root, as root:

  prepare   makes the chroot with its packages only
  build     builds the element with meson and ninja
  golden    runs the golden cases, on both CPU engines
  element   runs the tests of the element (suite gst)
  demo      runs data/demo.sh with the shipped clip, and tests/demo.sh
  package   builds the Debian packages, checks them with lintian, installs them, and uses
            them as an ordinary user (tests/package.sh)
  speed     as package, and compares the installed rvos-bench with a default build, in turn
  nothing   runs README.md's two commands in a new chroot without packages, as root. It
            excludes other parts and takes as long as all tests
  arm64     cross-compiles librvos, tools and element for arm64. Under qemu-user it runs the
            unit tests, the golden cases on both CPU engines, and gst-inspect-1.0 rvosseg.
            It has a chroot of its own, excludes other parts, and measures no speed

The chroots stay in $RVOS_DEBIAN_CACHE, by default $XDG_CACHE_HOME/rvosseg or
~/.cache/rvosseg. Each has 2 GB and may be deleted. The packages come from $DEBIAN_MIRROR, by
default from mmdebstrap's own choice. It needs root, mmdebstrap and the network, and exits with
77 if one is missing.
END
}

skip()
{
    echo "skipped: $*"
    exit 77
}

user=tester
if [ "${1:-}" = --as-root ]; then
    user=root
    shift
fi
case ${1:-} in
12) suite=bookworm ;;
13) suite=trixie ;;
--help | -h) usage && exit 0 ;;
*) usage >&2 && exit 2 ;;
esac
release=$1
shift
[ $# -gt 0 ] || { usage >&2; exit 2; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
cache=${RVOS_DEBIAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rvosseg}
[ "$(id -u)" = 0 ] || skip "a chroot needs root"
command -v mmdebstrap >/dev/null 2>&1 || skip "no mmdebstrap"
unshare -m sh -c 'mount --make-rprivate / && mount -t tmpfs none /mnt' 2>/dev/null ||
    skip "no mount namespaces here"
mkdir -p "$cache" || exit 1

# Packages for the parts. In `nothing` the commands install their own.
packages="build-essential ca-certificates ccache debhelper fakeroot git lintian man-db meson ninja-build
pkgconf libdnnl-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libpng-dev libjpeg-dev
libjansson-dev libpango1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-base-apps
gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
gstreamer1.0-libav python3-numpy python3-pil python3-gi python3-gst-1.0
gir1.2-gst-plugins-base-1.0"
# GstAnalytics exists from GStreamer 1.24 on.
[ "$release" -lt 13 ] || packages="$packages libgstreamer-plugins-bad1.0-dev
gir1.2-gst-plugins-bad-1.0"
packages=$(echo "$packages" | tr '\n' ' ')

# make_chroot FOLDER PACKAGES: makes it under another name first, so that an interrupted one is
# not used.
make_chroot()
{
    [ ! -d "$1" ] || return 0
    echo "making a chroot of Debian $release in $1 ..."
    rm -rf "$1.part"
    mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
        --architectures="${architectures:-amd64}" \
        --include="$(echo "$2" | tr -s ' ' ',' | sed 's/,$//')" "$suite" "$1.part" \
        ${DEBIAN_MIRROR:+"deb $DEBIAN_MIRROR $suite main"} >"$1.log" 2>&1 </dev/null || {
        rm -rf "$1.part"
        tail -n 5 "$1.log"
        grep -q -e 'Could not resolve' -e 'Failed to fetch' -e 'Unable to connect' "$1.log" &&
            skip "the packages of Debian $release cannot be fetched"
        return 1
    }
    chroot "$1.part" useradd -m -s /bin/sh tester || return 1
    echo "$2" >"$1.part/etc/rvosseg-packages"
    mv "$1.part" "$1"
}

# inside USER COMMAND: runs it in the chroot, with a /proc and a /dev that end with the command.
inside()
{
    home=/home/$1
    [ "$1" != root ] || home=/root
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private sh -c '
        mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 1
        cp /etc/resolv.conf "$1/etc/resolv.conf" 2>/dev/null
        exec chroot "$1" runuser -u "$2" -- env -i LC_ALL=C.UTF-8 USER="$2" HOME="$3" \
            CCACHE_DIR=/home/tester/.cache/ccache \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            ${http_proxy:+http_proxy="$http_proxy"} sh -c "$4"
    ' sh "$chroot" "$1" "$home" "$2" </dev/null
}

# Copies the tree, uncommitted changes included. The copy stays between calls, so that a part
# finds what an earlier one has built.
copy_tree()
{
    tree=home/tester/rvosseg
    mkdir -p "$chroot/$tree" || return 1
    (cd "$root" && git -c safe.directory='*' ls-files -c -o --exclude-standard -z |
        xargs -0 ls -d 2>/dev/null | tar -c -T - 2>/dev/null) | tar -x -C "$chroot/$tree" || return 1
    chroot "$chroot" chown -R "$user:" "/$tree"
}

build='meson setup build -Dcuda=disabled -Dtools=disabled 2>&1 | tail -n 30 &&
    ninja -C build gst/libgstrvosseg.so'
tests='GST_REGISTRY=$PWD/build/registry.bin meson test -C build --print-errorlogs'
# qemu runs programs of arm64 and their children. GStreamer's scanner is left out.
cross='build-arm64/debian.txt --cross-file build-arm64/qemu.txt'
arm64="export GST_REGISTRY_FORK=no GST_REGISTRY=\$PWD/build-arm64/registry.bin
    mkdir -p build-arm64 && meson env2mfile --cross --debarch arm64 -o build-arm64/debian.txt &&
    printf '[binaries]\nexe_wrapper = %s\n' \"'/usr/bin/qemu-aarch64'\" >build-arm64/qemu.txt &&
    { [ -f build-arm64/build.ninja ] || meson setup build-arm64 -Dcuda=disabled \
        --cross-file $cross; } &&
    ninja -C build-arm64 && file -L build-arm64/engine/librvos.so &&
    meson test -C build-arm64 --print-errorlogs -t 20 --suite unit &&
    meson test -C build-arm64 --print-errorlogs -t 20 golden-reference golden-cpu &&
    GST_PLUGIN_PATH=\$PWD/build-arm64/gst qemu-aarch64 /usr/bin/gst-inspect-1.0 rvosseg | head -n 20"
part()
{
    case $1 in
    prepare) ;;
    build) in_tree "rm -rf build && $build" ;;
    golden) in_tree "$tests golden-cpu golden-reference" ;;
    element) in_tree "$tests --suite gst" ;;
    demo) in_tree "sh data/demo.sh --no-install && sh tests/demo.sh build" ;;
    package) inside root "cd /$tree && sh tests/package.sh --install tester" ;;
    speed) inside root "cd /$tree && sh tests/package.sh --speed --install tester" ;;
    arm64) in_tree "$arm64" ;;
    nothing) in_tree "date && sh data/demo.sh && date && sh tests/run.sh && date" ;;
    esac
}

in_tree()
{
    inside "$user" "cd /$tree && { $1; }"
}

for name in "$@"; do
    case $name in
    prepare | build | golden | element | demo | package | speed | arm64 | nothing) ;;
    *) echo "no such part: $name" >&2 && exit 2 ;;
    esac
done
chroot=$cache/debian-$release
if [ "$*" = nothing ]; then
    chroot=$chroot-nothing user=root packages='ca-certificates git'
    rm -rf "$chroot"
fi
if [ "$*" = arm64 ]; then
    chroot=$chroot-arm64 architectures=amd64,arm64
    packages="crossbuild-essential-arm64 dpkg-dev file meson ninja-build pkgconf python3-numpy python3-pil
$(for package in libdnnl-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libpng-dev \
        libjpeg-dev libjansson-dev libpango1.0-dev gstreamer1.0-tools; do echo "$package:arm64"; done)
qemu-user"
    packages=$(echo "$packages" | tr '\n' ' ')
fi
exec 9>"$cache/lock" && flock 9 || exit 1
make_chroot "$chroot" "$packages" || exit 1
if [ "$(cat "$chroot/etc/rvosseg-packages")" != "$packages" ]; then
    inside root "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        --no-install-recommends install $packages" >"$chroot.log" 2>&1 || {
        tail -n 5 "$chroot.log"
        exit 1
    }
    echo "$packages" >"$chroot/etc/rvosseg-packages"
fi
copy_tree || exit 1
for name in "$@"; do
    began=$(date +%s)
    part "$name" || { echo "Debian $release: the part \"$name\" failed"; exit 1; }
    echo "Debian $release: the part \"$name\" is done, in $(($(date +%s) - began)) s"
done
