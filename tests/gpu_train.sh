#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu_train.sh OUT_DIR [MINUTES [PART]] - what training must show on a GPU, unattended.
#
# PART numbers: the fused cells against plain PyTorch, on the device. PART speed: time of a
# step before (the prototype's order of work) and after, in one process. PART learn:
# MINUTES (10) of training with the prototype's settings, its losses near step 3000 against
# the bars, and what the run leaves. Default: all of them, one after another. Where one
# command may not take long, call it once for each part with the same OUT_DIR.
#
# RVOS_TRAIN_DATA: folder with packs of data/prepare.py, in as many pieces as you like:
# video*.zip, stills*.zip, backgrounds*.zip, and an encoder to start from, *.pt or *.pth
# (else ./train-data). Without it, and with RVOS_TINY=1, small made-up data and a tiny
# network are used: no bar can be judged then, but every line of this runs, on a CPU, too.
#
# Writes a log, rows.jsonl and table.txt into OUT_DIR; 0: nothing failed, 1: something
# did, 77: all was skipped.
set -u
[ $# -ge 1 ] || { echo "usage: gpu_train.sh OUT_DIR [MINUTES [PART]]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
export PYTHONDONTWRITEBYTECODE=1
python=${PYTHON:-python3}
"$python" -c 'import torch, scipy, yaml, PIL' 2>> "$out/train.log" || python=/usr/bin/python3
exec "$python" "$root/tests/gpu_train.py" "$out" --minutes "${2:-10}" --part "${3:-all}"
