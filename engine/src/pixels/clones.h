/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clones.h - RV_CLONES before a function: gcc compiles it once for each of these
 * instruction sets and picks by the processor at load time. The result must not
 * depend on which: the engine is compiled with -ffp-contract=off (as -std=c11 has
 * it), so that no clone fuses a multiply and an add that another one does not. It
 * also needs -O3 and -fno-trapping-math, or loops with comparisons stay scalar.
 *
 * Helpers that a clone calls must be inlined into it to be cloned with it: make
 * them `static RV_INLINE`. Sanitizers read nothing that an ifunc has not yet
 * relocated, and clang 14 has no target_clones for C on ELF that we can rely on:
 * both get the plain function. */
#ifndef RV_CLONES_H
#define RV_CLONES_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RV_NO_CLONES 1
#endif

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) &&                   \
    defined(__ELF__) && !defined(RV_NO_CLONES)
#define RV_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define RV_CLONES
#endif

#if defined(__GNUC__) || defined(__clang__)
#define RV_INLINE inline __attribute__((always_inline))
#else
#define RV_INLINE inline
#endif

/* A rule of a few lines that is the same in C and in CUDA's kernels. */
#ifdef __CUDACC__
#define RV_RULE static __host__ __device__ inline
#else
#define RV_RULE static RV_INLINE
#endif

#endif /* RV_CLONES_H */
