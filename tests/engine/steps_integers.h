/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps_integers.h - convolutions with products of integers, against the definition in
 * double. A part of steps.c. */
#ifndef RV_STEPS_INTEGERS_H
#define RV_STEPS_INTEGERS_H

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
        c.bits = 16;
        c.rows = 4;
        check_conv(&rv_engine_winograd, &c, 0);
        free_conv(&c);
    }
}

static void winograd_int16(uint64_t *seed)
{
    int panel = rv_winograd()->panel;

    if (!rv_integers(16))
        return;
    printf("Winograd, int16\n");
    winograd_int16_ends(seed);
    for (int i = 0; i < 24; i++) {
        struct conv_case c =
            new_conv(seed, test_random_int(seed, 1, 24), test_random_int(seed, 1, 24),
                     i % 4 ? test_random_int(seed, 1, 70) : 130,
                     panel * test_random_int(seed, 1, 3), 3, 1, RV_F32);
        size_t n = (size_t)c.oh * c.ow * c.oc;
        float *integers = alloc(n), *floats = alloc(n);

        c.bits = 16;
        c.relu = test_random(seed) % 2;
        c.sum = test_random(seed) % 2;
        c.rows = i % 2 ? 4 : 2;
        check_cuts(&rv_engine_winograd, &c, seed);
        run_conv(&rv_engine_winograd, &c, 0, integers);
        c.bits = 0;
        run_conv(&rv_engine_winograd, &c, 0, floats);
        CHECK(memcmp(integers, floats, n * sizeof(float)) != 0);
        free(integers);
        free(floats);
        free_conv(&c);
    }
}

/* Shapes that one panel, one slab of inputs and one block of patches hold, and larger
 * ones. */
static void patches(uint64_t *seed, int bits)
{
    static const int sizes[] = {1, 3, 7, 5};

    if (!rv_integers(bits))
        return;
    printf("patches, int%d\n", bits);
    for (int i = 0; i < 40; i++) {
        int size = sizes[i % 4];
        int ic = test_random_int(seed, 1, size == 1 ? 700 : size == 3 ? 130 : 20);
        struct conv_case c =
            new_conv(seed, test_random_int(seed, 1, 12), test_random_int(seed, 1, 12), ic,
                     i % 3 ? test_random_int(seed, 1, 150) : rv_integers(bits)->panel,
                     size, 1 + i / 4 % 2, RV_F32);

        c.bits = bits;
        c.relu = test_random(seed) % 2;
        c.relu6 = c.relu && i % 5 == 0;
        c.sum = test_random(seed) % 2;
        check_cuts(&rv_engine_patches, &c, seed);
        free_conv(&c);
    }
}

/* Checks `suits`: what is left to floats, and that the first layer has 16 bits. */
static void patch_shapes(void)
{
    const struct rv_conv_shape usual = {
        .oh = 16, .ow = 28, .ic = 192, .oc = 256, .size = 3, .stride = 2, .pad_side = 1};
    struct rv_conv_shape s = usual;

    CHECK(!rv_engine_patches.suits(&s));
    for (s.bits = 8; s.bits <= 16; s.bits += 8) {
        bool can = rv_integers(s.bits);

        CHECK(rv_engine_patches.suits(&s) == can);
        s.depthwise = true;
        CHECK(!rv_engine_patches.suits(&s));
        s.depthwise = false, s.in = s.out = RV_BF16;
        CHECK(!rv_engine_patches.suits(&s));
        s.in = s.out = RV_F32, s.oc = 1; /* a panel would be nearly empty */
        CHECK(!rv_engine_patches.suits(&s));
        s.oc = 256;
    }
}

#endif
