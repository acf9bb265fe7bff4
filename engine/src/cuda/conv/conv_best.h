/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_best.h - which engine makes a convolution: the fastest, by measurement. */
#ifndef RV_CUDA_CONV_BEST_H
#define RV_CUDA_CONV_BEST_H

#include "conv.h"

/* A convolution and the engine that it is of. */
struct rv_made {
    const struct rv_conv_engine *engine;
    struct rv_conv *conv; /* NULL: none; to be destroyed by the engine */
};

/* Of cuDNN's and our own kernels on tensor cores the faster one; where neither can, the
 * plain one. What was found is remembered on disk; where measuring is not wanted
 * (RVOS_CUDA_TUNE=0) cuDNN is taken. RVOS_CUDA_CONV in the environment takes away the
 * choice: "cudnn", "tile" or "plain". Under the device's lock. */
int rv_conv_make(rvos_device *dev, const struct rv_conv_shape *shape,
                 struct rv_weights *weights, int index, struct rv_made *out);
/* Opened with the device, closed with it. NULL: no memory. */
struct rv_conv_best;
struct rv_conv_best *rv_conv_best_open(const rvos_device *dev);
void rv_conv_best_close(struct rv_conv_best *best);

#endif
