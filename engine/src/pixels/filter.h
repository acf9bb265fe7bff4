/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* filter.h - tables that turn a frame into the network's input: Pillow's antialiased
 * BILINEAR filter with Pillow's integers, and the normalisation. */
#ifndef RV_PIXELS_FILTER_H
#define RV_PIXELS_FILTER_H

#include <stddef.h>
#include <stdint.h>

#define RV_TAPS_BITS 22                        /* fraction bits of a coefficient */
#define RV_TAPS_HALF (1 << (RV_TAPS_BITS - 1)) /* sums start with it, for rounding */

/* One axis: output i is the sum over t < count[i] of coef[i * taps + t] *
 * input[first[i] + t]. */
struct rv_taps {
    const int32_t *first, *count, *coef;
    int taps;
};

/* Both axes, and the network's input for each byte value by channel. All lie in one block
 * of words, which a backend may copy to its device. */
struct rv_filter {
    struct rv_taps x, y;
    const float *value; /* [3][256] */
};

struct rv_scaling {
    int in_width, in_height, out_width, out_height;
};

size_t rv_filter_words(struct rv_scaling size);
void rv_filter_fill(struct rv_scaling size, int32_t *block);
/* The tables of a block, which may be in host or device memory. */
struct rv_filter rv_filter_at(struct rv_scaling size, const int32_t *block);

#endif
