/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* emulation.h - lets kernel.cuh compile as C++ for the CPU: a block's threads run one
 * after another, part by part; blocks run one after another. */
#ifndef RV_EMULATION_H
#define RV_EMULATION_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "cuda_runtime_api.h"

struct dim3 {
    unsigned int x, y, z;
    dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z)
    {
    }
};
struct emulated_index {
    unsigned int x, y, z;
};
extern __thread emulated_index threadIdx, blockIdx, blockDim, gridDim;

/* Use all CPU features: the tests run billions of multiply-adds. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                   \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define __global__ __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define __global__
#endif
#define __device__
#define __host__
/* Variables of a block, in memory with the lifetime of the block and undefined contents.
 */
char *emulated_place(size_t bytes);
#define EMULATED_PLACE(type, name, dims)                                                 \
    typedef type name##_type dims;                                                       \
    name##_type &name = *(name##_type *)emulated_place(sizeof(name##_type))
#define RV_SHARED(type, name, dims) EMULATED_PLACE(type, name, dims)
#define RV_OWN(type, name, count) EMULATED_PLACE(type, name##_own, [1024][count])
#define RV_MY(name) name##_own[threadIdx.x]
#define RV_SYNC
#define RV_THREADS for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)

/* `shared`: bytes of shared memory of the block. `chained`: fails in a capture unless
 * exactly one node, a kernel of ours, precedes this one. `words`: the kernel's arguments,
 * which include its addresses. */
cudaError_t emulated_launch(dim3 grid, dim3 block, cudaStream_t stream,
                            std::function<void()> block_function,
                            std::vector<uintptr_t> words, size_t shared = 0,
                            int chained = 0);
template <class F> static inline std::vector<uintptr_t> emulated_words(const F &f)
{
    std::vector<uintptr_t> words(sizeof(f) / sizeof(uintptr_t));

    memcpy(words.data(), &f, words.size() * sizeof(uintptr_t));
    return words;
}
template <class F>
static inline cudaError_t emulated_launch_of(dim3 grid, dim3 block, cudaStream_t stream,
                                             F f, size_t shared = 0, int chained = 0)
{
    return emulated_launch(grid, block, stream, f, emulated_words(f), shared, chained);
}
extern __thread const char *emulated_name; /* of the kernel that is being launched */
#define RV_LAUNCH(kernel, grid, block, stream, ...)                                      \
    (emulated_name = #kernel,                                                            \
     emulated_launch_of(grid, block, stream, [=] { kernel(__VA_ARGS__); }))

/* Runs all blocks. */
void emulated_blocks(dim3 grid, const std::function<void()> &block_function,
                     size_t shared);
#define EMULATED_SHARED_MOST (227 * 1024) /* of a block, on the largest GPUs */

/* Only one thread at a time runs: plain code is atomic. */
template <class T> static inline T atomicAdd(T *p, T v)
{
    T old = *p;

    *p += v;
    return old;
}
template <class T> static inline void atomicMin(T *p, T v)
{
    *p = v < *p ? v : *p;
}
template <class T> static inline void atomicMax(T *p, T v)
{
    *p = v > *p ? v : *p;
}

/* ---- tile.cuh ---- */
#define RV_MOST_WARPS 32
#define RV_WARPS for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x += 32)
#define RV_KEPT(type, name, count)                                                       \
    EMULATED_PLACE(type, name##_kept, [RV_MOST_WARPS][count])
#define RV_MINE(name) name##_kept[threadIdx.x / 32]
#define RV_FENCE
#define RV_UNROLL
#define RV_DYNAMIC_SHARED(name) char *name = emulated_shared
#define RV_LAUNCH_SHARED(kernel, grid, block, bytes, stream, ...)                        \
    (emulated_name = #kernel,                                                            \
     emulated_launch_of(                                                                 \
         grid, block, stream, [=] { kernel(__VA_ARGS__); }, bytes))
#define RV_ALLOW_SHARED(kernel) cudaSuccess
#define RV_INPUTS_READY ((void)0)
#define RV_LAUNCH_CHAINED(kernel, grid, block, stream, chained, ...)                     \
    (emulated_name = #kernel,                                                            \
     emulated_launch_of(                                                                 \
         grid, block, stream, [=] { kernel(__VA_ARGS__); }, 0, chained))

/* Of the block that runs; full of NaNs when it begins, as is what it was not given. */
extern __thread char *emulated_shared;

/* Copies of the thread that runs: asked for, closed, landed. */
void emulated_copy16(void *to, const void *from, bool there);
void emulated_commit(void);
void emulated_wait(int but);
#define rv_copy16 emulated_copy16
#define rv_commit emulated_commit
template <int but> static inline void rv_wait(void)
{
    emulated_wait(but);
}

/* IEEE binary16, rounded to nearest, ties to even. */
struct __half {
    uint16_t bits;
};

static inline float __half2float(__half h)
{
    uint32_t rest = h.bits & 0x7fff, bits = rest << 13;
    float f;

    memcpy(&f, &bits, 4);
    f *= 0x1p112f; /* exact, and right for subnormals */
    memcpy(&bits, &f, 4);
    bits = rest >= 0x7c00 ? 0x7f800000 | (rest & 0x3ff) << 13 : bits;
    bits |= (uint32_t)(h.bits & 0x8000) << 16;
    memcpy(&f, &bits, 4);
    return f;
}

static inline __half __float2half_rn(float f)
{
    uint32_t bits, sign, rest;

    memcpy(&bits, &f, 4);
    sign = bits >> 16 & 0x8000;
    rest = bits & 0x7fffffff;
    if (rest > 0x7f800000)
        return {(uint16_t)(sign | 0x7e00)};
    if (rest >= 0x477ff000)
        return {(uint16_t)(sign | 0x7c00)};
    if (rest < 0x38800000) {
        float v;

        memcpy(&v, &rest, 4);
        return {(uint16_t)(sign | (uint32_t)std::nearbyint(v * 0x1p24f))};
    }
    rest += 0xfff + (rest >> 13 & 1) - 0x38000000;
    return {(uint16_t)(sign | rest >> 13)};
}

/* 16 by 16, as floats: the left operand by [row][k], the right one by [k][column]. */
struct rv_left {
    float v[16][16];
};
struct rv_right {
    float v[16][16];
};
struct rv_sums {
    float v[16][16];
};
void emulated_multiply_add(float *sums, const float *left, const float *right);
/* Aborts if a load or store of 16 bytes would fault. */
void emulated_check_vector(const void *p);
/* Aborts if tensor cores would fault. */
void emulated_check_fragment(const void *p, size_t pitch);

static inline void rv_load(rv_left &f, const __half *p, int pitch)
{
    emulated_check_fragment(p, pitch * sizeof(*p));
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            f.v[i][k] = __half2float(p[i * pitch + k]);
}

static inline void rv_load(rv_right &f, const __half *p, int pitch)
{
    emulated_check_fragment(p, pitch * sizeof(*p));
    for (int n = 0; n < 16; n++)
        for (int k = 0; k < 16; k++)
            f.v[k][n] = __half2float(p[n * pitch + k]);
}

static inline void rv_store(float *p, const rv_sums &s, int pitch)
{
    emulated_check_fragment(p, pitch * sizeof(*p));
    for (int i = 0; i < 16; i++)
        memcpy(p + i * pitch, s.v[i], sizeof(s.v[i]));
}

static inline void rv_zero(rv_sums &s)
{
    s = rv_sums{};
}

static inline void rv_multiply_add(rv_sums &s, const rv_left &a, const rv_right &b)
{
    emulated_multiply_add(s.v[0], a.v[0], b.v[0]);
}

#endif
