/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* type.h - the types of tensor elements in programs, in model files and on devices. */
#ifndef RV_TYPE_H
#define RV_TYPE_H

#include <stddef.h>

/* RV_I64 and RV_OTHER are for model files; RV_OTHER has no known size. */
enum rv_type { RV_F32, RV_F16, RV_BF16, RV_U8, RV_S8, RV_I64, RV_OTHER };

#ifdef __CUDACC__ /* CUDA kernels use it, too */
#define RV_ANYWHERE static inline __host__ __device__
#else
#define RV_ANYWHERE static inline
#endif

RV_ANYWHERE size_t rv_type_bytes(enum rv_type type)
{
    return type == RV_I64                      ? 8
           : type == RV_F32                    ? 4
           : type == RV_F16 || type == RV_BF16 ? 2
                                               : type == RV_U8 || type == RV_S8;
}

#endif
