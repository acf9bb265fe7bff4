#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gpu_train.sh OUT_DIR [MINUTES [PART]] - what training must show on a GPU, unattended.
#
# PART is one of these, or all (default), which does them one after another:
#   numbers   the fused cells against plain PyTorch, on the device        (1 to 2 minutes)
#   speed     time of a step with plain cells and with fused ones, in one
#             process; whether a step waits for the device; what the device does in it
#                                                                         (about 5)
#   learn     the prototype's schedule of 9700 steps, up to step 3001: the losses at 3000
#             against the bars, and what the run leaves                   (5 to 9)
#   compiled  time of a step with torch.compile, which nothing rests on   (about 5)
#   recipe    data/rvos_train/recipe.py, towards a better model: not a part of all    (3 calls of 5)
# The times are estimates for an H100; each part reads the data anew.
#
# Where one command may not take long, call this once for each part with the same OUT_DIR.
# learn may be split, too: MINUTES (8) after its start, or when it is terminated, it
# leaves a checkpoint, and the next call with the same folders goes on there, to the same
# result. Killed, it loses less than 500 steps.
#
# RVOS_TRAIN_DATA: folder with packs of data/rvos_train/prepare.py, each in one file or in as many
# pieces as you like: video*.zip, stills*.zip, backgrounds*.zip (or none), and an encoder
# to start from, *.pt or *.pth (else ./train-data). With RVOS_TINY=1, or with neither data
# nor GPU, a tiny network is trained, on small made-up data where RVOS_TRAIN_DATA is no
# folder: no bar can be judged then, but every line of this runs, on a CPU, too.
# recipe also takes labelled*.zip; RVOS_TRAIN_INIT: a model to start from;
# RVOS_TRAIN_BASE: the encoder, if not ResNet-18; RVOS_TRAIN_VALIDATION: sources of videos
# to validate on, apart by spaces. Each phase's result comes to OUT_DIR as phase-N.zip, the
# best model as best.safetensors; the last line says what to run next.
# RVOS_TRAIN_WORK: folder for what is large, the run with its checkpoint (OUT_DIR/work).
#
# OUT_DIR gets what is small: table.txt, rows.jsonl, train.log, log.csv, profile-*.txt, of
# the run its settings, plot, card and last sample. 0: nothing failed, 1: something did,
# 77: all was skipped.
set -u
[ $# -ge 1 ] || { echo "usage: gpu_train.sh OUT_DIR [MINUTES [PART]]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
"$python" -c 'import torch, scipy, yaml, PIL' 2>> "$out/train.log" || python=/usr/bin/python3
exec "$python" "$root/tests/gpu_train.py" "$out" --minutes "${2:-8}" --part "${3:-all}"
