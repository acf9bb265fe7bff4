/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mathf.c - compares exp, sigmoid and tanh with the C library in double. */
#include "../test.h"
#include "../../engine/src/cpu/mathf.h"

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static bool near_at(float x)
{
    double e = exp(x);
    bool ok = CHECK_NEAR(rv_sigmoidf(x), exact_sigmoid(x), 2e-7);
    ok &= CHECK_NEAR(rv_tanhf(x), tanh(x), 2e-7);
    if (x > -87.3f && x < 88.3f)
        ok &= CHECK_NEAR(rv_expf(x), e, 2e-7 * e);
    return test_note(ok, "at x = %.9g", x);
}

/* A coarse grid over the whole range, and a fine one where the functions bend. */
static void grids(void)
{
    for (int i = -2000000; i <= 2000000; i++)
        if (!near_at((float)i * 1e-5f))
            return;
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += 3001) {
        float x;
        memcpy(&x, &bits, sizeof x);
        if (!near_at(x) || !near_at(-x))
            return;
    }
}

/* Small values must keep their relative precision. */
static void small_values(void)
{
    for (float x = 1e-30f; x < 0.3f; x *= 1.01f)
        if (!CHECK_NEAR(rv_tanhf(x) / tanh(x), 1, 5e-7) ||
            !CHECK_NEAR(rv_tanhf(-x), -tanh(x), 5e-7 * tanh(x)))
            return;
    CHECK(rv_tanhf(0.0f) == 0.0f);
    CHECK(rv_sigmoidf(0.0f) == 0.5f);
}

static void limits(void)
{
    CHECK(rv_sigmoidf(INFINITY) == 1.0f);
    CHECK_NEAR(rv_sigmoidf(-INFINITY), 0, 1e-37);
    CHECK(rv_tanhf(INFINITY) == 1.0f);
    CHECK(rv_tanhf(-INFINITY) == -1.0f);
    CHECK(rv_tanhf(1e30f) == 1.0f);
    CHECK(rv_sigmoidf(-1e30f) >= 0.0f);
    CHECK(isnan(rv_expf(NAN)));
    CHECK(isnan(rv_sigmoidf(NAN)) && isnan(rv_sigmoidf(-NAN)));
    CHECK(isnan(rv_tanhf(NAN)));
}

int main(void)
{
    grids();
    small_values();
    limits();
    return test_done();
}
