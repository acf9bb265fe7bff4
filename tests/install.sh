#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tests that `meson install` installs everything: a program compiles with the installed files
# and pkg-config alone, in C and in C++, and runs; the plugin loads and finds the installed
# model; a tool runs.
#
#     sh tests/install.sh BUILD_DIR
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
[ $# = 1 ] || { echo "usage: sh tests/install.sh BUILD_DIR" >&2; exit 2; }
build=$(CDPATH='' cd -- "$1" && pwd) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

check()
{
    about=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok: $about"
    else
        echo "FAILED: $about"
        sed 's/^/    /' "$work/log"
        failed=1
    fi
}

DESTDIR=$work/dest meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1 </dev/null || {
    cat "$work/log"
    echo "FAILED: meson install"
    exit 1
}

# The configured prefix lies inside the DESTDIR.
pc=$(find "$work/dest" -name rvos.pc)
lib=${pc%/pkgconfig/rvos.pc}
prefix=$(sed -n 's/^prefix=//p' "$pc")
[ -n "$prefix" ] || { echo "FAILED: no rvos.pc with a prefix"; exit 1; }
inside=$work/dest$prefix
model=$inside/share/rvos/rvos-resnet18-h128.safetensors
plugin=$lib/gstreamer-1.0/libgstrvosseg.so
for file in "$lib/librvos.so" "$lib/librvos.so.0" "$inside/include/rvos.h" "$model"; do
    check "${file#"$work/dest"} is installed" test -f "$file"
done
check "the model is the repository's" cmp "$model" "$root/data/models/${model##*/}"

# With a DESTDIR pkg-config puts the sysroot before each path.
export PKG_CONFIG_PATH="${pc%/rvos.pc}" PKG_CONFIG_SYSROOT_DIR="$work/dest"
unset PKG_CONFIG_LIBDIR
export LD_LIBRARY_PATH="$lib"
check "pkg-config knows the version" pkg-config --exact-version=0.1.0 rvos

cat >"$work/program.c" <<'END'
#include <rvos.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static rvos_device_params params;
    rvos_device *device = NULL;
    rvos_model *model = NULL;
    rvos_model_info info;

    params.backend = "cpu";
    params.threads = 1;
    int status = argc == 2 ? rvos_device_open(&device, &params) : RVOS_ERR_ARGUMENT;
    if (!status)
        status = rvos_model_load(&model, device, argv[1], NULL);
    if (status) {
        fprintf(stderr, "%s\n", rvos_strerror(status));
        return 1;
    }
    rvos_model_get_info(model, &info);
    printf("%s %dx%d\n", info.encoder, info.width, info.height);
    rvos_model_close(&model);
    rvos_device_close(&device);
    return 0;
}
END
cp "$work/program.c" "$work/program.cc"
flags=$(pkg-config --cflags --libs rvos)
says_resnet18()
{
    [ "$("$1" "$model")" = 'resnet18 448x256' ]
}
# shellcheck disable=SC2086 # split into words
check "a C program compiles by pkg-config" \
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$work/program.c" -o "$work/in-c" $flags
check "and runs with the installed model" says_resnet18 "$work/in-c"
if command -v c++ >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    check "a C++ program compiles by pkg-config" \
        c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror "$work/program.cc" -o "$work/in-cc" $flags
    check "and runs with the installed model" says_resnet18 "$work/in-cc"
fi
check "librvos exports rvos_ names only" \
    sh -c '! nm -D --defined-only "$1" | awk "{ print \$3 }" | grep -v "^rvos_"' sh "$lib/librvos.so"
check "debian/librvos0.symbols names all that it exports" sh -c '
    [ "$(nm -D --defined-only "$1" | sed "s/.* //" | sort)" = \
        "$(sed -n "s/^ \(rvos_[a-z_]*\)@Base .*/\1/p" "$2" | sort)" ]
    ' sh "$lib/librvos.so" "$root/debian/librvos0.symbols"

if [ -x "$inside/bin/rvos-info" ]; then
    for program in "$inside"/bin/rvos-*; do
        name=${program##*/}
        check "$name has a manual page" test -f "$inside/share/man/man1/$name.1"
    done
    check "the installed rvos-info reads the installed model" "$inside/bin/rvos-info" "$model"
fi
if [ -x "$inside/bin/rvos-report" ] && "$inside/bin/rvos-report" --check charts 2>/dev/null; then
    check "the installed rvos-bench draws charts by the installed rvos-report" sh -c '
        echo "{\"results\": []}" >"$1/speed.json" &&
        "$2/rvos-bench" --plot "$1/speed.svg" "$1/speed.json" && grep -q "</svg>" "$1/speed.svg"
        ' sh "$work" "$inside/bin"
fi
if [ -e "$build/gst/libgstrvosseg.so" ]; then
    check "the plugin is installed" test -f "$plugin"
    if command -v gst-launch-1.0 >/dev/null 2>&1; then
        check "the plugin segments two frames with the installed model" \
            env GST_PLUGIN_PATH="${plugin%/*}" GST_REGISTRY="$work/registry.bin" \
            RVOS_MODEL="$model" gst-launch-1.0 -q videotestsrc num-buffers=2 ! \
            video/x-raw,width=64,height=48 ! rvosseg engine=cpu objects=1 ! fakesink
    fi
fi
[ $failed = 0 ] && echo "the installed files are whole"
exit $failed
