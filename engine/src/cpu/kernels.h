/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels.h - everything but convolutions, on bands of rows, in plain C.
 *
 * struct rv_kernels has the kernels that exist twice. "plain" defines the correct result
 * and is written to be read. "fast" does the same arithmetic in an order that vectorises
 * well. tests/engine/steps.c compares them on random input. */
#ifndef RV_CPU_KERNELS_H
#define RV_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../type.h"

/* One image of a tensor: h x w pixels of c channels, `pitch` elements apart (more than c
 * in a slice). Elements are RV_F32 or RV_BF16. data is NULL if the tensor is absent. */
struct rv_view {
    void *data;
    int h, w, c, pitch;
    enum rv_type type;
};

/* Bilinear interpolation with aligned corners along one axis. Output i lies between
 * inputs at[i] and at[i] + (at[i] + 1 < in), at the fraction frac[i] between them. */
struct rv_axis {
    int in, out;
    int *at;
    float *frac;
};

int rv_axis_init(struct rv_axis *axis, int in, int out); /* 0, or -1 if memory runs out */
void rv_axis_finish(struct rv_axis *axis);
/* Makes the axis in the caller's memory, rv_axis_room(out) floats. */
struct rv_axis rv_axis_at(int in, int out, float *memory);
size_t rv_axis_room(int out);

/* A ConvLSTM cell, as in net/program.h: enum rv_cell_in. */
struct rv_cell_views {
    struct rv_view below, h_left, c_left, time, skip, mul, h, c;
    int input_channels; /* input channels of the convolution: those of up and h_left */
};

struct rv_kernels {
    /* Computes rows row0 to row1 of the hidden and cell state from gate sums. `gates`
     * holds those rows of the convolution, packed; NULL if there is none. */
    void (*cell_update)(const struct rv_cell_views *m, int row0, int row1,
                        const float *gates);
    /* Computes rows row0 to row1 of the half-size logits (twice h's size) from the finest
     * hidden state: upsamples it, then applies conv_out with its kernel [tap][channel].
     * `scratch` has rv_mask_scratch floats. */
    void (*mask_half)(const struct rv_view *h, const float *kernel, float bias, int size,
                      int row0, int row1, float *out, float *scratch);
    void (*sigmoid)(const float *in, float *out, size_t n);
};

extern const struct rv_kernels rv_kernels_plain, rv_kernels_fast;

/* The fast table's mask_half. */
void rv_fast_mask_half(const struct rv_view *h, const float *kernel, float bias, int size,
                       int row0, int row1, float *out, float *scratch);
size_t rv_mask_scratch(const struct rv_view *h, int size);

/* Between float32 and RV_F32 or RV_BF16. bfloat16 is the upper 16 bits of a float32,
 * rounded to nearest, ties to even. */
void rv_load_row(float *dst, const void *src, enum rv_type type, size_t n);
void rv_store_row(void *dst, const float *src, enum rv_type type, size_t n);

/* Reads row y as packed float32. */
void rv_gather_row(float *dst, const struct rv_view *m, int y);
/* Writes row y of `m`, upsampled to h rows and to the pixels of `x`, to `out`, `pitch`
 * floats per pixel. `line` has room for a row of m. */
void rv_upsample_pixel_row(const struct rv_view *m, int y, int h, const struct rv_axis *x,
                           float *out, int pitch, float *line);

/* Writes rows row0 to row1 of the input of a cell's convolution, [ up(below) * mul |
 * h_left ], packed, to `dst`. All have the type `type`. `line` has room for
 * rv_cell_line floats. */
void rv_cell_input(const struct rv_cell_views *m, int row0, int row1, void *dst,
                   enum rv_type type, float *line);
size_t rv_cell_line(const struct rv_cell_views *m);

/* Windows of 2 or 3 rows and columns are cut at the borders. `in` and `out` may be
 * slices. */
void rv_maxpool(const struct rv_view *in, const struct rv_view *out, int size, int stride,
                int pad, int row0, int row1);

/* Interpolates between rows a and b of a plane at the fraction `frac`, and to the width
 * of `x`. `line` has room for x->in floats. */
void rv_upsample_plane_row(const float *a, const float *b, float frac,
                           const struct rv_axis *x, float *line, float *out);

#endif
