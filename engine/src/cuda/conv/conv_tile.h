/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_tile.h - the convolution engine of conv_tile.c, and how its work is cut up. */
#ifndef RV_CUDA_CONV_TILE_H
#define RV_CUDA_CONV_TILE_H

#include "conv.h"

/* A block makes m pixels by n outputs; columns are split into `parts`. */
struct rv_tiling {
    int m, n, parts;
};
#define RV_TILINGS 12

/* fp16 operands; channels in and out are multiples of 8. Made with the first of its
 * tilings. */
extern const struct rv_conv_engine rv_conv_tile;
/* Those worth trying, the likeliest first; returns how many. */
int rv_conv_tilings(const struct rv_conv_shape *shape, struct rv_tiling out[RV_TILINGS]);
void rv_conv_tile_set(struct rv_conv *conv, struct rv_tiling tiling);
/* As a number above 0, and back; false: no tiling for the shape. */
int rv_tiling_code(struct rv_tiling tiling);
bool rv_tiling_of_code(const struct rv_conv_shape *shape, int code,
                       struct rv_tiling *out);

#endif
