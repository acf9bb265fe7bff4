/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.h - device memory that a plan uses only while it runs.
 *
 * Plans of one model for 1, 2, 4... frames never run at the same time, so they could
 * share memory. But graphs and convolution libraries keep addresses. So each plan has its
 * own address range, and CUDA's virtual memory management maps the same pieces into
 * several ranges. A larger plan's range consists of the smaller plan's pieces and one
 * more. Together they take as much memory as the largest. */
#ifndef RV_CUDA_SCRATCH_H
#define RV_CUDA_SCRATCH_H

#include "context.h"

#define RV_PIECES 8

struct rv_scratch {
    char *at;     /* never moves; NULL: none */
    size_t bytes; /* bytes of all pieces; without pieces `at` is from cudaMalloc */
    struct {
        uint64_t memory; /* the driver's handle, which we must release */
        size_t bytes;
    } piece[RV_PIECES];
    int pieces;
};

/* If `shareable`, allocates in pieces if the GPU supports it. Memory is not cleared. */
int rv_scratch_alloc(const rvos_device *dev, size_t bytes, bool shareable,
                     struct rv_scratch *out);
/* Whether rv_scratch_share has any effect. */
bool rv_scratch_shares(const struct rv_scratch *s, const struct rv_scratch *with);
/* Makes `s` use the memory of `with` as far as possible. Nothing may be running in `s`,
 * whose contents are lost. Later only one of them may be in use at a time. No effect if
 * it is not possible. On error `s` has no memory and may only be passed to
 * rv_scratch_free. */
int rv_scratch_share(const rvos_device *dev, struct rv_scratch *s,
                     const struct rv_scratch *with);
void rv_scratch_free(const rvos_device *dev, struct rv_scratch *s);

#endif
