#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The documentation as a small web site: sh docs/build.sh [FOLDER] (default: ./build-docs).
# Fails on a link or a picture that leads nowhere.
set -u

here=$PWD
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
out=${1:-$root/build-docs}
case $out in /*) ;; *) out=$here/$out ;; esac
# shellcheck source=data/packages.sh
. "$root/data/packages.sh"
need_packages python3 -- python3-markdown || exit 1
exec /usr/bin/python3 "$root/docs/site.py" "$root" "$out"
