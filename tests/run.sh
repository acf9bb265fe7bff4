#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs what is missing, builds in three configurations, and runs every test; then the
# tests that depend on the system on another Debian release.
# The last line is `N passed, N failed`, with `, N skipped` where some could not run here.
set -u

usage()
{
    cat <<'END'
usage: sh tests/run.sh [--quick] [--no-install]

  --quick        one configuration only: no clang, no sanitizers, no build without oneDNN, no
                 Debian 13
  --no-install   install no Debian packages

It takes about 20 minutes on two cores, or 15 if ccache has most of the objects; with --quick
about 10. On a fresh machine the packages take about 5 more. The Debian 13 part
(tests/debian.sh) needs root, mmdebstrap and the network; it is skipped where one is missing.

Builds in ./build-test, ./build-asan and ./build-tsan, which may be kept or deleted; the logs are
in their folders. The exit status is 0 if nothing failed.
END
}

quick=''
for argument in "$@"; do
    case $argument in
    --quick) quick=1 ;;
    --no-install) export RVOS_NO_INSTALL=1 ;;
    --help | -h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
exec </dev/null
# Use Debian's own tools first: another python3 in PATH may have no numpy. Use nvcc if it is
# there. Unset the caller's variables for GStreamer and rvosseg.
PATH=/usr/bin:/bin:$PATH LC_ALL=C.UTF-8
command -v nvcc >/dev/null 2>&1 || [ ! -x /usr/local/cuda/bin/nvcc ] || PATH=$PATH:/usr/local/cuda/bin
export PATH LC_ALL
for name in $(env | sed -n 's/^\(\(GST\|RVOS\|OMP\|DNNL\|ONEDNN\|G\)_[A-Z_]*\)=.*/\1/p'); do
    [ "$name" = RVOS_NO_INSTALL ] || unset "$name"
done

# Let ccache reuse objects of another clone: by default it compares the name of the folder, too.
# The objects' debug information then names the folder that compiled them first.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1

passed=0 failed=0 skipped=0 failures='' skips=''
began=$(date +%s)
section_began=$began

section()
{
    echo
    echo "== $*"
    section_began=$(date +%s)
}

section_end()
{
    echo "   ($(($(date +%s) - section_began)) s)"
}

# A skip without a reason may hide a fault, so it counts as failed.
count() # NAME STATUS [REASON OF A SKIP]
{
    case $2${3:+ why} in
    0*) passed=$((passed + 1)) ;;
    "77 why") skipped=$((skipped + 1)) skips="$skips
  $1: $3" ;;
    77) failed=$((failed + 1)) failures="$failures
  $1: skipped without a reason" ;;
    *) failed=$((failed + 1)) failures="$failures
  $1" ;;
    esac
}

finish()
{
    section "$(($(date +%s) - began)) s in all"
    [ -z "$skips" ] || echo "skipped, and why:$skips"
    [ -z "$failures" ] || echo "failed:$failures"
    [ $skipped = 0 ] || echo "$passed passed, $failed failed, $skipped skipped"
    [ $skipped != 0 ] || echo "$passed passed, $failed failed"
    [ $failed = 0 ]
    exit
}

# one NAME LOG COMMAND...: runs a test that meson does not run.
one()
{
    one_name=$1 one_log=$2
    shift 2
    one_began=$(date +%s) why=''
    "$@" >"$one_log" 2>&1
    one_status=$?
    case $one_status in
    0) word=OK ;;
    77) why=$(grep -i skip "$one_log" | tail -n 1 | sed 's/^ *skip\(ped\)\{0,1\}: *//I') word="SKIP  $why" ;;
    *) word=FAIL ;;
    esac
    printf '%-40s %4d s  %s\n' "$one_name" $(($(date +%s) - one_began)) "$word"
    [ "$word" != FAIL ] || tail -n 40 "$one_log" | sed 's/^/    /'
    count "$one_name" $one_status "${why:-}"
}

