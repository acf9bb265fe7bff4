/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rows.h - single values of rows of RV_F32 or RV_BF16, for loops that gcc vectorises.
 * `type` must be a constant at each place that these functions are inlined into. */
#ifndef RV_CPU_ROWS_H
#define RV_CPU_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../type.h"
#include "../pixels/clones.h"

/* Neighbours in memory that a kernel computes at a time: one AVX-512 register; the
 * compiler splits them for other instruction sets. The address need not be aligned. */
#define RV_LANES 16
typedef float rv_lanes __attribute__((vector_size(4 * RV_LANES), aligned(4), may_alias));

static RV_INLINE float rv_widened(uint16_t v)
{
    uint32_t bits = (uint32_t)v << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* Rounds to nearest, ties to even. */
static RV_INLINE uint16_t rv_narrowed(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static RV_INLINE float rv_get(const void *row, enum rv_type type, size_t i)
{
    return type == RV_BF16 ? rv_widened(((const uint16_t *)row)[i])
                           : ((const float *)row)[i];
}

static RV_INLINE void rv_put(void *row, enum rv_type type, size_t i, float v)
{
    if (type == RV_BF16)
        ((uint16_t *)row)[i] = rv_narrowed(v);
    else
        ((float *)row)[i] = v;
}

#endif
