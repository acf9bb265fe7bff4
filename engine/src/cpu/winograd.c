/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winograd.c - compiled once per instruction set. The build sets LANES (floats per
 * vector) and the name of the table. This code is a file of its own because of its
 * compiler flags, which allow fused multiply-adds. It must not use functions of other
 * files, because they would be compiled with these flags, too. rv_winograd() checks the
 * processor. */
#include "winograd.h"

#ifndef LANES
#define LANES 4
#define TABLE rv_winograd_plain
#endif

#if LANES == 16
#define VECTORS 4 /* vectors in a panel: 24 sums in 32 registers */
#define NARROW 2
#else
#define VECTORS 2 /* 12 in 16 */
#define NARROW 0
#endif
#define PANEL (VECTORS * LANES)
#define ROWS 6 /* tiles whose sums are kept in registers */

extern const struct rv_winograd TABLE;

#include "winograd_vec.h"

/* ---- tiles -------------------------------------------------------------------- */

INLINE void input_tile(const int n, const float *const *pixel, int channels, float *v,
                       size_t pitch)
{
    for (int c = 0; c < channels; c += LANES) {
        vec d[36], t[36], out[6];

        load_patch(n, pixel, c, channels, d);
        input_columns(n, d, t);
        for (int y = 0; y < n + 2; y++) {
            input_row(n, t, y, out);
            for (int x = 0; x < n + 2; x++)
                store(v + (size_t)(y * (n + 2) + x) * pitch + c, out[x]);
        }
    }
}

INLINE void output_tile(const int n, const float *m, size_t pitch, const float *bias,
                        const float *const *add, bool relu, float *const *pixel,
                        int width)
{
    for (int o = 0; o < width; o += LANES) {
        vec d[36], t[24], out[4];

        for (int i = 0; i < (n + 2) * (n + 2); i++)
            d[i] = load(m + (size_t)i * pitch + o);
        for (int x = 0; x < n + 2; x++)
            if (n == 4)
                output4(d + x, 6, t + 4 * x);
            else
                output2(d + x, 4, t + 2 * x);
        for (int y = 0; y < n; y++) {
            if (n == 4)
                output4(t + y, 4, out);
            else
                output2(t + y, 2, out);
            for (int x = 0; x < n; x++) {
                float *p = pixel[y * n + x];
                vec v = out[x] + load(bias + o);

                if (!p)
                    continue;
                if (add)
                    v += load(add[y * n + x] + o);
                if (relu)
                    v = (vec)((mask)v & (v > (vec){0}));
                store(p + o, v);
            }
        }
    }
}

static void input(int n, const float *const *pixel, int channels, float *v, size_t pitch)
{
    if (n == 4)
        input_tile(4, pixel, channels, v, pitch);
    else
        input_tile(2, pixel, channels, v, pitch);
}

static void output(int n, const float *m, size_t pitch, const float *bias,
                   const float *const *add, bool relu, float *const *pixel, int width)
{
    if (n == 4)
        output_tile(4, m, pitch, bias, add, relu, pixel, width);
    else
        output_tile(2, m, pitch, bias, add, relu, pixel, width);
}

/* ---- products --------------------------------------------------------------------- */

INLINE void rows(const int n, const int vectors, const float *v, size_t pitch,
                 const float *u, float *m, int channels)
{
    const int width = vectors * LANES;
    vec sum[ROWS][VECTORS] = {{{0}}};

    for (int c = 0; c < channels; c++) {
        vec k[VECTORS];

        for (int j = 0; j < vectors; j++)
            k[j] = load(u + (size_t)c * width + j * LANES);
        for (int r = 0; r < n; r++)
            for (int j = 0; j < vectors; j++)
                sum[r][j] += v[r * pitch + c] * k[j];
    }
    for (int r = 0; r < n; r++)
        for (int j = 0; j < vectors; j++)
            store(m + r * width + j * LANES, sum[r][j]);
}

INLINE void all_rows(const int vectors, const float *v, size_t pitch, const float *u,
                     float *m, int tiles, int channels)
{
    for (; tiles >= ROWS; tiles -= ROWS) {
        rows(ROWS, vectors, v, pitch, u, m, channels);
        v += ROWS * pitch;
        m += ROWS * vectors * LANES;
    }
    /* The number must be a compile-time constant, so that the sums stay in registers. */
#define REST(n)                                                                          \
    if (tiles == n)                                                                      \
    rows(n, vectors, v, pitch, u, m, channels)
    REST(1);
    REST(2);
    REST(3);
    REST(4);
    REST(5);
#undef REST
}

static void multiply(const float *v, size_t pitch, const float *u, float *m, int tiles,
                     int channels, int width)
{
    if (width == PANEL)
        all_rows(VECTORS, v, pitch, u, m, tiles, channels);
#if NARROW
    else
        all_rows(NARROW, v, pitch, u, m, tiles, channels);
#endif
}

const struct rv_winograd TABLE = {PANEL, NARROW *LANES, input, multiply, output};
