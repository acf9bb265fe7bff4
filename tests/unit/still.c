/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* still.c - tests which pixels differ from the picture that stands still. */
#include "still.h"

#include <string.h>

#include "../test.h"
#include "f16.h"

enum { W = 9, H = 7, HALF_W = 5, HALF_H = 4, VALUES = HALF_W * HALF_H * 3 };

static struct rv_still *still;
static float picture[VALUES];

static void fill(float value)
{
    for (int i = 0; i < VALUES; i++)
        picture[i] = value;
}

/* One pixel of the picture changes in one channel. */
static void change(int x, int y, float by)
{
    picture[(y * HALF_W + x) * 3 + 1] += by;
}

static const uint8_t *frame(void)
{
    return rv_still_update(still, picture, RV_F32);
}

/* Whether exactly the network's pixels of one pixel of the picture differ; x < 0: none.
 */
static bool only(const uint8_t *map, int x, int y)
{
    for (int i = 0; map && i < W * H; i++)
        if (map[i] != (x >= 0 && i % W / 2 == x && i / W / 2 == y))
            return false;
    return map != NULL;
}

static void begin(void)
{
    rv_still_reset(still);
    fill(0.25f);
    CHECK(!frame());
    CHECK(only(frame(), -1, 0));
}

static void passes(void)
{
    begin();
    change(4, 3, 1); /* the last row and column are single pixels of the network */
    CHECK(only(frame(), 4, 3));
    change(4, 3, -1);
    CHECK(only(frame(), -1, 0));
    change(1, 2, -1);
    CHECK(only(frame(), 1, 2));
}

/* What has come to stay is a part of the picture, and so is what was behind it. */
static void stays(void)
{
    begin();
    change(2, 1, 1);
    for (int t = 0; t < 29; t++)
        CHECK(only(frame(), 2, 1));
    CHECK(only(frame(), -1, 0));
    change(2, 1, -1);
    CHECK(only(frame(), 2, 1));
}

/* The sun comes out. */
static void slowly(void)
{
    begin();
    for (int t = 0; t < 100; t++) {
        fill(0.25f + 0.02f * (float)t);
        CHECK(only(frame(), -1, 0));
    }
}

static void camera(void)
{
    begin();
    for (int i = 0; i < VALUES; i++)
        picture[i] += i < VALUES * 6 / 10 ? 1 : 0;
    CHECK(!frame());
    CHECK(only(frame(), -1, 0)); /* it stands still again */
}

static void types(void)
{
    uint16_t f16[VALUES], bf16[VALUES];

    for (int type = RV_F16; type <= RV_BF16; type++) {
        const void *data = type == RV_F16 ? f16 : bf16;

        rv_still_reset(still);
        fill(0.25f);
        for (int t = 0; t < 3; t++) {
            if (t == 2)
                change(3, 0, -1.5f);
            for (int i = 0; i < VALUES; i++) {
                uint32_t bits;

                memcpy(&bits, &picture[i], sizeof(bits));
                f16[i] = rv_f16_bits(picture[i]);
                bf16[i] = (uint16_t)(bits >> 16);
            }
            if (t)
                CHECK(only(rv_still_update(still, data, type), t == 2 ? 3 : -1, 0));
            else
                CHECK(!rv_still_update(still, data, type));
        }
    }
}

int main(void)
{
    if (!CHECK(rv_still_create(&still, W, H) == 0))
        return 1;
    CHECK(rv_still_values(still) == VALUES);
    passes();
    stays();
    slowly();
    camera();
    types();
    rv_still_destroy(&still);
    return test_done();
}
