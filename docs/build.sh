#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sh docs/build.sh [FOLDER]: makes the documentation as a web site (default: ./build-docs).
# Fails on a dead link or a missing picture.
set -u

here=$PWD
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
out=${1:-$root/build-docs}
case $out in /*) ;; *) out=$here/$out ;; esac
# MkDocs empties the folder first.
if [ -n "$(ls -A "$out" 2>/dev/null)" ] && ! grep -q '<title>rvosseg' "$out/index.html" 2>/dev/null; then
    echo "docs/build.sh: $out: holds other files than this site" >&2
    exit 1
fi
# shellcheck source=data/packages.sh
. "$root/data/packages.sh"
need_packages python3 -- mkdocs || exit 1
command -v mkdocs >/dev/null 2>&1 || { echo "skipped: no mkdocs here"; exit 77; }
exec mkdocs build --quiet --clean --config-file "$root/mkdocs.yml" --site-dir "$out"
