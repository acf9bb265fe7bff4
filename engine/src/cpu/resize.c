/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.c - resizes a frame to the network's input: Pillow's BILINEAR with Pillow's
 * integers.
 *
 * A source row is unpacked to RGB and resized in x. The result is kept, as bytes, in a
 * ring of as many rows as one output row reads. Output rows are sums over the ring. */
#include "pixels.h"

#include <stdlib.h>

#include "../pixels/color.h"
#include "../pixels/filter.h"

struct rv_resize {
    struct rv_scaling size;
    struct rv_filter filter;
    int32_t block[]; /* tables of the filter */
};

struct rv_resize *rv_resize_create(int frame_width, int frame_height, int width,
                                   int height)
{
    struct rv_scaling size = {frame_width, frame_height, width, height};
    struct rv_resize *r = malloc(sizeof(*r) + rv_filter_words(size) * sizeof(*r->block));

    if (!r)
        return NULL;
    r->size = size;
    r->filter = rv_filter_at(size, r->block);
    rv_filter_fill(size, r->block);
    return r;
}

void rv_resize_destroy(struct rv_resize *r)
{
    free(r);
}

/* ---- unpacking: a row to four int32 per pixel: red, green, blue, unused ----- */

static RV_INLINE void unpack(const uint8_t *src, int width, int size, int red, int green,
                             int blue, int32_t *dst)
{
    for (int x = 0; x < width; x++) {
        dst[4 * x] = src[size * x + red];
        dst[4 * x + 1] = src[size * x + green];
        dst[4 * x + 2] = src[size * x + blue];
        dst[4 * x + 3] = 0;
    }
}

/* Calls with constants, so that each format gets a vectorised loop of its own. */
RV_CLONES
static void unpack_packed(const uint8_t *src, int width, struct rv_packing p,
                          int32_t *dst)
{
    if (p.size == 3 && p.red == 0)
        unpack(src, width, 3, 0, 1, 2, dst);
    else if (p.size == 3)
        unpack(src, width, 3, 2, 1, 0, dst);
    else if (p.red == 0)
        unpack(src, width, 4, 0, 1, 2, dst);
    else if (p.red == 2)
        unpack(src, width, 4, 2, 1, 0, dst);
    else if (p.red == 1)
        unpack(src, width, 4, 1, 2, 3, dst);
    else
        unpack(src, width, 4, 3, 2, 1, dst);
}

/* `more` is the number of bits above 8. */
static RV_INLINE void unpack_pixel(struct rv_yuv k, int32_t y, int32_t u, int32_t v,
                                   int more, int32_t *dst)
{
    rv_yuv_to_rgb(k, y, u, v, more, dst);
    dst[3] = 0;
}

/* The samples of one row, and the bytes from one sample to the next. */
struct yuv_row {
    const uint8_t *y, *u, *v;
    int luma, chroma;
};

static RV_INLINE void unpack_pairs(struct yuv_row r, int luma, int chroma, int pairs,
                                   struct rv_yuv k, int32_t *dst)
{
    for (int x = 0; x < pairs; x++) {
        int32_t cb = r.u[x * chroma] - 128, cr = r.v[x * chroma] - 128;

        unpack_pixel(k, r.y[2 * x * luma], cb, cr, 0, &dst[8 * x]);
        unpack_pixel(k, r.y[(2 * x + 1) * luma], cb, cr, 0, &dst[8 * x + 4]);
    }
}

/* For chroma of half the width. */
RV_CLONES
static void unpack_halved(struct yuv_row r, int width, struct rv_yuv k, int32_t *dst)
{
    int pairs = width / 2;

    if (r.chroma == 1)
        unpack_pairs(r, 1, 1, pairs, k, dst);
    else if (r.chroma == 2)
        unpack_pairs(r, 1, 2, pairs, k, dst);
    else
        unpack_pairs(r, 2, 4, pairs, k, dst);
    if (width & 1)
        unpack_pixel(k, r.y[(width - 1) * r.luma], r.u[pairs * r.chroma] - 128,
                     r.v[pairs * r.chroma] - 128, 0, &dst[4 * (width - 1)]);
}

RV_CLONES
static void unpack_full(struct yuv_row r, int width, struct rv_yuv k, int32_t *dst)
{
    for (int x = 0; x < width; x++)
        unpack_pixel(k, r.y[x], r.u[x] - 128, r.v[x] - 128, 0, &dst[4 * x]);
}

RV_CLONES
static void unpack_gray(const uint8_t *y, int width, struct rv_yuv k, int32_t *dst)
{
    for (int x = 0; x < width; x++)
        unpack_pixel(k, y[x], 0, 0, 0, &dst[4 * x]);
}

/* A 10-bit sample; other bits of its two bytes are ignored. */
static RV_INLINE int32_t deep(const uint8_t *p, int shift)
{
    return (p[0] | p[1] << 8) >> shift & 1023;
}

