#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# tsan.sh PROGRAM: runs it, and up to four times more if ThreadSanitizer's runtime failed a check
# of its own. gcc 14's runtime often does (TraceSkipGap), and hangs.
set -u

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for _ in 1 2 3 4 5; do
    : >"$log"
    timeout -k 5 100 "$1" >"$log" 2>&1 &
    run=$!
    while kill -0 $run 2>/dev/null; do
        if grep -q 'ThreadSanitizer: CHECK failed' "$log"; then
            kill $run
            break
        fi
        sleep 1
    done
    wait $run
    status=$?
    cat "$log"
    grep -q 'ThreadSanitizer: CHECK failed' "$log" || exit $status
done
exit 1
