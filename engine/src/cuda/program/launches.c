/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launches.c - puts a step of the program into a stream, as kernels and convolutions. */
#include "plan.h"

#define BOTH (1u << RV_ZERO_SHOT | 1u << RV_ONE_SHOT)

static struct rv_view fixed(const struct rv_plan *plan, size_t offset, enum rv_type type,
                            int n, const struct rv_tensor *like, int channels)
{
    return (struct rv_view){.where = RV_FIXED,
                            .type = type,
                            .n = n,
                            .h = like->h,
                            .w = like->w,
                            .c = channels,
                            .pitch = channels,
                            .base = plan->memory,
                            .offset = offset,
                            .stride = (size_t)n * like->h * like->w * channels *
                                      rv_type_bytes(type)};
}

static char *address(const struct rv_view *v)
{
    return v->where ? v->base + v->offset : NULL;
}

static int run_conv(struct rv_plan *plan, const struct cuda_step *s, bool chained,
                    cudaStream_t stream)
{
    const struct rv_step *step = s->step;
    const struct rv_tensor *in = &plan->program->tensor[step->in[0]];
    struct rv_view x = rv_plan_view(plan, step->in[0]);
    struct rv_view add = rv_plan_view(plan, step->in[1]);
    struct rv_view y = rv_plan_view(plan, step->out[0]);
    int ret = 0;

    if (s->input != RV_NONE) {
        struct rv_view packed =
            fixed(plan, s->input, plan->program->type, in->n, in, s->channels);

        CU(plan->dev,
           rv_cuda_gather(plan->job_device, plan->batch, x, step->decoder,
                          step->object < 0 ? 0 : step->object, packed, stream));
        x = packed;
        chained = plan->chained; /* now chained after our gather kernel */
    }
    ret = s->made.engine->run(
        s->made.conv,
        &(struct rv_conv_io){address(&x), address(&add), address(&y),
                             plan->memory + plan->workspace[s->lane], chained},
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
        .decoder = step->decoder,
        .object = step->object,
    };

    if (s->fused.kernel) {
        struct rv_cell_tile fused = s->fused;

        fused.cell = cell;
        CU(plan->dev, rv_cuda_cell_tile(plan->job_device, plan->batch, fused, stream));
        return 0;
    }
    if (s->made.conv) {
        cell.input = fixed(plan, s->input, plan->program->type, 1, h, s->channels);
        cell.gates = fixed(plan, plan->cell_gates[level], RV_F32, 1, h, 4 * h->c);
        CU(plan->dev, rv_cuda_cell_input(plan->job_device, plan->batch, cell, stream));
        ret = s->made.engine->run(
            s->made.conv,
            &(struct rv_conv_io){address(&cell.input), NULL, address(&cell.gates),
                                 plan->memory + plan->workspace[s->lane], plan->chained},
            stream);
        if (ret)
            goto error;
    }
    CU(plan->dev, rv_cuda_cell_update(plan->job_device, plan->batch, cell, stream));
error:
    return ret;
}

static int run_maxpool(struct rv_plan *plan, const struct rv_step *s,
                       const int live[RV_DECODERS], cudaStream_t stream)
{
    struct rv_maxpool_args maxpool = {.in = rv_plan_view(plan, s->in[0]),
                                      .out = rv_plan_view(plan, s->out[0]),
                                      .size = s->size,
                                      .stride = s->stride,
                                      .pad = s->pad};
    int ret = 0;

    if (s->decoder >= 0) { /* masks: one image per slot */
        maxpool.decoder = s->decoder;
        maxpool.slots = live[s->decoder];
    }
    CU(plan->dev, rv_cuda_maxpool(plan->job_device, plan->batch, maxpool, stream));
error:
    return ret;
}

static int run_mask(struct rv_plan *plan, const struct rv_step *s,
                    const int live[RV_DECODERS], cudaStream_t stream)
{
    struct rv_mask_args m = {
        .h = rv_plan_view(plan, s->in[0]),
        .coarse = rv_plan_view(plan, s->out[0]),
        .logits = rv_plan_view(plan, s->out[1]),
        .prob = rv_plan_view(plan, s->out[2]),
        .taps = (float *)(void *)(plan->memory + plan->mask_taps[s->decoder]),
        .kernel = plan->mask_kernel[s->decoder],
        .bias = plan->mask_bias[s->decoder],
        .taps_stride = plan->mask_taps_stride,
        .decoder = s->decoder,
        .size = s->size,
        .slots = live[s->decoder],
    };
    int ret = 0;

    CU(plan->dev, rv_cuda_mask(plan->job_device, plan->batch, m, stream));
error:
    return ret;
}

int rv_plan_run_step(struct rv_plan *plan, const struct cuda_step *s,
                     const int live[RV_DECODERS], bool chained, cudaStream_t stream)
{
    const struct rv_step *step = s->step;
    const struct rv_cuda_job *job = plan->job_device;
    int ret = 0;

    switch (step->op) {
    case RV_OP_PREPROC:
        CU(plan->dev,
           rv_cuda_image(job, plan->batch, rv_plan_view(plan, step->out[0]), stream));
        if (step->out[1] >= 0 && live[RV_ONE_SHOT])
            CU(plan->dev, rv_cuda_seed(job, plan->batch, rv_plan_view(plan, step->out[1]),
                                       RV_ONE_SHOT, live[RV_ONE_SHOT], stream));
        break;
    case RV_OP_CONV:
        ret = run_conv(plan, s, chained, stream);
        break;
    case RV_OP_MAXPOOL:
        ret = run_maxpool(plan, step, live, stream);
        break;
    case RV_OP_CELL:
        ret = run_cell(plan, s, stream);
        break;
    case RV_OP_MASK:
        ret = run_mask(plan, step, live, stream);
        break;
    case RV_OP_LABELS:
        CU(plan->dev,
           rv_cuda_labels(job, plan->batch, rv_plan_view(plan, step->in[0]),
                          step->decoder, plan->program->decoders == BOTH, stream));
        break;
    }
error:
    return ret;
}
