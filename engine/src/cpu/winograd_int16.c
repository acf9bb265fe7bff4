/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winograd_int16.c - the products of Winograd's method in 16-bit integers, for AVX2: one
 * instruction multiplies 16 pairs, and 8 pairs of floats. The build compiles this file
 * alone with -mavx2. It must not use functions of other files, because they would be
 * compiled for AVX2, too, which the processor may lack. */
#include <immintrin.h>
#include <string.h>

#include "winograd.h"

#define LANES 8
#include "winograd_vec.h"

#define VECTORS 2 /* of a panel: 12 sums in 16 registers */
#define PANEL (VECTORS * LANES)
#define ROWS 6
#define LEAST 1e-30f /* smaller values count as zero, so that 1 / value is finite */

/* ---- patches ---------------------------------------------------------------------- */

/* The largest absolute value of all pixels; a NaN may get lost. */
INLINE float largest(const int points, const float *const *pixel, int channels)
{
    const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 most = _mm256_setzero_ps();
    float lane[LANES], m = 0;
    int whole = channels / LANES * LANES;

    for (int i = 0; i < points; i++) {
        for (int c = 0; c < whole; c += LANES)
            most = _mm256_max_ps(most,
                                 _mm256_and_ps(no_sign, _mm256_loadu_ps(pixel[i] + c)));
        for (int c = whole; c < channels; c++) {
            float x = pixel[i][c] < 0 ? -pixel[i][c] : pixel[i][c];

            m = x > m ? x : m;
        }
    }
    _mm256_storeu_ps(lane, most);
    for (int i = 0; i < LANES; i++)
        m = lane[i] > m ? lane[i] : m;
    return m;
}

INLINE void store16(int16_t *q, vec v)
{
    __m256i x = _mm256_cvtps_epi32((__m256)v);

    _mm_storeu_si128((void *)q, _mm_packs_epi32(_mm256_castsi256_si128(x),
                                                _mm256_extracti128_si256(x, 1)));
}

INLINE void input_lanes(const int n, const vec *d, const float *scale, int16_t *q,
                        size_t pitch)
{
    vec t[36], out[6];

    for (int x = 0; x < n + 2; x++) /* columns of d to rows of t */
        if (n == 4)
            input4(d + x, 6, t + 6 * x);
        else
            input2(d + x, 4, t + 4 * x);
    for (int y = 0; y < n + 2; y++) {
        if (n == 4)
            input4(t + y, 6, out);
        else
            input2(t + y, 4, out);
        for (int x = 0; x < n + 2; x++) {
            int p = y * (n + 2) + x;

            store16(q + (size_t)p * pitch, out[x] * scale[p]);
        }
    }
}

INLINE void input_tile(const int n, const float *const *pixel, int channels, int16_t *q,
                       size_t pitch, float *step)
{
    const int points = (n + 2) * (n + 2);
    const float *axis = n == 4 ? rv_winograd_most4 : rv_winograd_most2;
    float most = largest(points, pixel, channels), scale[36];
    vec d[36];
    int c = 0;

    *step = most < LEAST ? 0 : most / RV_WINOGRAD_INT16;
    for (int p = 0; p < points; p++)
        scale[p] = most < LEAST ? 0
                                : RV_WINOGRAD_INT16 /
                                      (most * axis[p / (n + 2)] * axis[p % (n + 2)]);
    for (; c + LANES <= channels; c += LANES) {
        for (int i = 0; i < points; i++)
            d[i] = load(pixel[i] + c);
        input_lanes(n, d, scale, q + c, pitch);
    }
    if (c == channels)
        return;
    for (int i = 0; i < points; i++) {
        d[i] = (vec){0};
        for (int k = c; k < channels; k++) /* do not read beyond the last channel */
            d[i][k - c] = pixel[i][k];
    }
    input_lanes(n, d, scale, q + c, pitch);
}

static void input(int n, const float *const *pixel, int channels, int16_t *q,
                  size_t pitch, float *step)
{
    if (n == 4)
        input_tile(4, pixel, channels, q, pitch, step);
    else
        input_tile(2, pixel, channels, q, pitch, step);
}

/* ---- products --------------------------------------------------------------------- */

INLINE __m256i two_channels(const int16_t *q)
{
    int both;

    memcpy(&both, q, sizeof(both));
    return _mm256_set1_epi32(both);
}

INLINE void rows(const int n, const int16_t *q, size_t pitch, const float *step,
                 const int16_t *u, const float *unit, float *m, int channels)
{
    __m256i sum[ROWS][VECTORS];

    for (int r = 0; r < n; r++)
        for (int j = 0; j < VECTORS; j++)
            sum[r][j] = _mm256_setzero_si256();
    for (int c = 0; c < channels; c += 2, u += 2 * PANEL) {
        __m256i k[VECTORS];

        for (int j = 0; j < VECTORS; j++)
            k[j] = _mm256_loadu_si256((const void *)(u + 2 * j * LANES));
        for (int r = 0; r < n; r++) {
            __m256i both = two_channels(q + r * pitch + c);

            for (int j = 0; j < VECTORS; j++)
                sum[r][j] = _mm256_add_epi32(sum[r][j], _mm256_madd_epi16(both, k[j]));
            /* Keeps the rows in order. Without it gcc 12 loads all rows first and has no
             * registers left for the sums: half the speed. */
            __asm__ volatile("" : "+x"(sum[r][0]), "+x"(sum[r][1]) : : "memory");
        }
    }
    for (int r = 0; r < n; r++)
        for (int j = 0; j < VECTORS; j++)
            store(m + r * PANEL + j * LANES,
                  (vec)_mm256_cvtepi32_ps(sum[r][j]) * step[r] * load(unit + j * LANES));
}

static void multiply(const int16_t *q, size_t pitch, const float *step, const int16_t *u,
                     const float *unit, float *m, int tiles, int channels)
{
    for (; tiles >= ROWS; tiles -= ROWS) {
        rows(ROWS, q, pitch, step, u, unit, m, channels);
        q += ROWS * pitch;
        step += ROWS;
        m += ROWS * PANEL;
    }
    /* The number must be a compile-time constant, so that the sums stay in registers. */
#define REST(n)                                                                          \
    if (tiles == n)                                                                      \
    rows(n, q, pitch, step, u, unit, m, channels)
    REST(1);
    REST(2);
    REST(3);
    REST(4);
    REST(5);
#undef REST
}

extern const struct rv_winograd_int16 rv_winograd_int16_avx2;
const struct rv_winograd_int16 rv_winograd_int16_avx2 = {PANEL, input, multiply};
