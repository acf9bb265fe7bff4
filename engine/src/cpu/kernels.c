/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels.c - functions that both kernel tables share, and the plain table. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../pixels/clones.h"
#include "../pixels/objects.h"

int rv_axis_init(struct rv_axis *axis, int in, int out)
{
    *axis = (struct rv_axis){.in = in, .out = out};
    axis->at = malloc((size_t)out * sizeof(*axis->at));
    axis->frac = malloc((size_t)out * sizeof(*axis->frac));
    if (!axis->at || !axis->frac) {
        rv_axis_finish(axis);
        return -1;
    }
    for (int i = 0; i < out; i++)
        rv_place(i, in, out, &axis->at[i], &axis->frac[i]);
    return 0;
}

void rv_axis_finish(struct rv_axis *axis)
{
    free(axis->at);
    free(axis->frac);
    *axis = (struct rv_axis){0};
}

static size_t element(const struct rv_view *m)
{
    return rv_type_bytes(m->type);
}

static void *row_of(const struct rv_view *m, int y)
{
    return (char *)m->data + (size_t)y * m->w * m->pitch * element(m);
}

RV_CLONES
static void widen(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)src[i] << 16;

        memcpy(dst + i, &bits, sizeof(bits));
    }
}

RV_CLONES
static void narrow(uint16_t *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, src + i, sizeof(bits));
        dst[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}

void rv_load_row(float *dst, const void *src, enum rv_type type, size_t n)
{
    if (type == RV_BF16)
        widen(dst, src, n);
    else
        memcpy(dst, src, n * sizeof(float));
}

void rv_store_row(void *dst, const float *src, enum rv_type type, size_t n)
{
    if (type == RV_BF16)
        narrow(dst, src, n);
    else
        memcpy(dst, src, n * sizeof(float));
}

static float get(const struct rv_view *m, int y, int x, int c)
{
    const void *p = (char *)row_of(m, y) + ((size_t)x * m->pitch + c) * element(m);
    float v;

    rv_load_row(&v, p, m->type, 1);
    return v;
}

void rv_gather_row(float *dst, const struct rv_view *m, int y)
{
    const char *src = row_of(m, y);

    if (m->pitch == m->c) {
        rv_load_row(dst, src, m->type, (size_t)m->w * m->c);
        return;
    }
    for (int x = 0; x < m->w; x++)
        rv_load_row(dst + (size_t)x * m->c, src + (size_t)x * m->pitch * element(m),
                    m->type, (size_t)m->c);
}

RV_CLONES
static void lerp_rows(float *out, const float *a, const float *b, float frac, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + frac * (b[i] - a[i]);
}

/* Interpolates `line`, `in` pixels of c channels, to `w` pixels that are `pitch` floats
 * apart. */
RV_CLONES
static void lerp_columns(float *out, int w, int pitch, const float *line, int in, int c)
{
    for (int x = 0; x < w; x++) {
        const float *a, *b;
        float frac;
        int at;

        rv_place(x, in, w, &at, &frac);
        a = line + (size_t)at * c;
        b = at + 1 < in ? a + c : a;

        for (int i = 0; i < c; i++)
            out[(size_t)x * pitch + i] = a[i] + frac * (b[i] - a[i]);
    }
}

void rv_upsampled_row(const struct rv_view *m, int y, int h, int w, float *out, int pitch,
                      float *line)
{
    size_t n = (size_t)m->w * m->c;
    float frac;
    int at;

    rv_place(y, m->h, h, &at, &frac);
    rv_gather_row(line, m, at);
    if (frac != 0) {
        rv_gather_row(line + n, m, at + 1);
        lerp_rows(line, line, line + n, frac, n);
    }
    lerp_columns(out, w, pitch, line, m->w, m->c);
}

/* Uses only the sizes (0 for an absent tensor), because a plan asks before it has
 * memory. */
size_t rv_cell_line(const struct rv_cell_views *m)
{
    return (size_t)m->h.w * m->input_channels + 2 * (size_t)m->below.w * m->below.c +
           (size_t)m->mul.w * m->mul.c;
}

void rv_cell_input(const struct rv_cell_views *m, int row0, int row1, void *dst,
                   enum rv_type type, float *line)
{
    int w = m->h.w, channels = m->input_channels, up = m->below.data ? m->below.c : 0;
    size_t n = (size_t)w * channels;

    for (int y = row0; y < row1; y++) {
        char *out = (char *)dst + (size_t)(y - row0) * n * rv_type_bytes(type);
        float *row = type == RV_F32 ? (float *)(void *)out : line, *rest = line + n;

        if (up)
            rv_upsampled_row(&m->below, y, m->h.h, w, row, channels, rest);
        if (up && m->mul.data) {
            rv_gather_row(rest, &m->mul, y);
            for (int x = 0; x < w; x++)
                for (int c = 0; c < up; c++)
                    row[(size_t)x * channels + c] *= rest[(size_t)x * up + c];
        }
        for (int x = 0; m->h_left.data && x < w; x++)
            rv_load_row(row + (size_t)x * channels + up,
                        (char *)row_of(&m->h_left, y) +
                            (size_t)x * m->h_left.pitch * element(&m->h_left),
                        m->h_left.type, (size_t)m->h_left.c);
        if (type != RV_F32)
            rv_store_row(out, row, type, n);
    }
}

