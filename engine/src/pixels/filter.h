/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* filter.h - a frame as the network's input, in tables: Pillow's antialiased BILINEAR in
 * its own integers, and the normalisation. */
#ifndef RV_PIXELS_FILTER_H
#define RV_PIXELS_FILTER_H

#include <stddef.h>
#include <stdint.h>

#define RV_TAPS_BITS 22                        /* of a coefficient's fraction */
#define RV_TAPS_HALF (1 << (RV_TAPS_BITS - 1)) /* sums begin with it, to be rounded */

/* One axis: output i is the sum over t < count[i] of coef[i * taps + t] *
 * input[first[i] + t]. */
struct rv_taps {
    const int32_t *first, *count, *coef;
    int taps;
};

/* Both axes, and a byte's value as input, by channel: in one block of words, which a
 * backend may copy to where its kernels run. */
struct rv_filter {
    struct rv_taps x, y;
    const float *value; /* [3][256] */
};

struct rv_scaling {
    int in_width, in_height, out_width, out_height;
};

size_t rv_filter_words(struct rv_scaling size);
void rv_filter_fill(struct rv_scaling size, int32_t *block);
/* Where the tables lie in a block, whatever memory that is. */
struct rv_filter rv_filter_at(struct rv_scaling size, const int32_t *block);

#endif
