/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winograd_int16.c - the integers of winograd.h: what a patch becomes against the
 * transform in double, and products against plain integers, to the bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "cpu/winograd.h"

#define CHANNELS_MOST 70
#define PITCH 80
#define TILES_MOST 13

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

static void check_patch(const struct rv_winograd_int16 *k, int n, int channels,
                        const float *const *pixel, double most)
{
    int size = n + 2;
    const float *axis = n == 4 ? rv_winograd_most4 : rv_winograd_most2;
    int16_t q[36 * PITCH];
    float step;

    memset(q, 0x55, sizeof(q));
    k->input(n, pixel, channels, q, PITCH, &step);
    CHECK_NEAR(step, most / RV_WINOGRAD_INT16, 1e-6 * most);
    for (int p = 0; p < size * size; p++) {
        double unit = (double)step * axis[p / size] * axis[p % size];

        for (int c = 0; c < channels; c++) {
            int got = q[p * PITCH + c];

            CHECK(abs(got) <= RV_WINOGRAD_INT16);
            if (!CHECK_NEAR(got * unit, transformed(n, pixel, c, p),
                            0.51 * unit + 1e-5 * most))
                return;
        }
        if (channels % 2) /* it is multiplied, too */
            CHECK(q[p * PITCH + channels] == 0);
    }
}

/* Random pixels; then the signs that make each point as large as it can be, and none. */
static void patches(const struct rv_winograd_int16 *k, int n, uint64_t *seed)
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

/* m is the sum of integers as a float, times step, times unit: nothing is rounded but
 * these three. */
static void check_products(const struct rv_winograd_int16 *k, int tiles, int channels,
                           const int16_t *q, const int16_t *u, uint64_t *seed)
{
    float step[TILES_MOST], unit[64], m[TILES_MOST * 64];

    for (int i = 0; i < TILES_MOST; i++)
        step[i] = test_random_float(seed, 0.1f, 2);
    for (int o = 0; o < k->panel; o++)
        unit[o] = test_random_float(seed, 0.1f, 2);
    k->multiply(q, PITCH, step, u, unit, m, tiles, channels);
    for (int t = 0; t < tiles; t++)
        for (int o = 0; o < k->panel; o++) {
            int64_t sum = 0;
            float want;

            for (int c = 0; c < channels; c++)
                sum += (int64_t)q[t * PITCH + c] *
                       u[(size_t)(c / 2 * k->panel + o) * 2 + c % 2];
            CHECK(sum == (int32_t)sum);
            want = (float)sum * step[t] * unit[o];
            if (!CHECK(m[t * k->panel + o] == want))
                return;
        }
}

static void products(const struct rv_winograd_int16 *k, uint64_t *seed)
{
    static int16_t q[TILES_MOST * PITCH], u[CHANNELS_MOST * 64];

    for (int round = 0; round < 60; round++) {
        int channels = test_random_int(seed, 1, CHANNELS_MOST);
        bool ends = round % 3 == 0; /* sums as large as may be */
        int most = INT32_MAX / (RV_WINOGRAD_INT16 + 1) / channels;

        most = most > INT16_MAX ? INT16_MAX : most;
        memset(q, 0, sizeof(q));
        memset(u, 0, sizeof(u));
        for (int t = 0; t < TILES_MOST; t++)
            for (int c = 0; c < channels; c++)
                q[t * PITCH + c] =
                    (int16_t)(ends ? t % 2 ? -RV_WINOGRAD_INT16 : RV_WINOGRAD_INT16
                                   : test_random_int(seed, -RV_WINOGRAD_INT16,
                                                     RV_WINOGRAD_INT16));
        for (int c = 0; c < channels; c++)
            for (int o = 0; o < k->panel; o++)
                u[(size_t)(c / 2 * k->panel + o) * 2 + c % 2] =
                    (int16_t)(ends ? o % 3 ? -most : most
                                   : test_random_int(seed, -most, most));
        check_products(k, 1 + round % TILES_MOST, channels, q, u, seed);
    }
}

int main(void)
{
    const struct rv_winograd_int16 *k = rv_winograd_int16();
    uint64_t seed = 1;

    if (!k)
        return test_skip("no int16 on this processor");
    CHECK(k->panel == rv_winograd()->panel && k->panel <= 64);
    patches(k, 4, &seed);
    patches(k, 2, &seed);
    products(k, &seed);
    return test_done();
}
