/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* idle_device.h - device functions that do nothing, and a clock that only tests move, for
 * tests that link only the choice of convolution engines. Included by one file per
 * program. */
#ifndef RV_TEST_IDLE_DEVICE_H
#define RV_TEST_IDLE_DEVICE_H

#include <stdlib.h>

#include "conv/conv.h"
#include "conv/conv_search.h"
#include "conv/conv_time.h"

/* A fake takes what it does not use. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

static struct {
    double clock, share; /* seconds: now, and for a search */
    bool no_memory;
} idle;

cudaError_t cudaMalloc(void **p, size_t size)
{
    *p = idle.no_memory ? NULL : malloc(size ? 64 : 1);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

void rv_cuda_free(void *p)
{
    free(p);
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t size, cudaStream_t stream)
{
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return cudaSuccess;
}

double rv_conv_clock(void)
{
    return idle.clock;
}

double rv_conv_search_begin(rvos_device *dev)
{
    return idle.clock + idle.share;
}

void rv_conv_search_end(rvos_device *dev)
{
}

void rv_conv_search_reset(rvos_device *dev)
{
}

#endif
