/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run.c - one frame: the job table, one graph, one wait. Nothing is allocated here, but
 * a graph when a number of live slots is new, and staging when a size is. */
#include <math.h>
#include <string.h>

#include "plan.h"

/* ---- steps to launches ------------------------------------------------------ */

static struct rv_view fixed(const struct rv_plan *plan, size_t offset, bool half, int n,
                            const struct rv_tensor *like, int channels)
{
    return (struct rv_view){.where = RV_FIXED,
                            .half = half,
                            .n = n,
                            .h = like->h,
                            .w = like->w,
                            .c = channels,
                            .pitch = channels,
                            .base = plan->memory,
                            .offset = offset};
}

static char *address(const struct rv_view *v)
{
    return v->where ? v->base + v->offset : NULL;
}

static int run_conv(struct rv_plan *plan, const struct cuda_step *s, cudaStream_t stream)
{
    const struct rv_step *step = s->step;
    const struct rv_tensor *in = &plan->program->tensor[step->in[0]];
    struct rv_view x = rv_plan_view(plan, step->in[0]);
    struct rv_view add = rv_plan_view(plan, step->in[1]);
    struct rv_view y = rv_plan_view(plan, step->out[0]);
    int ret = 0;

    if (s->input != RV_NONE) {
        struct rv_view packed = fixed(plan, s->input, plan->half, in->n, in, s->channels);

        CU(plan->dev, rv_cuda_gather(plan->job_device, x, packed, stream));
        x = packed;
    }
    ret = s->engine->run(s->conv,
                         &(struct rv_conv_io){address(&x), address(&add), address(&y),
                                              plan->memory + plan->workspace[s->lane]},
                         stream);
error:
    return ret;
}

static int run_cell(struct rv_plan *plan, const struct cuda_step *s, cudaStream_t stream)
{
    const struct rv_step *step = s->step;
    const struct rv_tensor *h = &plan->program->tensor[step->out[0]];
    int level = rv_plan_level(plan->program, step), ret = 0;
    struct rv_cell_args cell = {
        .below = rv_plan_view(plan, step->in[RV_CELL_BELOW]),
        .h_left = rv_plan_view(plan, step->in[RV_CELL_H_LEFT]),
        .c_left = rv_plan_view(plan, step->in[RV_CELL_C_LEFT]),
        .time = rv_plan_view(plan, step->in[RV_CELL_TIME]),
        .skip = rv_plan_view(plan, step->in[RV_CELL_SKIP]),
        .mul = rv_plan_view(plan, step->in[RV_CELL_MUL]),
        .h = rv_plan_view(plan, step->out[0]),
        .c = rv_plan_view(plan, step->out[1]),
    };

    if (s->conv) {
        cell.input = fixed(plan, s->input, plan->half, 1, h, s->channels);
        cell.gates = fixed(plan, plan->cell_gates[level], false, 1, h, 4 * h->c);
        CU(plan->dev, rv_cuda_cell_input(plan->job_device, cell, stream));
        ret = s->engine->run(
            s->conv,
            &(struct rv_conv_io){address(&cell.input), NULL, address(&cell.gates),
                                 plan->memory + plan->workspace[s->lane]},
            stream);
        if (ret)
            goto error;
    }
    CU(plan->dev, rv_cuda_cell_update(plan->job_device, cell, stream));
error:
    return ret;
}

static int run_pool(struct rv_plan *plan, const struct rv_step *s, int live,
                    cudaStream_t stream)
{
    const struct rv_program *p = plan->program;
    struct rv_view out = rv_plan_view(plan, s->out[0]);
    bool mask = p->prob >= 0 && out.c == 1; /* an image per slot */
    int ret = 0;

    CU(plan->dev,
       rv_cuda_maxpool(plan->job_device, rv_plan_view(plan, s->in[0]), out,
                       mask ? live : out.n, s->size, s->stride, s->pad, stream));
error:
    return ret;
}

static int run_mask(struct rv_plan *plan, const struct rv_step *s, int live,
                    cudaStream_t stream)
{
    struct rv_mask_args m = {
        .h = rv_plan_view(plan, s->in[0]),
        .half = rv_plan_view(plan, s->out[0]),
        .logits = rv_plan_view(plan, s->out[1]),
        .prob = rv_plan_view(plan, s->out[2]),
        .taps = (float *)(void *)(plan->memory + plan->mask_taps),
        .kernel = plan->mask_kernel,
        .bias = plan->mask_bias,
        .size = s->size,
        .images = live,
    };
    int ret = 0;

    CU(plan->dev, rv_cuda_mask(plan->job_device, m, stream));
error:
    return ret;
}

