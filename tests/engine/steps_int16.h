/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps_int16.h - Winograd's method with products of 16-bit integers, against the
 * definition in double. A part of steps.c. */
#ifndef RV_STEPS_INT16_H
#define RV_STEPS_INT16_H

#include "steps_conv.h"

/* Sums of integers as large as they can be, at some points: in the middle one of nine
 * tiles each pixel has the sign that it counts with, and all channels are alike. */
static void winograd_int16_ends(uint64_t *seed)
{
    static const char sign[6][7] = {"+.-.+.", ".--++.", ".+--+.",
                                    ".--++.", ".+--+.", ".+.-.+"};

    for (int p = 0; p < 36; p += 5) {
        struct conv_case c =
            new_conv(seed, 12, 12, 300, rv_winograd()->panel, 3, 1, RV_F32);

        for (int k = 0; k < c.oc * c.ic * 9; k++)
            c.kernel[k] = c.kernel[k / (c.ic * 9) * c.ic * 9 + k % 9];
        for (int k = 0; k < 144 * c.ic; k++) {
            int y = k / c.ic / 12 - 3, x = k / c.ic % 12 - 3;

            c.in[k] = y < 0 || y > 5 || x < 0 || x > 5   ? 0
                      : sign[p / 6][y] == sign[p % 6][x] ? 1.0f
                                                         : -1.0f;
        }
        c.int16 = true;
        c.rows = 4;
        check_conv(&rv_engine_winograd, &c, 0);
        free_conv(&c);
    }
}

static void winograd_int16(uint64_t *seed)
{
    int panel = rv_winograd()->panel;

    if (!rv_winograd_int16())
        return;
    printf("Winograd, int16\n");
    winograd_int16_ends(seed);
    for (int i = 0; i < 24; i++) {
        struct conv_case c =
            new_conv(seed, test_random_int(seed, 1, 24), test_random_int(seed, 1, 24),
                     i % 4 ? test_random_int(seed, 1, 70) : 130,
                     panel * test_random_int(seed, 1, 3), 3, 1, RV_F32);
        size_t n = (size_t)c.oh * c.ow * c.oc;
        float *whole = alloc(n), *cut = alloc(n);

        c.int16 = true;
        c.relu = test_random(seed) % 2;
        c.sum = test_random(seed) % 2;
        c.rows = i % 2 ? 4 : 2;
        check_conv(&rv_engine_winograd, &c, 0);
        run_conv(&rv_engine_winograd, &c, 0, whole);
        c.parts = test_random_int(seed, 1, 3);
        run_conv(&rv_engine_winograd, &c, test_random(seed), cut);
        CHECK(!memcmp(whole, cut, n * sizeof(float)));
        c.int16 = false;
        run_conv(&rv_engine_winograd, &c, 0, cut);
        CHECK(memcmp(whole, cut, n * sizeof(float)) != 0);
        free(whole);
        free(cut);
        free_conv(&c);
    }
}

#endif
