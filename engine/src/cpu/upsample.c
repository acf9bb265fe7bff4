/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upsample.c - bilinear upsampling with aligned corners, and the input of a cell's
 * convolution, which is mostly that. */
#include <stdlib.h>
#include <string.h>

#include "../pixels/objects.h"
#include "kernels.h"
#include "rows.h"

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
        rv_bilinear_at(i, in, out, &axis->at[i], &axis->frac[i]);
    return 0;
}

void rv_axis_finish(struct rv_axis *axis)
{
    free(axis->at);
    free(axis->frac);
    *axis = (struct rv_axis){0};
}

RV_CLONES
static void upsample_plane_row(const float *a, const float *b, float frac,
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
void rv_upsample_plane_row(const float *a, const float *b, float frac,
                           const struct rv_axis *x, float *line, float *out)
{
    upsample_plane_row(a, b, frac, x, line, out);
}

/* ---- rows of pixels ---------------------------------------------------------- */

size_t rv_axis_room(int out)
{
    return (size_t)out * (sizeof(int) + sizeof(float)) / sizeof(float);
}

struct rv_axis rv_axis_at(int in, int out, float *memory)
{
    struct rv_axis axis = {.in = in, .out = out, .frac = memory};

    axis.at = (int *)(void *)(memory + out);
    for (int i = 0; i < out; i++)
        rv_bilinear_at(i, in, out, &axis.at[i], &axis.frac[i]);
    return axis;
}

static RV_INLINE void lerp_values(float *restrict out, const void *a, const void *b,
                                  enum rv_type type, float frac, size_t n)
{
    for (size_t i = 0; frac == 0 && i < n; i++)
        out[i] = rv_get(a, type, i);
    for (size_t i = 0; frac != 0 && i < n; i++) {
        float v = rv_get(a, type, i);

        out[i] = v + frac * (rv_get(b, type, i) - v);
    }
}

/* Interpolates `runs` runs of n values, `step` bytes apart, to packed floats. */
RV_CLONES
static void lerp_rows(float *out, const char *a, const char *b, enum rv_type type,
                      float frac, int runs, size_t step, size_t n)
{
    for (int x = 0; x < runs; x++, out += n, a += step, b += step)
        if (type == RV_BF16)
            lerp_values(out, a, b, RV_BF16, frac, n);
        else
            lerp_values(out, a, b, RV_F32, frac, n);
}

/* Interpolates between the rows of `m` at row y of h, to packed floats. */
static void interpolate_y(const struct rv_view *m, int y, int h, float *out)
{
    size_t pixel = m->pitch * rv_type_bytes(m->type), row = m->w * pixel;
    const char *a;
    float frac;
    int at;

    rv_bilinear_at(y, m->h, h, &at, &frac);
    a = (const char *)m->data + at * row;
    if (m->pitch == m->c)
        lerp_rows(out, a, a + row, m->type, frac, 1, 0, (size_t)m->w * m->c);
    else
        lerp_rows(out, a, a + row, m->type, frac, m->w, pixel, (size_t)m->c);
}

static RV_INLINE void lerp_pixel(void *restrict out, const float *a, const float *b,
                                 enum rv_type type, float frac, int n)
{
    int i = 0;

    for (; type == RV_F32 && i + RV_LANES <= n; i += RV_LANES) {
        rv_lanes v = *(const rv_lanes *)(a + i), w = *(const rv_lanes *)(b + i);

        *(rv_lanes *)((float *)out + i) = v + frac * (w - v);
    }
    for (; i < n; i++)
        rv_put(out, type, i, a[i] + frac * (b[i] - a[i]));
}

/* Interpolates between the pixels of `line`, of c channels. Output pixels are `step`
 * bytes apart. */
RV_CLONES
static void lerp_columns(char *out, size_t step, enum rv_type type, const float *line,
                         const struct rv_axis *x, int c)
{
    for (int i = 0; i < x->out; i++, out += step) {
        const float *a = line + (size_t)x->at[i] * c,
                    *b = x->at[i] + 1 < x->in ? a + c : a;

        if (type == RV_BF16)
            lerp_pixel(out, a, b, RV_BF16, x->frac[i], c);
        else
            lerp_pixel(out, a, b, RV_F32, x->frac[i], c);
    }
}

void rv_upsample_pixel_row(const struct rv_view *m, int y, int h, const struct rv_axis *x,
                           float *out, int pitch, float *line)
{
    interpolate_y(m, y, h, line);
    lerp_columns((char *)out, pitch * sizeof(float), RV_F32, line, x, m->c);
}

/* ---- the input of a cell's convolution --------------------------------------- */

/* Uses only the sizes (0 for an absent tensor), because a plan asks before it has
 * memory. */
size_t rv_cell_line(const struct rv_cell_views *m)
{
    size_t up = (size_t)m->mul.w * m->mul.c;

    return rv_axis_room(m->h.w) + (size_t)m->below.w * m->below.c + 2 * up;
}

/* Writes row y of up(below) * mul. `line` begins with a row of `below`. */
static void multiplied_row(const struct rv_cell_views *m, int y, const struct rv_axis *x,
                           char *out, size_t step, float *line)
{
    int c = m->below.c;
    size_t n = (size_t)m->h.w * c;
    float *up = line + (size_t)m->below.w * c, *mul = up + n;

    rv_upsample_pixel_row(&m->below, y, m->h.h, x, up, c, line);
    rv_gather_row(mul, &m->mul, y);
    for (size_t i = 0; i < n; i++)
        up[i] *= mul[i];
    for (int i = 0; i < m->h.w; i++)
        rv_store_row(out + i * step, up + (size_t)i * c, m->below.type, (size_t)c);
}

/* Copies `runs` runs of n bytes. */
static void copy_runs(char *to, size_t to_step, const char *from, size_t from_step,
                      int runs, size_t n)
{
    typedef char block __attribute__((vector_size(32), aligned(1), may_alias));

    for (int x = 0; x < runs; x++, to += to_step, from += from_step) {
        size_t i = 0;

        for (; i + sizeof(block) <= n; i += sizeof(block)) /* without a call */
            *(block *)(to + i) = *(const block *)(from + i);
        if (i < n)
            memcpy(to + i, from + i, n - i);
    }
}

void rv_cell_input(const struct rv_cell_views *m, int row0, int row1, void *dst,
                   enum rv_type type, float *line)
{
    const struct rv_view *below = &m->below, *left = &m->h_left;
    size_t bytes = rv_type_bytes(type), step = m->input_channels * bytes;
    size_t left_step = left->pitch * bytes, up = below->data ? below->c * bytes : 0;
    struct rv_axis x;
    char *out = dst;

    if (up)
        x = rv_axis_at(below->w, m->h.w, line);
    line += rv_axis_room(m->h.w);
    for (int y = row0; y < row1; y++, out += m->h.w * step) {
        if (up && m->mul.data) {
            multiplied_row(m, y, &x, out, step, line);
        } else if (up) {
            interpolate_y(below, y, m->h.h, line);
            lerp_columns(out, step, type, line, &x, below->c);
        }
        if (left->data)
            copy_runs(out + up, step,
                      (const char *)left->data + (size_t)y * left->w * left_step,
                      left_step, left->w, left->c * bytes);
    }
}
