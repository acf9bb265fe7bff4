#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# exports.sh MODULE [SYMBOL...]: checks that it exports exactly these, and that no symbol is missing.
module=$1
shift
want=$(printf '%s\n' "$@" | sort)
got=$(nm -D --defined-only "$module" | awk '{print $NF}' | sort)
if [ "$got" != "$want" ]; then
    printf '%s exports:\n%s\n' "$module" "$got"
    exit 1
fi
if ldd -r "$module" 2>&1 | grep -E 'undefined|not found'; then
    exit 1
fi
