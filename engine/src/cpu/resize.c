/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.c - the frame as the network's input: Pillow's BILINEAR in its own integers.
 *
 * A source row is unpacked to RGB, shrunk in x and kept, as bytes, in a ring of as many
 * rows as one output row reads; output rows are sums over the ring. */
#include "pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../pixels/clones.h"
#include "../pixels/color.h"

#define BITS 22 /* of a coefficient's fraction */
#define HALF (1 << (BITS - 1))

/* Output i is the sum over t < count[i] of coef[i * taps + t] * input[first[i] + t]. */
struct axis {
    int in, out, taps;
    int *first, *count;
    int32_t *coef;
};

struct rv_resize {
    struct axis x, y;
    float value[3][256]; /* normalised, by channel */
};

/* The filter is a triangle, widened by `scale` when it shrinks. */
static void fill_axis(struct axis *a)
{
    double scale = (double)a->in / a->out, support = scale < 1 ? 1 : scale;

    for (int i = 0; i < a->out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
        int32_t *coef = &a->coef[(size_t)i * a->taps];
        int n = 0;

        from = from < 0 ? 0 : from;
        to = to > a->in ? a->in : to;
        for (int j = from; j < to; j++)
            sum += fmax(0, 1 - fabs((j - centre + 0.5) * (1 / support)));
        a->first[i] = from;
        for (int j = from; j < to; j++) {
            double weight = fmax(0, 1 - fabs((j - centre + 0.5) * (1 / support)));
            int32_t rounded = (int32_t)(0.5 + weight / sum * (1 << BITS));

            /* Leading zeroes go, so that equal sizes have one tap. */
            if (n || rounded)
                coef[n++] = rounded;
            else
                a->first[i]++;
        }
        while (n > 1 && !coef[n - 1])
            n--;
        a->count[i] = n;
    }
}

static bool init_axis(struct axis *a, int in, int out)
{
    a->in = in;
    a->out = out;
    a->taps = 2 * (int)ceil(fmax(1, (double)in / out)) + 1;
    a->first = malloc((size_t)out * sizeof(*a->first));
    a->count = malloc((size_t)out * sizeof(*a->count));
    a->coef = malloc((size_t)out * a->taps * sizeof(*a->coef));
    if (!a->first || !a->count || !a->coef)
        return false;
    fill_axis(a);
    return true;
}

struct rv_resize *rv_resize_create(int frame_width, int frame_height, int width,
                                   int height)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f},
                       std[3] = {0.229f, 0.224f, 0.225f};
    struct rv_resize *r = calloc(1, sizeof(*r));

    if (!r || !init_axis(&r->x, frame_width, width) ||
        !init_axis(&r->y, frame_height, height)) {
        rv_resize_destroy(r);
        return NULL;
    }
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            r->value[c][v] = ((float)v / 255.0f - mean[c]) / std[c];
    return r;
}

static void finish_axis(struct axis *a)
{
    free(a->first);
    free(a->count);
    free(a->coef);
}

void rv_resize_destroy(struct rv_resize *r)
{
    if (!r)
        return;
    finish_axis(&r->x);
    finish_axis(&r->y);
    free(r);
}

/* ---- unpacking: a row to four int32 a pixel: red, green, blue, anything ----- */

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

/* Constants, so that each format gets a loop of its own that vectorises. */
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

static RV_INLINE int32_t clip(int32_t v, int shift)
{
    v >>= shift;
    v = v < 0 ? 0 : v;
    return v > 255 ? 255 : v;
}

/* `more`: bits above 8. */
static RV_INLINE void unpack_pixel(struct rv_yuv k, int32_t y, int32_t u, int32_t v,
                                   int more, int32_t *dst)
{
    int shift = 16 + more;

    y = (y - k.black) * k.y + (1 << (shift - 1));
    dst[0] = clip(y + k.rv * v, shift);
    dst[1] = clip(y + k.gu * u + k.gv * v, shift);
    dst[2] = clip(y + k.bu * u, shift);
    dst[3] = 0;
}

/* Where one row's samples are, and the bytes from one to the next. */
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

/* Chroma of half the width. */
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

/* A sample of 10 bits; what else its two bytes hold does not count. */
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
static void resize_x(const int32_t *src, const struct axis *a, uint8_t *dst)
{
    for (int x = 0; x < a->out; x++) {
        const int32_t *p = &src[4 * (size_t)a->first[x]];
        const int32_t *coef = &a->coef[(size_t)x * a->taps];
        int32_t sum[4] = {HALF, HALF, HALF, HALF};
        int n = a->count[x];

        for (int t = 0; t < n; t++)
            for (int c = 0; c < 4; c++)
                sum[c] += coef[t] * p[4 * t + c];
        for (int c = 0; c < 3; c++)
            dst[3 * x + c] = (uint8_t)(sum[c] >> BITS);
    }
}

RV_CLONES
static void add_row(int32_t *restrict sum, const uint8_t *restrict row, int32_t coef,
                    int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += coef * row[i];
}

static void normalise(const struct rv_resize *r, const int32_t *sum, float *out)
{
    for (int i = 0; i < 3 * r->x.out; i += 3)
        for (int c = 0; c < 3; c++)
            out[i + c] = r->value[c][sum[i + c] >> BITS];
}

/* A row of int32, four for a source pixel or three for an output pixel; the ring. */
static size_t line_bytes(const struct rv_resize *r)
{
    size_t wide = 4 * (size_t)r->x.in, narrow = 3 * (size_t)r->x.out;

    return (wide > narrow ? wide : narrow) * sizeof(int32_t);
}

size_t rv_resize_scratch(const struct rv_resize *r)
{
    return line_bytes(r) + (size_t)r->y.taps * 3 * r->x.out;
}

void rv_resize_rows(const struct rv_resize *r, const rvos_image *frame, int row0,
                    int row1, float *out, void *scratch)
{
    const struct axis *y = &r->y;
    int32_t *line = scratch;
    uint8_t *ring = (uint8_t *)scratch + line_bytes(r);
    int n = 3 * r->x.out, done = row0 < row1 ? y->first[row0] : 0;
    struct rv_yuv k = rv_yuv_of(frame);

    for (int row = row0; row < row1; row++, out += n) {
        int from = y->first[row], to = from + y->count[row];

        for (; done < to; done++) {
            unpack_row(frame, &k, done, line);
            resize_x(line, &r->x, ring + (size_t)(done % y->taps) * n);
        }
        for (int i = 0; i < n; i++)
            line[i] = HALF;
        for (int s = from; s < to; s++)
            add_row(line, ring + (size_t)(s % y->taps) * n,
                    y->coef[(size_t)row * y->taps + s - from], n);
        normalise(r, line, out);
    }
}
