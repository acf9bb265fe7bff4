/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* integers.h - products of 16-bit or 8-bit integers in place of floats, for
 * convolutions. One instruction multiplies 2 or 4 times as many of them.
 *
 * The inputs of a sum are rounded together: their unit follows from the largest of them,
 * so nothing has to be calibrated. The weights of an output have a unit, too. Sums are
 * exact, because no sum leaves 32 bits. integers.c is compiled for each instruction set
 * and size; conv_weights.c rounds weights. */
#ifndef RV_CPU_INTEGERS_H
#define RV_CPU_INTEGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest value of a rounded input of 16 bits. 14 bits leave room for larger weights
 * in a sum of 32 bits. */
#define RV_INT16_MOST 8191
#define RV_INT8_MOST 255 /* from 0: 8 bits without a sign */

#define RV_INTEGERS_LANES 16 /* rows of inputs are padded to multiples of this */

/* The weights of some outputs (a panel), for the inputs of one sum. */
struct rv_integer_weights {
    const void *u;     /* u[input / group][output][input % group] */
    const float *unit; /* of each output */
    const float *sum;  /* 8 bits: of each output, the sum of its weights */
};

struct rv_integers {
    int bits;  /* 16 or 8 */
    int group; /* inputs whose products one instruction adds up */
    int panel; /* outputs at a time; half as many are possible, too, with AVX-512 */

    /* Rounds x[n] to q[n], so that x is *low + *step * q (16 bits: *low is 0). `n` is a
     * multiple of RV_INTEGERS_LANES. A NaN may become any number. */
    void (*round)(const float *x, int n, void *q, float *step, float *low);

    /* m[row][width] = the sum over all inputs of (low[row] + step[row] * q[row * pitch +
     * input]) times the weight, added to what is there if `more`. `width` is panel or,
     * with AVX-512, half of it. */
    void (*multiply)(const void *q, size_t pitch, const float *step, const float *low,
                     const struct rv_integer_weights *w, float *m, int rows, int inputs,
                     int width, bool more);

    /* rv_winograd.input, to 16-bit integers q[point * pitch + channel]. The value at a
     * point is q times step[point * step_pitch]. NULL for 8 bits. */
    void (*input)(int n, const float *const *pixel, int channels, int16_t *q,
                  size_t pitch, float *step, size_t step_pitch);
};

/* NULL: this processor has none, or they are not faster. `bits` is 16 or 8. */
const struct rv_integers *rv_integers(int bits);

/* Rounds the weights of one output, x[input * stride], to
 * u[input / group * width * group + input % group], which must be zero before. Returns
 * their unit, and in *sum the sum of the rounded weights. */
float rv_integer_weights_round(const struct rv_integers *k, const float *x, int inputs,
                               size_t stride, void *u, int width, float *sum);

#endif
