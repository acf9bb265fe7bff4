/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_time.h - how long a convolution takes on the GPU, and how long finding that out
 * may take.
 *
 * A convolution of a small map runs for 3 to 10 us, and launching it takes the CPU as
 * long: launched one by one they would measure the CPU. So they are timed as they run in
 * a frame, back to back in a CUDA graph.
 *
 * Operands stay in the L2 cache from run to run. In a frame that is so of activations,
 * but not of the weights of a large network (93 MB of ResNet-101 in fp16 against 50 MB of
 * cache). Flushing the cache between runs costs 30 us, whose own jitter is larger than
 * what the candidates differ by, and all of them read the same weights: so times are a
 * little too short for layers with large weights, but their order is right. */
#ifndef RV_CUDA_CONV_TIME_H
#define RV_CUDA_CONV_TIME_H

#include <cuda_runtime_api.h>
#include <stdbool.h>

#include "../../backend.h"

/* Milliseconds of one run, or below 0: it failed, and no error is left in the runtime.
 * `run` puts the work into the stream and returns 0 if it could. It is called some thirty
 * times with the same operands, which must be ready in device memory; nothing is logged.
 * A run that cannot be captured counts as RV_CONV_UNCAPTURED ms more than it takes: it
 * would keep the whole frame out of its graph.
 * Calls of one device come one at a time. */
float rv_conv_time(rvos_device *dev, int (*run)(void *opaque, cudaStream_t stream),
                   void *opaque);
#define RV_CONV_UNCAPTURED 1

/* The time that one plan may take for finding out. One search gets the share of what is
 * left that the plan has set (search_share of struct cuda_device): by what its shape
 * takes of a frame. At the end of its time the best so far is taken, and what is kept of
 * it says where to go on. Searches don't nest, and have the lock of struct cuda_device.
 */
double rv_conv_search_begin(rvos_device *dev);
void rv_conv_search_end(rvos_device *dev);
/* The next plan has time of its own: half as much, as a model that runs several streams
 * in one pass makes five of them. */
void rv_conv_search_reset(rvos_device *dev);
double rv_conv_clock(void); /* seconds */

#endif
