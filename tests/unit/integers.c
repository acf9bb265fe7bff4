/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* integers.c - integers.h: what a patch or a row becomes, against the transform in
 * double; weights; and products against plain integers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "cpu/integers.h"
#include "cpu/winograd.h"

#define CHANNELS_MOST 70
#define PITCH 80
#define TILES_MOST 13
#define ROW_MOST 512
#define WIDTH 64

/* The rows of the transform, of winograd.h's points: x - a and x + a from each, times
 * the other factors. */
static const double four[6][6] = {
    {1, 0, -97.0 / 36, 0, 1, 0},        {0, -1.5, -2.25, 2.0 / 3, 1, 0},
    {0, 1.5, -2.25, -2.0 / 3, 1, 0},    {0, -2.0 / 3, -4.0 / 9, 1.5, 1, 0},
    {0, 2.0 / 3, -4.0 / 9, -1.5, 1, 0}, {0, 1, 0, -97.0 / 36, 0, 1}};
static const double two[4][4] = {
    {1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}};

static double factor(int n, int row, int column)
{
    return n == 4 ? four[row][column] : two[row][column];
}

static double transformed(int n, const float *const *pixel, int c, int p)
{
    int size = n + 2;
    double sum = 0;

    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            sum += factor(n, p / size, y) * factor(n, p % size, x) *
                   (double)pixel[y * size + x][c];
    return sum;
}

static void check_patch(const struct rv_integers *k, int n, int channels,
                        const float *const *pixel, double most)
{
    int size = n + 2;
    const float *axis = n == 4 ? rv_winograd_most4 : rv_winograd_most2;
    int16_t q[36 * PITCH];
    float step[36 * 3];

    memset(q, 0x55, sizeof(q));
    k->input(n, pixel, channels, q, PITCH, step, 3);
    for (int p = 0; p < size * size; p++) {
        double unit = (double)step[3 * p];

        CHECK_NEAR(unit, most * axis[p / size] * axis[p % size] / RV_INT16_MOST,
                   1e-6 * most);
        for (int c = 0; c < channels; c++) {
            int got = q[p * PITCH + c];

            CHECK(abs(got) <= RV_INT16_MOST);
            if (!CHECK_NEAR(got * unit, transformed(n, pixel, c, p),
                            0.51 * unit + 1e-5 * most))
                return;
        }
        if (channels % 2) /* it is multiplied, too */
            CHECK(q[p * PITCH + channels] == 0);
    }
}

/* Random pixels; then the signs that make each point as large as it can be, and none. */
static void patches(const struct rv_integers *k, int n, uint64_t *seed)
{
    float data[36][CHANNELS_MOST];
    const float *pixel[36];
    int size = n + 2;

    for (int i = 0; i < 36; i++)
        pixel[i] = data[i];
    for (int round = 0; round < 20; round++) {
        int channels = test_random_int(seed, 1, CHANNELS_MOST);
        double most = 0, gain = pow(10, test_random_int(seed, -8, 8));

        for (int i = 0; i < size * size; i++)
            for (int c = 0; c < channels; c++) {
                data[i][c] = (float)(gain * test_random_float(seed, -1, 1));
                most = fmax(most, fabs((double)data[i][c]));
            }
        check_patch(k, n, channels, pixel, most);
    }
    for (int p = 0; p < size * size; p++) {
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                for (int c = 0; c < 3; c++)
                    data[y * size + x][c] =
                        factor(n, p / size, y) * factor(n, p % size, x) < 0 ? -7 : 7;
        check_patch(k, n, 3, pixel, 7);
    }
    memset(data, 0, sizeof(data));
    check_patch(k, n, 9, pixel, 0);
}

/* ---- rows ------------------------------------------------------------------------- */

static int value_of(const struct rv_integers *k, const void *q, int i)
{
    return k->bits == 16 ? ((const int16_t *)q)[i] : ((const uint8_t *)q)[i];
}