# configure_and_build FOLDER OPTIONS...: counts as one failed test if either step fails. With
# $targets set it builds only these.
configure_and_build()
{
    folder=$1
    shift
    mkdir -p "$folder"
    log=$folder/build-log.txt
    if [ -f "$folder/build.ninja" ]; then
        # Look again for libraries that have been installed since.
        meson setup --reconfigure "$folder" "$@" >"$log" 2>&1 ||
            meson setup --wipe "$folder" "$@" >"$log" 2>&1
    else
        meson setup "$folder" "$@" >"$log" 2>&1
    fi || {
        tail -n 20 "$log"
        echo "meson setup FAILED (all of it: $log)"
        count "$folder: meson setup" 1
        return 1
    }
    sed -n '/^ *What is built/,/^$/p' "$log"
    # shellcheck disable=SC2086 # names of targets, without blanks
    if ninja -C "$folder" ${targets:-} >>"$log" 2>&1; then
        echo "built in $folder, $(grep -c 'warning:' "$log") warnings"
        return 0
    fi
    grep -A 20 '^FAILED:' "$log" | head -n 60
    echo "the build FAILED (all of it: $log)"
    count "$folder: build" 1
    return 1
}

# skips_of TESTLOG: prints name, tab, and the last line that begins with "skip", if any.
skips_of()
{
    /usr/bin/python3 -c '
import json, re, sys
for line in open(sys.argv[1]):
    test = json.loads(line)
    if test["result"] == "SKIP":
        said = (test.get("stdout", "") + "\n" + test.get("stderr", "")).splitlines()
        why = [each for each in said if re.match(r"\W*skip", each, re.I)] or [""]
        print(test["name"], re.sub(r"^\W*skip(ped)?:?\s*", "", why[-1], flags=re.I), sep="\t")
' "$1"
}

# meson_tests FOLDER TESTS...: runs them (all if none is named) and counts.
meson_tests()
{
    folder=$1
    shift
    rm -f "$folder/meson-logs/testlog.json"
    # One process more than cores, because many tests wait for a clock.
    GST_REGISTRY=$root/$folder/registry.bin XDG_CACHE_HOME=$root/$folder/cache \
        meson test -C "$folder" --no-rebuild --print-errorlogs \
        --num-processes $(($(nproc) + 1)) "$@" 2>&1 |
        grep --line-buffered -v -e '^ninja: ' -e '^Full log written' -e '^$' -e ':  *0 *$'
    results=$folder/meson-logs/testlog.json
    if [ ! -s "$results" ]; then
        count "$folder: meson test" 1
        return
    fi
    # There is one test a line. Quotes in its output are escaped, so these match fields only.
    passed=$((passed + $(grep -c '"result": "\(OK\|EXPECTEDFAIL\)"' "$results")))
    skips_of "$results" >"$folder/skips.txt"
    while IFS='	' read -r skip_name skip_why; do
        count "$folder: $skip_name" 77 "$skip_why"
    done <"$folder/skips.txt"
    bad=$(grep -v '"result": "\(OK\|EXPECTEDFAIL\|SKIP\)"' "$results" |
        sed 's/^{"name": "\([^"]*\)".*/\1/')
    [ -n "$bad" ] || return
    failed=$((failed + $(echo "$bad" | wc -l)))
    failures="$failures
$(echo "$bad" | sed "s|^|  $folder: |")"
}

# Prints the tests of a build, without those whose `suite / name` matches a pattern.
tests_without()
{
    meson test -C "$1" --list 2>/dev/null | sed -n 's|^rvosseg:||p' | grep -v -E "$2" |
        sed 's|.* / ||'
}

# The tests that meson does not run, one after another, beside meson's tests.
whole_tests()
{
    one "docs" build-test/docs-log.txt sh tests/docs.sh build-test/docs
    one "Python wheel" build-test/wheel-log.txt sh tests/wheel.sh
    [ $built = 0 ] || return
    one "installed files" build-test/install-log.txt sh tests/install.sh build-test
    one "docs/archive.md" build-test/archive-log.txt /usr/bin/python3 tests/archive_recipes.py \
        build-test
    one "README's pipelines" build-test/readme-log.txt /usr/bin/python3 tests/readme.py build-test
    one "README's pipelines, others' videos" build-test/readme-videos-log.txt \
        /usr/bin/python3 tests/readme_videos.py build-test
    one "data/demo.sh" build-test/demo-log.txt sh tests/demo.sh build-test
}

# aside FILE FUNCTION: runs it in the background, with its own counts, for beside().
aside()
{
    aside_file=$1
    (
        passed=0 failed=0 skipped=0 failures='' skips=''
        "$2" >"$1.log" 2>&1
        echo "$passed $failed $skipped" >"$1.counts"
        echo "$failures" >"$1.failures"
        echo "$skips" >"$1.skips"
    ) &
    aside_pid=$!
}

