/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chain.c - whether kernels are chained (programmatic dependent launch).
 *
 * A chained kernel starts while the previous kernel still runs, fetches weights, and
 * waits. This saves about a microsecond, a hundred times in a deep encoder. This file
 * finds out whether the driver accepts such edges in a graph and whether they pay. Both
 * graphs run some frames; chaining is kept if the states are bit-identical and the time
 * is shorter. RVOS_CUDA_CHAIN=0 or 1 in the environment decides without measuring. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define FRAMES 6   /* frames to compare */
#define LAUNCHES 8 /* timed launches; the fastest counts */

/* Runs some frames from zero state and copies the final state to the host. */
static int final_state(struct rv_plan *plan, const struct rv_buffer *state, char *out)
{
    rvos_device *dev = plan->dev;
    struct rv_buffer all = *state;
    int ret = dev->fn->clear(dev, &all, 0, all.size);

    if (!ret)
        ret = rv_plan_warm_up(plan, state->ptr, FRAMES);
    if (!ret)
        ret = dev->fn->read(dev, state, 0, out, state->size);
    return ret;
}

/* Milliseconds of one frame with the graph; 0: could not be measured. */
static float graph_time(struct rv_plan *plan)
{
    cudaGraphExec_t graph;
    cudaStream_t stream = plan->lane[0];
    cudaEvent_t from = NULL, to = NULL;
    float best = 0, ms;
    int live[RV_DECODERS];

    rv_plan_all_slots(plan, live);
    graph = plan->graph[live[0]][live[1]];
    if (!graph || cudaEventCreate(&from) || cudaEventCreate(&to))
        goto out;
    for (int i = 0; i < LAUNCHES; i++) {
        if (cudaEventRecord(from, stream) || cudaGraphLaunch(graph, stream) ||
            cudaEventRecord(to, stream) || cudaStreamSynchronize(stream) ||
            cudaEventElapsedTime(&ms, from, to)) {
            best = 0;
            break;
        }
        best = best == 0 || ms < best ? ms : best;
    }
out:
    if (from)
        cudaEventDestroy(from);
    if (to)
        cudaEventDestroy(to);
    cudaGetLastError();
    return best;
}

/* Whether the chained graph is better. Leaves it in the plan. */
static bool is_better(struct rv_plan *plan, const struct rv_buffer *state, char *want,
                      char *got)
{
    float plain, chained;
    bool same;

    if (final_state(plan, state, want) || plan->eager)
        return false;
    plain = graph_time(plan);
    rv_plan_drop_graphs(plan);
    plan->chained = plan->trying = true;
    same = !final_state(plan, state, got) && !memcmp(want, got, state->size);
    plan->trying = false;
    chained = graph_time(plan);
    rv_log(plan->dev, RVOS_LOG_DEBUG,
           "cuda: graph %.4f ms, with chained kernels %.4f ms, %s results", (double)plain,
           (double)chained, same ? "the same" : "other");
    return same && chained > 0 && chained < plain;
}

int rv_plan_choose_chain(struct rv_plan *plan, const struct rv_buffer *state)
{
    const struct rv_switches *set = &plan->cuda->switches;
    char *want, *got;
    bool better = set->chain == RV_CHAIN_ALWAYS;

    if (plan->eager || rv_driver_capability(plan->cuda->driver) < 90 ||
        set->chain == RV_CHAIN_NEVER)
        return 0;
    want = malloc(state->size);
    got = malloc(state->size);
    if (!better && want && got)
        better = is_better(plan, state, want, got);
    free(want);
    free(got);
    if (plan->chained ? better : plan->eager)
        return 0;
    /* A failed capture of the chained graph must not count against the plain one. */
    plan->eager = false;
    plan->uncaptured = 0;
    rv_plan_drop_graphs(plan);
    plan->chained = better;
    return rv_plan_warm_up(plan, state->ptr, 2);
}
