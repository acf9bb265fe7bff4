/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_time.c - tests the timing of convolutions with a fake runtime that fails on
 * demand: the result, and that nothing is left behind. It also tests shares of the search
 * time.
 */
#include "conv/conv_time.h"

#include <string.h>

#include "conv/conv.h"
#include "../test.h"

/* A fake takes what it does not use. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* ---- a runtime of counters; a run takes 0.01 ms ----------------------------------- */

static struct {
    int calls, fail_at;  /* the nth call fails; 0: none */
    int made, destroyed; /* of streams, events, graphs and executable ones */
    cudaStream_t left;   /* by the engine */
    bool no_capture, capturing;
    int captured, pending; /* runs in the graph, and launched */
    int runs, run_fails_at;
    float run_ms;
    cudaError_t last;
} rt;

static struct fake {
    int runs;
} fakes[8];

static cudaError_t step(bool makes, void **out)
{
    if (++rt.calls == rt.fail_at)
        return rt.last = cudaErrorInvalidValue;
    if (makes)
        *out = &fakes[rt.made++ % 8];
    return cudaSuccess;
}

static cudaError_t destroy(void)
{
    rt.destroyed++;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t last = rt.last;

    rt.last = cudaSuccess;
    return last;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned int flags)
{
    return step(true, (void **)out);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    CHECK(rt.left == stream);
    return destroy();
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return step(false, NULL);
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return step(true, (void **)out);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    return destroy();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ((struct fake *)(void *)event)->runs = rt.pending;
    return step(false, NULL);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to)
{
    *ms = rt.run_ms * (float)(((struct fake *)(void *)to)->runs -
                              ((struct fake *)(void *)from)->runs);
    return step(false, NULL);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    CHECK(mode == cudaStreamCaptureModeThreadLocal);
    rt.captured = 0;
    rt.capturing = !step(false, NULL);
    return rt.capturing ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    CHECK(rt.capturing);
    rt.capturing = false;
    if (rt.no_capture)
        return rt.last = cudaErrorStreamCaptureUnsupported;
    return step(true, (void **)out);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                 unsigned long long flags)
{
    return step(true, (void **)out);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    rt.pending += rt.captured;
    return step(false, NULL);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    return destroy();
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    return destroy();
}

static int run(void *opaque, cudaStream_t stream)
{
    CHECK(opaque == &rt && stream);
    if (++rt.runs == rt.run_fails_at)
        return -1;
    *(rt.capturing ? &rt.captured : &rt.pending) += 1;
    return 0;
}

/* ---- tests ------------------------------------------------------------------------ */

static void leave(void *opened, cudaStream_t stream)
{
    CHECK(opened == &rt && !rt.capturing);
    rt.left = stream;
}

static const struct rv_conv_engine engine = {.leave = leave};
static struct cuda_device cuda = {.engine = &engine, .opened = &rt};
static rvos_device device = {.priv = &cuda};

static float time_it(int fail_at, int run_fails_at, bool no_capture, float run_ms)
{
    float ms;

    memset(&rt, 0, sizeof(rt));
    rt.fail_at = fail_at;
    rt.run_fails_at = run_fails_at;
    rt.no_capture = no_capture;
    rt.run_ms = run_ms;
    ms = rv_conv_time(&device, run, &rt);
    CHECK(rt.made == rt.destroyed);
    CHECK(!rt.capturing && rt.last == cudaSuccess);
    return ms;
}

static bool is(float have, double want)
{
    return have > want - 1e-4 && have < want + 1e-4;
}

static void times(void)
{
    int calls, runs;

    CHECK(is(time_it(0, 0, false, 0.01f), 0.01));
    calls = rt.calls;
    runs = rt.runs;
    CHECK(runs > 20 && runs < 40); /* else it was not in a graph */
    CHECK(is(time_it(0, 0, true, 0.01f), 0.01 + RV_CONV_UNCAPTURED));
    CHECK(is(time_it(0, 0, false, 50), 50));
    CHECK(rt.runs < 10); /* slow ones are not repeated as often */
    CHECK(time_it(0, 1, false, 0.01f) < 0);
    for (int i = 1; i <= calls; i++) {
        float ms = time_it(i, 0, false, 0.01f);

        CHECK(ms < 0 || is(ms, 0.01) || is(ms, 0.01 + RV_CONV_UNCAPTURED));
    }
    for (int i = 1; i <= runs; i++) /* in the capture, too */
        time_it(0, i, false, 0.01f);
}

/* All searches together end in time, however long single ones would take. */
static void shares(void)
{
    double began = rv_conv_clock(), first = 0, last = 0, until;

    cuda.search_share = 1 / 12.0;
    for (int i = 0; i < 100; i++) {
        until = rv_conv_search_begin(&device);
        last = until - rv_conv_clock();
        first = i ? first : last;
        cuda.search_began -= last; /* as if it were past */
        rv_conv_search_end(&device);
    }
    CHECK(first > 0.3 && last < 0.02 && last > -0.02);
    CHECK(cuda.searched > 1 && cuda.searched < 9);
    CHECK(rv_conv_clock() - began < 5);
    rv_conv_search_reset(&device);
    until = rv_conv_search_begin(&device);
    CHECK(until - rv_conv_clock() > 0.4 * first);
    CHECK(until - rv_conv_clock() < 0.6 * first);
    rv_conv_search_end(&device);
    cuda.search_share = 0; /* another step of the shape came first */
    CHECK(rv_conv_search_begin(&device) - rv_conv_clock() <= 0);
    rv_conv_search_end(&device);
}

int main(void)
{
    times();
    shares();
    return test_done();
}
