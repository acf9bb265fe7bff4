/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* isa.c - which kernels of convolutions this processor gets. RVOS_CPU_WINOGRAD in the
 * environment limits the instruction set (plain, avx2, avxvnni, avx512), for comparisons;
 * 0: the next engine of convolutions in the list. */
#ifdef RV_WINOGRAD_X86
#include <cpuid.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "integers.h"
#include "winograd.h"

extern const struct rv_winograd rv_winograd_plain;
#ifdef RV_WINOGRAD_X86
extern const struct rv_winograd rv_winograd_avx2, rv_winograd_avx512;
extern const struct rv_integers rv_int16_avx2, rv_int16_vnni, rv_int8_vnni,
    rv_int16_vnni256, rv_int8_vnni256, rv_int16_avxvnni, rv_int8_avxvnni;

static bool allowed(const char *name)
{
    static const char *const names[] = {"plain", "avx2", "avxvnni", "avx512"};
    const char *most = getenv("RVOS_CPU_WINOGRAD");

    for (int i = 0; i < 4 && most; i++) {
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

#ifdef RV_WINOGRAD_X86
#ifdef RV_AVXVNNI
/* AVX-VNNI: bit 4 of EAX in leaf 7.1, which reads as 0 where there is no such leaf. */
static bool has_avxvnni(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1;
}
#endif

/* For processors with AVX2, but without AVX-512 or not allowed to use it. */
static const struct rv_integers *integers256(int bits)
{
    if (allowed("avxvnni")) {
#ifdef RV_AVXVNNI
        if (has_avxvnni())
            return bits == 16 ? &rv_int16_avxvnni : &rv_int8_avxvnni;
#endif
        if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl"))
            return bits == 16 ? &rv_int16_vnni256 : &rv_int8_vnni256;
    }
    return bits == 16 ? &rv_int16_avx2 : NULL;
}
#endif

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
    if (floats == &rv_winograd_avx2)
        return integers256(bits);
#endif
    (void)bits;
    return NULL;
}
