/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run.c - runs one frame of each video of a batch: the job table, one graph, one wait.
 * Allocates only staging buffers for a new size. */
#include <string.h>

#include "plan.h"

static int show_seed(struct rv_plan *plan, const struct rv_job *job, int j)
{
    size_t pixels = (size_t)plan->net->width * plan->net->height;
    uint32_t *pinned, *device;
    int ret = 0;

    if (!plan->seed || !job->seed_slots)
        return 0;
    pinned = plan->seed + j * pixels;
    device = plan->seed_device + j * pixels;
    plan->job[j].seed_slots = job->seed_slots;
    if (!job->seed)
        return 0;
    memcpy(pinned, job->seed, pixels * sizeof(*pinned));
    CU(plan->dev, cudaMemcpyAsync(device, pinned, pixels * sizeof(*pinned),
                                  cudaMemcpyHostToDevice, plan->lane[0]));
    plan->job[j].seed = device;
error:
    return ret;
}

static int begin(struct rv_plan *plan, const struct rv_job *job, int j)
{
    struct rv_cuda_job *entry = rv_plan_new_job(plan, j, job->state.ptr, job->live);
    const rvos_output *out = job->out;
    int ret;

    entry->shown = job->shown;
    entry->seen_level = rv_label_level(0);
    if (out) {
        entry->level = rv_label_level(out->threshold);
        entry->unshown = out->hidden;
        entry->min_object_size = out->min_object_size;
    }
    ret = show_seed(plan, job, j);
    if (!ret && job->frame && job->frame->memory == RVOS_MEMORY_CUDA &&
        job->frame->cuda_stream) {
        CU(plan->dev, cudaEventRecord(plan->frame_ready, job->frame->cuda_stream));
        CU(plan->dev, cudaStreamWaitEvent(plan->lane[0], plan->frame_ready, 0));
    }
    if (!ret && job->pixels)
        ret = rv_cuda_frame_in(job->pixels, job, entry, plan->lane[0]);
error:
    return ret;
}

/* Mean probability of the object's pixels. */
static double score_of(const struct rv_found *f)
{
    return rv_mean_score((double)f->score / 0x1p24, f->count);
}

static void report(const struct rv_plan *plan, const struct rv_job *job, int j)
{
    for (int n = 0; n < job->live[job->shown]; n++) {
        const struct rv_found *f = &plan->report[j * RV_CUDA_FOUND + n];
        struct rv_stats stats = {f->area, f->x0, f->y0, f->x1, f->y1};

        job->object[n] = rv_object_of(&stats, score_of(f), job->out->min_object_size);
    }
}

static void report_seen(const struct rv_plan *plan, const struct rv_job *job, int j,
                        int decoder)
{
    const struct rv_found *f =
        &plan->report[j * RV_CUDA_FOUND + (1 + decoder) * RV_CUDA_SLOTS];

    for (int n = 0; job->seen[decoder].labels && n < job->live[decoder]; n++, f++)
        job->seen[decoder].score[n] = (float)score_of(f);
}

static int launch_timed(struct rv_plan *plan, const int live[RV_DECODERS])
{
    int ret = 0;

    CU(plan->dev, cudaEventRecord(plan->timer[0], plan->lane[0]));
    ret = rv_plan_launch(plan, live);
    if (!ret)
        CU(plan->dev, cudaEventRecord(plan->timer[1], plan->lane[0]));
error:
    return ret;
}

static void tell_time(const struct rv_plan *plan)
{
    float ms = 0;

    if (cudaEventElapsedTime(&ms, plan->timer[0], plan->timer[1]) == cudaSuccess)
        rv_log(plan->dev, RVOS_LOG_DEBUG, "cuda: graph %.4f ms", (double)ms);
}

/* Labels without a frame: clears the statistics and runs one step. */
static int launch_labels(struct rv_plan *plan, const struct rv_job *job)
{
    const struct rv_found none = {.x0 = INT32_MAX, .y0 = INT32_MAX};
    const struct cuda_step *s = plan->step;
    int ret = 0;

    for (int n = 0; n < RV_CUDA_FOUND; n++)
        plan->report[n] = none;
    while (s->step->op != RV_OP_LABELS || s->step->decoder != job->shown)
        s++;
    CU(plan->dev, cudaMemcpyAsync(plan->found, plan->report, RV_CUDA_FOUND * sizeof(none),
                                  cudaMemcpyHostToDevice, plan->lane[0]));
    CU(plan->dev,
       cudaMemcpyAsync(plan->job_device, plan->job, plan->batch * sizeof(*plan->job),
                       cudaMemcpyHostToDevice, plan->lane[0]));
    ret = rv_plan_run_step(plan, s, job->live, false, plan->lane[0]);
error:
    return ret;
}

/* Puts all frames of the pass into the lanes. The graph must cover the frame with the
 * most live slots. */
static int issue(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs)
{
    int live[RV_DECODERS] = {0}, ret = 0;

    if (plan->check)
        rv_check_jobs(plan, jobs, n_jobs);
    for (int j = 0; j < n_jobs && !ret; j++) {
        ret = begin(plan, &jobs[j], j);
        for (int d = 0; d < RV_DECODERS; d++)
            live[d] = jobs[j].live[d] > live[d] ? jobs[j].live[d] : live[d];
    }
    for (int j = n_jobs; j < plan->batch; j++)
        rv_plan_new_job(plan, j, jobs[0].state.ptr, NULL);
    if (!ret && jobs[0].labels_only) /* always a single job */
        ret = launch_labels(plan, &jobs[0]);
    else if (!ret)
        ret = plan->timer[1] ? launch_timed(plan, live) : rv_plan_launch(plan, live);
    for (int j = 0; j < n_jobs && !ret; j++)
        if (jobs[j].pixels)
            ret = rv_cuda_frame_out(jobs[j].pixels, &jobs[j], plan->lane[0]);
    return ret;
}

static int run_pass(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs)
{
    int ret = issue(plan, jobs, n_jobs);

    if (ret) { /* work on these frames must end before the callers continue */
        rv_plan_settle(plan);
        return ret;
    }
    CU(plan->dev, cudaStreamSynchronize(plan->lane[0]));
    for (int j = 0; j < n_jobs; j++) {
        if (jobs[j].out && jobs[j].out->labels)
            report(plan, &jobs[j], j);
        for (int d = 0; d < RV_DECODERS; d++)
            report_seen(plan, &jobs[j], j, d);
    }
    if (plan->timer[1] && !jobs[0].labels_only)
        tell_time(plan);
error:
    return ret;
}

int rv_cuda_plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs)
{
    int ret = rv_driver_push(plan->cuda->driver, plan->dev);

    if (ret)
        return ret;
    ret = run_pass(plan, jobs, n_jobs);
    rv_driver_pop(plan->cuda->driver);
    return ret;
}
