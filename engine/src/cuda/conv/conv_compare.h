/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_compare.h - checks whether a convolution agrees with the plain kernel.
 *
 * Both sum the same products in float32, in different orders. The allowed difference is
 * relative to the result's own size or to the root mean square of all results, whichever
 * is larger. It is far more than rounding, and far less than the effect of a wrong tap,
 * tile or stride. */
#ifndef RV_CUDA_CONV_COMPARE_H
#define RV_CUDA_CONV_COMPARE_H

#include "conv.h"

static inline float rv_agreement(enum rv_type operands, bool tf32)
{
    return operands == RV_F16 || tf32 ? 0.03f : 1e-3f;
}

struct rv_difference {
    size_t at; /* index of the element with the largest difference */
    float got, want;
    float share; /* difference / allowed difference; above 1 or NaN: they disagree */
};

/* Elements are RV_F32 or RV_F16, in host memory. */
struct rv_difference rv_differ(const void *got, const void *want, size_t n,
                               enum rv_type type, float allowed);

/* Runs `run` and then the plain kernel on random operands at `io`, which is overwritten.
 * `io` points to device memory of the sizes in `shape`; io->add may be io->y. Returns 0,
 * or an error if `run` failed (not logged) or nothing could be compared. */
int rv_conv_compare(rvos_device *dev, const struct rv_conv_shape *shape,
                    struct rv_weights *weights, int index, const struct rv_conv_io *io,
                    int (*run)(void *opaque, cudaStream_t stream), void *opaque,
                    struct rv_difference *out);

#endif
