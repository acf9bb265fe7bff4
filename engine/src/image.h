/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - checks of the caller's images and labels, and masks given to a stream. */
#ifndef RV_IMAGE_H
#define RV_IMAGE_H

#include "backend.h"

/* 0, or RVOS_ERR_ARGUMENT or RVOS_ERR_UNSUPPORTED with a line in the log. */
int rv_image_check(const rvos_device *dev, const rvos_image *image, const char *what);
/* Fails if CUDA's kernels do not know the image's format. */
int rv_image_for_cuda(const rvos_device *dev, const rvos_image *image, const char *what);
int rv_labels_check(const rvos_device *dev, const rvos_labels *labels, const char *what);

/* Sets bit i - 1 of each pixel of `bits` (width x height) where the mask, scaled by
 * nearest neighbour, is object i, and clears it elsewhere. Only the bits in `slots`
 * change. */
void rv_seed_bits(const rvos_labels *masks, uint32_t slots, uint32_t *bits, int width,
                  int height);

#endif
