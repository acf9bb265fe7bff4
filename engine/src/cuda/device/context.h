/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.h - an open CUDA device, its context, and checked calls.
 *
 * The driver is loaded when a device is opened, so that the module itself loads where
 * there is none. Everything else goes by the runtime, which works in whatever context is
 * current: each entry of the backend's table pushes the device's and pops it again. */
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

/* -- driver.c, or the tests' emulation of it -- */
struct rv_driver;
/* Finds GPU `index` and makes the context: `context` if given, else the primary one.
 * On failure one line in the log says why. */
int rv_driver_open(rvos_device *dev, int index, void *context, struct rv_driver **out);
void rv_driver_close(struct rv_driver *driver);
int rv_driver_push(struct rv_driver *driver, const rvos_device *dev);
void rv_driver_pop(struct rv_driver *driver);
/* Compute capability as 90 for 9.0. */
int rv_driver_capability(const struct rv_driver *driver);
const char *rv_driver_name(const struct rv_driver *driver);

/* Virtual memory: addresses, memory, and what lies where, each by itself. Sizes are
 * multiples of the granularity, which is 0 where there is no such thing; false: it was
 * refused, without a word in the log. Nothing may be at work in what is unmapped. */
size_t rv_driver_granularity(const struct rv_driver *driver);
bool rv_driver_reserve(struct rv_driver *driver, size_t size, char **at);
void rv_driver_unreserve(struct rv_driver *driver, char *at, size_t size);
bool rv_driver_new_memory(struct rv_driver *driver, size_t size, uint64_t *memory);
/* One more name for what is mapped at `at` under the name `memory`. */
bool rv_driver_retain(struct rv_driver *driver, char *at, uint64_t memory,
                      uint64_t *again);
/* It is gone when all its names are released, and it is mapped nowhere. */
void rv_driver_release(struct rv_driver *driver, uint64_t memory);
bool rv_driver_map(struct rv_driver *driver, char *at, size_t size, uint64_t memory);
void rv_driver_unmap(struct rv_driver *driver, char *at, size_t size);

/* rvos_device.priv */
struct cuda_device {
    struct rv_driver *driver;
    struct rv_switches switches;
    const struct rv_conv_engine *engine;
    void *opened;           /* the engine's */
    struct rv_cache *store; /* on disk: what took long to find out */
    struct rv_conv_best *best;
    size_t shared_bytes;  /* of shared memory that a block can have */
    cudaStream_t stream;  /* of what belongs to no plan: clearing, reading, drawing */
    pthread_mutex_t lock; /* of choosing convolutions: one plan is made at a time */
    double searched, search_began; /* seconds, of conv_time.h */
    double search_share;           /* of what is left, for the next search */
    char *trial; /* device memory of searches, until the plan is made (conv_search.h) */
    size_t trial_bytes;
    char library[64], isa[16];
};

/* Logs the call that failed and gives the status for it. */
int rv_cuda_error(const rvos_device *dev, cudaError_t error, const char *call);

/* Within a function that has an int `ret` and a label `error`. */
#define CU(dev, call)                                                                    \
    do {                                                                                 \
        cudaError_t error_ = (call);                                                     \
        if (error_ != cudaSuccess) {                                                     \
            ret = rv_cuda_error(dev, error_, #call);                                     \
            goto error;                                                                  \
        }                                                                                \
    } while (0)

/* Device or pinned host memory, freed by the function below it; NULL is nothing. */
int rv_cuda_alloc(const rvos_device *dev, void **out, size_t size);
void rv_cuda_free(void *p);
int rv_cuda_alloc_pinned(const rvos_device *dev, void **out, size_t size);
void rv_cuda_free_pinned(void *p);
/* To the device, done on return. */
int rv_cuda_upload(const rvos_device *dev, void *to, const void *from, size_t size);

#endif
