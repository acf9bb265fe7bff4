# SPDX-License-Identifier: LGPL-2.1-or-later
"""Usage: python3 data/rvos_train COMMAND [ARGUMENT...]

  train         trains a network
  recipe        the recipe for a better model: three phases, resumable
  export        a trained run as .safetensors, with its model card
  prepare       data sets into compact packs
  made-clips    test clips with exact masks
  licensed-set  a training set whose licences allow products (see licensed_set.sh)
  teacher       labels pictures by U2-Net
  probe         which encoder to start from
  evaluate      J and F of a model on annotated videos
  ablation      the paper's tables, by rvos-segment and rvos-eval

COMMAND --help tells its arguments.
"""
import importlib
import os
import re
import sys

if not __package__:  # run by the folder's name, which Python then puts into its path
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from rvos_train import files

COMMANDS = re.findall(r"^  ([a-z-]+)  ", __doc__, re.M)


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in ("-h", "--help"):
        print(__doc__, end="")
        return 0
    if command not in COMMANDS:
        print(f"rvos_train: {files.show(command) or 'no command'}: one of "
              f"{', '.join(COMMANDS)}; see --help", file=sys.stderr)
        return 2
    # argparse names the program by the first word.
    sys.argv[:2] = [f"rvos_train {command}"]
    return importlib.import_module(f"rvos_train.{command.replace('-', '_')}").main()


if __name__ == "__main__":
    # A command that is imported here may print, or be stopped: within files.run, too.
    sys.exit(files.run(main, f"rvos_train {' '.join(sys.argv[1:2])}"))
