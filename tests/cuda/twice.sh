#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# twice.sh PROGRAM ARGS...: runs it with an empty cache folder, and again with what it left there.
cache=$(mktemp -d) || exit 1
trap 'rm -rf "$cache"' EXIT
export XDG_CACHE_HOME="$cache"
"$@" && [ -n "$(ls -A "$cache")" ] && "$@"