/* Each value is as near as its unit allows, and the unit is no larger than needed. */
static void check_row(const struct rv_integers *k, const float *x, int n)
{
    int16_t q[ROW_MOST];
    float step, low, most = 0, least = INFINITY, largest = -INFINITY;
    double want;

    k->round(x, n, q, &step, &low);
    for (int i = 0; i < n; i++) {
        most = fmaxf(most, fabsf(x[i]));
        largest = fmaxf(largest, x[i]);
        least = fminf(least, x[i]);
    }
    want = k->bits == 16 ? most / (double)RV_INT16_MOST
                         : ((double)largest - least) / RV_INT8_MOST;
    CHECK_NEAR(step, want, 1e-6 * want);
    CHECK(low == (k->bits == 16 ? 0 : least));
    for (int i = 0; i < n; i++)
        if (!CHECK_NEAR(low + (double)step * value_of(k, q, i), x[i],
                        0.51 * step + 1e-6 * most))
            return;
}

static void rows(const struct rv_integers *k, uint64_t *seed)
{
    float x[ROW_MOST] = {0};

    check_row(k, x, RV_INTEGERS_LANES);
    for (int round = 0; round < 40; round++) {
        int n =
            RV_INTEGERS_LANES * test_random_int(seed, 1, ROW_MOST / RV_INTEGERS_LANES);
        float gain = powf(10, (float)test_random_int(seed, -8, 8)),
              from = test_random_float(seed, -1, 1);

        for (int i = 0; i < n; i++)
            x[i] = gain * (from + test_random_float(seed, 0, 1));
        check_row(k, x, n);
        x[test_random_int(seed, 0, n - 1)] = -2 * gain;
        check_row(k, x, n);
        for (int i = 0; i < n; i++)
            x[i] = 3;
        check_row(k, x, n);
    }
}

/* ---- weights ---------------------------------------------------------------------- */

static int weight_of(const struct rv_integers *k, const void *u, int i, int o)
{
    size_t at = (size_t)(i / k->group * WIDTH + o) * k->group + i % k->group;

    return k->bits == 16 ? ((const int16_t *)u)[at] : ((const int8_t *)u)[at];
}

static void weights(const struct rv_integers *k, uint64_t *seed)
{
    enum { INPUTS = 510 };
    static float x[INPUTS * 3];
    static int16_t u[(INPUTS + 4) * WIDTH];

    for (int round = 0; round < 20; round++) {
        int inputs = test_random_int(seed, 1, INPUTS), o = round % WIDTH;
        float sum, unit;
        double total = 0, magnitude = 0, sum_want = 0;

        for (int i = 0; i < inputs; i++) {
            x[3 * i] = test_random_float(seed, -1, 1);
            x[3 * i] *= round % 2 ? x[3 * i] * x[3 * i] : 1;
            total = fmax(total, fabs((double)x[3 * i]));
        }
        memset(u, 0, sizeof(u));
        unit = rv_integer_weights_round(k, x, inputs, 3,
                                        (char *)u + (size_t)o * k->group * (k->bits / 8),
                                        WIDTH, &sum);
        CHECK(unit > 0 && unit <= 1.001 * total / (k->bits == 16 ? 511 : INT8_MAX));
        for (int i = 0; i < inputs; i++) {
            int got = weight_of(k, u, i, o);

            magnitude += abs(got);
            sum_want += (double)got * unit;
            CHECK_NEAR((double)got * unit, x[3 * i], 0.51 * unit);
        }
        CHECK(k->bits == 8 || magnitude * RV_INT16_MOST <= INT32_MAX);
        CHECK_NEAR(sum, sum_want, 1e-5 * magnitude * unit);
    }
    for (int i = 0; i < 3; i++)
        x[i] = 0;
    CHECK(rv_integer_weights_round(k, x, 3, 1, u, WIDTH, &x[3]) == 0 && x[3] == 0);
    x[1] = NAN;
    CHECK(isnan(rv_integer_weights_round(k, x, 3, 1, u, WIDTH, &x[3])));
}

/* ---- products --------------------------------------------------------------------- */

struct operands {
    int16_t q[TILES_MOST * PITCH], u[(CHANNELS_MOST + 4) * WIDTH]; /* or bytes */
    float step[TILES_MOST], low[TILES_MOST], unit[WIDTH], sum[WIDTH];
};

/* Of 16 bits m is the sum of integers as a float, times step, times unit: nothing is
 * rounded but these three. */
