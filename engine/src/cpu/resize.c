/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.c - resizes a frame to the network's input: Pillow's BILINEAR with
 * Pillow's integers.
 *
 * Source rows are unpacked to RGB, eight at a time, and resized in x. Eight
 * rows are interleaved for that, so that a vector holds the same pixel of
 * several rows. The result is kept, as bytes, in a ring of rows. Output rows
 * are sums over the ring. */
#include "pixels.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- unpacking: a row to four bytes per pixel; one is unused ---------------- */

/* RGB formats keep the order of their bytes. A pixel of three bytes gets the first byte
 * of the next one as its unused byte. */
static void unpack_packed(const uint8_t *src, int width, int size, uint32_t *dst)
{
    if (size == 4) {
        memcpy(dst, src, 4 * (size_t)width);
        return;
    }
    for (int x = 0; x < width - 1; x++)
        memcpy(dst + x, src + 3 * x, 4);
    memcpy(dst + width - 1, src + 3 * (width - 1), 3);
}

/* Red is in the low byte. `more` is the number of bits above 8. */
static RV_INLINE uint32_t pixel_of(struct rv_yuv k, int32_t y, int32_t u, int32_t v,
                                   int more)
{
    int32_t rgb[3];

    rv_yuv_to_rgb(k, y, u, v, more, rgb);
    return (uint32_t)rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
}

/* Which bytes in memory are the colours of pixel_of. */
static struct rv_packing pixel_order(void)
{
    const uint32_t one = 1;

    if (*(const uint8_t *)&one)
        return (struct rv_packing){4, 0, 1, 2, -1};
    return (struct rv_packing){4, 3, 2, 1, -1};
}

/* The samples of one row, and the bytes from one sample to the next. */
struct yuv_row {
    const uint8_t *y, *u, *v;
    int luma, chroma;
};

/* Pixels whose chroma is repeated at a time, in arrays on the stack. */
#define PIECE 256

static RV_INLINE void unpack_pairs(struct yuv_row r, int luma, int chroma, int width,
                                   struct rv_yuv k, uint32_t *restrict dst)
{
    uint8_t u[PIECE], v[PIECE];

    for (int at = 0; at < width; at += PIECE) {
        int n = width - at < PIECE ? width - at : PIECE, pairs = (n + 1) / 2;
        const uint8_t *y = r.y + (ptrdiff_t)at * luma;

        for (int x = 0; x < pairs; x++)
            u[2 * x] = u[2 * x + 1] = r.u[(at / 2 + x) * chroma];
        for (int x = 0; x < pairs; x++)
            v[2 * x] = v[2 * x + 1] = r.v[(at / 2 + x) * chroma];
        for (int x = 0; x < n; x++)
            dst[at + x] = pixel_of(k, y[x * luma], u[x] - 128, v[x] - 128, 0);
    }
}

/* For chroma of half the width. Calls with constants, so that each layout gets a
 * vectorised loop of its own. */
RV_CLONES
static void unpack_halved(struct yuv_row r, int width, struct rv_yuv k, uint32_t *dst)
{
    if (r.chroma == 1)
        unpack_pairs(r, 1, 1, width, k, dst);
    else if (r.chroma == 2)
        unpack_pairs(r, 1, 2, width, k, dst);
    else
        unpack_pairs(r, 2, 4, width, k, dst);
}

RV_CLONES
static void unpack_full(struct yuv_row r, int width, struct rv_yuv k,
                        uint32_t *restrict dst)
{
    for (int x = 0; x < width; x++)
        dst[x] = pixel_of(k, r.y[x], r.u[x] - 128, r.v[x] - 128, 0);
}

RV_CLONES
static void unpack_gray(const uint8_t *y, int width, struct rv_yuv k,
                        uint32_t *restrict dst)
{
    for (int x = 0; x < width; x++)
        dst[x] = pixel_of(k, y[x], 0, 0, 0);
}

/* A 10-bit sample; other bits of its two bytes are ignored. */
static RV_INLINE int32_t deep(const uint8_t *p, int shift)
{
    return (p[0] | p[1] << 8) >> shift & 1023;
}

