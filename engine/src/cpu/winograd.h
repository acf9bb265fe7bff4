/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winograd.h - the arithmetic of a 3x3 convolution by Winograd's method, compiled once
 * for each instruction set (winograd.c).
 *
 * A tile of n x n outputs needs (n + 2)^2 multiplications per channel instead of 9 n^2: a
 * quarter for n = 4. Input patches and kernels are transformed and multiplied (a matrix
 * product over the channels for each of the (n + 2)^2 points), and the sums are
 * transformed back (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2016). For n = 4 the points are 0, +-2/3, +-3/2 and infinity. With them the relative
 * error is twice that of plain float32 sums (8.4e-7 against 4.7e-7, 256 channels). With
 * the usual points 0, +-1, +-2 it would be four times. For n = 2 the error is smaller.
 */
#ifndef RV_CPU_WINOGRAD_H
#define RV_CPU_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

#define RV_WINOGRAD_MOST 4 /* n */
#define RV_WINOGRAD_POINTS 36
#define RV_WINOGRAD_LANES 16 /* pitches of transformed patches are multiples of this */

struct rv_winograd {
    int panel;  /* outputs at a time */
    int narrow; /* the same, if the number of outputs is no multiple of panel; or 0 */
    /* Transforms one patch of (n + 2)^2 pixels of `channels` floats, row by row, to
     * v[point * pitch + channel], up to the next multiple of RV_WINOGRAD_LANES. */
    void (*input)(int n, const float *const *pixel, int channels, float *v, size_t pitch);
    /* m[tile][width] = v[tile * pitch + channel] * u[channel][width]; `width` is panel or
     * narrow. */
    void (*multiply)(const float *v, size_t pitch, const float *u, float *m, int tiles,
                     int channels, int width);
    /* Transforms the sums of one tile, m[point * pitch + output], back to n x n pixels of
     * `width` floats, row by row, and adds the bias and `add` (NULL: nothing). A NULL
     * pixel does not exist. */
    void (*output)(int n, const float *m, size_t pitch, const float *bias,
                   const float *const *add, bool relu, float *const *pixel, int width);
};

/* The fastest version for this processor (isa.c). */
const struct rv_winograd *rv_winograd(void);
bool rv_winograd_off(void);

/* How much the transform of one row or column (input4, input2) can enlarge values: the
 * sums of its absolute factors. */
#define RV_MOST_ENDS (1 + 97.0f / 36 + 1)
#define RV_MOST_1 (1 + 9.0f / 4 + 2.0f / 3 + 1.5f)
#define RV_MOST_3 (1 + 4.0f / 9 + 1.5f + 2.0f / 3)
static const float rv_winograd_most4[6] = {RV_MOST_ENDS, RV_MOST_1, RV_MOST_1,
                                           RV_MOST_3,    RV_MOST_3, RV_MOST_ENDS};
static const float rv_winograd_most2[4] = {2, 2, 2, 2};

/* Transforms the kernels of one panel, outputs first to first + width, to
 * u[point][input][output]. `oihw` has the kernels of all outputs. */
void rv_winograd_weights(int n, const float *oihw, int inputs, int first, int width,
                         float *u);

#endif
