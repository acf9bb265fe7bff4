/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* color.h - Y'CbCr of 8 or 10 bits, and 8-bit R'G'B': how they lie in memory, and
 * matrices. */
#ifndef RV_PIXELS_COLOR_H
#define RV_PIXELS_COLOR_H

#include "rvos.h"

/* A format with luma: where its samples are. Component 0 is Y, 1 Cb, 2 Cr. */
struct rv_sampling {
    int planes, components;
    int w_sub, h_sub; /* of chroma: halved so many times */
    int deep;         /* 10 bits in two bytes */
    int shift;        /* ... that far from the lowest bit */
    struct {
        int plane, at, step; /* in bytes: the row's first sample; from one to the next */
    } c[3];
};

/* NULL: an RGB format. */
const struct rv_sampling *rv_sampling_of(rvos_format format);

/* Bytes that a row of a plane needs, and the plane's rows; of any format. */
ptrdiff_t rv_plane_bytes(rvos_format format, int width, int plane);
int rv_plane_rows(rvos_format format, int height, int plane);
int rv_planes_of(rvos_format format);

/* Y'CbCr to RGB with 16 fraction bits: R = (y (Y - black) + rv (Cr - 128)) / 65536,
 * G with gu Cb + gv Cr, B with bu Cb. Products and sums fit 32 bits. For 10 bits the
 * values, black among them, are four times as large. */
struct rv_yuv {
    int32_t black, y, rv, gu, gv, bu;
};

/* By the image's matrix and range. */
struct rv_yuv rv_yuv_of(const rvos_image *image);
/* The nearest Y, Cb, Cr of the image's kind, in 8 bits. */
void rv_yuv_from_rgb(const rvos_image *image, const uint8_t rgb[3], uint8_t yuv[3]);

/* Where bytes lie in one pixel of an RGB format; alpha is -1 where there is none. */
struct rv_packing {
    int size, red, green, blue, alpha;
};

struct rv_packing rv_packing_of(rvos_format format);

#endif