RV_CLONES
static void unpack_deep(struct yuv_row r, int width, int w_sub, int shift,
                        struct rv_yuv k, uint32_t *restrict dst)
{
    for (int x = 0; x < width; x++) {
        int32_t cb = deep(&r.u[(x >> w_sub) * r.chroma], shift) - 512;
        int32_t cr = deep(&r.v[(x >> w_sub) * r.chroma], shift) - 512;

        dst[x] = pixel_of(k, deep(&r.y[x * r.luma], shift), cb, cr, 2);
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
                       uint32_t *dst)
{
    const struct rv_sampling *s = rv_sampling_of(frame->format);
    struct yuv_row r;

    if (!s) {
        unpack_packed((const uint8_t *)frame->plane[0] + row * frame->stride[0],
                      frame->width, rv_packing_of(frame->format).size, dst);
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

/* Source rows that are resized side by side, and the bytes of one pixel of all. */
#define ROWS 8
#define LANES (4 * ROWS)

/* Taps that are added without a store in between. */
#define TAPS 2

/* n pixels of all rows, `pitch` pixels apart, side by side. */
RV_CLONES
static void interleave(const uint32_t *rows, size_t pitch, int n, uint32_t *restrict to)
{
    for (int x = 0; x < n; x++)
        for (int r = 0; r < ROWS; r++)
            to[ROWS * x + r] = rows[r * pitch + x];
}

/* As LANES, but unknown to the compiler. It would unroll a loop of known length instead
 * of vectorising it. */
static int lanes_of(const struct rv_taps *a)
{
    return a->taps ? LANES : 0;
}

/* The source line has TAPS - 1 more pixels, whose values do not matter. */
RV_CLONES
static void resize_x(const uint8_t *restrict src, const struct rv_taps *a, int width,
                     int lanes, uint8_t *restrict dst)
{
    int32_t sum[LANES];

    for (int x = 0; x < width; x++, dst += lanes) {
        const uint8_t *p = src + (size_t)a->first[x] * lanes;
        const int32_t *coef = &a->coef[(size_t)x * a->taps];
        int n = a->count[x];

        for (int t = 0; t < n; t += TAPS, p += TAPS * lanes) {
            int32_t k[TAPS];

            for (int i = 0; i < TAPS; i++)
                k[i] = t + i < n ? coef[t + i] : 0;
            for (int c = 0; c < lanes; c++) {
                int32_t s = t ? sum[c] : RV_TAPS_HALF;

                for (int i = 0; i < TAPS; i++)
                    s += k[i] * p[i * lanes + c];
                sum[c] = s;
            }
        }
        for (int c = 0; c < lanes; c++)
            dst[c] = (uint8_t)(sum[c] >> RV_TAPS_BITS);
    }
}

RV_CLONES
static void add_row(int32_t *restrict sum, const uint8_t *restrict row, int32_t coef,
                    int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += coef * row[i];
}

/* red, green, blue: which of the four sums of a pixel. */
static void normalise(const float *value, const int32_t *sum, struct rv_packing p,
                      float *out, int width)
{
    for (int x = 0; x < width; x++, sum += 4, out += 3) {
        out[0] = value[sum[p.red] >> RV_TAPS_BITS];
        out[1] = value[256 + (sum[p.green] >> RV_TAPS_BITS)];
        out[2] = value[512 + (sum[p.blue] >> RV_TAPS_BITS)];
    }
}

/* The scratch of one band. All pixels have four bytes, which one uint32_t holds. */
struct work {
    uint32_t *rows;    /* [ROWS][in_width]: unpacked rows */
    uint32_t *line;    /* [in_width + TAPS - 1][ROWS] */
    uint32_t *resized; /* [out_width][ROWS] */
    int32_t *sum;      /* [out_width][4] */
    uint32_t *ring;    /* [ring_rows][out_width] */
};

/* The rows that one output row reads, and those resized with the last of them. */
static int ring_rows(const struct rv_resize *r)
{
    return r->filter.y.taps + ROWS - 1;
}

static struct work lay_out(const struct rv_resize *r, uint32_t *scratch)
{
    size_t in = (size_t)r->size.in_width, out = (size_t)r->size.out_width;
    struct work w = {.rows = scratch};

    w.line = w.rows + ROWS * in;
    w.resized = w.line + ROWS * (in + TAPS - 1);
    w.sum = (int32_t *)w.resized + ROWS * out;
    w.ring = (uint32_t *)w.sum + 4 * out;
    return w;
}

size_t rv_resize_scratch(const struct rv_resize *r)
{
    size_t in = (size_t)r->size.in_width, out = (size_t)r->size.out_width;

    return sizeof(uint32_t) *
           (ROWS * (2 * in + TAPS - 1) + (ROWS + 4) * out + (size_t)ring_rows(r) * out);
}

/* Resizes n <= ROWS source rows from `row` on into the ring. */
static void resize_rows_x(const struct rv_resize *r, const struct work *w,
                          const rvos_image *frame, const struct rv_yuv *k, int row, int n)
{
    int in = r->size.in_width, out = r->size.out_width;

    for (int i = 0; i < n; i++)
        unpack_row(frame, k, row + i, w->rows + (size_t)i * in);
    interleave(w->rows, (size_t)in, in, w->line);
    resize_x((const uint8_t *)w->line, &r->filter.x, out, lanes_of(&r->filter.x),
             (uint8_t *)w->resized);
    for (int i = 0; i < n; i++) {
        uint32_t *to = w->ring + (size_t)((row + i) % ring_rows(r)) * out;

        for (int x = 0; x < out; x++)
            to[x] = w->resized[ROWS * x + i];
    }
}

void rv_resize_rows(const struct rv_resize *r, const rvos_image *frame, int row0,
                    int row1, float *out, void *scratch)
{
    const struct rv_taps *y = &r->filter.y;
    struct work w = lay_out(r, scratch);
    int width = r->size.out_width, n = 4 * width, done, end;
    struct rv_yuv k = rv_yuv_of(frame);
    struct rv_packing order =
        rv_sampling_of(frame->format) ? pixel_order() : rv_packing_of(frame->format);

    if (row0 >= row1)
        return;
    done = y->first[row0];
    end = y->first[row1 - 1] + y->count[row1 - 1];
    for (int row = row0; row < row1; row++, out += 3 * (size_t)width) {
        int from = y->first[row], to = from + y->count[row];

        for (; done < to; done += ROWS)
            resize_rows_x(r, &w, frame, &k, done, end - done < ROWS ? end - done : ROWS);
        for (int i = 0; i < n; i++)
            w.sum[i] = RV_TAPS_HALF;
        for (int s = from; s < to; s++)
            add_row(w.sum, (const uint8_t *)(w.ring + (size_t)(s % ring_rows(r)) * width),
                    y->coef[(size_t)row * y->taps + s - from], n);
        normalise(r->filter.value, w.sum, order, out, width);
    }
}
