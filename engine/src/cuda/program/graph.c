/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* graph.c - the steps of a frame in the lanes, and the graphs that are captured of them.
 *
 * All graphs are captured when the plan is made. A frame captures none, since a capture
 * takes milliseconds and holds up every stream of the plan. Only some numbers of live
 * slots have a graph; a frame takes the smallest graph that covers its slots. The kernels
 * skip slots that the frame's job table does not mark as live. */
#include "plan.h"

/* Whether the step's last launch in its lane is one of our kernels. Only behind such a
 * launch may another kernel be chained: a library's kernel may lack the waits that
 * chaining needs. */
static bool ends_in_own_kernel(const struct cuda_step *s)
{
    return s->step->op != RV_OP_CONV || s->made.engine->own;
}

/* Submits all steps of a frame with `live` slots to the lanes, lane 0 last. A skipped
 * step still records its event, since other steps may wait for its memory. */
static int enqueue(struct rv_plan *plan, const int live[RV_DECODERS])
{
    bool kernel_last[RV_LANES] = {
        false}; /* the lane's last work is one of our kernels, with no wait since */
    rvos_device *dev = plan->dev;
    int ret = 0;

    CU(dev, cudaMemcpyAsync(plan->job_device, plan->job, plan->batch * sizeof(*plan->job),
                            cudaMemcpyHostToDevice, plan->lane[0]));
    if (plan->check)
        return rv_check_frame(plan, live);
    CU(dev, cudaEventRecord(plan->start, plan->lane[0]));
    for (int l = 1; l < RV_LANES; l++)
        CU(dev, cudaStreamWaitEvent(plan->lane[l], plan->start, 0));
    for (int i = 0; i < plan->program->n_steps; i++) {
        const struct cuda_step *s = &plan->step[i];
        cudaStream_t stream = plan->lane[s->lane];

        for (int l = 0; l < RV_LANES; l++)
            if (s->wait[l] >= 0) {
                CU(dev, cudaStreamWaitEvent(stream, plan->step[s->wait[l]].done, 0));
                kernel_last[s->lane] = false;
            }
        if (rv_plan_runs(s->step, live)) {
            ret = rv_plan_run_step(plan, s, live, plan->chained && kernel_last[s->lane],
                                   stream);
            kernel_last[s->lane] = ends_in_own_kernel(s);
        }
        if (ret)
            return ret;
        if (s->done)
            CU(dev, cudaEventRecord(s->done, stream));
    }
    for (int l = 1; l < RV_LANES; l++) {
        CU(dev, cudaEventRecord(plan->joined[l], plan->lane[l]));
        CU(dev, cudaStreamWaitEvent(plan->lane[0], plan->joined[l], 0));
    }
error:
    return ret;
}

/* ---- graphs ----------------------------------------------------------------- */

/* The capture must end even after an error. */
static cudaError_t capture_frame(struct rv_plan *plan, const int live[RV_DECODERS])
{
    cudaGraphExec_t exec = NULL;
    cudaGraph_t graph = NULL;
    cudaError_t error =
        cudaStreamBeginCapture(plan->lane[0], cudaStreamCaptureModeThreadLocal);
    int failed;

    if (error)
        return error;
    failed = enqueue(plan, live);
    error = cudaStreamEndCapture(plan->lane[0], &graph);
    if (!error && failed)
        error = cudaErrorInvalidValue; /* only a part of the frame was captured */
    if (!error)
        error = cudaGraphInstantiate(&exec, graph, 0);
    if (!error)
        plan->graph[live[0]][live[1]] = exec;
    if (graph)
        cudaGraphDestroy(graph);
    return error;
}

/* A failed capture is tried once more: another program may hold the memory for a moment.
 */
static void not_captured(struct rv_plan *plan, cudaError_t error)
{
    plan->eager = ++plan->uncaptured > 1;
    if (plan->eager)
        rv_log(plan->dev, plan->trying ? RVOS_LOG_DEBUG : RVOS_LOG_WARNING,
               "cuda: the frame could not be captured into a graph (%s): its steps are "
               "launched one by one, which is slower",
               cudaGetErrorString(error));
    else
        rv_log(
            plan->dev, RVOS_LOG_DEBUG,
            "cuda: the frame could not be captured into a graph (%s), to be tried again",
            cudaGetErrorString(error));
    cudaGetLastError(); /* or the next launch would report it */
}

