/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_compare.h - whether a convolution agrees with the plain kernel's.
 *
 * Both sum the same products in float32, in another order. What is allowed is a share of
 * the result's own size or of the root mean square of all results, whichever is larger:
 * far more than rounding, and far less than a wrong tap, tile or stride. */
#ifndef RV_CUDA_CONV_COMPARE_H
#define RV_CUDA_CONV_COMPARE_H

#include "conv.h"

static inline float rv_agreement(enum rv_type operands, bool tf32)
{
    return operands == RV_F16 || tf32 ? 0.03f : 1e-3f;
}

struct rv_difference {
    size_t at; /* the element that is furthest off */
    float got, want;
    float share; /* of what is allowed; above 1, or not a number: they do not agree */
};

/* Elements are RV_F32 or RV_F16, in host memory. */
struct rv_difference rv_differ(const void *got, const void *want, size_t n,
                               enum rv_type type, float allowed);

/* Runs `run` and then the plain kernel on random operands at `io`, which is overwritten:
 * device memory, as `shape` says; io->add may be io->y. 0, or an error: it could not be
 * found out, or `run` failed, which is not logged. */
int rv_conv_compare(rvos_device *dev, const struct rv_conv_shape *shape,
                    struct rv_weights *weights, int index, const struct rv_conv_io *io,
                    int (*run)(void *opaque, cudaStream_t stream), void *opaque,
                    struct rv_difference *out);

#endif
