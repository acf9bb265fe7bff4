/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* color.h - memory layout and matrices of 8- and 10-bit Y'CbCr and 8-bit R'G'B', and the
 * colours of a drawing. */
#ifndef RV_PIXELS_COLOR_H
#define RV_PIXELS_COLOR_H

#include "clones.h"
#include "rvos.h"

/* Where the samples of a format with luma are. Component 0 is Y, 1 Cb, 2 Cr. */
struct rv_sampling {
    int planes, components;
    int w_sub, h_sub; /* chroma's width and height are halved this many times */
    int deep;         /* 10 bits in two bytes */
    int shift;        /* the value's lowest bit */
    struct {
        int plane;
        int at;   /* bytes from the row's start to its first sample */
        int step; /* bytes from one sample to the next */
    } c[3];
};

/* NULL: an RGB format. */
const struct rv_sampling *rv_sampling_of(rvos_format format);

/* Bytes in a row of a plane, and the plane's rows, for any format. */
ptrdiff_t rv_plane_bytes(rvos_format format, int width, int plane);
int rv_plane_rows(rvos_format format, int height, int plane);
int rv_planes_of(rvos_format format);

/* Y'CbCr to RGB with 16 fraction bits: R = (y (Y - black) + rv (Cr - 128)) / 65536, G
 * with gu Cb + gv Cr, B with bu Cb. Products and sums fit in 32 bits. For 10 bits all
 * values, including black, are four times as large. */
struct rv_yuv {
    int32_t black, y, rv, gu, gv, bu;
};

/* Converts one pixel. 128 (10 bits: 512) is already subtracted from cb and cr. `more` is
 * the number of bits above 8. */
RV_RULE void rv_yuv_to_rgb(struct rv_yuv k, int32_t y, int32_t cb, int32_t cr, int more,
                           int32_t rgb[3])
{
    int shift = 16 + more;

    y = (y - k.black) * k.y + (1 << (shift - 1));
    rgb[0] = (y + k.rv * cr) >> shift;
    rgb[1] = (y + k.gu * cb + k.gv * cr) >> shift;
    rgb[2] = (y + k.bu * cb) >> shift;
    for (int c = 0; c < 3; c++) {
        rgb[c] = rgb[c] < 0 ? 0 : rgb[c];
        rgb[c] = rgb[c] > 255 ? 255 : rgb[c];
    }
}

/* The coefficients for the image's matrix and range. */
struct rv_yuv rv_yuv_of(const rvos_image *image);

/* Byte offsets in one pixel of an RGB format; alpha is -1 if there is none. */
struct rv_packing {
    int size, red, green, blue, alpha;
};

struct rv_packing rv_packing_of(rvos_format format);

/* A drawing's parameters in the image's colour space. */
struct rv_paint {
    /* Colour of a label: red, green, blue, or Y, Cb, Cr. */
    uint8_t value[RVOS_MAX_OBJECTS + 1][3];
    int opacity; /* 256ths, inside objects; edges have 256 */
    int contour, replace;
};

/* Returns false if there is nothing to draw. */
bool rv_paint_of(const rvos_image *image, const rvos_draw_params *params,
                 struct rv_paint *paint);

#endif
