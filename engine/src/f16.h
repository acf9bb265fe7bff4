/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* f16.h - IEEE binary16 on the host, rounded to nearest, ties to even; too large numbers
 * become infinite. */
#ifndef RV_F16_H
#define RV_F16_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t rv_f16_bits(float f)
{
    uint32_t bits, sign, rest;

    memcpy(&bits, &f, sizeof(bits));
    sign = bits >> 16 & 0x8000;
    rest = bits & 0x7fffffff;
    if (rest > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (rest >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00);
    if (rest < 0x38800000) /* below 2^-14: in units of 2^-24 */
        return (uint16_t)(sign | (uint32_t)nearbyintf(fabsf(f) * 0x1p24f));
    rest += 0xfff + (rest >> 13 & 1) - 0x38000000;
    return (uint16_t)(sign | rest >> 13);
}

static inline float rv_f16_value(uint16_t h)
{
    uint32_t rest = h & 0x7fff, bits;
    float f = (float)rest * 0x1p-24f;

    if (rest >= 0x400) {
        bits = rest >= 0x7c00 ? 0x7f800000 | (rest & 0x3ff) << 13
                              : (rest << 13) + 0x38000000;
        memcpy(&f, &bits, sizeof(f));
    }
    return h & 0x8000 ? -f : f;
}

#endif
