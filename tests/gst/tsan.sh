#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# tsan.sh PROGRAM: runs it, and up to twice more if ThreadSanitizer's runtime failed a check of
# its own. gcc 14's runtime sometimes does (TraceSkipGap), and hangs.
set -u

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for _ in 1 2 3; do
    timeout -k 5 100 "$1" >"$log" 2>&1
    status=$?
    cat "$log"
    grep -q 'ThreadSanitizer: CHECK failed' "$log" || exit $status
done
exit 1
