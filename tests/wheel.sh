#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tests that the wheel of `pip wheel .` is complete: it has librvos and the model, and works
# without the tree and a build folder. This uses Debian's packages and no network. Then it runs the
# documents' lines `pip install`, with the wheel in place of the clone. These need PyPI, and are
# left out if it cannot be reached.
#
#     sh tests/wheel.sh
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
python=/usr/bin/python3
"$python" -c 'import cffi, mesonpy, numpy, pip, venv' 2>&1 || {
    echo "skipped: this needs python3-cffi, python3-mesonpy, python3-pip and python3-venv"
    exit 77
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH RVOS_LIBRARY RVOS_MODEL

# meson-python builds in a folder of the tree. Other tests read the tree meanwhile, so copy it.
mkdir "$work/tree" || exit 1
tar -C "$root" --exclude='./.*' --exclude='./build*' --exclude=./demo-output -c . |
    tar -C "$work/tree" -x || exit 1
"$python" -m pip wheel --quiet --no-deps --no-build-isolation --no-index \
    --disable-pip-version-check --wheel-dir "$work" "$work/tree" || exit 1
ls "$work"
# The wheel is for this kind of machine. (meson-python also ties it to the version of Python,
# without need.)
ls "$work"/rvos-*-none-linux_*.whl "$work"/rvos-*-cp3*-linux_*.whl 2>/dev/null | grep . || exit 1
"$python" -m venv --system-site-packages --without-pip "$work/venv" || exit 1
"$python" -m pip --disable-pip-version-check --python "$work/venv/bin/python" install --quiet \
    --no-deps --no-index "$work"/rvos-*.whl || exit 1
cd "$work" || exit 1
venv/bin/rvos-archive --version || exit 1
venv/bin/python - "$work/venv" "$root" <<'END'
import importlib.metadata
import sys

import numpy as np

import rvos

folder, tree = sys.argv[1:]
model = rvos.default_model()
assert rvos.__file__.startswith(folder) and model.startswith(folder), (rvos.__file__, model)
loaded = [line.split()[-1] for line in open("/proc/self/maps") if "librvos" in line]
assert loaded and all(name.startswith(folder) for name in loaded), loaded
assert importlib.metadata.version("rvos") == rvos.__version__
assert "research" in importlib.metadata.metadata("rvos")["License"]
with open(model, "rb") as ours, open(f"{tree}/data/models/{model.rsplit('/', 1)[1]}", "rb") as b:
    assert ours.read() == b.read()
with rvos.Model() as m, m.stream("zero-shot", objects=1) as stream:
    assert stream.process(np.zeros((64, 64, 3), np.uint8)).labels.shape == (64, 64)
    assert "research" in m.info.licence
print("the wheel works, with", m.path.rsplit("/", 1)[1])
END

# Put the environment's pip first in PATH, as activation does.
cat >pip <<END
#!/bin/sh
exec $python -m pip --disable-pip-version-check --python $work/venv/bin/python "\$@"
END
chmod +x pip
wheel=$(ls "$work"/rvos-*.whl)
sed -n "s/^\(pip install [^#]*[^# ]\) *\(#.*\)\{0,1\}$/\1/p" "$root/engine/python/README.md" \
    "$root/docs/archive.md" >lines
[ "$(wc -l <lines)" = 3 ] || { echo "not the three lines of pip:"; cat lines; exit 1; }
while read -r line; do
    command=$(echo "$line" | sed "s|install \.$|install --no-index $wheel|; s|'\.\[|'${wheel}[|")
    [ "$command" != "$line" ] || { echo "what is $line?"; exit 1; }
    if ! PATH=$work:$PATH sh -c "$command" >log 2>&1; then
        grep -E "connection|No matching distribution|not find a version" log >/dev/null || {
            cat log
            exit 1
        }
        echo "left out, no PyPI: $line"
        continue
    fi
    case $line in
    *coco*) modules="av, pycocotools.mask, rvos" ;;
    *archive*) modules="av, distributed, tqdm, PIL, rvos.archive" ;;
    *) modules=rvos ;;
    esac
    venv/bin/python -c "import $modules" || exit 1
    echo "ok: $line"
done <lines
