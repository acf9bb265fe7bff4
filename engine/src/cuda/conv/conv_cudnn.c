/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_cudnn.c - convolutions by cuDNN, in one of the forms of dnn.h. If no form can do
 * one (odd channel counts in fp16), it is RVOS_ERR_UNSUPPORTED, and conv_plain.c does
 * it. */
#include "conv_cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/kernels.h"

#define DNN(dev, call)                                                                   \
    do {                                                                                 \
        cudnnStatus_t status_ = (call);                                                  \
        if (status_ != CUDNN_STATUS_SUCCESS) {                                           \
            ret = dnn_error(dev, status_, #call);                                        \
            goto error;                                                                  \
        }                                                                                \
    } while (0)

static int dnn_error(const rvos_device *dev, cudnnStatus_t status, const char *call)
{
    char more[256] = "";

    cudnnGetLastErrorString(more, sizeof(more));
    rv_log(dev, RVOS_LOG_ERROR, "cuDNN: %s: %s %s", call, cudnnGetErrorString(status),
           more);
    return status == CUDNN_STATUS_ALLOC_FAILED ? RVOS_ERR_MEMORY : RVOS_ERR_DEVICE;
}

/* ---- the engine -------------------------------------------------------------------- */

static int cudnn_run(struct rv_conv *c, const struct rv_conv_io *io, cudaStream_t stream)
{
    rvos_device *dev = c->opened->dev;
    cudaError_t launched;
    int ret = 0;

    DNN(dev, rv_cudnn_execute(c, c->made, io, stream, &launched));
    CU(dev, launched);
error:
    return ret;
}

static void cudnn_library(char *text, size_t size)
{
    rv_dnn_version(text, size);
}

static void engine_close(void *opened)
{
    struct rv_cudnn *o = opened;

    if (!o)
        return;
    while (o->made) {
        struct rv_cudnn_plan *m = o->made;

        o->made = m->next;
        rv_dnn_destroy(&m->plan);
        free(m);
    }
    if (o->runner)
        cudnnDestroy(o->runner);
    if (o->dnn.handle)
        cudnnDestroy(o->dnn.handle);
    pthread_mutex_destroy(&o->running);
    free(o);
}

/* A missing cuDNN is an error if the user asked for CUDA, else a warning. */
static int refuse(const rvos_device *dev, cudnnStatus_t status)
{
    char more[256] = "";

    cudnnGetLastErrorString(more, sizeof(more));
    rv_log(dev, dev->params.backend ? RVOS_LOG_ERROR : RVOS_LOG_WARNING,
           "cuda: cuDNN cannot be used: %s %s", cudnnGetErrorString(status), more);
    return status == CUDNN_STATUS_ALLOC_FAILED ? RVOS_ERR_MEMORY : RVOS_ERR_UNSUPPORTED;
}

static int engine_open(rvos_device *dev, void **opened)
{
    const struct cuda_device *cuda = dev->priv;
    struct rv_cudnn *o = calloc(1, sizeof(*o));
    cudnnStatus_t status;
    char version[64];
    int ret = RVOS_ERR_MEMORY;

    *opened = NULL;
    if (!o)
        return ret;
    o->dev = dev;
    pthread_mutex_init(&o->running, NULL);
    rv_dnn_version(version, sizeof(version));
    rv_log(dev, RVOS_LOG_INFO, "cuda: %s, %s", version, rv_dnn_file());
    snprintf(o->gpu, sizeof(o->gpu), "%zu-%.60s-sm%d", cudnnGetVersion(),
             rv_driver_name(cuda->driver), rv_driver_capability(cuda->driver));
    o->cache = cuda->store;
    status = cudnnCreate(&o->dnn.handle);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnnCreate(&o->runner);
    if (status != CUDNN_STATUS_SUCCESS) {
        ret = refuse(dev, status);
        goto error;
    }
    *opened = o;
    return 0;
error:
    engine_close(o);
    return ret;
}

static void cudnn_destroy(struct rv_conv *c)
{
    free(c);
}

static int cudnn_create(struct rv_conv **out, rvos_device *dev, void *opened,
                        const struct rv_conv_shape *shape, struct rv_weights *weights,
                        int index)
{
    struct rv_conv *c;
    int ret;

    *out = NULL;
    if (shape->in == RV_F16 && (shape->ic % 8 || shape->oc % 8)) {
        rv_log(dev, RVOS_LOG_DEBUG, "%d to %d channels are not for tensor cores",
               shape->ic, shape->oc);
        return RVOS_ERR_UNSUPPORTED;
    }
    c = calloc(1, sizeof(*c));
    if (!c)
        return RVOS_ERR_MEMORY;
    c->opened = opened;
    c->shape = *shape;
    c->weights = weights;
    c->index = index;
    ret = rv_cuda_weights(dev, weights, index, shape->ic, shape->in, RV_LAYOUT_FILTER,
                          &c->kernel, &c->bias);
    if (!ret) {
        c->f16_bias = shape->in == RV_F16 ? rv_cuda_f16_bias(weights, index) : NULL;
        c->made = rv_cudnn_find(c);
        ret = c->made ? 0 : RVOS_ERR_UNSUPPORTED;
    }
    if (ret) {
        cudnn_destroy(c);
        return ret;
    }
    c->sums = rv_cudnn_sums(shape, c->made->form);
    *out = c;
    return 0;
}

static size_t cudnn_workspace_bytes(const struct rv_conv *c)
{
    return c->sums + (size_t)c->made->workspace;
}

static const struct rv_conv_engine cudnn = {
    .library = cudnn_library,
    .open = engine_open,
    .close = engine_close,
    .create = cudnn_create,
    .workspace_bytes = cudnn_workspace_bytes,
    .run = cudnn_run,
    .destroy = cudnn_destroy,
    .leave = rv_cudnn_leave,
};

const struct rv_conv_engine *rv_conv_library(void)
{
    return &cudnn;
}
