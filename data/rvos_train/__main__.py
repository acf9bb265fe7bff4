# SPDX-License-Identifier: LGPL-2.1-or-later
"""Usage: python3 data/rvos_train COMMAND [ARGUMENT...]

  train         trains a network
  recipe        trains a better model in three phases, resumable
  export        writes a trained run as .safetensors, with its model card
  prepare       packs data sets compactly
  made-clips    makes test clips with exact masks
  licensed-set  makes a training set whose licences allow products (see licensed_set.sh)
  teacher       labels pictures by U2-Net
  probe         compares encoders to start from
  evaluate      measures J and F of a model on annotated videos
  ablation      makes the paper's tables, by rvos-segment and rvos-eval

COMMAND --help lists its arguments.
"""
import importlib
import os
import re
import sys

if not __package__:  # `python3 data/rvos_train` puts the folder itself into sys.path
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from rvos_train import files

COMMANDS = re.findall(r"^  ([a-z-]+)  ", __doc__, re.M)


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in ("-h", "--help"):
        print(__doc__, end="")
        return 0
    if command not in COMMANDS:
        fault = f"there is no command {files.show(command)}" if command else "name a command"
        print(f"rvos_train: {fault}: one of {', '.join(COMMANDS)}; see --help", file=sys.stderr)
        return 2
    # argparse takes the program's name from the first word.
    sys.argv[:2] = [f"rvos_train {command}"]
    return importlib.import_module(f"rvos_train.{command.replace('-', '_')}").main()


if __name__ == "__main__":
    # Import the command within files.run, because the import may print or be interrupted.
    sys.exit(files.run(main, f"rvos_train {' '.join(sys.argv[1:2])}"))
