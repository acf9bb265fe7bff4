/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* images.h - random images and labels for the pixel tests. Rows are padded, and the
 * padding is filled with a mark that must survive. */
#ifndef RV_TEST_IMAGES_H
#define RV_TEST_IMAGES_H

#include <string.h>

#include "../../engine/include/rvos.h"
#include "../test.h"

enum { MARK = 0xa5 };

struct test_plane {
    uint8_t *data;
    size_t size;
    int width, height, stride; /* width in bytes */
};

/* Rows of more padding where `padding` is more, so that no two planes share a stride. */
static inline struct test_plane test_plane_padded(int width, int height, int padding)
{
    struct test_plane p = {.width = width, .height = height, .stride = width + padding};

    p.size = (size_t)p.stride * height + padding;
    p.data = malloc(p.size);
    if (!p.data)
        exit(1);
    memset(p.data, MARK, p.size);
    return p;
}

static inline struct test_plane test_plane_new(int width, int height)
{
    return test_plane_padded(width, height, 5);
}

static inline void test_plane_random(struct test_plane *p, uint64_t *seed)
{
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            p->data[y * p->stride + x] = (uint8_t)test_random(seed);
}

static inline bool test_plane_padding_kept(const struct test_plane *p)
{
    for (size_t i = 0; i < p->size; i++)
        if ((int)(i % (size_t)p->stride) >= p->width && p->data[i] != MARK)
            return false;
    return true;
}

struct test_image {
    rvos_image image;
    struct test_plane plane[3];
};

static inline int test_image_planes(const rvos_image *image)
{
    return image->format == RVOS_I420 ? 3 : image->format == RVOS_NV12 ? 2 : 1;
}

static inline struct test_image test_image_new(rvos_format format, int width, int height,
                                               uint64_t *seed)
{
    struct test_image t = {.image = {.format = format, .width = width, .height = height}};
    int cw = (width + 1) / 2, ch = (height + 1) / 2, size = format <= RVOS_BGR ? 3 : 4;

    t.image.colorimetry.matrix = (rvos_matrix)test_random_int(seed, 0, 3);
    t.image.colorimetry.full_range = test_random(seed) & 1;
    if (format == RVOS_NV12 || format == RVOS_I420) {
        t.plane[0] = test_plane_new(width, height);
        t.plane[1] = test_plane_new(format == RVOS_NV12 ? 2 * cw : cw, ch);
        t.plane[2] = test_plane_padded(cw, ch, 8);
    } else {
        t.plane[0] = test_plane_new(width * size, height);
    }
    for (int i = 0; i < test_image_planes(&t.image); i++) {
        test_plane_random(&t.plane[i], seed);
        t.image.plane[i] = t.plane[i].data;
        t.image.stride[i] = t.plane[i].stride;
    }
    return t;
}

static inline void test_image_free(struct test_image *t)
{
    for (int i = 0; i < 3; i++)
        free(t->plane[i].data);
}

/* Where in an RGB format's pixel red, green, blue and the fourth byte are, by name. */
static inline const int *test_channels(rvos_format format)
{
    static const int rgb[4] = {0, 1, 2, -1}, bgr[4] = {2, 1, 0, -1},
                     rgbx[4] = {0, 1, 2, 3}, bgrx[4] = {2, 1, 0, 3},
                     xrgb[4] = {1, 2, 3, 0}, xbgr[4] = {3, 2, 1, 0};

    switch (format) {
    case RVOS_RGB:
        return rgb;
    case RVOS_BGR:
        return bgr;
    case RVOS_RGBX:
    case RVOS_RGBA:
        return rgbx;
    case RVOS_BGRX:
    case RVOS_BGRA:
        return bgrx;
    case RVOS_XRGB:
    case RVOS_ARGB:
        return xrgb;
    default:
        return xbgr;
    }
}

/* BT.601, 709, 2020: shares of red and blue in luma (ITU-R), by an image's own rule. */
static inline void test_luma(const rvos_image *image, double *red, double *blue)
{
    static const double k[4][2] = {
        {0, 0}, {0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};
    int m = image->colorimetry.matrix;

    if (m == RVOS_MATRIX_DEFAULT)
        m = image->height <= 576 ? RVOS_MATRIX_BT601 : RVOS_MATRIX_BT709;
    *red = k[m][0];
    *blue = k[m][1];
}

/* Labels 0..highest in blobs, `step` bytes a pixel. */
static inline rvos_labels test_labels_new(struct test_plane *plane, int width, int height,
                                          int step, int highest, uint64_t *seed)
{
    int s = step ? step : 1;

    *plane = test_plane_new(width * s, height);
    for (int i = 0; i < 12; i++) {
        int x0 = test_random_int(seed, 0, width - 1),
            y0 = test_random_int(seed, 0, height - 1);
        int r = test_random_int(seed, 1, (width + height) / 6 + 1);
        uint8_t label = (uint8_t)test_random_int(seed, 0, highest);

        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                if (!i || (x - x0) * (x - x0) + (y - y0) * (y - y0) < r * r)
                    plane->data[y * plane->stride + x * s] = i ? label : 0;
    }
    return (rvos_labels){.width = width,
                         .height = height,
                         .data = plane->data,
                         .stride = plane->stride,
                         .step = step};
}

#endif
