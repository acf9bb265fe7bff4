/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* images.h - random images and labels for the pixel tests. Rows are padded, and the test
 * checks that the padding does not change. */
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

/* Padding grows with `padding`, so that no two planes have the same stride. */
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

/* Nor do the bytes between pixels of `step` bytes. */
static inline bool test_plane_gaps_kept(const struct test_plane *p, int step)
{
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            if (x % (step ? step : 1) && p->data[y * p->stride + x] != MARK)
                return false;
    return test_plane_padding_kept(p);
}

struct test_image {
    rvos_image image;
    struct test_plane plane[3];
};

/* A format with luma, from its definition, for images of any size. */
struct test_yuv {
    int planes, w_sub, h_sub; /* chroma has one sample for so many pixels */
    int bytes, shift;         /* of a sample; its distance from the lowest bit */
    int plane[3], first[3],
        next[3]; /* samples from the row's start and from each other */
};

static inline const struct test_yuv *test_yuv_of(rvos_format format)
{
    static const struct test_yuv yuv[] = {
        [RVOS_NV12] = {2, 2, 2, 1, 0, {0, 1, 1}, {0, 0, 1}, {1, 2, 2}},
        [RVOS_I420] = {3, 2, 2, 1, 0, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}},
        [RVOS_NV21] = {2, 2, 2, 1, 0, {0, 1, 1}, {0, 1, 0}, {1, 2, 2}},
        [RVOS_Y42B] = {3, 2, 1, 1, 0, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}},
        [RVOS_Y444] = {3, 1, 1, 1, 0, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}},
        [RVOS_YUY2] = {1, 2, 1, 1, 0, {0, 0, 0}, {0, 1, 3}, {2, 4, 4}},
        [RVOS_UYVY] = {1, 2, 1, 1, 0, {0, 0, 0}, {1, 0, 2}, {2, 4, 4}},
        [RVOS_GRAY8] = {1, 1, 1, 1, 0, {0, -1, -1}, {0}, {1}},
        [RVOS_I420_10] = {3, 2, 2, 2, 0, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}},
        [RVOS_Y42B_10] = {3, 2, 1, 2, 0, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}},
        [RVOS_Y444_10] = {3, 1, 1, 2, 0, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}},
        [RVOS_P010] = {2, 2, 2, 2, 6, {0, 1, 1}, {0, 0, 1}, {1, 2, 2}},
    };

    return format < RVOS_NV12 ? NULL : &yuv[format];
}

static inline int test_image_planes(const rvos_image *image)
{
    const struct test_yuv *f = test_yuv_of(image->format);

    return f ? f->planes : 1;
}

/* Rows and bytes of a plane. */
static inline int test_plane_rows(const struct test_yuv *f, int height, int plane)
{
    return f && plane ? (height + f->h_sub - 1) / f->h_sub : height;
}

static inline int test_plane_bytes(rvos_format format, int width, int plane)
{
    const struct test_yuv *f = test_yuv_of(format);
    int samples = 0;

    if (!f)
        return width * (format <= RVOS_BGR ? 3 : 4);
    for (int c = 0; c < 3; c++)
        if (f->plane[c] == plane) {
            int n = c ? (width + f->w_sub - 1) / f->w_sub : width;
            int last = f->first[c] + (n - 1) * f->next[c] + 1;

            samples = last > samples ? last : samples;
        }
    return samples * f->bytes;
}

/* The sample of component c that pixel (x, y) has; `data` are the planes' bytes. */
static inline const uint8_t *test_sample_at(const rvos_image *im, uint8_t *const data[3],
                                            int c, int x, int y)
{
    const struct test_yuv *f = test_yuv_of(im->format);
    int p = f->plane[c];

    x = c ? x / f->w_sub : x;
    y = c ? y / f->h_sub : y;
    return data[p] + y * im->stride[p] + (f->first[c] + x * f->next[c]) * f->bytes;
}

/* In levels of 8 bits. */
static inline double test_sample(const rvos_image *im, const uint8_t *p, int c)
{
    const struct test_yuv *f = test_yuv_of(im->format);
    int v = f->bytes == 1 ? p[0] : ((p[0] + 256 * p[1]) >> f->shift) % 1024;

    if (f->bytes == 1)
        return v;
    if (!im->colorimetry.full_range)
        return v / 4.0;
    return c ? 128 + (v - 512) * 255.0 / 1023 : v * 255.0 / 1023;
}

static inline struct test_image test_image_new(rvos_format format, int width, int height,
                                               uint64_t *seed)
{
    struct test_image t = {.image = {.format = format, .width = width, .height = height}};
    const struct test_yuv *f = test_yuv_of(format);

    t.image.colorimetry.matrix = (rvos_matrix)test_random_int(seed, 0, 3);
    t.image.colorimetry.full_range = test_random(seed) & 1;
    for (int i = 0; i < test_image_planes(&t.image); i++)
        t.plane[i] = test_plane_padded(test_plane_bytes(format, width, i),
                                       test_plane_rows(f, height, i), i == 2 ? 8 : 5);
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

/* The places of red, green, blue and the fourth byte in a pixel, from the format's name.
 */
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

/* Shares of red and blue in luma (ITU-R BT.601, 709, 2020), by the image's colorimetry.
 */
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

/* A plane as labels, `step` bytes a pixel. */
static inline rvos_labels test_plane_labels(const struct test_plane *plane, int step)
{
    return (rvos_labels){.width = plane->width / (step ? step : 1),
                         .height = plane->height,
                         .data = plane->data,
                         .stride = plane->stride,
                         .step = step};
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
    return test_plane_labels(plane, step);
}

#endif