static void check_products(const struct rv_integers *k, const struct operands *x,
                           int rows, int channels, int width)
{
    const struct rv_integer_weights weights = {x->u, x->unit, x->sum};
    float m[TILES_MOST * WIDTH], more[TILES_MOST * WIDTH];

    k->multiply(x->q, PITCH, x->step, x->low, &weights, m, rows, channels, width, false);
    memcpy(more, m, sizeof(more));
    k->multiply(x->q, PITCH, x->step, x->low, &weights, more, rows, channels, width,
                true);
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < width; o++) {
            int64_t sum = 0;
            float got = m[r * width + o];
            double low = k->bits == 8 ? (double)x->low[r] * x->sum[o] : 0, want;

            for (int c = 0; c < channels; c++) {
                size_t at = (size_t)(c / k->group * width + o) * k->group + c % k->group;

                sum += (int64_t)value_of(k, x->q, r * PITCH + c) *
                       (k->bits == 16 ? x->u[at] : ((const int8_t *)x->u)[at]);
            }
            CHECK(sum == (int32_t)sum);
            want = (double)sum * x->step[r] * x->unit[o] + low;
            if (!CHECK_NEAR(got, want, 3e-7 * (fabs(want - low) + fabs(low))) ||
                (k->bits == 16 && !CHECK(got == (float)sum * x->step[r] * x->unit[o])) ||
                !CHECK_NEAR(more[r * width + o], 2 * want,
                            6e-7 * (fabs(want - low) + fabs(low))))
                return;
        }
}

static void fill(const struct rv_integers *k, struct operands *x, int channels, int width,
                 bool ends, uint64_t *seed)
{
    int most = INT32_MAX / (RV_INT16_MOST + 1) / channels;

    most = k->bits == 8 ? INT8_MAX : most > INT16_MAX ? INT16_MAX : most;
    memset(x, 0, sizeof(*x));
    for (int i = 0; i < TILES_MOST * PITCH; i++)
        if (k->bits == 8)
            ((uint8_t *)x->q)[i] =
                (uint8_t)(ends ? i / PITCH % 2 ? 255 : 0 : test_random_int(seed, 0, 255));
        else if (i % PITCH < channels)
            x->q[i] =
                (int16_t)(ends ? i / PITCH % 2 ? -RV_INT16_MOST : RV_INT16_MOST
                               : test_random_int(seed, -RV_INT16_MOST, RV_INT16_MOST));
    for (int c = 0; c < channels; c++)
        for (int o = 0; o < width; o++) {
            size_t at = (size_t)(c / k->group * width + o) * k->group + c % k->group;
            int w = ends ? o % 3 ? -most : most : test_random_int(seed, -most, most);

            if (k->bits == 8)
                ((int8_t *)x->u)[at] = (int8_t)w;
            else
                x->u[at] = (int16_t)w;
        }
    for (int i = 0; i < TILES_MOST; i++) {
        x->step[i] = test_random_float(seed, 0.1f, 2);
        x->low[i] = test_random_float(seed, -50, 50);
    }
    for (int o = 0; o < width; o++) {
        x->unit[o] = test_random_float(seed, 0.1f, 2);
        x->sum[o] = test_random_float(seed, -100, 100);
    }
}

static void products(const struct rv_integers *k, uint64_t *seed)
{
    static struct operands x;

    for (int round = 0; round < 60; round++) {
        int channels = test_random_int(seed, 1, CHANNELS_MOST);
        bool ends = round % 3 == 0; /* sums as large as may be */
        int width = k->panel / (rv_winograd()->narrow && round % 4 == 1 ? 2 : 1);

        fill(k, &x, channels, width, ends, seed);
        check_products(k, &x, 1 + round % TILES_MOST, channels, width);
    }
}

int main(void)
{
    static const char *const sets[] = {"avx2", "avxvnni", "avx512"};
    uint64_t seed = 1;
    int found = 0;

    for (int i = 0; i < 6; i++) {
        const struct rv_integers *k;

        setenv("RVOS_CPU_WINOGRAD", sets[i / 2], 1);
        k = rv_integers(i % 2 ? 8 : 16);
        if (!k)
            continue;
        found++;
        CHECK(k->bits == (i % 2 ? 8 : 16) && k->group * k->bits == 32);
        CHECK(k->panel == rv_winograd()->panel && k->panel <= WIDTH);
        if (k->input) {
            patches(k, 4, &seed);
            patches(k, 2, &seed);
        }
        rows(k, &seed);
        weights(k, &seed);
        products(k, &seed);
    }
    printf("%d kinds of integers\n", found);
    return found ? test_done() : test_skip("no integers on this processor");
}
