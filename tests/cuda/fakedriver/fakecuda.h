/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakecuda.h - a libcuda.so.1 for machines without a GPU: what tests set and look at.
 *
 * Device memory is the host's, copies are synchronous, and there are no kernels. It
 * checks what a real driver requires: calls need a current context, addresses must belong
 * to it, and a destroyed context must not be used. It counts everything.
 *
 * For programs that are not tests there is the environment:
 *     FAKE_CUDA_DEVICES=2           how many GPUs there are (1)
 *     FAKE_CUDA_VERSION=11040       the driver's CUDA version (13000)
 *     FAKE_CUDA_CAPABILITY=61       of all GPUs (90)
 *     FAKE_CUDA_VIRTUAL=0           no virtual memory management
 *     FAKE_CUDA_FAIL=cuInit:100     this function fails with this CUresult
 *     FAKE_CUDA_REPORT=FILE         at the end the counts are written there
 */
#ifndef FAKECUDA_H
#define FAKECUDA_H

#include <stddef.h>

#define FAKECUDA __attribute__((visibility("default")))

typedef struct {
    /* Copies and bytes. */
    long to_host, to_device, on_device;
    size_t to_host_bytes, to_device_bytes, on_device_bytes;
    long host_allocs; /* pinned memory, in which gst-cuda shows memory to the CPU */
    long allocs;      /* on the device */
    long pushes;
    /* Of now. */
    long live_allocs, live_host_allocs, live_contexts, live_streams;
    long live_memory, live_reserved; /* bytes of virtual memory, and of addresses */
    long misuses;
    char misuse[128]; /* the first one, in words */
} fake_cuda_counts;

FAKECUDA fake_cuda_counts fake_cuda_get(void);

/* Resets the counts and the failure; contexts and memory stay. */
FAKECUDA void fake_cuda_clear(void);

/* The named function fails with this CUresult after so many successful calls. */
FAKECUDA void fake_cuda_fail(const char *function, int result, long after);

/* Contexts that the calling thread has pushed and not popped. */
FAKECUDA int fake_cuda_depth(void);

#endif
