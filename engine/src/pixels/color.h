/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* color.h - 8-bit Y'CbCr, of NV12 and I420, and 8-bit R'G'B'. */
#ifndef RV_CPU_COLOR_H
#define RV_CPU_COLOR_H

#include "rvos.h"

/* Y'CbCr to RGB with 16 fraction bits: R = (y (Y - black) + rv (Cr - 128)) / 65536,
 * G with gu Cb + gv Cr, B with bu Cb. Products and sums fit 32 bits. */
struct rv_yuv {
    int32_t black, y, rv, gu, gv, bu;
};

/* By the image's matrix and range. */
struct rv_yuv rv_yuv_of(const rvos_image *image);
/* The nearest Y, Cb, Cr of the image's kind. */
void rv_yuv_from_rgb(const rvos_image *image, const uint8_t rgb[3], uint8_t yuv[3]);

/* Where bytes lie in one pixel of an RGB format; alpha is -1 where there is none. */
struct rv_packing {
    int size, red, green, blue, alpha;
};

struct rv_packing rv_packing_of(rvos_format format);

#endif
