/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conv_time.h"

#include <time.h>

#include "conv.h"

#define RUNS 20       /* runs per graph */
#define LAUNCHES 6    /* launches of the graph; the minimum counts */
#define ENOUGH_MS 2.f /* slow runs are repeated fewer times */

#define SEARCH_S 8.0 /* seconds for all searches of the first plan */

struct timer {
    int (*run)(void *opaque, cudaStream_t stream);
    void *opaque;
    cudaStream_t stream;
    cudaEvent_t from, to;
    cudaGraphExec_t graph; /* NULL: capture failed */
    int runs;
};

/* ---- one convolution -------------------------------------------------------------- */

static bool repeat(const struct timer *t, int runs)
{
    for (int i = 0; i < runs; i++)
        if (t->run(t->opaque, t->stream))
            return false;
    return true;
}

/* The capture must end even after an error. */
static void capture_runs(struct timer *t)
{
    cudaGraph_t graph = NULL;
    bool good;

    if (cudaStreamBeginCapture(t->stream, cudaStreamCaptureModeThreadLocal))
        return;
    good = repeat(t, t->runs);
    if (cudaStreamEndCapture(t->stream, &graph) || !good || !graph ||
        cudaGraphInstantiate(&t->graph, graph, 0))
        t->graph = NULL;
    if (graph)
        cudaGraphDestroy(graph);
}

/* Milliseconds of `runs` runs, using the graph if there is one; below 0: failed. */
static float once(const struct timer *t, int runs)
{
    float ms = -1;

    if (cudaEventRecord(t->from, t->stream) ||
        (t->graph ? cudaGraphLaunch(t->graph, t->stream) != cudaSuccess
                  : !repeat(t, runs)) ||
        cudaEventRecord(t->to, t->stream) || cudaStreamSynchronize(t->stream) ||
        cudaEventElapsedTime(&ms, t->from, t->to))
        return -1;
    return ms < 0 ? -1 : ms;
}

static float measure_runs(struct timer *t)
{
    float ms = once(t, 1), best = -1;

    /* The first run loads kernels. */
    if (ms < 0 || (ms = once(t, 1)) < 0)
        return -1;
    t->runs = ms * RUNS <= ENOUGH_MS ? RUNS : (int)(ENOUGH_MS / ms);
    t->runs = t->runs ? t->runs : 1;
    capture_runs(t);
    if (!t->graph)
        cudaGetLastError();
    for (int i = 0; i < LAUNCHES && (i < 2 || ms < 2 * ENOUGH_MS); i++) {
        ms = once(t, t->runs);
        if (ms < 0)
            return -1;
        best = best < 0 || ms < best ? ms : best;
    }
    return best / (float)t->runs + (t->graph ? 0 : RV_CONV_UNCAPTURED);
}

float rv_conv_time(rvos_device *dev, int (*run)(void *opaque, cudaStream_t stream),
                   void *opaque)
{
    struct cuda_device *cuda = dev->priv;
    struct timer t = {.run = run, .opaque = opaque};
    float ms = -1;

    /* Uses its own stream, because other threads use the device's stream, which must not
     * be captured then. */
    if (!cudaStreamSynchronize(cuda->stream) &&
        !cudaStreamCreateWithFlags(&t.stream, cudaStreamNonBlocking) &&
        !cudaEventCreate(&t.from) && !cudaEventCreate(&t.to))
        ms = measure_runs(&t);
    if (t.stream)
        cudaStreamSynchronize(t.stream); /* failed work may still be running */
    if (t.graph)
        cudaGraphExecDestroy(t.graph);
    if (t.from)
        cudaEventDestroy(t.from);
    if (t.to)
        cudaEventDestroy(t.to);
    rv_conv_stream_destroy(dev, t.stream);
    cudaGetLastError();
    return ms;
}

/* ---- the time for searches
 * -------------------------------------------------------------- */

double rv_conv_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double rv_conv_search_begin(rvos_device *dev)
{
    struct cuda_device *cuda = dev->priv;

    cuda->search_began = rv_conv_clock();
    return cuda->search_began + (SEARCH_S - cuda->searched) * cuda->search_share;
}

void rv_conv_search_end(rvos_device *dev)
{
    struct cuda_device *cuda = dev->priv;

    cuda->searched += rv_conv_clock() - cuda->search_began;
}

void rv_conv_search_reset(rvos_device *dev)
{
    struct cuda_device *cuda = dev->priv;

    cuda->searched = SEARCH_S / 2;
}
