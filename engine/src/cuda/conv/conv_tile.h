/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_tile.h - the convolution engine of conv_tile.c, and its tilings. */
#ifndef RV_CUDA_CONV_TILE_H
#define RV_CUDA_CONV_TILE_H

#include "conv.h"

/* A block computes m pixels by n outputs; columns are split into `parts`. */
struct rv_tiling {
    int m, n, parts;
};
#define RV_TILINGS 12

/* For fp16 operands with input and output channels in multiples of 8. Created with its
 * first tiling. */
extern const struct rv_conv_engine rv_conv_tile;
/* The tilings worth trying, most promising first; returns their number. */
int rv_conv_tilings(const struct rv_conv_shape *shape, struct rv_tiling out[RV_TILINGS]);
void rv_conv_tile_set(struct rv_conv *conv, struct rv_tiling tiling);
/* A tiling as a number above 0, and back. False: the shape has no such tiling. */
int rv_tiling_code(struct rv_tiling tiling);
bool rv_tiling_of_code(const struct rv_conv_shape *shape, int code,
                       struct rv_tiling *out);

#endif
