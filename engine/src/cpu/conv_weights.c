/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_weights.c - kernels for Winograd's method, and weights as integers. Both are made
 * once for each weight of a model. */
#include <math.h>

#include "../pixels/clones.h"
#include "integers.h"
#include "winograd.h"

#define PANEL_MOST 64

/* [n + 2][3]: matrix from a kernel's row to its values at the points of winograd.h,
 * divided by the product of the point's differences from the others. */
static const double points4[6][3] = {
    {1, 0, 0},
    {-81.0 / 130, -27.0 / 65, -18.0 / 65},
    {-81.0 / 130, 27.0 / 65, -18.0 / 65},
    {8.0 / 65, 12.0 / 65, 18.0 / 65},
    {8.0 / 65, -12.0 / 65, 18.0 / 65},
    {0, 0, 1},
};
static const double points2[4][3] = {
    {1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

/* Transforms the kernels k[tap][output] of one input channel to u[point * pitch +
 * output]. */
RV_CLONES
static void transform(int tile, double (*k)[PANEL_MOST], int width, float *u,
                      size_t pitch)
{
    const double(*g)[3] = tile == 4 ? points4 : points2;
    double half[6][3][PANEL_MOST];

    for (int y = 0; y < tile + 2; y++)
        for (int x = 0; x < 3; x++)
            for (int o = 0; o < width; o++)
                half[y][x][o] =
                    g[y][0] * k[x][o] + g[y][1] * k[3 + x][o] + g[y][2] * k[6 + x][o];
    for (int y = 0; y < tile + 2; y++)
        for (int x = 0; x < tile + 2; x++)
            for (int o = 0; o < width; o++)
                u[(size_t)(y * (tile + 2) + x) * pitch + o] =
                    (float)(g[x][0] * half[y][0][o] + g[x][1] * half[y][1][o] +
                            g[x][2] * half[y][2][o]);
}

void rv_winograd_weights(int n, const float *oihw, int inputs, int first, int width,
                         float *u)
{
    size_t pitch = (size_t)inputs * width;
    double k[9][PANEL_MOST];

    for (int i = 0; i < inputs; i++) {
        for (int t = 0; t < 9; t++)
            for (int o = 0; o < width; o++)
                k[t][o] = oihw[((size_t)(first + o) * inputs + i) * 9 + t];
        transform(n, k, width, u + (size_t)i * width, pitch);
    }
}

/* Sums of products with integers of up to RV_INT16_MOST must fit into 31 bits. The sums
 * of 8 bits always do. */
#define SUM_MOST (INT32_MAX / (RV_INT16_MOST + 1))

float rv_integer_weights_round(const struct rv_integers *k, const float *x, int inputs,
                               size_t stride, void *u, int width, float *sum)
{
    double total = 0, most = 0, scale;
    int64_t rounded = 0;

    for (int i = 0; i < inputs; i++) {
        double a = fabs(x[i * stride]);

        total += a;
        most = a > most ? a : most;
    }
    *sum = 0;
    if (!isfinite(total) || most == 0)
        return isfinite(total) ? 0 : NAN;
    scale = (k->bits == 16 ? INT16_MAX : INT8_MAX) / most;
    if (k->bits == 16 && scale * total > SUM_MOST - inputs / 2.0)
        scale = (SUM_MOST - inputs / 2.0) / total; /* rounding adds up to a half each */
    for (int i = 0; i < inputs; i++) {
        size_t at = ((size_t)(i / k->group) * width) * k->group + i % k->group;
        long q = lrint(x[i * stride] * scale);

        rounded += q;
        if (k->bits == 16)
            ((int16_t *)u)[at] = (int16_t)q;
        else
            ((int8_t *)u)[at] = (int8_t)q;
    }
    *sum = (float)((double)rounded / scale);
    return (float)(1 / scale);
}
