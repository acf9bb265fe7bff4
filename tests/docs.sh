#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sh tests/docs.sh FOLDER: makes the documentation's site, and checks that faults are found.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
out=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
sh "$root/docs/build.sh" "$out" || exit
grep -q 'href="docs/element.html#' "$out/index.html" || { echo "FAILED: no link to the element's page"; exit 1; }

# A copy of the pages, with faults.
mkdir "$work/tree"
(cd "$root" && find README.md mkdocs.yml docs data/*.md data/*.sh data/*/*.md engine/python/README.md \
    tests/golden/README.md -type f | tar -cf - -T -) | tar -C "$work/tree" -xf -
cat >>"$work/tree/docs/web.md" <<'END'

[a page](nowhere.md) [a file](../engine/nowhere.c) [a heading](element.md#nowhere) [its own](#none)
![a picture](images/nowhere.jpg) ![another site's](https://example.org/x.jpg)
[outside](../../outside.md)
END
: >"$work/tree/docs/forgotten.md"
: >"$work/outside.md"
mkdir "$work/site"
sh "$work/tree/docs/build.sh" "$work/site" >"$work/log" 2>&1 && { echo "FAILED: faults do not matter"; exit 1; }
for words in 'docs/web.md: nowhere.md: there is' 'docs/web.md: ../engine/nowhere.c: there is' \
    'docs/web.md: no anchor #nowhere in docs/element.html' 'docs/web.md: no anchor #none in docs/web.html' \
    'docs/web.md: images/nowhere.jpg: there is' 'a picture of another site' \
    'docs/web.md: ../../outside.md: there is' 'docs/forgotten.md: not in mkdocs.yml'; do
    grep -qF -- "$words" "$work/log" || { cat "$work/log"; echo "FAILED: not told: $words"; exit 1; }
done
mkdir "$work/others"
: >"$work/others/mine"
sh "$root/docs/build.sh" "$work/others" >"$work/log" 2>&1 && { echo "FAILED: a folder of others is emptied"; exit 1; }
[ -f "$work/others/mine" ] || { echo "FAILED: a folder of others was emptied"; exit 1; }
echo "the site is made, and its faults are found"
