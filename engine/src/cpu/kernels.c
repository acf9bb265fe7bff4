/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels.c - functions that both kernel tables share, and the plain table. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#include "rows.h"

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
    for (size_t i = 0; i < n; i++)
        dst[i] = rv_widened(src[i]);
}

RV_CLONES
static void narrow(uint16_t *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = rv_narrowed(src[i]);
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

/* ---- plain -------------------------------------------------------------- */

static float logistic(float x)
{
    return 1 / (1 + expf(-x));
}

static void plain_cell_update(const struct rv_cell_views *m, int row0, int row1,
                              const float *gates)
{
    int hid = m->h.c;

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
    struct rv_axis axis = rv_axis_at(h->w, columns, line + (size_t)h->w * h->c);

    for (int y = row0; y < row1; y++) {
        float *o = out + (size_t)(y - row0) * columns;

        for (int x = 0; x < columns; x++)
            o[x] = bias;
        for (int r = 0; r < size; r++) {
            if (y + r - border < 0 || y + r - border >= rows)
                continue;
            rv_upsample_pixel_row(h, y + r - border, rows, &axis, row, h->c, line);
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
