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

static RV_INLINE int32_t clip(int32_t v)
{
    v >>= 16;
    v = v < 0 ? 0 : v;
    return v > 255 ? 255 : v;
}

static RV_INLINE void unpack_pixel(struct rv_yuv k, int32_t y, int32_t u, int32_t v,
                                   int32_t *dst)
{
    y = (y - k.black) * k.y + (1 << 15);
    dst[0] = clip(y + k.rv * v);
    dst[1] = clip(y + k.gu * u + k.gv * v);
    dst[2] = clip(y + k.bu * u);
    dst[3] = 0;
}

/* `step`: bytes from one chroma sample to the next. */
static RV_INLINE void unpack_pairs(const uint8_t *y, const uint8_t *u, const uint8_t *v,
                                   int step, int pairs, struct rv_yuv k, int32_t *dst)
{
    for (int x = 0; x < pairs; x++) {
        int32_t cb = u[x * step] - 128, cr = v[x * step] - 128;

        unpack_pixel(k, y[2 * x], cb, cr, &dst[8 * x]);
        unpack_pixel(k, y[2 * x + 1], cb, cr, &dst[8 * x + 4]);
    }
}

RV_CLONES
static void unpack_yuv(const uint8_t *y, const uint8_t *u, const uint8_t *v, int step,
                       int width, struct rv_yuv k, int32_t *dst)
{
    int pairs = width / 2;

    if (step == 1)
        unpack_pairs(y, u, v, 1, pairs, k, dst);
    else
        unpack_pairs(y, u, v, 2, pairs, k, dst);
    if (width & 1)
        unpack_pixel(k, y[width - 1], u[pairs * step] - 128, v[pairs * step] - 128,
                     &dst[4 * (width - 1)]);
}

static void unpack_row(const rvos_image *frame, const struct rv_yuv *k, int row,
                       int32_t *dst)
{
    const uint8_t *plane = (const uint8_t *)frame->plane[0] + row * frame->stride[0];
    const uint8_t *u, *v;

    switch (frame->format) {
    case RVOS_NV12:
        u = (const uint8_t *)frame->plane[1] + row / 2 * frame->stride[1];
        unpack_yuv(plane, u, u + 1, 2, frame->width, *k, dst);
        break;
    case RVOS_I420:
        u = (const uint8_t *)frame->plane[1] + row / 2 * frame->stride[1];
        v = (const uint8_t *)frame->plane[2] + row / 2 * frame->stride[2];
        unpack_yuv(plane, u, v, 1, frame->width, *k, dst);
        break;
    default:
        unpack_packed(plane, frame->width, rv_packing_of(frame->format), dst);
    }
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
