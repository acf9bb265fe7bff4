/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cudnn_run.c - runs cuDNN's plans, in frames and in trials. */
#include "conv_cudnn.h"

#include "../kernels/kernels.h"

/* Leave a handle on its last stream until that is destroyed. Setting another stream
 * during capture would add an uncaptured stream to the graph and break the capture. Only
 * the planning thread destroys streams of the planning handle. */
void rv_cudnn_leave(void *opened, cudaStream_t stream)
{
    struct rv_cudnn *o = opened;
    const struct cuda_device *cuda = o->dev->priv;
    cudaStream_t last;

    pthread_mutex_lock(&o->running);
    if (!cudnnGetStream(o->runner, &last) && last == stream)
        cudnnSetStream(o->runner, cuda->stream);
    if (o->planning == stream) {
        cudnnSetStream(o->dnn.handle, cuda->stream);
        o->planning = NULL;
    }
    pthread_mutex_unlock(&o->running);
}

static bool is_fused(enum rv_form form)
{
    return form == RV_FORM_FUSED || form == RV_FORM_FUSED32;
}

/* A plan runs with the handle that it was made with. */
static cudnnStatus_t execute(struct rv_cudnn *o, const struct rv_cudnn_plan *made,
                             cudnnBackendDescriptor_t pack, cudaStream_t stream)
{
    cudnnHandle_t handle = made->trial ? o->dnn.handle : o->runner;
    cudnnStatus_t status;

    pthread_mutex_lock(&o->running);
    if (made->trial)
        o->planning = stream;
    status = cudnnSetStream(handle, stream);
    if (!status)
        status = cudnnBackendExecute(handle, made->plan, pack);
    pthread_mutex_unlock(&o->running);
    return status;
}

cudnnBackendDescriptor_t rv_cudnn_restore(struct rv_cudnn *o, const char *text,
                                          size_t size, int64_t *workspace)
{
    const struct rv_dnn runner = {.handle = o->runner};
    cudnnBackendDescriptor_t plan;

    pthread_mutex_lock(&o->running);
    plan = rv_dnn_restore(&runner, text, size, workspace);
    pthread_mutex_unlock(&o->running);
    return plan;
}

cudnnStatus_t rv_cudnn_execute(struct rv_conv *c, const struct rv_cudnn_plan *made,
                               const struct rv_conv_io *io, cudaStream_t stream,
                               cudaError_t *launched)
{
    const struct rv_conv_shape *s = &c->shape;
    bool fused = is_fused(made->form);
    const void *bias =
        made->form == RV_FORM_FUSED && c->f16_bias ? c->f16_bias : (const void *)c->bias;
    char *workspace = (char *)io->workspace + rv_cudnn_sums(s, made->form);
    void *y = fused ? io->y : io->workspace;
    cudnnBackendDescriptor_t pack =
        rv_dnn_pack(s, made->form, io, c->kernel, bias, y, workspace);
    cudnnStatus_t status = pack ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;

    *launched = cudaSuccess;
    if (!status)
        status = execute(c->opened, made, pack, stream);
    if (!status && !fused)
        *launched = rv_cuda_epilogue(
            y, made->form == RV_FORM_SUMS ? s->in : RV_F32, c->bias, io->add, io->y,
            s->out, (size_t)s->n * s->oh * s->ow, s->oc, s->relu, stream);
    rv_dnn_destroy(&pack);
    return status;
}

size_t rv_cudnn_sums(const struct rv_conv_shape *s, enum rv_form form)
{
    size_t bytes = (size_t)s->n * s->oh * s->ow * s->oc *
                   rv_type_bytes(form == RV_FORM_SUMS ? s->in : RV_F32);

    return is_fused(form) ? 0 : (bytes + 255) / 256 * 256;
}
