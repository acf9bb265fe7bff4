/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The peaks of the roofline model. */
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "parallel.h"

#define ROUNDS 2000000L
#define TRIES 5

struct run {
    const struct bench_chains *chains;
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

    run->sum = run->chains->run(ROUNDS);
    run->gflops = 1e-9 * ROUNDS * run->chains->flops / (thread_seconds() - start);
}

/* GFLOP/s of all threads, the best of some tries; 0: the processor has no such chains. */
static double best_of(const struct bench_chains *chains, int threads)
{
    struct run *run = chains->run ? calloc((size_t)threads, sizeof *run) : NULL;
    double best = 0;

    for (int i = 0; run && i < TRIES; i++) {
        double sum = 0;

        for (int k = 0; k < threads; k++)
            run[k].chains = chains;
        parallel_for(threads, threads, run_one, run);
        for (int k = 0; k < threads; k++)
            sum += run[k].gflops;
        if (sum > best)
            best = sum;
    }
    free(run);
    return best;
}

struct bench_peaks bench_peaks(int threads)
{
    const struct bench_chains fp32 = bench_chains(0), int16 = bench_chains(16),
                              int8 = bench_chains(8);

    if (!threads)
        threads = core_count();
    return (struct bench_peaks){best_of(&fp32, threads), best_of(&int16, threads),
                                best_of(&int8, threads)};
}

struct bench_peaks bench_thread_peaks(const struct bench_options *options,
                                      rvos_precision precision, int threads)
{
    const struct bench_peaks *all = &options->peaks;
    /* It is unknown what a library multiplies with bf16. */
    bool unknown = precision == RVOS_PRECISION_BF16 && !options->peak_given;

    return (struct bench_peaks){unknown ? 0 : all->fp32 / threads, all->int16 / threads,
                                all->int8 / threads};
}
