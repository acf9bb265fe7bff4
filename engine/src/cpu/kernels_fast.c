/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels_fast.c - the kernels that vectorise: long inner loops over contiguous
 * floats, without calls into libm. */
#include <stdlib.h>
#include <string.h>

#include "../pixels/clones.h"
#include "kernels.h"
#include "mathf.h"

RV_CLONES
static void add_row(float *sum, const float *row, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += row[i];
}

/* One row of pixels. Gates have 4 x hid channels in the order i, f, o, g. c_left may be
 * NULL; h is packed. */
RV_CLONES
static void lstm_row(const float *restrict gates, const float *restrict c_left,
                     float *restrict c, float *restrict h, int w, int hid)
{
    for (int x = 0; x < w; x++) {
        const float *i = gates + (size_t)x * 4 * hid, *f = i + hid, *o = f + hid,
                    *g = o + hid;

        for (int n = 0; n < hid; n++)
            c[n] = rv_sigmoidf(i[n]) * rv_tanhf(g[n]);
        for (int n = 0; c_left && n < hid; n++)
            c[n] += rv_sigmoidf(f[n]) * c_left[n];
        for (int n = 0; n < hid; n++)
            h[n] = rv_sigmoidf(o[n]) * rv_tanhf(c[n]);
        c += hid;
        h += hid;
        c_left = c_left ? c_left + hid : NULL;
    }
}

static const float *f32_row(const struct rv_view *m, int y)
{
    return (const float *)m->data + (size_t)y * m->w * m->pitch;
}

/* Copies the packed h to its place, which may have another type and be a slice of the
 * state.
 */
static void scatter_h(const struct rv_view *m, int y, const float *h)
{
    size_t bytes = rv_type_bytes(m->type);
    char *out = (char *)m->data + (size_t)y * m->w * m->pitch * bytes;

    if (m->pitch == m->c) {
        rv_store_row(out, h, m->type, (size_t)m->w * m->c);
        return;
    }
    for (int x = 0; x < m->w; x++)
        rv_store_row(out + (size_t)x * m->pitch * bytes, h + (size_t)x * m->c, m->type,
                     (size_t)m->c);
}

static void fast_cell_update(const struct rv_cell_views *m, int row0, int row1,
                             const float *gates, float *line)
{
    int w = m->h.w, hid = m->h.c;
    size_t n = (size_t)w * 4 * hid;

    for (int y = row0; y < row1; y++) {
        const float *left = m->c_left.data ? f32_row(&m->c_left, y) : NULL;
        float *c = (float *)m->c.data + (size_t)y * w * hid, *h = line + n;

        if (gates)
            memcpy(line, gates + (size_t)(y - row0) * n, n * sizeof(float));
        else
            memset(line, 0, n * sizeof(float));
        if (m->time.data)
            add_row(line, f32_row(&m->time, y), n);
        if (m->skip.data)
            add_row(line, f32_row(&m->skip, y), n);
        lstm_row(line, left, c, h, w, hid);
        scatter_h(&m->h, y, h);
    }
}

/* Converts an upsampled row to channel planes with `border` zeroes at both ends of
 * each. */
static void transpose(float *planes, const float *row, int w, int c, int border)
{
    int pitch = w + 2 * border;

    for (int i = 0; i < c; i++) {
        float *out = planes + (size_t)i * pitch;

        for (int x = 0; x < border; x++)
            out[x] = out[pitch - 1 - x] = 0;
        for (int x = 0; x < w; x++)
            out[border + x] = row[(size_t)x * c + i];
    }
}

RV_CLONES
static void add_taps(float *restrict out, const float *planes, const float *kernel, int w,
                     int c, int size)
{
    int pitch = w + size / 2 * 2;

    for (int q = 0; q < size; q++)
        for (int i = 0; i < c; i++) {
            const float *in = planes + (size_t)i * pitch + q;
            float k = kernel[(size_t)q * c + i];

            for (int x = 0; x < w; x++)
                out[x] += in[x] * k;
        }
}

/* Scratch: a ring of `size` upsampled rows as planes, one row of pixels, and a line for
 * rv_upsampled_row. */
size_t rv_mask_scratch(const struct rv_view *h, int size)
{
    size_t row = (size_t)(2 * h->w + size) * h->c;

    return ((size_t)size + 1) * row + 2 * (size_t)h->w * h->c;
}

static void fast_mask_half(const struct rv_view *h, const float *kernel, float bias,
                           int size, int row0, int row1, float *out, float *scratch)
{
    int rows = 2 * h->h, w = 2 * h->w, border = size / 2, next = row0 - border;
    size_t plane = (size_t)(w + 2 * border) * h->c;
    float *pixels = scratch + (size_t)size * plane, *line = pixels + (size_t)w * h->c;

    for (int y = row0; y < row1; y++) {
        float *o = out + (size_t)(y - row0) * w;

        for (; next <= y + border; next++) {
            if (next < 0 || next >= rows)
                continue;
            rv_upsampled_row(h, next, rows, w, pixels, h->c, line);
            transpose(scratch + (size_t)(next % size) * plane, pixels, w, h->c, border);
        }
        for (int x = 0; x < w; x++)
            o[x] = bias;
        for (int r = 0; r < size; r++) {
            int in = y + r - border;

            if (in >= 0 && in < rows)
                add_taps(o, scratch + (size_t)(in % size) * plane,
                         kernel + (size_t)r * size * h->c, w, h->c, size);
        }
    }
}

RV_CLONES
static void fast_sigmoid(const float *in, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = rv_sigmoidf(in[i]);
}

const struct rv_kernels rv_kernels_fast = {fast_cell_update, fast_mask_half,
                                           fast_sigmoid};
