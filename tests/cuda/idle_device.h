/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* idle_device.h - device functions that do nothing, for tests that link only the choice
 * of convolution engines. Included by one file per program. */
#ifndef RV_TEST_IDLE_DEVICE_H
#define RV_TEST_IDLE_DEVICE_H

#include <stdlib.h>

#include "conv/conv.h"

void rv_cuda_free(void *p)
{
    free(p);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t size, cudaStream_t stream)
{
    (void)p;
    (void)value;
    (void)size;
    (void)stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    (void)stream;
    return cudaSuccess;
}

#endif
