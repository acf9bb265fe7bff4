/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* color.h - Y'CbCr of 8 or 10 bits, and 8-bit R'G'B': how they lie in memory, matrices,
 * and the colours of a drawing. */
#ifndef RV_PIXELS_COLOR_H
#define RV_PIXELS_COLOR_H

#include "clones.h"
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

/* One pixel; cb and cr less 128, or less 512 of 10 bits. `more`: bits above 8. */
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

/* By the image's matrix and range. */
struct rv_yuv rv_yuv_of(const rvos_image *image);

/* Where bytes lie in one pixel of an RGB format; alpha is -1 where there is none. */
struct rv_packing {
    int size, red, green, blue, alpha;
};

struct rv_packing rv_packing_of(rvos_format format);

/* A drawing's parameters in the picture's terms. */
struct rv_paint {
    uint8_t value[RVOS_MAX_OBJECTS + 1]
                 [3]; /* of a label: red, green, blue, or Y, Cb, Cr */
    int opacity;      /* of 256, within objects; of edges: 256 */
    int contour, replace;
};

/* False: nothing is to be drawn. */
bool rv_paint_of(const rvos_image *image, const rvos_draw_params *params,
                 struct rv_paint *paint);

#endif
