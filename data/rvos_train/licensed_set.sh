#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# licensed_set.sh OUT [OPTION...] - makes a training set whose licences allow products.
# licensed_set.py, beside it, describes the set and the options.
#
# Needs Python 3.11 with venv and pip, and apt-get and dpkg-deb of Debian 12; no root.
# It fetches about 900 MB of packages, once, into ~/.cache/rvos-data (XDG_CACHE_HOME).
set -eu
[ $# -ge 1 ] || { echo "usage: licensed_set.sh OUT [OPTION...]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rvos-data
venv=$cache/venv
python=${PYTHON:-python3}
wanted=$(sha256sum < "$here/licensed_set.txt")
if [ "$(cat "$venv/done" 2>/dev/null || true)" != "$wanted" ]; then
    mkdir -p "$cache"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        -r "$here/licensed_set.txt"
    echo "$wanted" > "$venv/done"
fi
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" "$here" licensed-set "$@"
