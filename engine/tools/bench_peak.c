/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The roof of the roofline: chains of multiply-adds that depend on nothing but
 * themselves, enough of them to fill the pipelines, in registers only. Compiled
 * with contraction, unlike the rest of the tools. */
#include <stdlib.h>

#include "bench.h"
#include "parallel.h"
#include "progress.h"

#define CHAINS 8
#define LANES 16
#define ROUNDS 2000000L
#define TRIES 5

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) &&                   \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__((noinline, target_clones("avx512f", "fma", "default")))
#else
#define CLONES __attribute__((noinline))
#endif

CLONES static float multiply_add(long rounds, float factor, float step)
{
    float chain[CHAINS * LANES], sum = 0;

    for (int i = 0; i < CHAINS * LANES; i++)
        chain[i] = (float)i;
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS * LANES; i++)
            chain[i] = chain[i] * factor + step;
    for (int i = 0; i < CHAINS * LANES; i++)
        sum += chain[i];
    return sum;
}

static void run_one(void *context, int index)
{
    float *out = context;

    out[index] = multiply_add(ROUNDS, 0.999f, 0.001f);
}

double bench_peak(int threads)
{
    float *sink;
    double best = 0;

    if (!threads)
        threads = core_count();
    sink = calloc((size_t)threads, sizeof *sink);
    for (int i = 0; sink && i < TRIES; i++) {
        double start = seconds_now(), seconds;

        parallel_for(threads, threads, run_one, sink);
        seconds = seconds_now() - start;
        if (2e-9 * ROUNDS * CHAINS * LANES * threads / seconds > best)
            best = 2e-9 * ROUNDS * CHAINS * LANES * threads / seconds;
    }
    free(sink);
    return best;
}
