/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winograd_vec.h - loads and transforms patches, on vectors of LANES floats. Only for the
 * kernels that are compiled for one instruction set each. */
#ifndef RV_CPU_WINOGRAD_VEC_H
#define RV_CPU_WINOGRAD_VEC_H

#ifndef LANES
#define LANES 4
#endif

typedef float vec __attribute__((vector_size(4 * LANES)));
/* A vector in memory, with any alignment. */
typedef float mem __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int mask __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p)
{
    return *(const mem *)p;
}

INLINE void store(float *p, vec v)
{
    *(mem *)p = v;
}

/* The points 2/3 and 3/2, their squares, and the sum of the squares. */
#define A (2.0f / 3)
#define B (3.0f / 2)
#define AA (4.0f / 9)
#define BB (9.0f / 4)
#define SUM (97.0f / 36)

/* Transforms 6 inputs, `step` apart, to 6 values. */
INLINE void input4(const vec *d, int step, vec *t)
{
    vec even = d[4 * step] - BB * d[2 * step], odd = A * d[3 * step] - B * d[step];

    t[0] = d[0] - SUM * d[2 * step] + d[4 * step];
    t[1] = even + odd;
    t[2] = even - odd;
    even = d[4 * step] - AA * d[2 * step];
    odd = B * d[3 * step] - A * d[step];
    t[3] = even + odd;
    t[4] = even - odd;
    t[5] = d[step] - SUM * d[3 * step] + d[5 * step];
}

/* Transforms 6 sums to 4 outputs. */
INLINE void output4(const vec *m, int step, vec *y)
{
    vec s = m[step] + m[2 * step], d = m[step] - m[2 * step];
    vec s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];

    y[0] = m[0] + s + s2;
    y[1] = A * d + B * d2;
    y[2] = AA * s + BB * s2;
    y[3] = A * AA * d + B * BB * d2 + m[5 * step];
}

INLINE void input2(const vec *d, int step, vec *t)
{
    t[0] = d[0] - d[2 * step];
    t[1] = d[step] + d[2 * step];
    t[2] = d[2 * step] - d[step];
    t[3] = d[3 * step] - d[step];
}

INLINE void output2(const vec *m, int step, vec *y)
{
    y[0] = m[0] + m[step] + m[2 * step];
    y[1] = m[step] - m[2 * step] + m[3 * step];
}

/* Loads channels c to c + LANES of a patch. The last vector of the channels is filled up
 * with zeroes, because behind the last channel there may be no memory. */
INLINE void load_patch(const int n, const float *const *pixel, int c, int channels,
                       vec *d)
{
    for (int i = 0; i < (n + 2) * (n + 2); i++) {
        if (c + LANES <= channels) {
            d[i] = load(pixel[i] + c);
            continue;
        }
        d[i] = (vec){0};
        for (int k = c; k < channels; k++)
            d[i][k - c] = pixel[i][k];
    }
}

/* Transforms the columns of d to rows of t. */
INLINE void input_columns(const int n, const vec *d, vec *t)
{
    for (int x = 0; x < n + 2; x++)
        if (n == 4)
            input4(d + x, 6, t + 6 * x);
        else
            input2(d + x, 4, t + 4 * x);
}

/* Transforms row y of the points, which is column y of t. */
INLINE void input_row(const int n, const vec *t, int y, vec *out)
{
    if (n == 4)
        input4(t + y, 6, out);
    else
        input2(t + y, 4, out);
}

#endif
