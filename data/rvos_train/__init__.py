# SPDX-License-Identifier: LGPL-2.1-or-later
"""RVOS in PyTorch: the network as its specification, data sets, training, export.

From the shell: python3 data/rvos_train COMMAND. From Python, with data/ in sys.path:
from rvos_train import model. Only modules that use PyTorch import it.
"""
