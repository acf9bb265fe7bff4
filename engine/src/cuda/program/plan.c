/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include "../conv/cache.h"
#include "../conv/conv_search.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 256

/* Reserves room after the arena. */
static size_t take_room(struct rv_plan *plan, size_t bytes)
{
    size_t at = plan->bytes;

    plan->bytes += (bytes + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

/* Tensor cores need fp16 channels in multiples of eight. */
static int padded(const struct rv_plan *plan, int channels)
{
    return plan->program->type == RV_F16 ? (channels + 7) / 8 * 8 : channels;
}

static size_t element(const struct rv_plan *plan)
{
    return rv_type_bytes(plan->program->type);
}

static int make_conv(struct rv_plan *plan, struct cuda_step *s,
                     struct rv_weights *weights, const struct rv_conv_shape *shape)
{
    int ret = rv_conv_make(plan->dev, shape, weights, s->step->weight, &s->made);
    size_t bytes = ret ? 0 : s->made.engine->workspace_bytes(s->made.conv);

    if (!ret && plan->check && s->step->op == RV_OP_CONV)
        ret = rv_check_conv(plan, s, weights, shape);
    if (bytes > plan->workspace_bytes[s->lane])
        plan->workspace_bytes[s->lane] = bytes;
    return ret;
}

static int make_conv_step(struct rv_plan *plan, struct cuda_step *s,
                          struct rv_weights *weights)
{
    const struct rv_program *p = plan->program;
    const struct rv_step *step = s->step;
    const struct rv_tensor *in = &p->tensor[step->in[0]], *out = &p->tensor[step->out[0]];
    struct rv_view add = rv_plan_view(plan, step->in[1]);
    struct rv_view y = rv_plan_view(plan, step->out[0]);
    bool image = step->in[0] == p->step[0].out[0];
    struct rv_conv_shape shape = {
        .n = in->n * plan->batch,
        .ih = in->h,
        .iw = in->w,
        .ic = s->channels = padded(plan, in->c),
        .oh = out->h,
        .ow = out->w,
        .oc = out->c,
        .size = step->size,
        .stride = step->stride,
        .pad = step->pad,
        .in = plan->program->type,
        .out = out->type,
        .tf32 = plan->tf32,
        .relu = step->relu,
        .sum = step->in[1] >= 0,
        .in_place = step->in[1] >= 0 && add.where == y.where && add.offset == y.offset,
    };

    /* Copy the input if its address is not fixed or its images are not adjacent. The
     * state's address is known only when a frame comes, but convolution libraries need
     * fixed addresses at capture and adjacent images. */
    if (!image && (in->home == RV_STATE || s->channels != in->c ||
                   (plan->batch > 1 && in->parent >= 0)))
        s->input = take_room(plan, (size_t)shape.n * in->h * in->w * s->channels *
                                       element(plan));
    return make_conv(plan, s, weights, &shape);
}

/* Makes the cell one kernel, if the shape and this GPU's shared memory allow it. */
static int make_fused(struct rv_plan *plan, struct cuda_step *s,
                      struct rv_weights *weights)
{
    const struct rv_weight *w = &plan->net->weight[s->step->weight];
    int ret;

    if (plan->program->type != RV_F16 || w->in % 8 || w->out % 32 ||
        plan->cuda->switches.cell_steps ||
        rv_cuda_cell_tile_shared(w->in, w->size) > plan->cuda->shared_bytes)
        return 0;
    s->fused.ic = w->in;
    s->fused.size = w->size;
    ret = rv_cuda_weights(plan->dev, weights, s->step->weight, w->in, RV_F16,
                          RV_LAYOUT_FILTER, &s->fused.kernel, &s->fused.bias);
    return ret;
}

static int make_cell(struct rv_plan *plan, struct cuda_step *s,
                     struct rv_weights *weights)
{
    const struct rv_step *step = s->step;
    const struct rv_tensor *h = &plan->program->tensor[step->out[0]];
    int level = rv_plan_level(plan->program, step), ret;
    size_t pixels = (size_t)plan->batch * h->h * h->w;
    struct rv_conv_shape shape = {
        .n = plan->batch,
        .ih = h->h,
        .iw = h->w,
        .oh = h->h,
        .ow = h->w,
        .oc = 4 * h->c,
        .size = step->size,
        .stride = 1,
        .pad = step->pad,
        .in = plan->program->type,
        .tf32 = plan->tf32,
    };

    if (step->weight < 0)
        return 0;
    ret = make_fused(plan, s, weights);
    if (ret || s->fused.kernel)
        return ret;
    shape.ic = s->channels = padded(plan, plan->net->weight[step->weight].in);
    /* All objects of a level share this memory, because they run one after another in its
     * lane. The first object's input has the fewest channels. */
    s->input = pixels * s->channels * element(plan);
    if (plan->cell_gates[level] == RV_NONE)
        plan->cell_gates[level] = take_room(plan, pixels * 4 * h->c * sizeof(float));
    return make_conv(plan, s, weights, &shape);
}

static void place_cell_inputs(struct rv_plan *plan)
{
    size_t most[RV_LEVELS] = {0};

    for (int i = 0; i < plan->program->n_steps; i++) {
        const struct cuda_step *s = &plan->step[i];
        int k;

        if (s->step->op != RV_OP_CELL || s->input == RV_NONE)
            continue;
        k = rv_plan_level(plan->program, s->step);
        most[k] = s->input > most[k] ? s->input : most[k];
    }
    for (int k = 0; k < RV_LEVELS; k++)
        plan->cell_input[k] = take_room(plan, most[k]);
    for (int i = 0; i < plan->program->n_steps; i++) {
        struct cuda_step *s = &plan->step[i];

        if (s->step->op == RV_OP_CELL && s->input != RV_NONE)
            s->input = plan->cell_input[rv_plan_level(plan->program, s->step)];
    }
}

static int make_mask(struct rv_plan *plan, const struct rv_step *s,
                     struct rv_weights *weights)
{
    const struct rv_weight *w = &plan->net->weight[s->weight];
    const struct rv_tensor *h = &plan->program->tensor[s->in[0]];
    int d = s->decoder;

    plan->mask_taps_stride =
        (size_t)plan->program->objects * w->size * w->size * h->h * h->w;
    plan->mask_taps[d] =
        take_room(plan, plan->batch * plan->mask_taps_stride * sizeof(float));
    return rv_cuda_weights(plan->dev, weights, s->weight, w->in, RV_F32, RV_LAYOUT_TAPS,
                           &plan->mask_kernel[d], &plan->mask_bias[d]);
}

static int make_step(struct rv_plan *plan, struct cuda_step *s,
                     struct rv_weights *weights)
{
    switch (s->step->op) {
    case RV_OP_CONV:
        return make_conv_step(plan, s, weights);
    case RV_OP_CELL:
        return make_cell(plan, s, weights);
    case RV_OP_MASK:
        return make_mask(plan, s->step, weights);
    default:
        return 0;
    }
}

static int make_steps(struct rv_plan *plan, struct rv_weights *weights)
{
    const struct rv_program *p = plan->program;
    const struct rv_tensor *image = &p->tensor[p->step[0].out[0]];
    struct rv_order *order = NULL;
    int ret = 0;

    plan->bytes = (plan->batch * p->arena_bytes + ALIGN - 1) / ALIGN * ALIGN;
    plan->image_channels = padded(plan, image->c);
    plan->image = take_room(plan, (size_t)plan->batch * image->h * image->w *
                                      plan->image_channels * element(plan));
    for (int k = 0; k < RV_LEVELS; k++)
        plan->cell_input[k] = plan->cell_gates[k] = RV_NONE;
    for (int i = 0; i < p->n_steps; i++) {
        plan->step[i].step = &p->step[i];
        plan->step[i].input = RV_NONE;
    }
    ret = rv_plan_lanes(plan);
    if (!ret)
        ret = rv_plan_order(plan, &order);
    for (int i = 0; i < p->n_steps && !ret; i++) {
        plan->cuda->search_share = order[i].share;
        ret = make_step(plan, &plan->step[order[i].step], weights);
    }
    free(order);
    place_cell_inputs(plan);
    for (int l = 0; l < RV_LANES; l++)
        plan->workspace[l] = take_room(plan, plan->workspace_bytes[l]);
    return ret;
}

static int make_memory(struct rv_plan *plan)
{
    rvos_device *dev = plan->dev;
    size_t batch = (size_t)plan->batch, jobs = batch * sizeof(*plan->job);
    size_t found = batch * RV_CUDA_FOUND * sizeof(struct rv_found);
    size_t seed = batch * plan->net->width * plan->net->height * sizeof(uint32_t);
    int ret = rv_scratch_alloc(dev, plan->bytes, plan->batch > 1, &plan->scratch);

    plan->memory = plan->scratch.at;
    if (!ret)
        ret = rv_cuda_alloc_pinned(dev, (void **)&plan->job, jobs);
    if (!ret)
        ret = rv_cuda_alloc(dev, (void **)&plan->job_device, jobs);
    if (!ret)
        ret = rv_cuda_alloc(dev, (void **)&plan->found, found);
    if (!ret)
        ret = rv_cuda_alloc_pinned(dev, (void **)&plan->report, found);
    if (!ret && plan->program->decoders >> RV_ONE_SHOT & 1)
        ret = rv_cuda_alloc_pinned(dev, (void **)&plan->seed, seed);
    if (!ret && plan->program->decoders >> RV_ONE_SHOT & 1)
        ret = rv_cuda_alloc(dev, (void **)&plan->seed_device, seed);
    return ret;
}

static int make_lanes(struct rv_plan *plan)
{
    rvos_device *dev = plan->dev;
    int ret = 0;

    for (int l = 0; l < RV_LANES; l++) {
        CU(dev, cudaStreamCreateWithFlags(&plan->lane[l], cudaStreamNonBlocking));
        CU(dev, cudaEventCreateWithFlags(&plan->joined[l], cudaEventDisableTiming));
    }
    CU(dev, cudaEventCreateWithFlags(&plan->start, cudaEventDisableTiming));
    CU(dev, cudaEventCreateWithFlags(&plan->frame_ready, cudaEventDisableTiming));
    for (int i = 0; i < 2 && plan->cuda->switches.times; i++)
        CU(dev, cudaEventCreate(&plan->timer[i]));
error:
    return ret;
}

/* Does all slow work here, so that the first frame does not wait for it. */
static int make_graphs(struct rv_plan *plan)
{
    struct rv_buffer state = {0};
    int ret = plan->dev->fn->alloc(plan->dev, plan->program->state_bytes, &state);

    if (!ret)
        ret = rv_plan_warm_up(plan, state.ptr, 2);
    if (!ret)
        ret = rv_plan_choose_chain(plan, &state);
    if (!ret && plan->batch ==
                    1) /* larger plans capture graphs after sharing memory (plan_share) */
        rv_plan_make_graphs(plan);
    if (!ret)
        rv_plan_time_steps(plan);
    if (state.ptr)
        plan->dev->fn->free(plan->dev, &state);
    return ret;
}

static int make_plan(struct rv_plan *plan, struct rv_weights *weights)
{
    int ret;

    pthread_mutex_lock(&plan->cuda->lock);
    ret = rv_check_open(plan, weights);
    if (!ret)
        ret = make_steps(plan, weights);
    rv_search_flush(plan->dev);
    rv_cache_trim(plan->cuda->store);
    pthread_mutex_unlock(&plan->cuda->lock);
    if (!ret)
        ret = make_memory(plan);
    if (!ret)
        ret = make_lanes(plan);
    if (!ret)
        ret = make_graphs(plan);
    return ret;
}

int rv_cuda_plan_create(rvos_device *dev, const struct rv_program *program,
                        struct rv_weights *weights, rvos_precision precision, int batch,
                        struct rv_plan **out)
{
    struct cuda_device *cuda = dev->priv;
    struct rv_plan *plan = calloc(1, sizeof(*plan));
    int ret = RVOS_ERR_MEMORY;

    *out = NULL;
    if (!plan)
        return ret;
    plan->dev = dev;
    plan->cuda = cuda;
    plan->program = program;
    plan->net = weights->net;
    plan->batch = batch;
    plan->tf32 = precision == RVOS_PRECISION_TF32;
    plan->step = calloc((size_t)program->n_steps, sizeof(*plan->step));
    if (plan->step)
        ret = rv_driver_push(cuda->driver, dev);
    if (!plan->step || ret) {
        free(plan->step);
        free(plan);
        return ret;
    }
    ret = make_plan(plan, weights);
    rv_driver_pop(cuda->driver);
    if (ret) {
        rv_cuda_plan_destroy(plan);
        return ret;
    }
    rv_log(dev, RVOS_LOG_DEBUG,
           "plan for %d: %d steps, %d waves, %zu bytes, of which %zu are the arena",
           batch, program->n_steps, program->n_waves, plan->bytes,
           (size_t)batch * program->arena_bytes);
    *out = plan;
    return 0;
}

int rv_cuda_plan_share(struct rv_plan *plan, const struct rv_plan *with)
{
    size_t own = plan->scratch.bytes;
    int ret = rv_driver_push(plan->cuda->driver, plan->dev);

    if (ret)
        return ret;
    /* Graphs keep addresses, so drop them before the old memory is freed. */
    if (rv_scratch_shares(&plan->scratch, &with->scratch)) {
        rv_plan_drop_graphs(plan);
        ret = rv_scratch_share(plan->dev, &plan->scratch, &with->scratch);
    }
    if (!ret)
        rv_plan_make_graphs(plan);
    rv_driver_pop(plan->cuda->driver);
    if (plan->scratch.pieces > 1)
        rv_log(plan->dev, RVOS_LOG_DEBUG,
               "plan for %d: %zu of its %zu bytes are those of the plan for %d",
               plan->batch, with->scratch.bytes, own, with->batch);
    return ret;
}

void rv_cuda_plan_destroy(struct rv_plan *plan)
{
    if (!plan || rv_driver_push(plan->cuda->driver, plan->dev))
        return;
    rv_plan_drop_graphs(plan);
    rv_check_close(plan);
    for (int i = 0; i < plan->program->n_steps; i++) {
        struct rv_made *made = &plan->step[i].made;

        if (made->conv)
            made->engine->destroy(made->conv);
        if (plan->step[i].done)
            cudaEventDestroy(plan->step[i].done);
    }
    for (int l = 0; l < RV_LANES; l++) {
        if (plan->joined[l])
            cudaEventDestroy(plan->joined[l]);
        rv_conv_stream_destroy(plan->dev, plan->lane[l]);
    }
    if (plan->start)
        cudaEventDestroy(plan->start);
    if (plan->frame_ready)
        cudaEventDestroy(plan->frame_ready);
    for (int i = 0; i < 2; i++)
        if (plan->timer[i])
            cudaEventDestroy(plan->timer[i]);
    rv_scratch_free(plan->dev, &plan->scratch);
    rv_cuda_free(plan->job_device);
    rv_cuda_free(plan->found);
    rv_cuda_free(plan->seed_device);
    rv_cuda_free_pinned(plan->job);
    rv_cuda_free_pinned(plan->report);
    rv_cuda_free_pinned(plan->seed);
    rv_driver_pop(plan->cuda->driver);
    free(plan->step);
    free(plan);
}
