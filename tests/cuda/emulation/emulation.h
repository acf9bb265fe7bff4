/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* emulation.h - what kernel.cuh needs to be C++ for the CPU: a block's threads run one
 * after another, part by part; blocks one after another. */
#ifndef RV_EMULATION_H
#define RV_EMULATION_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

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

/* Whatever the CPU has: the tests run billions of multiply-adds. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                   \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define __global__ __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define __global__
#endif
#define __device__
#define RV_SHARED static thread_local
#define RV_SYNC
#define RV_THREADS for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)

cudaError_t emulated_launch(dim3 grid, dim3 block, cudaStream_t stream,
                            std::function<void()> block_function);
#define RV_LAUNCH(kernel, grid, block, stream, ...)                                      \
    emulated_launch(grid, block, stream, [=] { kernel(__VA_ARGS__); })

/* Only one thread at a time runs: plain code is atomic. */
template <class T> static inline void atomicAdd(T *p, T v)
{
    *p += v;
}
template <class T> static inline void atomicMin(T *p, T v)
{
    *p = v < *p ? v : *p;
}
template <class T> static inline void atomicMax(T *p, T v)
{
    *p = v > *p ? v : *p;
}

/* IEEE binary16, rounded to nearest, ties to even. */
struct __half {
    uint16_t bits;
};

static inline float __half2float(__half h)
{
    uint32_t sign = (uint32_t)(h.bits & 0x8000) << 16, rest = h.bits & 0x7fff, bits;
    float f;

    if (rest >= 0x7c00)
        bits = sign | 0x7f800000 | (rest & 0x3ff) << 13;
    else if (rest >= 0x400)
        bits = sign | ((rest << 13) + 0x38000000);
    else {
        f = (float)rest * 0x1p-24f;
        memcpy(&bits, &f, 4);
        bits |= sign;
    }
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

#endif