RV_CLONES
static void unpack_deep(struct yuv_row r, int width, int w_sub, int shift,
                        struct rv_yuv k, int32_t *dst)
{
    for (int x = 0; x < width; x++) {
        int32_t cb = deep(&r.u[(x >> w_sub) * r.chroma], shift) - 512;
        int32_t cr = deep(&r.v[(x >> w_sub) * r.chroma], shift) - 512;

        unpack_pixel(k, deep(&r.y[x * r.luma], shift), cb, cr, 2, &dst[4 * x]);
    }
}

static const uint8_t *component_row(const rvos_image *frame, const struct rv_sampling *s,
                                    int c, int row)
{
    int plane = s->c[c].plane;

    return (const uint8_t *)frame->plane[plane] +
           (c ? row >> s->h_sub : row) * frame->stride[plane] + s->c[c].at;
}

static void unpack_row(const rvos_image *frame, const struct rv_yuv *k, int row,
                       int32_t *dst)
{
    const struct rv_sampling *s = rv_sampling_of(frame->format);
    struct yuv_row r;

    if (!s) {
        unpack_packed((const uint8_t *)frame->plane[0] + row * frame->stride[0],
                      frame->width, rv_packing_of(frame->format), dst);
        return;
    }
    if (s->components == 1) {
        unpack_gray(component_row(frame, s, 0, row), frame->width, *k, dst);
        return;
    }
    r = (struct yuv_row){.y = component_row(frame, s, 0, row),
                         .u = component_row(frame, s, 1, row),
                         .v = component_row(frame, s, 2, row),
                         .luma = s->c[0].step,
                         .chroma = s->c[1].step};
    if (s->deep)
        unpack_deep(r, frame->width, s->w_sub, s->shift, *k, dst);
    else if (s->w_sub)
        unpack_halved(r, frame->width, *k, dst);
    else
        unpack_full(r, frame->width, *k, dst);
}

/* ---- the two passes --------------------------------------------------------- */

RV_CLONES
static void resize_x(const int32_t *src, const struct rv_taps *a, int width, uint8_t *dst)
{
    for (int x = 0; x < width; x++) {
        const int32_t *p = &src[4 * (size_t)a->first[x]];
        const int32_t *coef = &a->coef[(size_t)x * a->taps];
        int32_t sum[4] = {RV_TAPS_HALF, RV_TAPS_HALF, RV_TAPS_HALF, RV_TAPS_HALF};
        int n = a->count[x];

        for (int t = 0; t < n; t++)
            for (int c = 0; c < 4; c++)
                sum[c] += coef[t] * p[4 * t + c];
        for (int c = 0; c < 3; c++)
            dst[3 * x + c] = (uint8_t)(sum[c] >> RV_TAPS_BITS);
    }
}

RV_CLONES
static void add_row(int32_t *restrict sum, const uint8_t *restrict row, int32_t coef,
                    int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += coef * row[i];
}

static void normalise(const float *value, const int32_t *sum, float *out, int n)
{
    for (int i = 0; i < n; i += 3)
        for (int c = 0; c < 3; c++)
            out[i + c] = value[c * 256 + (sum[i + c] >> RV_TAPS_BITS)];
}

/* A row of int32: four per source pixel, or three per output pixel. */
static size_t line_bytes(const struct rv_resize *r)
{
    size_t source = 4 * (size_t)r->size.in_width, output = 3 * (size_t)r->size.out_width;

    return (source > output ? source : output) * sizeof(int32_t);
}

size_t rv_resize_scratch(const struct rv_resize *r)
{
    return line_bytes(r) + (size_t)r->filter.y.taps * 3 * r->size.out_width;
}

void rv_resize_rows(const struct rv_resize *r, const rvos_image *frame, int row0,
                    int row1, float *out, void *scratch)
{
    const struct rv_taps *y = &r->filter.y;
    int32_t *line = scratch;
    uint8_t *ring = (uint8_t *)scratch + line_bytes(r);
    int width = r->size.out_width, n = 3 * width, done = row0 < row1 ? y->first[row0] : 0;
    struct rv_yuv k = rv_yuv_of(frame);

    for (int row = row0; row < row1; row++, out += n) {
        int from = y->first[row], to = from + y->count[row];

        for (; done < to; done++) {
            unpack_row(frame, &k, done, line);
            resize_x(line, &r->filter.x, width, ring + (size_t)(done % y->taps) * n);
        }
        for (int i = 0; i < n; i++)
            line[i] = RV_TAPS_HALF;
        for (int s = from; s < to; s++)
            add_row(line, ring + (size_t)(s % y->taps) * n,
                    y->coef[(size_t)row * y->taps + s - from], n);
        normalise(r->filter.value, line, out, n);
    }
}
