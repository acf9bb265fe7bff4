/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tile.cuh - what kernels on tensor cores share: fragments, copies that run behind, and
 * memory of a block whose size is known at the launch.
 *
 * As in kernel.cuh the same text runs on the CPU. RV_WARPS { } is what a warp does, all
 * its threads together; a fragment belongs to the warp. What a warp keeps from part to
 * part is declared with RV_KEPT and called RV_MINE(name).
 * Copies land in shared memory at the earliest when the thread that asked for them has
 * waited; on the CPU they land then and not before. */
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
/* A block's shared memory beyond 48 KiB must be asked for. */
#define RV_LAUNCH_SHARED(kernel, grid, block, bytes, stream, ...)                        \
    (kernel<<<grid, block, bytes, stream>>>(__VA_ARGS__), cudaGetLastError())
#define RV_ALLOW_SHARED(kernel) rv_allow_shared((const void *)kernel)

/* As much as a block can have, whatever this launch needs: the limit is the function's,
 * and a lower one would hold for launches of other threads and captured nodes, too. */
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

/* A chained kernel may begin before the one in front of it in its stream has ended. What
 * it does before RV_INPUTS_READY must touch nothing but constants; behind it all that
 * came before is done, and the next chained kernel may begin. */
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

/* 16 by 16 of the left operand, [row][k]; of the right one, which lies transposed; and of
 * float32 sums. Addresses are multiples of 32 bytes, pitches of 16. */
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

/* 16 bytes to shared memory; zeroes unless `there`. */
static __device__ inline void rv_copy16(void *to, const void *from, bool there)
{
    __pipeline_memcpy_async(to, from, 16, there ? 0 : 16);
}

/* Closes a group of copies, which may be empty. */
static __device__ inline void rv_commit(void)
{
    __pipeline_commit();
}

/* Until all of this thread's groups but the last `but` have landed. */
template <int but> static __device__ inline void rv_wait(void)
{
    __pipeline_wait_prior(but);
}
#endif

/* Eight neighbours at once: 16 bytes of fp16. */
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
