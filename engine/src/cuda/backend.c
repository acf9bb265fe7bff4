/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend.c - the backend table "cuda". */
#include <stdio.h>
#include <stdlib.h>

#include "conv/cache.h"
#include "program/plan.h"

/* ---- device ----------------------------------------------------------------- */

static void device_close(rvos_device *dev)
{
    struct cuda_device *cuda = dev->priv;

    if (!cuda)
        return;
    if (cuda->driver && !rv_driver_push(cuda->driver, dev)) {
        rv_conv_best_close(cuda->best);
        if (cuda->engine && cuda->engine->close)
            cuda->engine->close(cuda->opened);
        if (cuda->stream)
            cudaStreamDestroy(cuda->stream);
        rv_driver_pop(cuda->driver);
    }
    rv_driver_close(cuda->driver);
    rv_cache_close(cuda->store);
    pthread_mutex_destroy(&cuda->lock);
    free(cuda);
    dev->priv = NULL;
}

static int open_in_context(rvos_device *dev, struct cuda_device *cuda)
{
    /* The plain engine alone, to find out which engine makes a wrong mask. */
    const struct rv_conv_engine *engine =
        cuda->switches.conv == RV_CONV_PLAIN ? &rv_conv_plain : rv_conv_library();
    int ret = 0, bytes = 0, index = 0;

    CU(dev, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking));
    CU(dev, cudaGetDevice(&index));
    CU(dev,
       cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
    cuda->shared_bytes = (size_t)bytes;
    cuda->store = rv_cache_open("conv");
    if (!cuda->store)
        return RVOS_ERR_MEMORY;
    if (engine->open)
        ret = engine->open(dev, &cuda->opened);
    if (ret)
        goto error;
    cuda->engine = engine;
    engine->library(cuda->library, sizeof(cuda->library));
    cuda->best = rv_conv_best_open(dev);
    if (!cuda->best)
        ret = RVOS_ERR_MEMORY;
error:
    return ret;
}

static int device_open(rvos_device *dev)
{
    struct cuda_device *cuda = calloc(1, sizeof(*cuda));
    int ret;

    if (!cuda)
        return RVOS_ERR_MEMORY;
    dev->priv = cuda;
    rv_switches_read(dev, &cuda->switches);
    pthread_mutex_init(&cuda->lock, NULL);
    ret = rv_driver_open(dev, dev->params.index, dev->params.cuda_context, &cuda->driver);
    if (!ret)
        ret = rv_driver_push(cuda->driver, dev);
    if (!ret) {
        ret = open_in_context(dev, cuda);
        rv_driver_pop(cuda->driver);
    }
    if (ret) {
        device_close(dev);
        return ret;
    }
    snprintf(cuda->isa, sizeof(cuda->isa), "sm_%d", rv_driver_capability(cuda->driver));
    dev->info.name = rv_driver_name(cuda->driver);
    dev->info.library = cuda->library;
    dev->info.isa = cuda->isa;
    dev->info.threads = 0; /* it has no CPU threads of its own */
    return 0;
}

static int memory_alloc(rvos_device *dev, size_t size, struct rv_buffer *out)
{
    struct cuda_device *cuda = dev->priv;
    int ret = rv_driver_push(cuda->driver, dev);

    *out = (struct rv_buffer){0};
    if (ret)
        return ret;
    CU(dev, cudaMalloc(&out->ptr, size));
    out->size = size;
    CU(dev, cudaMemsetAsync(out->ptr, 0, size, cuda->stream));
    CU(dev, cudaStreamSynchronize(cuda->stream));
error:
    if (ret) {
        rv_cuda_free(out->ptr);
        *out = (struct rv_buffer){0};
    }
    rv_driver_pop(cuda->driver);
    return ret;
}

static void memory_free(rvos_device *dev, struct rv_buffer *buffer)
{
    struct cuda_device *cuda = dev->priv;

    if (!rv_driver_push(cuda->driver, dev)) {
        rv_cuda_free(buffer->ptr);
        rv_driver_pop(cuda->driver);
    }
    *buffer = (struct rv_buffer){0};
}

static int memory_clear(rvos_device *dev, struct rv_buffer *buffer, size_t at,
                        size_t size)
{
    struct cuda_device *cuda = dev->priv;
    int ret = rv_driver_push(cuda->driver, dev);

    if (ret)
        return ret;
    CU(dev, cudaMemsetAsync((char *)buffer->ptr + at, 0, size, cuda->stream));
    CU(dev, cudaStreamSynchronize(cuda->stream));
error:
    rv_driver_pop(cuda->driver);
    return ret;
}

static int memory_read(rvos_device *dev, const struct rv_buffer *src, size_t at,
                       void *dst, size_t size)
{
    struct cuda_device *cuda = dev->priv;
    int ret = rv_driver_push(cuda->driver, dev);

    if (ret)
        return ret;
    CU(dev, cudaMemcpyAsync(dst, (const char *)src->ptr + at, size,
                            cudaMemcpyDeviceToHost, cuda->stream));
    CU(dev, cudaStreamSynchronize(cuda->stream));
error:
    rv_driver_pop(cuda->driver);
    return ret;
}

static int memory_write(rvos_device *dev, struct rv_buffer *dst, size_t at,
                        const void *src, size_t size)
{
    struct cuda_device *cuda = dev->priv;
    int ret = rv_driver_push(cuda->driver, dev);

    if (ret)
        return ret;
    ret = rv_cuda_upload(dev, (char *)dst->ptr + at, src, size);
    rv_driver_pop(cuda->driver);
    return ret;
}

static enum rv_type type(rvos_device *dev, rvos_precision precision)
{
    (void)dev;
    switch (precision) {
    case RVOS_PRECISION_DEFAULT:
    case RVOS_PRECISION_FP16:
        return RV_F16;
    case RVOS_PRECISION_FP32:
    case RVOS_PRECISION_TF32:
        return RV_F32;
    default:
        return RV_OTHER;
    }
}

static void weights_free(rvos_device *dev, struct rv_weights *weights)
{
    struct cuda_device *cuda = dev->priv;

    if (rv_driver_push(cuda->driver, dev))
        return;
    rv_cuda_weights_free(dev, weights);
    rv_driver_pop(cuda->driver);
}

static const struct rv_backend table = {
    .name = "cuda",
    .device_memory = true,
    .max_batch = RVOS_MAX_BATCH,
    .state_align = 8, /* so that each pixel starts at a multiple of 16 bytes */
    .time_groups = 1, /* one group: few kernels, which run beside the encoder */
    .lanes = true,
    .open = device_open,
    .close = device_close,
    .alloc = memory_alloc,
    .free = memory_free,
    .clear = memory_clear,
    .read = memory_read,
    .write = memory_write,
    .type = type,
    .plan_create = rv_cuda_plan_create,
    .plan_share = rv_cuda_plan_share,
    .plan_run = rv_cuda_plan_run,
    .plan_destroy = rv_cuda_plan_destroy,
    .job_prepare = rv_cuda_job_prepare,
    .job_finish = rv_cuda_job_finish,
    .weights_free = weights_free,
    .pixels_create = rv_cuda_pixels_create,
    .pixels_destroy = rv_cuda_pixels_destroy,
    .draw = rv_cuda_draw_image,
    .fill = rv_cuda_fill_labels,
    .set_alpha = rv_cuda_alpha_image,
};

__attribute__((visibility("default"))) const struct rv_backend *rv_backend_cuda(int abi);

const struct rv_backend *rv_backend_cuda(int abi)
{
    return abi == RV_BACKEND_ABI ? &table : NULL;
}
