/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "switches.h"

#include <stdlib.h>
#include <string.h>

#include "../../log.h"

/* Returns the index in `values` of the environment variable's value. The first value is
 * the default. */
static int which(const rvos_device *dev, const char *name, const char *const values[4])
{
    const char *text = getenv(name);

    for (int i = 0; i < 4 && values[i] && text; i++)
        if (!strcmp(text, values[i]))
            return i;
    if (text && text[0])
        rv_log(dev, RVOS_LOG_WARNING, "cuda: %s=%s is not known: it counts as %s", name,
               text, values[0]);
    return 0;
}

void rv_switches_read(const rvos_device *dev, struct rv_switches *out)
{
    static const char *const conv[4] = {"fastest", "cudnn", "tile", "plain"};
    static const char *const tune[4] = {"1", "0", "all"};
    static const char *const chain[4] = {"measured", "0", "1"};
    static const char *const cell[4] = {"fused", "steps"};
    static const char *const yes[4] = {"0", "1"};

    memset(out, 0, sizeof(*out));
    out->conv = which(dev, "RVOS_CUDA_CONV", conv);
    out->tune = which(dev, "RVOS_CUDA_TUNE", tune);
    out->chain = which(dev, "RVOS_CUDA_CHAIN", chain);
    out->cell_steps = which(dev, "RVOS_CUDA_CELL", cell);
    out->check = which(dev, "RVOS_CUDA_CHECK", yes);
    out->times = which(dev, "RVOS_CUDA_TIMES", yes);
    out->steps = which(dev, "RVOS_CUDA_STEPS", yes);
}
