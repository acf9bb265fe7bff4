/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clones.h - RV_CLONES before a function makes gcc compile it once for each of these
 * instruction sets; the loader picks one by the processor. The result must not depend on
 * the choice. So the engine is compiled with -ffp-contract=off (the default with
 * -std=c11): no clone fuses a multiply and an add that another one does not. Loops with
 * comparisons stay scalar without -O3 and -fno-trapping-math.
 *
 * A helper that a clone calls must be inlined to be cloned with it: make it `static
 * RV_INLINE`. Under sanitizers an ifunc resolver runs before the sanitizer's own
 * relocations, and clang 14 has no reliable target_clones for C on ELF. Both get the
 * plain function. */
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

/* A short rule that C and CUDA kernels share. */
#ifdef __CUDACC__
#define RV_RULE static __host__ __device__ inline
#else
#define RV_RULE static RV_INLINE
#endif

#endif /* RV_CLONES_H */