/* Captures the graph of all slots, unless frames run without graphs. */
static void make_whole(struct rv_plan *plan)
{
    cudaError_t error;
    int live[RV_DECODERS];

    rv_plan_all_slots(plan, live);
    if (plan->eager || plan->graph[live[0]][live[1]])
        return;
    error = capture_frame(plan, live);
    if (error)
        not_captured(plan, error);
    else
        plan->uncaptured = 0;
}

/* The numbers of live slots that have a graph: 0, 1, 2, 3, 4, 6, 8, 12, 16 ... and all.
 * So at most a third of a graph's slots are idle. */
static int next_size(int live, int all)
{
    int next = live < 2 ? live + 1 : live & (live - 1) ? live / 3 * 4 : live / 2 * 3;

    return live == all ? all + 1 : next < all ? next : all;
}

void rv_plan_make_graphs(struct rv_plan *plan)
{
    int live[RV_DECODERS], all[RV_DECODERS], made = 0;

    rv_plan_all_slots(plan, all);
    do
        make_whole(plan);
    while (!plan->eager && !plan->graph[all[0]][all[1]]);
    if (plan->eager)
        return;
    /* Zero-shot slots: none or all, because AUTO streams run zero-shot in few frames.
     */
    for (live[0] = 0; live[0] <= all[0]; live[0] += all[0] ? all[0] : 1)
        for (live[1] = 0; live[1] <= all[1]; live[1] = next_size(live[1], all[1])) {
            if ((!live[0] && !live[1]) || plan->graph[live[0]][live[1]])
                continue;
            if (capture_frame(plan, live))
                cudaGetLastError(); /* frames use a larger graph */
            else
                made++;
        }
    rv_log(plan->dev, RVOS_LOG_DEBUG, "cuda: plan for %d: %d more graphs", plan->batch,
           made);
}

/* NULL: frames run without a graph. */
static cudaGraphExec_t smallest_graph(const struct rv_plan *plan,
                                      const int live[RV_DECODERS])
{
    int all[RV_DECODERS];

    rv_plan_all_slots(plan, all);
    for (int i = live[0]; i <= all[0]; i++)
        for (int k = live[1]; k <= all[1]; k++)
            if (plan->graph[i][k])
                return plan->graph[i][k];
    return NULL;
}

int rv_plan_launch(struct rv_plan *plan, const int live[RV_DECODERS])
{
    cudaGraphExec_t graph = smallest_graph(plan, live);
    int ret = 0;

    if (!graph)
        return enqueue(plan, live);
    CU(plan->dev, cudaGraphLaunch(graph, plan->lane[0]));
error:
    return ret;
}

void rv_plan_drop_graphs(struct rv_plan *plan)
{
    for (int i = 0; i <= RVOS_MAX_OBJECTS; i++)
        for (int k = 0; k <= RVOS_MAX_OBJECTS; k++) {
            if (plan->graph[i][k])
                cudaGraphExecDestroy(plan->graph[i][k]);
            plan->graph[i][k] = NULL;
        }
}

/* ---- warming up --------------------------------------------------------------- */

struct rv_cuda_job *rv_plan_new_job(const struct rv_plan *plan, int j, char *state,
                                    const int live[RV_DECODERS])
{
    plan->job[j] = (struct rv_cuda_job){.state = state,
                                        .found = plan->found + j * RV_CUDA_FOUND,
                                        .report = plan->report + j * RV_CUDA_FOUND};
    for (int d = 0; d < RV_DECODERS && live; d++)
        plan->job[j].live[d] = live[d];
    return &plan->job[j];
}

void rv_plan_settle(struct rv_plan *plan)
{
    for (int l = 0; l < RV_LANES; l++)
        cudaStreamSynchronize(plan->lane[l]);
    cudaGetLastError();
}

int rv_plan_warm_up(struct rv_plan *plan, char *state, int frames)
{
    rvos_device *dev = plan->dev;
    int live[RV_DECODERS], ret;

    rv_plan_all_slots(plan, live);
    for (int j = 0; j < plan->batch; j++)
        rv_plan_new_job(plan, j, state, j ? NULL : live);
    ret = enqueue(plan, live);
    if (ret)
        goto error;
    CU(dev, cudaStreamSynchronize(plan->lane[0]));
    if (frames > 1)
        make_whole(plan);
    for (int i = 1; i < frames && !ret; i++)
        ret = rv_plan_launch(plan, live);
    if (ret)
        goto error;
    CU(dev, cudaStreamSynchronize(plan->lane[0]));
error:
    if (ret)
        rv_plan_settle(plan);
    return ret;
}
