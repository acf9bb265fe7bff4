/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* isa.c - which kernels of convolutions this processor gets. RVOS_CPU_WINOGRAD in the
 * environment limits the instruction set (plain, avx2, avx512), for comparisons; 0: the
 * next engine of convolutions in the list. */
#include <stdlib.h>
#include <string.h>

#include "integers.h"
#include "winograd.h"

extern const struct rv_winograd rv_winograd_plain;
#ifdef RV_WINOGRAD_X86
extern const struct rv_winograd rv_winograd_avx2, rv_winograd_avx512;
extern const struct rv_integers rv_int16_avx2, rv_int16_vnni, rv_int8_vnni;

static bool allowed(const char *name)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    const char *most = getenv("RVOS_CPU_WINOGRAD");

    for (int i = 0; i < 3 && most; i++) {
        if (!strcmp(names[i], name))
            return true;
        if (!strcmp(names[i], most))
            return false;
    }
    return true;
}
#endif

bool rv_winograd_off(void)
{
    const char *most = getenv("RVOS_CPU_WINOGRAD");

    return most && !strcmp(most, "0");
}

const struct rv_winograd *rv_winograd(void)
{
#ifdef RV_WINOGRAD_X86
    if (__builtin_cpu_supports("avx512f") && allowed("avx512"))
        return &rv_winograd_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        allowed("avx2"))
        return &rv_winograd_avx2;
#endif
    return &rv_winograd_plain;
}

/* The panels are those of rv_winograd(). AVX-512 without VNNI multiplies and adds 16-bit
 * integers in two instructions, so they are not faster than floats there. */
const struct rv_integers *rv_integers(int bits)
{
#ifdef RV_WINOGRAD_X86
    const struct rv_winograd *floats = rv_winograd();

    if (rv_winograd_off())
        return NULL;
    if (floats == &rv_winograd_avx512 && __builtin_cpu_supports("avx512vnni") &&
        __builtin_cpu_supports("avx512vl"))
        return bits == 16 ? &rv_int16_vnni : &rv_int8_vnni;
    if (floats == &rv_winograd_avx2 && bits == 16)
        return &rv_int16_avx2;
#endif
    (void)bits;
    return NULL;
}
