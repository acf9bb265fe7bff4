/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_time.h - times a convolution on the GPU, and limits the time for this.
 *
 * A convolution of a small map runs for 3 to 10 us, and launching it takes the CPU as
 * long. Single launches would measure the CPU, so runs are timed as in a frame, back to
 * back in a CUDA graph.
 *
 * Operands stay in the L2 cache from run to run. In a frame this is true for activations,
 * but not for the weights of a large network (ResNet-101 in fp16: 93 MB; cache: 50 MB).
 * Flushing the cache between runs would cost 30 us, with more jitter than the candidates
 * differ by. All candidates read the same weights, so times of layers with large weights
 * are a little too short, but their order is right. */
#ifndef RV_CUDA_CONV_TIME_H
#define RV_CUDA_CONV_TIME_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

#include "../../backend.h"

/* Milliseconds of one run; below 0: it failed (the runtime's error is cleared). `run`
 * puts the work into the stream and returns 0 on success. It is called about thirty times
 * with the same operands, which must be ready in device memory. Nothing is logged. A run
 * that cannot be captured costs RV_CONV_UNCAPTURED ms more, because it would keep the
 * whole frame out of a graph. Only one call per device at a time. */
float rv_conv_time(rvos_device *dev, int (*run)(void *opaque, cudaStream_t stream),
                   void *opaque);
#define RV_CONV_UNCAPTURED 1

/* The search time of one plan. A search gets a share of the remaining time (search_share
 * of struct cuda_device), by its shape's part of a frame. When the time ends the best so
 * far is used, and the file on disk says where to continue. Searches do not nest and hold
 * the lock of struct cuda_device.
 */
double rv_conv_search_begin(rvos_device *dev);
void rv_conv_search_end(rvos_device *dev);
/* Gives the next plan new time, half as much: a model that runs several streams in one
 * pass makes five plans. */
void rv_conv_search_reset(rvos_device *dev);
double rv_conv_clock(void); /* seconds */

#endif
