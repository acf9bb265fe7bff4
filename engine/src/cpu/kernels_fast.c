/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernels_fast.c - the kernels that vectorise, but mask_half.c's: long inner loops over
 * contiguous floats, without calls into libm. */
#include "kernels.h"
#include "mathf.h"
#include "rows.h"

/* A row of a cell. Absent inputs are NULL. */
struct cell_row {
    const float *gates, *time, *skip; /* 4 x hid channels in the order i, f, o, g */
    const float *c_left;
    float *c;
    void *h;
    int h_pitch; /* in elements */
    int hid;
};

/* Values of a gate at a time, so that all four gates stay in the first-level cache. */
#define CELL_VALUES 512

/* Adds the parts of `n` channels of a gate's sums, from `at` on, in one pass. */
static RV_INLINE void add_parts(const struct cell_row *p, size_t at, int n, float *sum)
{
    int j = 0;

    for (; j + RV_LANES <= n; j += RV_LANES) {
        rv_lanes v = {0};

        if (p->gates)
            v = *(const rv_lanes *)(p->gates + at + j);
        if (p->time)
            v += *(const rv_lanes *)(p->time + at + j);
        if (p->skip)
            v += *(const rv_lanes *)(p->skip + at + j);
        *(rv_lanes *)(sum + j) = v;
    }
    for (; j < n; j++) {
        float v = p->gates ? p->gates[at + j] : 0;

        v = p->time ? v + p->time[at + j] : v;
        sum[j] = p->skip ? v + p->skip[at + j] : v;
    }
}

/* Computes n values of the cell state and of h from the sums of the four gates. c_left
 * may be NULL. */
static RV_INLINE void update_values(float (*restrict gate)[CELL_VALUES],
                                    const float *restrict c_left, float *restrict c,
                                    float *restrict h, int n)
{
    if (c_left)
        for (int j = 0; j < n; j++)
            c[j] = rv_sigmoidf(gate[0][j]) * rv_tanhf(gate[3][j]) +
                   rv_sigmoidf(gate[1][j]) * c_left[j];
    else
        for (int j = 0; j < n; j++)
            c[j] = rv_sigmoidf(gate[0][j]) * rv_tanhf(gate[3][j]);
    for (int j = 0; j < n; j++)
        h[j] = rv_sigmoidf(gate[2][j]) * rv_tanhf(c[j]);
}

/* Writes `runs` runs of n values to h, from `at` on. */
static RV_INLINE void store_h(const struct cell_row *p, size_t at, const float *h,
                              int runs, int n, enum rv_type type)
{
    for (int x = 0; x < runs; x++, h += n, at += p->h_pitch)
        for (int j = 0; j < n; j++)
            rv_put(p->h, type, at + j, h[j]);
}

RV_CLONES
static void update_row(const struct cell_row *p, int w, enum rv_type type)
{
    int n = p->hid < CELL_VALUES ? p->hid : CELL_VALUES, pixels = CELL_VALUES / n;
    float gate[4][CELL_VALUES], h[CELL_VALUES];

    for (int x = 0; x < w; x += pixels)
        for (int from = 0; from < p->hid; from += n) {
            int all = w - x < pixels ? w - x : pixels,
                some = p->hid - from < n ? p->hid - from : n;
            size_t at = (size_t)x * p->hid + from, to = (size_t)x * p->h_pitch + from;
            int runs = p->h_pitch == some ? 1 : all, run = all * some / runs;

            for (int i = 0; i < all; i++)
                for (int k = 0; k < 4; k++)
                    add_parts(p, ((size_t)(x + i) * 4 + k) * p->hid + from, some,
                              gate[k] + i * some);
            update_values(gate, p->c_left ? p->c_left + at : NULL, p->c + at, h,
                          all * some);
            if (type == RV_BF16)
                store_h(p, to, h, runs, run, RV_BF16);
            else
                store_h(p, to, h, runs, run, RV_F32);
        }
}

static void fast_cell_update(const struct rv_cell_views *m, int row0, int row1,
                             const float *gates)
{
    int w = m->h.w, hid = m->h.c;
    size_t n = (size_t)w * hid;

    for (int y = row0; y < row1; y++) {
        const float *time = m->time.data, *skip = m->skip.data, *left = m->c_left.data;
        struct cell_row p = {
            .gates = gates ? gates + (size_t)(y - row0) * 4 * n : NULL,
            .time = time ? time + (size_t)y * 4 * n : NULL,
            .skip = skip ? skip + (size_t)y * 4 * n : NULL,
            .c_left = left ? left + (size_t)y * n : NULL,
            .c = (float *)m->c.data + (size_t)y * n,
            .h =
                (char *)m->h.data + (size_t)y * w * m->h.pitch * rv_type_bytes(m->h.type),
            .h_pitch = m->h.pitch,
            .hid = hid,
        };

        update_row(&p, w, m->h.type);
    }
}

RV_CLONES
static void fast_sigmoid(const float *in, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = rv_sigmoidf(in[i]);
}

const struct rv_kernels rv_kernels_fast = {fast_cell_update, rv_fast_mask_half,
                                           fast_sigmoid};
