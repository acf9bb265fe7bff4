/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel.cuh - shared by all .cu files.
 *
 * The same kernel source also runs on the CPU, where tests/cuda checks it. RV_THREADS { }
 * contains what each thread of a block does; `continue` ends a thread's part. RV_SYNC
 * between two parts is the block's barrier. Only RV_SHARED variables and a thread's own
 * RV_OWN variables, used as RV_MY(name), outlive a part. */
#ifndef RV_CUDA_KERNEL_CUH
#define RV_CUDA_KERNEL_CUH

#ifdef __CUDACC__
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define RV_THREADS for (int once_ = 1; once_; once_ = 0)
#define RV_SYNC __syncthreads();
#define RV_SHARED(type, name, dims) __shared__ type name dims
#define RV_OWN(type, name, count) type name##_own[1][count]
#define RV_MY(name) name##_own[0]
#define RV_LAUNCH(kernel, grid, block, stream, ...)                                      \
    (kernel<<<grid, block, 0, stream>>>(__VA_ARGS__), cudaGetLastError())
#else
#include "emulation.h"
#endif

#include "kernels.h"

#define RV_BLOCK 128

static inline unsigned int blocks_for(size_t threads)
{
    return (unsigned int)((threads + RV_BLOCK - 1) / RV_BLOCK);
}

/* The index of a thread in its row of blocks. */
static __device__ inline int thread_index(void)
{
    return (int)(blockIdx.x * blockDim.x + threadIdx.x);
}

static __device__ inline float get(const void *p, size_t i, enum rv_type type)
{
    return type == RV_F16 ? __half2float(((const __half *)p)[i]) : ((const float *)p)[i];
}

static __device__ inline void put(void *p, size_t i, enum rv_type type, float v)
{
    if (type == RV_F16)
        ((__half *)p)[i] = __float2half_rn(v);
    else
        ((float *)p)[i] = v;
}

/* The address of image n of job j's tensor. */
static __device__ inline char *image_of(const struct rv_cuda_job *job, int j,
                                        const struct rv_view *v, int n)
{
    char *base = v->where == RV_IN_STATE ? job[j].state : v->base + j * v->stride;
    size_t element = rv_type_bytes(v->type);

    return base + v->offset + (size_t)n * v->h * v->w * v->pitch * element;
}

static __device__ inline float logistic(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

#endif