RV_CLONES
static void max_into(float *max, const float *v, int n)
{
    for (int i = 0; i < n; i++)
        max[i] = v[i] > max[i] ? v[i] : max[i];
}

/* Channels processed at a time; the size of the buffers on the stack. */
#define MAX_CHANNELS 128

static void max_pixel(const struct rv_view *in, char *out, enum rv_type type, int y0,
                      int y1, int x0, int x1)
{
    size_t bytes = element(in), pixel = in->pitch * bytes, row = in->w * pixel;
    float max[MAX_CHANNELS], v[MAX_CHANNELS];

    for (int c = 0; c < in->c; c += MAX_CHANNELS) {
        int n = in->c - c < MAX_CHANNELS ? in->c - c : MAX_CHANNELS;

        for (int y = y0; y < y1; y++)
            for (int x = x0; x < x1; x++) {
                const char *p = (char *)in->data + y * row + x * pixel + c * bytes;
                bool first = y == y0 && x == x0;

                rv_load_row(first ? max : v, p, in->type, (size_t)n);
                if (!first)
                    max_into(max, v, n);
            }
        rv_store_row(out + (size_t)c * rv_type_bytes(type), max, type, (size_t)n);
    }
}

void rv_maxpool(const struct rv_view *in, const struct rv_view *out, int size, int stride,
                int pad, int row0, int row1)
{
    for (int y = row0; y < row1; y++) {
        int y0 = y * stride - pad, y1 = y0 + size < in->h ? y0 + size : in->h;

        for (int x = 0; x < out->w; x++) {
            int x0 = x * stride - pad, x1 = x0 + size < in->w ? x0 + size : in->w;

            max_pixel(in, (char *)row_of(out, y) + (size_t)x * out->pitch * element(out),
                      out->type, y0 < 0 ? 0 : y0, y1, x0 < 0 ? 0 : x0, x1);
        }
    }
}

RV_CLONES
static void upsample_row(const float *a, const float *b, float frac,
                         const struct rv_axis *x, float *line, float *out)
{
    for (int i = 0; i < x->in; i++)
        line[i] = a[i] + frac * (b[i] - a[i]);
    for (int i = 0; i < x->out; i++) {
        int at = x->at[i], next = at + 1 < x->in ? at + 1 : at;

        out[i] = line[at] + x->frac[i] * (line[next] - line[at]);
    }
}

/* A wrapper, because gcc exports the resolver of a clone that is not static, even if it
 * is hidden. */
void rv_upsample_row(const float *a, const float *b, float frac, const struct rv_axis *x,
                     float *line, float *out)
{
    upsample_row(a, b, frac, x, line, out);
}

/* ---- plain -------------------------------------------------------------- */

static float logistic(float x)
{
    return 1 / (1 + expf(-x));
}

static void plain_cell_update(const struct rv_cell_views *m, int row0, int row1,
                              const float *gates, float *line)
{
    int hid = m->h.c;

    (void)line;
    for (int y = row0; y < row1; y++)
        for (int x = 0; x < m->h.w; x++)
            for (int n = 0; n < hid; n++) {
                float gate[4], c;

                for (int k = 0; k < 4; k++) {
                    int channel = k * hid + n;

                    gate[k] =
                        gates
                            ? gates[((size_t)(y - row0) * m->h.w + x) * 4 * hid + channel]
                            : 0;
                    if (m->time.data)
                        gate[k] += get(&m->time, y, x, channel);
                    if (m->skip.data)
                        gate[k] += get(&m->skip, y, x, channel);
                }
                c = logistic(gate[0]) * tanhf(gate[3]);
                if (m->c_left.data)
                    c += logistic(gate[1]) * get(&m->c_left, y, x, n);
                rv_store_row((float *)row_of(&m->c, y) + (size_t)x * m->c.pitch + n, &c,
                             RV_F32, 1);
                c = logistic(gate[2]) * tanhf(c);
                rv_store_row((char *)row_of(&m->h, y) +
                                 ((size_t)x * m->h.pitch + n) * element(&m->h),
                             &c, m->h.type, 1);
            }
}

static void plain_mask_half(const struct rv_view *h, const float *kernel, float bias,
                            int size, int row0, int row1, float *out, float *scratch)
{
    int rows = 2 * h->h, columns = 2 * h->w, border = size / 2;
    float *row = scratch, *line = scratch + (size_t)columns * h->c;

    for (int y = row0; y < row1; y++) {
        float *o = out + (size_t)(y - row0) * columns;

        for (int x = 0; x < columns; x++)
            o[x] = bias;
        for (int r = 0; r < size; r++) {
            if (y + r - border < 0 || y + r - border >= rows)
                continue;
            rv_upsampled_row(h, y + r - border, rows, columns, row, h->c, line);
            for (int x = 0; x < columns; x++)
                for (int q = 0; q < size; q++)
                    for (int c = 0; c < h->c; c++)
                        if (x + q - border >= 0 && x + q - border < columns)
                            o[x] += row[(size_t)(x + q - border) * h->c + c] *
                                    kernel[(size_t)(r * size + q) * h->c + c];
        }
    }
}

static void plain_sigmoid(const float *in, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = logistic(in[i]);
}

const struct rv_kernels rv_kernels_plain = {plain_cell_update, plain_mask_half,
                                            plain_sigmoid};
