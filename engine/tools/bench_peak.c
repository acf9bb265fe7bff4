/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The peak of the roofline model: independent chains of multiply-adds in registers,
 * enough of them to fill the pipelines. Compiled with contraction, unlike the rest of the
 * tools. */
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "parallel.h"

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

struct run {
    float sum;     /* keeps the compiler from removing the loop */
    double gflops; /* GFLOP/s of this thread per CPU second */
};

static double thread_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_one(void *context, int index)
{
    struct run *run = (struct run *)context + index;
    double start = thread_seconds();

    run->sum = multiply_add(ROUNDS, 0.999f, 0.001f);
    run->gflops = 2e-9 * ROUNDS * CHAINS * LANES / (thread_seconds() - start);
}

double bench_peak(int threads)
{
    struct run *run;
    double best = 0;

    if (!threads)
        threads = core_count();
    run = calloc((size_t)threads, sizeof *run);
    for (int i = 0; run && i < TRIES; i++) {
        double sum = 0;

        parallel_for(threads, threads, run_one, run);
        for (int k = 0; k < threads; k++)
            sum += run[k].gflops;
        if (sum > best)
            best = sum;
    }
    free(run);
    return best;
}
