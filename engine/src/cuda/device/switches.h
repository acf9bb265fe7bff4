/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* switches.h - the environment variables that change how the engine works, for tests and
 * for finding faults; docs/contributing.md has their list. Read once, when a device is
 * opened. All zero: none is set. */
#ifndef RV_CUDA_SWITCHES_H
#define RV_CUDA_SWITCHES_H

#include <stdbool.h>

#include "../../backend.h"

struct rv_switches {
    enum { RV_CONV_FASTEST, RV_CONV_CUDNN, RV_CONV_TILE, RV_CONV_PLAIN } conv;
    enum rv_tune {
        RV_TUNE,
        RV_TUNE_NOT, /* the first engine that runs and is right; nothing is remembered */
        RV_TUNE_ALL, /* every engine, however long it takes, and again */
    } tune;
    enum { RV_CHAIN_MEASURED, RV_CHAIN_NEVER, RV_CHAIN_ALWAYS } chain;
    bool cell_steps; /* ConvLSTM cells in three kernels */
    bool check;      /* each step is compared with the reference */
    bool times;      /* of graphs, in the log */
    bool steps;      /* times of steps, in the log */
};

/* A value that is not known is warned of, and counts as not set. */
void rv_switches_read(const rvos_device *dev, struct rv_switches *out);

#endif
