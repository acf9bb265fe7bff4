/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.h - device memory that a plan needs while it runs, and no longer.
 *
 * Plans of one model for 1, 2, 4... frames never run at the same time, but graphs and
 * convolution libraries keep addresses, so that memory cannot be handed from one to the
 * other. What is behind the addresses can: the larger plan's range is made of the pieces
 * that the smaller one's has, and of one more (CUDA's virtual memory management). So all
 * of them together take what the largest takes. */
#ifndef RV_CUDA_SCRATCH_H
#define RV_CUDA_SCRATCH_H

#include "context.h"

#define RV_PIECES 8

struct rv_scratch {
    char *at;     /* never moves; NULL: none */
    size_t bytes; /* of the pieces; without pieces it is cudaMalloc's */
    struct {
        uint64_t memory; /* the driver's name for it: ours to release */
        size_t bytes;
    } piece[RV_PIECES];
    int pieces;
};

/* `shareable`: in pieces, if the GPU can do that. Not cleared. */
int rv_scratch_alloc(const rvos_device *dev, size_t bytes, bool shareable,
                     struct rv_scratch *out);
/* Whether rv_scratch_share has any effect. */
bool rv_scratch_shares(const struct rv_scratch *s, const struct rv_scratch *with);
/* From now on the same memory as `with`, as far as that goes: nobody may be at work in
 * `s`, whose contents are lost, nor later in both at once. Without effect where it cannot
 * be. On error `s` has no memory, and is only good for rv_scratch_free. */
int rv_scratch_share(const rvos_device *dev, struct rv_scratch *s,
                     const struct rv_scratch *with);
void rv_scratch_free(const rvos_device *dev, struct rv_scratch *s);

#endif
