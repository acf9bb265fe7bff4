/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - errors of the runtime, and memory. */
#include "context.h"

int rv_cuda_error(const rvos_device *dev, cudaError_t error, const char *call)
{
    rv_log(dev, RVOS_LOG_ERROR, "cuda: %s: %s (%s)", call, cudaGetErrorString(error),
           cudaGetErrorName(error));
    cudaGetLastError(); /* clear the error, or the next launch would report it */
    return error == cudaErrorMemoryAllocation ? RVOS_ERR_MEMORY : RVOS_ERR_DEVICE;
}

int rv_cuda_alloc(const rvos_device *dev, void **out, size_t size)
{
    int ret = 0;

    *out = NULL;
    CU(dev, cudaMalloc(out, size ? size : 1));
error:
    return ret;
}

void rv_cuda_free(void *p)
{
    if (p)
        cudaFree(p);
}

int rv_cuda_alloc_pinned(const rvos_device *dev, void **out, size_t size)
{
    int ret = 0;

    *out = NULL;
    CU(dev, cudaMallocHost(out, size ? size : 1));
error:
    return ret;
}

void rv_cuda_free_pinned(void *p)
{
    if (p)
        cudaFreeHost(p);
}

int rv_cuda_upload(const rvos_device *dev, void *to, const void *from, size_t size)
{
    const struct cuda_device *cuda = dev->priv;
    int ret = 0;

    CU(dev, cudaMemcpyAsync(to, from, size, cudaMemcpyHostToDevice, cuda->stream));
    CU(dev, cudaStreamSynchronize(cuda->stream));
error:
    return ret;
}
