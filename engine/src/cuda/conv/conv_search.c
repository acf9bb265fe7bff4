/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conv_search.h"

#include <stdio.h>

#include "conv_time.h"

void rv_search_key(char *key, size_t size, const char *gpu, const struct rv_conv_shape *s,
                   const char *in, const char *more)
{
    const char *sum = s->in_place ? "-add" : s->sum ? "-sum" : "";

    snprintf(key, size, "%s-n%d-%dx%dx%d-%dx%dx%d-k%ds%dp%d-%s%s%s%s%s", gpu, s->n, s->ih,
             s->iw, s->ic, s->oh, s->ow, s->oc, s->size, s->stride, s->pad, in,
             s->out == RV_F16 ? "f16" : "f32", sum, s->relu ? "-relu" : "", more);
    for (; *key; key++)
        *key = *key == ' ' ? '_' : *key;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static bool get_memory(struct cuda_device *cuda, size_t size)
{
    if (cuda->trial && cuda->trial_bytes >= size)
        return true;
    rv_cuda_free(cuda->trial);
    cuda->trial_bytes = 0;
    if (cudaMalloc((void **)&cuda->trial, size) != cudaSuccess) {
        cudaGetLastError(); /* clear the error, or the next launch would report it */
        cuda->trial = NULL;
        return false;
    }
    cuda->trial_bytes = size;
    return true;
}

void rv_search_begin(struct rv_search *s, const struct rv_conv_shape *shape,
                     size_t workspace)
{
    struct cuda_device *cuda = s->dev->priv;
    size_t x = aligned((size_t)shape->n * shape->ih * shape->iw * shape->ic *
                       rv_type_bytes(shape->in));
    size_t y = aligned((size_t)shape->n * shape->oh * shape->ow * shape->oc *
                       rv_type_bytes(shape->out));
    size_t size = x + 2 * y + workspace;

    s->until = rv_conv_search_begin(s->dev);
    s->trying = get_memory(cuda, size) &&
                cudaMemsetAsync(cuda->trial, 0, size, cuda->stream) == cudaSuccess &&
                cudaStreamSynchronize(cuda->stream) == cudaSuccess;
    s->timing = s->trying && cuda->switches.tune != RV_TUNE_NOT;
    if (!s->trying)
        return;
    s->io = (struct rv_conv_io){
        .x = cuda->trial, .y = cuda->trial + x, .workspace = cuda->trial + x + 2 * y};
    if (shape->sum)
        s->io.add = shape->in_place ? s->io.y : cuda->trial + x + y;
}

bool rv_search_goes_on(const struct rv_search *s, const struct rv_candidate *c)
{
    const struct cuda_device *cuda = s->dev->priv;
    bool must = c->must || (!s->found && !(c->seconds > 0 && s->optional));

    return must || cuda->switches.tune == RV_TUNE_ALL ||
           (s->timing && rv_conv_clock() + c->seconds < s->until);
}

bool rv_search_known(struct rv_search *s, float factor)
{
    float cost;

    if (s->timing)
        s->ms = rv_conv_time(s->dev, s->run, s);
    else
        s->ms = !s->trying || s->right(s) ? 0 : -1;
    cost = s->ms * factor;
    if (s->ms < 0 || (s->found && cost >= s->best_cost))
        return false;
    s->found = true;
    s->best_ms = s->ms;
    s->best_cost = cost;
    return true;
}

static void try_one(struct rv_search *s, const struct rv_candidate *c)
{
    float factor = s->make(s, c);

    if (factor <= 0)
        return;
    s->tried++;
    s->settle(s, c, rv_search_known(s, factor));
}

void rv_search_run(struct rv_search *s)
{
    struct rv_candidate c = {0};

    while (!s->cut && s->next(s, &c)) {
        s->cut = s->seen >= s->skip && !rv_search_goes_on(s, &c);
        if (s->cut)
            break;
        if (s->seen++ >= s->skip)
            try_one(s, &c);
    }
    rv_conv_search_end(s->dev);
}

void rv_search_flush(rvos_device *dev)
{
    struct cuda_device *cuda = dev->priv;

    rv_cuda_free(cuda->trial);
    cuda->trial = NULL;
    cuda->trial_bytes = 0;
    rv_conv_search_reset(dev);
}
