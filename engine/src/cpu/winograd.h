/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winograd.h - the arithmetic of a 3x3 convolution by Winograd's method, compiled once
 * for each instruction set (winograd.c).
 *
 * A tile of n x n outputs needs (n + 2)^2 multiplications a channel instead of 9 n^2:
 * with n = 4 a quarter. Input patches and kernels are transformed, multiplied (for each
 * of the (n + 2)^2 points a matrix product over the channels), and the sums transformed
 * back (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). For n
 * = 4 the points are 0, +-2/3, +-3/2 and infinity: with them the result is twice as far
 * from the exact one as plain float32 sums are (8.4e-7 against 4.7e-7 of the values, 256
 * channels); with the usual 0, +-1, +-2 it would be four times. For n = 2 it is nearer.
 */
#ifndef RV_CPU_WINOGRAD_H
#define RV_CPU_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

#define RV_WINOGRAD_MOST 4 /* n */
#define RV_WINOGRAD_POINTS 36
#define RV_WINOGRAD_LANES 16 /* pitches of transformed patches are multiples of this */

struct rv_winograd {
    int panel; /* outputs at a time: theirs are a multiple of this */
    /* One patch of (n + 2)^2 pixels of `channels` floats, by rows: its transform to
     * v[point * pitch + channel], up to the next multiple of RV_WINOGRAD_LANES. */
    void (*input)(int n, const float *const *pixel, int channels, float *v, size_t pitch);
    /* m[tile][panel] = v[tile * pitch + channel] * u[channel][panel]. */
    void (*multiply)(const float *v, size_t pitch, const float *u, float *m, int tiles,
                     int channels);
    /* The sums of one tile, m[point * pitch + output], transformed back, with the bias
     * and what is at `add` (NULL: nothing), to n x n pixels, by rows; NULL: not there. */
    void (*output)(int n, const float *m, size_t pitch, const float *bias,
                   const float *const *add, bool relu, float *const *pixel);
};

/* The best that this processor has. */
const struct rv_winograd *rv_winograd(void);

#endif
