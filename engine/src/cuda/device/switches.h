/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* switches.h - the environment variables that change how the engine works, for tests and
 * debugging. docs/contributing.md lists them. They are read once, when a device is
 * opened. All zero means that none is set. */
#ifndef RV_CUDA_SWITCHES_H
#define RV_CUDA_SWITCHES_H

#include <stdbool.h>

#include "../../backend.h"

struct rv_switches {
    enum { RV_CONV_FASTEST, RV_CONV_CUDNN, RV_CONV_TILE, RV_CONV_PLAIN } conv;
    enum rv_tune {
        RV_TUNE,
        RV_TUNE_NOT, /* take the first engine that is right; keep nothing on disk */
        RV_TUNE_ALL, /* try every engine, and ignore kept results */
    } tune;
    enum { RV_CHAIN_MEASURED, RV_CHAIN_NEVER, RV_CHAIN_ALWAYS } chain;
    bool cell_steps; /* run ConvLSTM cells as three kernels */
    bool check;      /* compare each step with the reference */
    bool times;      /* log the times of graphs */
    bool steps;      /* log the times of steps */
};

/* An unknown value logs a warning and counts as not set. */
void rv_switches_read(const rvos_device *dev, struct rv_switches *out);

#endif
