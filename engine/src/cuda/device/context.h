/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.h - an open CUDA device, its context, and checked calls.
 *
 * The driver library is loaded when a device is opened, so that the module itself loads
 * on machines without it. Everything else uses the runtime, which works in the current
 * context. So each function of the backend's table pushes the device's context and pops
 * it again. */
#ifndef RV_CUDA_CONTEXT_H
#define RV_CUDA_CONTEXT_H

#include <cuda_runtime_api.h>
#include <pthread.h>

#include "../../backend.h"
#include "../../log.h"
#include "switches.h"

struct rv_cache;
struct rv_conv_best;
struct rv_conv_engine;

/* -- driver.c, or its emulation in the tests -- */
struct rv_driver;
/* Finds GPU `index` and makes the context: `context` if given, else the primary one. A
 * failure logs one line. */
int rv_driver_open(rvos_device *dev, int index, void *context, struct rv_driver **out);
void rv_driver_close(struct rv_driver *driver);
int rv_driver_push(struct rv_driver *driver, const rvos_device *dev);
void rv_driver_pop(struct rv_driver *driver);
/* The compute capability; 90 means 9.0. */
int rv_driver_capability(const struct rv_driver *driver);
const char *rv_driver_name(const struct rv_driver *driver);

/* Virtual memory: reserving addresses, allocating memory and mapping are separate steps.
 * Sizes are multiples of the granularity, which is 0 if the GPU does not support it.
 * False: refused, not logged. Nothing may use memory while it is unmapped. */
size_t rv_driver_granularity(const struct rv_driver *driver);
bool rv_driver_reserve(struct rv_driver *driver, size_t size, char **at);
void rv_driver_unreserve(struct rv_driver *driver, char *at, size_t size);
bool rv_driver_new_memory(struct rv_driver *driver, size_t size, uint64_t *memory);
/* Makes one more handle for the memory that is mapped at `at` with the handle
 * `memory`. */
bool rv_driver_retain(struct rv_driver *driver, char *at, uint64_t memory,
                      uint64_t *again);
/* Memory is freed when all its handles are released and it is not mapped. */
void rv_driver_release(struct rv_driver *driver, uint64_t memory);
bool rv_driver_map(struct rv_driver *driver, char *at, size_t size, uint64_t memory);
void rv_driver_unmap(struct rv_driver *driver, char *at, size_t size);

/* rvos_device.priv */
struct cuda_device {
    struct rv_driver *driver;
    struct rv_switches switches;
    const struct rv_conv_engine *engine;
    void *opened;           /* the engine's handle */
    struct rv_cache *store; /* results of searches, on disk */
    struct rv_conv_best *best;
    size_t shared_bytes; /* most shared memory of a block */
    cudaStream_t stream; /* for work outside plans: clearing, reading, drawing */
    /* Held while convolutions are chosen: one plan is made at a time. */
    pthread_mutex_t lock;
    double searched, search_began; /* seconds (conv_time.h) */
    double search_share;           /* share of the remaining time for the next search */
    char *trial; /* device memory of searches, until the plan is made (conv_search.h) */
    size_t trial_bytes;
    char library[64], isa[16];
};

/* Logs the failed call and returns its status. */
int rv_cuda_error(const rvos_device *dev, cudaError_t error, const char *call);

/* For use in a function that has an int `ret` and a label `error`. */
#define CU(dev, call)                                                                    \
    do {                                                                                 \
        cudaError_t error_ = (call);                                                     \
        if (error_ != cudaSuccess) {                                                     \
            ret = rv_cuda_error(dev, error_, #call);                                     \
            goto error;                                                                  \
        }                                                                                \
    } while (0)

/* Device memory and pinned host memory, each with its free function, which accepts
 * NULL. */
int rv_cuda_alloc(const rvos_device *dev, void **out, size_t size);
void rv_cuda_free(void *p);
int rv_cuda_alloc_pinned(const rvos_device *dev, void **out, size_t size);
void rv_cuda_free_pinned(void *p);
/* Copies to the device; complete on return. */
int rv_cuda_upload(const rvos_device *dev, void *to, const void *from, size_t size);

#endif
