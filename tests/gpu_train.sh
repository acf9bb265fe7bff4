#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu_train.sh OUT_DIR [MINUTES [PART]] - tests and measures training on a GPU, unattended.
#
# PART is one of these, or all (default), which does them one after another:
#   numbers   compares the fused cells with plain PyTorch, on the device  (1 to 2 minutes)
#   speed     times a step with plain cells and with fused ones, in one process; checks
#             that no step waits for the device; profiles a step          (about 5)
#   learn     follows the prototype's schedule of 9700 steps up to step 3001, and checks
#             the losses at 3000 and the output files                     (5 to 9)
#   compiled  times a step with torch.compile, for information            (about 5)
#   recipe    data/rvos_train/recipe.py, for a better model; not a part of all    (3 calls of 5)
# The times are estimates for an H100. Each part reads the data anew.
#
# If one command may not take long, call this once for each part with the same OUT_DIR. learn
# may be split, too: MINUTES (8) after its start, or when it is terminated, it leaves a
# checkpoint. The next call with the same folders continues there, to the same result. If it
# is killed, it loses less than 500 steps.
#
# RVOS_TRAIN_DATA: folder with packs of data/rvos_train/prepare.py, each in one or several
# files: video*.zip, stills*.zip, optionally backgrounds*.zip, and an encoder to start from,
# *.pt or *.pth (default: ./train-data). With RVOS_TINY=1, or with neither data nor GPU, a tiny
# network is trained, on small synthetic data if RVOS_TRAIN_DATA is not a folder. This judges
# no bar, but runs every line, also on a CPU.
# recipe also takes labelled*.zip; RVOS_TRAIN_INIT: a model to start from;
# RVOS_TRAIN_BASE: the encoder, if not ResNet-18; RVOS_TRAIN_VALIDATION: sources of videos
# for validation, separated by spaces. OUT_DIR gets each phase's result as phase-N.zip and the
# best model as best.safetensors; the last line says what to run next.
# RVOS_TRAIN_WORK: folder for large files, the run with its checkpoint (OUT_DIR/work).
#
# OUT_DIR gets the small files: table.txt, rows.jsonl, train.log, log.csv, profile-*.txt, and
# the run's settings, plot, card and last sample. It ends with 0: nothing failed, 1: something
# failed, 77: all was skipped.
set -u
[ $# -ge 1 ] || { echo "usage: gpu_train.sh OUT_DIR [MINUTES [PART]]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ]; then
  "$python" -c 'import torch, scipy, yaml, PIL' 2>> "$out/train.log" || python=/usr/bin/python3
fi
exec "$python" "$root/tests/gpu_train.py" "$out" --minutes "${2:-8}" --part "${3:-all}"
