/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mathf.h - exp, sigmoid and tanh that gcc vectorises: no branch, no table, no call.
 * Within 2e-7 of the exact sigmoid and tanh everywhere (tests/unit/mathf.c); rv_expf
 * within 2e-7 of the value, relative. NaN gives NaN, infinities saturate.
 *
 * Below AVX-512 gcc needs -fno-trapping-math for this. Otherwise it keeps the clamps as
 * branches, because a comparison with NaN may raise a flag. No value depends on it. */
#ifndef RV_MATHF_H
#define RV_MATHF_H

#include <stdint.h>
#include <string.h>

#include "../pixels/clones.h"

/* x = n ln 2 + r, |r| <= ln 2 / 2. Sets *scale to 2^n and returns exp(r) - 1. Needs -87.3
 * <= x <= 88.3 or NaN, so that 2^n is a normal number. */
static RV_INLINE float rv_expm1_parts(float x, float *scale)
{
    /* 1.5 * 2^23: adding it rounds to an integer in the low bits. */
    const float magic = 12582912.0f;
    float shifted = x * 1.44269504f + magic;
    float n = shifted - magic;
    /* ln 2 in two parts. The first has nine bits, so that its product with n is exact. */
    float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23; /* this shifts out the bits of `magic` */
    memcpy(scale, &bits, sizeof bits);
    /* Minimax polynomial: relative error of exp(r) - 1 is 1.4e-8. */
    float q = 0.00138825097f;
    q = q * r + 0.00836658571f;
    q = q * r + 0.0416672006f;
    q = q * r + 0.166665435f;
    q = q * r + 0.49999997f;
    return q * r * r + r;
}

/* Below -87.3 and above 88.3 the value at that limit, not 0 or infinity. */
static RV_INLINE float rv_expf(float x)
{
    x = x < -87.3f ? -87.3f : x; /* in this order NaN stays NaN */
    x = x > 88.3f ? 88.3f : x;
    float scale;
    float p = rv_expm1_parts(x, &scale);
    return scale + scale * p;
}

static RV_INLINE float rv_sigmoidf(float x)
{
    return 1.0f / (1.0f + rv_expf(-x));
}

/* expm1(2x) / (expm1(2x) + 2): small x keep their relative precision. */
static RV_INLINE float rv_tanhf(float x)
{
    float y = 2.0f * x;
    y = y < -20.0f ? -20.0f : y;
    y = y > 20.0f ? 20.0f : y;
    float scale;
    float p = rv_expm1_parts(y, &scale);
    float t = scale * p + (scale - 1.0f);
    return t / (t + 2.0f);
}

#endif /* RV_MATHF_H */