# beside: waits for aside, and prints and counts its tests.
beside()
{
    wait "$aside_pid"
    cat "$aside_file.log"
    read -r more_passed more_failed more_skipped <"$aside_file.counts"
    passed=$((passed + more_passed))
    failed=$((failed + more_failed))
    skipped=$((skipped + more_skipped))
    failures=$failures$(cat "$aside_file.failures")
    skips=$skips$(cat "$aside_file.skips")
}

# ---- packages -------------------------------------------------------------------

# gst-cuda brings 200 MB of other packages: install it only if CUDA can be built.
cuda_packages=''
if command -v nvcc >/dev/null 2>&1 || [ -e /usr/local/cuda/include/cudaGL.h ]; then
    cuda_packages=libgstreamer-plugins-bad1.0-dev
fi
if [ "$quick" ]; then
    echo "The default build and its tests: about 10 minutes on two cores."
else
    echo "Three builds with their tests, and Debian 13: about 20 minutes on two cores." \
        "With --quick the default build only: about 10."
fi
section "packages"
# shellcheck source=data/packages.sh
. "$root/data/packages.sh"
# shellcheck disable=SC2086 # a name or none
if need_packages gcc g++ libc6-dev meson ninja-build pkg-config xz-utils \
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libpng-dev libjpeg-dev libjansson-dev \
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-base-apps \
    gstreamer1.0-plugins-good python3 python3-numpy python3-pil \
    -- libdnnl-dev libpango1.0-dev gstreamer1.0-plugins-ugly gstreamer1.0-plugins-bad gstreamer1.0-libav \
    python3-torch python3-scipy python3-yaml python3-jinja2 python3-matplotlib python3-gi python3-gst-1.0 \
    gir1.2-gst-plugins-base-1.0 mkdocs valgrind libglib2.0-dev ffmpeg \
    python3-cffi python3-av python3-mesonpy python3-pip python3-venv mypy \
    python3-distributed python3-tqdm pipewire wireplumber gstreamer1.0-pipewire dbus-daemon \
    clang libclang-rt-dev libomp-dev mmdebstrap gir1.2-gst-rtsp-server-1.0 mosquitto python3-paho-mqtt \
    chromium chromium-driver python3-selenium python3-aiohttp gir1.2-gst-plugins-bad-1.0 \
    gstreamer1.0-nice \
    $cuda_packages; then
    echo "all there"
else
    echo "some are missing: going on with what is here"
fi
# GstAnalytics takes 540 MB on Debian 13, and an older GStreamer does not have it.
if pkg-config --atleast-version=1.24 gstreamer-1.0; then
    need_packages -- libgstreamer-plugins-bad1.0-dev gir1.2-gst-plugins-bad-1.0
fi
section_end

command -v meson >/dev/null 2>&1 || { count "no meson here" 1; finish; }

# Fetch and unpack the other Debian while this one is tested.
other=13
grep -q '^VERSION_ID="13"' /etc/os-release 2>/dev/null && other=12
other_log=build-test/debian-$other-prepare-log.txt other_pid=''
if [ -z "$quick" ] && [ "${RVOS_NO_INSTALL:-}" != 1 ]; then
    mkdir -p build-test
    nice sh tests/debian.sh $other prepare >"$other_log" 2>&1 &
    other_pid=$!
fi

# ---- the build that users make ----------------------------------------------------

section "default configuration"
# Compile for two kinds of GPU: the oldest, and the one whose machine code a test reads.
configure_and_build build-test -Dcuda-arch=75,90
built=$?
aside build-test/whole whole_tests
[ $built != 0 ] || meson_tests build-test
beside
section_end

[ -z "$quick" ] || finish

# ---- thread sanitizer, without oneDNN and the tools -------------------------------------------

# Tests what several threads of an application can do to the element, the lanes of the CUDA engine,
# and the CPU engine in plain C (oneDNN is not instrumented). It is also the build that has neither
# oneDNN nor the tools.
thread_tests()
{
    echo
    echo "with ThreadSanitizer, in plain C, without tools:"
    targets='tests/models.stamp tests/engine/broken.stamp gst/libgstrvosseg.so tests/gst/gst-chaos
        tests/cuda/cuda-missing tests/golden tests/unit-batch tests/unit-pool
        tests/engine/api tests/engine/seeds tests/engine/threads'
    configure_and_build build-tsan -Db_sanitize=thread -Db_lundef=false -Donednn=disabled \
        -Dcuda=disabled -Dcuda-memory=disabled -Dtools=disabled || return
    RVOSSEG_CHAOS_SECONDS=10 meson_tests build-tsan gst-chaos cuda-lanes cuda-lanes-broken batch pool \
        api-cpu golden-cpu seeds-cpu threads-cpu
}

