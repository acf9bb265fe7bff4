/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tile.cuh - shared by tensor core kernels: fragments, asynchronous copies, and dynamic
 * shared memory.
 *
 * As in kernel.cuh, the same source runs on the CPU. RV_WARPS { } contains what all
 * threads of a warp do together; a fragment belongs to a warp. A variable that a warp
 * keeps from part to part is declared with RV_KEPT and used as RV_MINE(name). A copy may
 * be read only after its thread has waited for it; on the CPU the copy happens at that
 * wait. */
#ifndef RV_CUDA_TILE_CUH
#define RV_CUDA_TILE_CUH

#include "kernel.cuh"

#ifdef __CUDACC__
#include <cuda_pipeline_primitives.h>
#include <mma.h>

#define RV_WARPS RV_THREADS
#define RV_KEPT(type, name, count) type name##_kept[1][count]
#define RV_MINE(name) name##_kept[0]
#define RV_FENCE __threadfence();
#define RV_DYNAMIC_SHARED(name) extern __shared__ __align__(32) char name[]
#define RV_UNROLL _Pragma("unroll")
/* More than 48 KiB of shared memory per block must be requested. */
#define RV_LAUNCH_SHARED(kernel, grid, block, bytes, stream, ...)                        \
    (kernel<<<grid, block, bytes, stream>>>(__VA_ARGS__), cudaGetLastError())
#define RV_ALLOW_SHARED(kernel) rv_allow_shared((const void *)kernel)

/* Requests the maximum, not what this launch needs: the limit belongs to the function,
 * and a lower limit would also apply to launches of other threads and to captured
 * nodes. */
static inline cudaError_t rv_allow_shared(const void *kernel)
{
    cudaFuncAttributes of;
    int device = 0, most = 0;
    cudaError_t ret = cudaGetDevice(&device);

    if (!ret)
        ret = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin,
                                     device);
    if (!ret)
        ret = cudaFuncGetAttributes(&of, kernel);
    if (!ret)
        ret = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   most - (int)of.sharedSizeBytes);
    return ret;
}

/* A chained kernel may start before the previous kernel in its stream has ended. Before
 * RV_INPUTS_READY it may read constants only. After it, all earlier work is complete, and
 * the next chained kernel may start. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define RV_INPUTS_READY                                                                  \
    do {                                                                                 \
        asm volatile("griddepcontrol.wait;" ::: "memory");                               \
        asm volatile("griddepcontrol.launch_dependents;");                               \
    } while (0)
#else
#define RV_INPUTS_READY ((void)0)
#endif

template <class... P, class... A>
static inline cudaError_t rv_launch_chained(void (*kernel)(P...), dim3 grid,
                                            unsigned int block, cudaStream_t stream,
                                            int chained, A... arguments)
{
    cudaLaunchAttribute attribute = {};
    cudaLaunchConfig_t config = {};

    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    config.gridDim = grid;
    config.blockDim = dim3(block);
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = chained ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}
#define RV_LAUNCH_CHAINED(kernel, grid, block, stream, chained, ...)                     \
    rv_launch_chained(kernel, grid, block, stream, chained, __VA_ARGS__)

/* 16 x 16 fragments of the left operand, [row][k]; of the right operand, which is stored
 * transposed; and of float32 sums. Addresses are multiples of 32 bytes, pitches of 16. */
typedef nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, __half,
                               nvcuda::wmma::row_major>
    rv_left;
typedef nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __half,
                               nvcuda::wmma::col_major>
    rv_right;
typedef nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float> rv_sums;

template <class F> static __device__ inline void rv_load(F &f, const __half *p, int pitch)
{
    nvcuda::wmma::load_matrix_sync(f, p, (unsigned int)pitch);
}

static __device__ inline void rv_store(float *p, const rv_sums &s, int pitch)
{
    nvcuda::wmma::store_matrix_sync(p, s, (unsigned int)pitch,
                                    nvcuda::wmma::mem_row_major);
}

static __device__ inline void rv_zero(rv_sums &s)
{
    nvcuda::wmma::fill_fragment(s, 0.0f);
}

static __device__ inline void rv_multiply_add(rv_sums &s, const rv_left &a,
                                              const rv_right &b)
{
    nvcuda::wmma::mma_sync(s, a, b, s);
}

/* Copies 16 bytes to shared memory; zeroes unless `there`. */
static __device__ inline void rv_copy16(void *to, const void *from, bool there)
{
    __pipeline_memcpy_async(to, from, 16, there ? 0 : 16);
}

/* Closes a group of copies, which may be empty. */
static __device__ inline void rv_commit(void)
{
    __pipeline_commit();
}

/* Waits until all groups of this thread except the last `but` are complete. */
template <int but> static __device__ inline void rv_wait(void)
{
    __pipeline_wait_prior(but);
}
#endif

/* Eight neighbouring fp16 numbers, 16 bytes. */
struct rv_eight {
    __half v[8];
};

static __device__ inline struct rv_eight get8(const void *p)
{
#ifdef __CUDACC__
    union {
        uint4 bits;
        struct rv_eight e;
    } u;

    u.bits = *(const uint4 *)p;
    return u.e;
#else
    struct rv_eight e;

    emulated_check_vector(p);
    memcpy(&e, p, sizeof(e));
    return e;
#endif
}

static __device__ inline void put8(void *p, struct rv_eight e)
{
#ifdef __CUDACC__
    union {
        struct rv_eight e;
        uint4 bits;
    } u;

    u.e = e;
    *(uint4 *)p = u.bits;
#else
    emulated_check_vector(p);
    memcpy(p, &e, sizeof(e));
#endif
}

#endif
