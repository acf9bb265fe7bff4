/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - checks of the caller's views, and masks shown to a stream. */
#ifndef RV_IMAGE_H
#define RV_IMAGE_H

#include "backend.h"

/* 0, or RVOS_ERR_ARGUMENT or RVOS_ERR_UNSUPPORTED, said in the log. */
int rv_image_check(const rvos_device *dev, const rvos_image *image, const char *what);
/* For work that only CUDA's kernels could do: whether they know the format. */
int rv_image_for_cuda(const rvos_device *dev, const rvos_image *image, const char *what);
int rv_labels_check(const rvos_device *dev, const rvos_labels *labels, const char *what);

/* Sets bit i - 1 of each pixel of `bits` (width x height) where the mask, scaled by
 * nearest neighbour, says object i; clears it elsewhere. Only bits of `slots`. */
void rv_seed_bits(const rvos_labels *masks, uint32_t slots, uint32_t *bits, int width,
                  int height);

#endif