# ---- another system -----------------------------------------------------------------------

prepared()
{
    cat "$other_log"
    return "$other_status"
}

other_debian()
{
    echo "Debian $other:"
    if [ -z "$other_pid" ]; then
        echo "SKIP: it installs packages, though into a folder of its own"
        count "Debian $other" 77 "--no-install"
        return
    fi
    one "Debian $other: prepare" "build-test/debian-$other-log.txt" prepared
    [ "$one_status" = 0 ] || return
    for part in build golden element demo package; do
        one "Debian $other: $part" "build-test/debian-$other-$part-log.txt" \
            sh tests/debian.sh $other "$part"
    done
}

# ---- clang: no warning, address and undefined-behaviour sanitizers, fuzzers -----------------

# fuzz NAME: runs a fuzzer for a while, from its inputs in the tree.
fuzz()
{
    seeds=''
    for folder in "tests/fuzz/$1" "tests/fuzz/corpus/$1"; do
        [ ! -d "$folder" ] || seeds=$folder
    done
    rm -rf "build-asan/found/$1" && mkdir -p "build-asan/found/$1" || return 1
    # shellcheck disable=SC2086 # a folder of the tree or none
    "build-asan/tests/fuzz/fuzz-$1" -runs=2000 -timeout=60 -rss_limit_mb=4096 \
        -artifact_prefix=build-asan/found/ "build-asan/found/$1" $seeds
}

# One build for all three: each compiles the whole tree. GPU code is only text here. Beside it the
# other Debian is tested, which often waits. Its packages have been fetched since the start.
[ -z "$other_pid" ] || { wait "$other_pid" && other_status=0 || other_status=$?; }
aside build-test/other-debian other_debian
section "with clang: no warning allowed, AddressSanitizer, UndefinedBehaviorSanitizer, fuzzers"
# Meson puts ccache only before compilers that it finds by itself.
compiler=clang fuzzers=enabled ccache=$(command -v ccache)
if ! command -v clang >/dev/null 2>&1; then
    echo "SKIP: no clang here, so no fuzzers; the sanitizers are the default compiler's"
    count "clang" 77 "no clang here"
    compiler=${CC:-cc} fuzzers=disabled ccache=''
fi
cxx=$([ "$compiler" = clang ] && echo clang++ || echo "${CXX:-c++}")
if CC="${ccache:+ccache }$compiler" CXX="${ccache:+ccache }$cxx" \
    configure_and_build build-asan -Db_sanitize=address,undefined -Db_lundef=false \
    -Dwerror=true -Dfuzz=$fuzzers -Dcuda=disabled; then
    # The tools themselves handle the signal of a mapped file that shrinks.
    export ASAN_OPTIONS=abort_on_error=0:handle_sigbus=0
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 RVOSSEG_CHAOS_SECONDS=10
    # Left out: Python; large networks in plain C; other paths of the reference and the CUDA
    # engine, and tools that read the same kinds of files, which take minutes and the same code as
    # others; valgrind, because the sanitizer replaces it; system programs (gst-launch-1.0,
    # python3), which cannot load the instrumented plugin.
    # shellcheck disable=SC2046 # names without blanks
    meson_tests build-asan $(tests_without build-asan \
        '^(data|tree|gst-checked) /| / (shared-golden-.*|(auto|batch|stream|threads)-reference|(golden|half)-cuda-(measured|chained-.*|unfused)|(auto|batch)-cuda-emulated|cuda-retry-.*|peer|fast|stream-cuda-emulated|tools-(ablation|assign|bench|compare|dataset|eval|eval_slots)|element-.*|example-[^cp].*|example-c[ao].*|example-.*-auto)$')
    unset ASAN_OPTIONS UBSAN_OPTIONS RVOSSEG_CHAOS_SECONDS
    for fuzzer in build-asan/tests/fuzz/fuzz-*; do
        [ ! -x "$fuzzer" ] || [ -d "$fuzzer" ] ||
            one "${fuzzer##*/}" "build-asan/${fuzzer##*/}-log.txt" fuzz "${fuzzer##*/fuzz-}"
    done
fi
thread_tests
echo
beside
section_end
finish
