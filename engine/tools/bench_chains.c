/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loops over independent multiply-adds in registers, enough of them to fill the
 * pipelines. They use the widest instructions of this processor, as the kernels of the
 * CPU engine do. */
#include "bench.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* As many sums fit into 16 registers, beside the factors and a product. */
#define CHAINS 12

/* Defines such a loop. `dot` adds products of x and k to its first argument. The empty
 * statement keeps the compiler from moving products out of the loop. */
#define DEFINE(name, isa, vector, registers, set1, dot)                                  \
    __attribute__((noinline, target(isa))) static float name(long rounds)                \
    {                                                                                    \
        vector sum[CHAINS], x = set1(1), k = x;                                          \
                                                                                         \
        for (int i = 0; i < CHAINS; i++)                                                 \
            sum[i] = set1(0);                                                            \
        for (long r = 0; r < rounds; r++) {                                              \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++)                    \
            {                                                                            \
                __asm__ volatile("" : "+" registers(x));                                 \
                sum[i] = dot(sum[i], x, k);                                              \
            }                                                                            \
        }                                                                                \
        for (int i = 1; i < CHAINS; i++)                                                 \
            sum[0] += sum[i];                                                            \
        return (float)sum[0][0];                                                         \
    }

#define FMA512(sum, x, k) _mm512_fmadd_ps(x, k, sum)
#define FMA256(sum, x, k) _mm256_fmadd_ps(x, k, sum)
#define MADD256(sum, x, k) _mm256_add_epi32(sum, _mm256_madd_epi16(x, k))

DEFINE(fp32_512, "avx512f", __m512, "v", _mm512_set1_ps, FMA512)
DEFINE(fp32_256, "fma", __m256, "x", _mm256_set1_ps, FMA256)
DEFINE(int16_512, "avx512f,avx512vnni", __m512i, "v", _mm512_set1_epi32,
       _mm512_dpwssd_epi32)
DEFINE(int8_512, "avx512f,avx512vnni", __m512i, "v", _mm512_set1_epi32,
       _mm512_dpbusd_epi32)
DEFINE(int16_256, "avx2", __m256i, "x", _mm256_set1_epi32, MADD256)
#ifdef RV_AVXVNNI
DEFINE(int16_vnni, "avx2,avxvnni", __m256i, "x", _mm256_set1_epi32,
       _mm256_dpwssd_avx_epi32)
DEFINE(int8_vnni, "avx2,avxvnni", __m256i, "x", _mm256_set1_epi32,
       _mm256_dpbusd_avx_epi32)

/* As in isa.c of the engine, which tools cannot call. */
static bool has_avxvnni(void)
{
    unsigned a, b, c, d;

    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           a >> 4 & 1;
}
#endif

/* `products`: of one instruction. */
static struct bench_chains chains(float (*run)(long), int products)
{
    return (struct bench_chains){run, 2.0 * CHAINS * products};
}

static struct bench_chains integers(int bits)
{
    if (__builtin_cpu_supports("avx512vnni"))
        return bits == 16 ? chains(int16_512, 32) : chains(int8_512, 64);
#ifdef RV_AVXVNNI
    if (has_avxvnni())
        return bits == 16 ? chains(int16_vnni, 16) : chains(int8_vnni, 32);
#endif
    if (bits == 16 && __builtin_cpu_supports("avx2"))
        return chains(int16_256, 16);
    return (struct bench_chains){NULL, 0};
}
#endif

#define FLOATS 128

/* For other processors: the compiler makes vectors of it. */
static float multiply_add(long rounds)
{
    float chain[FLOATS], sum = 0;

    for (int i = 0; i < FLOATS; i++)
        chain[i] = (float)i;
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < FLOATS; i++)
            chain[i] = chain[i] * 0.999f + 0.001f;
    for (int i = 0; i < FLOATS; i++)
        sum += chain[i];
    return sum;
}

struct bench_chains bench_chains(int integer_bits)
{
#if defined(__GNUC__) && defined(__x86_64__)
    if (integer_bits)
        return integers(integer_bits);
    if (__builtin_cpu_supports("avx512f"))
        return chains(fp32_512, 16);
    if (__builtin_cpu_supports("fma"))
        return chains(fp32_256, 8);
#endif
    if (integer_bits)
        return (struct bench_chains){NULL, 0};
    return (struct bench_chains){multiply_add, 2.0 * FLOATS};
}