static int run_step(struct rv_plan *plan, const struct cuda_step *s, int live,
                    cudaStream_t stream)
{
    const struct rv_step *step = s->step;
    const struct rv_cuda_job *job = plan->job_device;
    int ret = 0;

    switch (step->op) {
    case RV_OP_PREPROC:
        CU(plan->dev, rv_cuda_image(job, rv_plan_view(plan, step->out[0]), stream));
        if (step->out[1] >= 0)
            CU(plan->dev,
               rv_cuda_seed(job, rv_plan_view(plan, step->out[1]), live, stream));
        break;
    case RV_OP_CONV:
        ret = run_conv(plan, s, stream);
        break;
    case RV_OP_MAXPOOL:
        ret = run_pool(plan, step, live, stream);
        break;
    case RV_OP_CELL:
        ret = run_cell(plan, s, stream);
        break;
    case RV_OP_MASK:
        ret = run_mask(plan, step, live, stream);
        break;
    case RV_OP_LABELS:
        CU(plan->dev, rv_cuda_labels(job, rv_plan_view(plan, step->in[0]), live, stream));
        break;
    }
error:
    return ret;
}

/* All steps of a frame of `live` slots into the lanes; lane 0 comes last. An event of a
 * cell that is skipped is recorded all the same: others may wait for its memory. */
static int enqueue(struct rv_plan *plan, int live)
{
    rvos_device *dev = plan->dev;
    int ret = 0;

    CU(dev, cudaMemcpyAsync(plan->job_device, plan->job, sizeof(*plan->job),
                            cudaMemcpyHostToDevice, plan->lane[0]));
    CU(dev, cudaEventRecord(plan->start, plan->lane[0]));
    for (int l = 1; l < RV_LANES; l++)
        CU(dev, cudaStreamWaitEvent(plan->lane[l], plan->start, 0));
    for (int i = 0; i < plan->program->n_steps; i++) {
        const struct cuda_step *s = &plan->step[i];
        cudaStream_t stream = plan->lane[s->lane];

        for (int l = 0; l < RV_LANES; l++)
            if (s->wait[l] >= 0)
                CU(dev, cudaStreamWaitEvent(stream, plan->step[s->wait[l]].done, 0));
        if (s->step->object < live)
            ret = run_step(plan, s, live, stream);
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

/* After an error too, the capture must end. */
static int capture(struct rv_plan *plan, int live)
{
    rvos_device *dev = plan->dev;
    cudaGraph_t graph = NULL;
    cudaError_t ended;
    int ret = 0;

    CU(dev, cudaStreamBeginCapture(plan->lane[0], cudaStreamCaptureModeThreadLocal));
    ret = enqueue(plan, live);
    ended = cudaStreamEndCapture(plan->lane[0], &graph);
    if (!ret)
        CU(dev, ended);
    if (!ret)
        CU(dev, cudaGraphInstantiate(&plan->graph[live], graph, 0));
error:
    if (graph)
        cudaGraphDestroy(graph);
    return ret;
}

/* The convolution engine's handle belongs to one thread at a time. */
static int enqueue_locked(struct rv_plan *plan, int live, bool captured)
{
    int ret;

    pthread_mutex_lock(&plan->cuda->lock);
    ret = captured ? capture(plan, live) : enqueue(plan, live);
    pthread_mutex_unlock(&plan->cuda->lock);
    return ret;
}

static int launch(struct rv_plan *plan, int live)
{
    int ret = 0;

    if (!plan->eager && !plan->graph[live] && enqueue_locked(plan, live, true)) {
        rv_log(plan->dev, RVOS_LOG_WARNING,
               "cuda: the frame could not be captured into a graph: its steps are "
               "launched one by one, which is slower");
        plan->eager = true;
        cudaGetLastError(); /* which would be taken for the next launch's */
    }
    if (!plan->graph[live])
        return enqueue_locked(plan, live, false);
    CU(plan->dev, cudaGraphLaunch(plan->graph[live], plan->lane[0]));
error:
    return ret;
}

int rv_plan_warm_up(struct rv_plan *plan, char *state)
{
    rvos_device *dev = plan->dev;
    int live = plan->program->objects, ret;

    *plan->job = (struct rv_cuda_job){
        .state = state, .found = plan->found, .report = plan->report};
    ret = enqueue_locked(plan, live, false);
    if (ret)
        return ret;
    CU(dev, cudaStreamSynchronize(plan->lane[0]));
    ret = launch(plan, live);
    if (ret)
        return ret;
    CU(dev, cudaStreamSynchronize(plan->lane[0]));
error:
    return ret;
}

/* ---- frames ----------------------------------------------------------------- */

/* The greatest number that is below the threshold's logit: what is above it wins. */
static float level_of(float threshold)
{
    double p = threshold == 0 ? 0.5 : threshold;
    double logit = p >= 1 ? INFINITY : p > 0 ? log(p / (1 - p)) : -INFINITY;

    return nextafterf((float)logit, -INFINITY);
}

static int show_seed(struct rv_plan *plan, const struct rv_job *job)
{
    size_t bytes = (size_t)plan->net->width * plan->net->height * sizeof(uint32_t);
    int ret = 0;

    plan->job->seed_slots = plan->seed ? job->seed_slots : 0;
    if (!plan->job->seed_slots || !job->seed)
        return 0;
    memcpy(plan->seed, job->seed, bytes);
    CU(plan->dev, cudaMemcpyAsync(plan->seed_device, plan->seed, bytes,
                                  cudaMemcpyHostToDevice, plan->lane[0]));
    plan->job->seed = plan->seed_device;
error:
    return ret;
}

static int begin(struct rv_plan *plan, const struct rv_job *job)
{
    const rvos_output *out = job->out;
    int ret;

    *plan->job = (struct rv_cuda_job){
        .state = job->state.ptr, .found = plan->found, .report = plan->report};
    if (out) {
        plan->job->level = level_of(out->threshold);
        plan->job->hidden = out->hidden;
        plan->job->min_object_size = out->min_object_size;
    }
    ret = show_seed(plan, job);
    if (!ret && job->frame && job->frame->memory == RVOS_MEMORY_CUDA &&
        job->frame->cuda_stream) {
        CU(plan->dev, cudaEventRecord(plan->frame_ready, job->frame->cuda_stream));
        CU(plan->dev, cudaStreamWaitEvent(plan->lane[0], plan->frame_ready, 0));
    }
    if (!ret && job->frame)
        ret = rv_cuda_frame_in(job->pixels, job, plan->job, plan->lane[0]);
error:
    return ret;
}

static void report(const struct rv_plan *plan, const struct rv_job *job)
{
    for (int n = 0; n < job->live; n++) {
        const struct rv_found *f = &plan->report[n];
        rvos_object *o = &job->object[n];

        *o = (rvos_object){0};
        if (!f->area || (int64_t)f->area < job->out->min_object_size)
            continue;
        *o = (rvos_object){.present = true,
                           .x = f->x0,
                           .y = f->y0,
                           .width = f->x1 - f->x0,
                           .height = f->y1 - f->y0,
                           .area = f->area,
                           .score = f->count ? (double)f->score / 0x1p24 / f->count : 0};
    }
}

static int launch_timed(struct rv_plan *plan, int live)
{
    int ret = 0;

    CU(plan->dev, cudaEventRecord(plan->timer[0], plan->lane[0]));
    ret = launch(plan, live);
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

static int run_job(struct rv_plan *plan, const struct rv_job *job)
{
    int ret = begin(plan, job);

    if (!ret)
        ret = plan->timer[1] ? launch_timed(plan, job->live) : launch(plan, job->live);
    if (!ret && job->frame)
        ret = rv_cuda_frame_out(job->pixels, job, plan->lane[0]);
    if (ret) { /* nothing of this frame may be under way when the caller goes on */
        cudaStreamSynchronize(plan->lane[0]);
        return ret;
    }
    CU(plan->dev, cudaStreamSynchronize(plan->lane[0]));
    if (job->frame)
        rv_cuda_frame_done(job->pixels, job);
    if (job->out && job->out->labels)
        report(plan, job);
    if (plan->timer[1])
        tell_time(plan);
error:
    return ret;
}

/* Streams are not batched yet: one graph after another. */
int rv_cuda_plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs)
{
    int ret = rv_driver_push(plan->cuda->driver, plan->dev);

    if (ret)
        return ret;
    for (int j = 0; j < n_jobs && !ret; j++)
        ret = run_job(plan, &jobs[j]);
    rv_driver_pop(plan->cuda->driver);
    return ret;
}
