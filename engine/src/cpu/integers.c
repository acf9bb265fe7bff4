/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* integers.c - see integers.h. The build compiles this file for AVX2 (16 bits), and for
 * VNNI with 256 and with 512 bits a vector (16 and 8 bits): LANES, BITS and TABLE say
 * which. It must not use functions of other files, because they would be compiled for the
 * same instruction set, which the processor may lack. */
#include "integers.h"

#include <immintrin.h>
#include <string.h>

#include "winograd.h"
#include "winograd_vec.h"

#define ROWS 6       /* whose sums are kept in registers */
#define LEAST 1e-30f /* smaller values count as zero, so that 1 / value is finite */

extern const struct rv_integers TABLE;

#if LANES == 16
#define VECTORS 4 /* of a panel: 24 sums in 32 registers */
#define REGISTER "+v"
typedef __m512i ints;
typedef __m512 floats;
#define M(name) _mm512_##name
#define ZERO() _mm512_setzero_si512()
#define LOAD(p) _mm512_loadu_si512(p)
#define ABS(v) _mm512_abs_ps(v)
#define LARGEST_OF(v) _mm512_reduce_max_ps(v)
#define SMALLEST_OF(v) _mm512_reduce_min_ps(v)
#else
#define VECTORS 2 /* 12 sums in 16 registers */
#define REGISTER "+x"
typedef __m256i ints;
typedef __m256 floats;
#define M(name) _mm256_##name
#define ZERO() _mm256_setzero_si256()
#define LOAD(p) _mm256_loadu_si256((const void *)(p))
#define ABS(v) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v)
#define LARGEST_OF(v) reduce(v, true)
#define SMALLEST_OF(v) reduce(v, false)

INLINE float reduce(floats v, bool largest)
{
    float lane[LANES], m;

    _mm256_storeu_ps(lane, v);
    m = lane[0];
    for (int i = 1; i < LANES; i++)
        m = (lane[i] > m) == largest ? lane[i] : m;
    return m;
}
#endif
#define EACH(x) M(set1_ps)(x)
#define MAX(a, b) M(max_ps)(a, b)
#define MIN(a, b) M(min_ps)(a, b)
#define FMA(a, b, c) M(fmadd_ps)(a, b, c)

/* Adds the products of each group of integers to the sums. */
#if BITS == 16 && !defined(__AVX512VNNI__) && !defined(__AVXVNNI__)
#define DOT(sum, x, u) _mm256_add_epi32(sum, _mm256_madd_epi16(x, u))
#elif defined(__AVXVNNI__)
#define DOT(sum, x, u)                                                                   \
    (BITS == 16 ? _mm256_dpwssd_avx_epi32(sum, x, u) : _mm256_dpbusd_avx_epi32(sum, x, u))
#else
#define DOT(sum, x, u)                                                                   \
    (BITS == 16 ? M(dpwssd_epi32)(sum, x, u) : M(dpbusd_epi32)(sum, x, u))
#endif
#define PANEL (VECTORS * LANES)

#if BITS == 16
#define GROUP 2
typedef int16_t integer;
#else
#define GROUP 4
typedef uint8_t integer;
#endif

/* Rounds and stores one vector. */
INLINE void store_integers(integer *q, vec v)
{
    ints x = M(cvtps_epi32)((floats)v);

#if LANES == 16 && BITS == 16
    _mm256_storeu_si256((void *)q, _mm512_cvtsepi32_epi16(x));
#elif LANES == 16
    _mm_storeu_si128((void *)q, _mm512_cvtusepi32_epi8(x));
#else
    __m128i half =
        _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));

    if (BITS == 16)
        _mm_storeu_si128((void *)q, half);
    else
        _mm_storel_epi64((void *)q, _mm_packus_epi16(half, half));
#endif
}

/* ---- rows of inputs --------------------------------------------------------------- */

#if BITS == 16
static void round_row(const float *x, int n, void *to, float *step, float *low)
{
    integer *q = to;
    floats most = (floats)(vec){0};
    float m, scale;

    for (int i = 0; i < n; i += LANES)
        most = MAX(most, ABS((floats)load(x + i)));
    m = LARGEST_OF(most);
    *low = 0;
    *step = m < LEAST ? 0 : m / RV_INT16_MOST;
    scale = m < LEAST ? 0 : RV_INT16_MOST / m;
    for (int i = 0; i < n; i += LANES)
        store_integers(q + i, load(x + i) * scale);
}
#else
static void round_row(const float *x, int n, void *to, float *step, float *low)
{
    integer *q = to;
    floats most = (floats)load(x), least = most;
    float range, scale;

    for (int i = LANES; i < n; i += LANES) {
        most = MAX(most, (floats)load(x + i));
        least = MIN(least, (floats)load(x + i));
    }
    *low = SMALLEST_OF(least);
    range = LARGEST_OF(most) - *low;
    *step = range < LEAST ? 0 : range / RV_INT8_MOST;
    scale = range < LEAST ? 0 : RV_INT8_MOST / range;
    for (int i = 0; i < n; i += LANES)
        store_integers(q + i, (load(x + i) - *low) * scale);
}
#endif

/* ---- patches of Winograd's method ------------------------------------------------- */

#if BITS == 16
/* The largest absolute value of all pixels; a NaN may get lost. */
INLINE float largest(const int points, const float *const *pixel, int channels)
{
    floats most = (floats)(vec){0};
    float m;
    int whole = channels / LANES * LANES;

    for (int i = 0; i < points; i++)
        for (int c = 0; c < whole; c += LANES)
            most = MAX(most, ABS((floats)load(pixel[i] + c)));
    m = LARGEST_OF(most);
    for (int i = 0; i < points; i++)
        for (int c = whole; c < channels; c++) {
            float x = pixel[i][c] < 0 ? -pixel[i][c] : pixel[i][c];

            m = x > m ? x : m;
        }
    return m;
}

/* The units of the values at all points, and one over them. */
INLINE void units(const int n, float most, float *scale, float *step, size_t step_pitch)
{
    static const float inverse4[6] = {1 / RV_MOST_ENDS, 1 / RV_MOST_1, 1 / RV_MOST_1,
                                      1 / RV_MOST_3,    1 / RV_MOST_3, 1 / RV_MOST_ENDS};
    static const float inverse2[4] = {0.5f, 0.5f, 0.5f, 0.5f};
    const float *axis = n == 4 ? rv_winograd_most4 : rv_winograd_most2;
    const float *inverse = n == 4 ? inverse4 : inverse2;
    float unit = most < LEAST ? 0 : most / RV_INT16_MOST;
    float one_over = most < LEAST ? 0 : RV_INT16_MOST / most;

    for (int y = 0; y < n + 2; y++)
        for (int x = 0; x < n + 2; x++) {
            step[(size_t)(y * (n + 2) + x) * step_pitch] = unit * axis[y] * axis[x];
            scale[y * (n + 2) + x] = one_over * inverse[y] * inverse[x];
        }
}

INLINE void input_tile(const int n, const float *const *pixel, int channels, int16_t *q,
                       size_t pitch, float *step, size_t step_pitch)
{
    float scale[36];

    units(n, largest((n + 2) * (n + 2), pixel, channels), scale, step, step_pitch);
    for (int c = 0; c < channels; c += LANES) {
        vec d[36], t[36], out[6];

        load_patch(n, pixel, c, channels, d);
        input_columns(n, d, t);
        for (int y = 0; y < n + 2; y++) {
            input_row(n, t, y, out);
            for (int x = 0; x < n + 2; x++) {
                int p = y * (n + 2) + x;

                store_integers(q + (size_t)p * pitch + c, out[x] * scale[p]);
            }
        }
    }
}

static void input(int n, const float *const *pixel, int channels, int16_t *q,
                  size_t pitch, float *step, size_t step_pitch)
{
    if (n == 4)
        input_tile(4, pixel, channels, q, pitch, step, step_pitch);
    else
        input_tile(2, pixel, channels, q, pitch, step, step_pitch);
}
#endif

/* ---- products --------------------------------------------------------------------- */

struct factors {
    const float *step, *low;
    const struct rv_integer_weights *weights;
};

/* The inputs of one instruction, for all its lanes. */
INLINE ints group_of(const integer *q)
{
    int all;

    memcpy(&all, q, sizeof(all));
    return M(set1_epi32)(all);
}

/* With explicit fused operations, so that all versions of rows() round alike. */
INLINE void store_sums(const struct factors *f, int row, int at, ints sum, float *m,
                       bool more)
{
    floats base = more ? (floats)load(m) : (floats)(vec){0};

#if BITS == 8
    base = FMA(EACH(f->low[row]), (floats)load(f->weights->sum + at), base);
#endif
    store(m, (vec)FMA(M(cvtepi32_ps)(sum) * EACH(f->step[row]),
                      (floats)load(f->weights->unit + at), base));
}

/* Keeps the rows of a step in order. Without it gcc 12 loads all rows first and has no
 * registers left for the sums, which takes twice as long. */
#define KEEP(a, b) __asm__ volatile("" : REGISTER(a), REGISTER(b) : : "memory")

INLINE void rows(const int n, const int vectors, const integer *q, size_t pitch,
                 const struct factors *f, float *m, int inputs, bool more)
{
    const int width = vectors * LANES;
    const char *u = f->weights->u;
    ints sum[ROWS][VECTORS];

#pragma GCC unroll 8
    for (int r = 0; r < n; r++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            sum[r][j] = ZERO();
    for (int c = 0; c < inputs; c += GROUP, u += 4 * width) {
        ints k[VECTORS];

#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            k[j] = LOAD(u + 4 * j * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < n; r++) {
            ints x = group_of(q + r * pitch + c);

#pragma GCC unroll 8
            for (int j = 0; j < vectors; j++)
                sum[r][j] = DOT(sum[r][j], x, k[j]);
            KEEP(sum[r][0], sum[r][1]);
            if (vectors == 4)
                KEEP(sum[r][VECTORS - 2], sum[r][VECTORS - 1]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < n; r++)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            store_sums(f, r, j * LANES, sum[r][j], m + r * width + j * LANES, more);
}

INLINE void all_rows(const int vectors, const integer *q, size_t pitch, struct factors *f,
                     float *m, int n, int inputs, bool more)
{
    for (; n >= ROWS; n -= ROWS) {
        rows(ROWS, vectors, q, pitch, f, m, inputs, more);
        q += ROWS * pitch;
        f->step += ROWS;
        if (BITS == 8) /* with 16 bits there is no low */
            f->low += ROWS;
        m += ROWS * vectors * LANES;
    }
    /* The number must be a compile-time constant, so that the sums stay in registers. */
#define REST(k)                                                                          \
    if (n == k)                                                                          \
    rows(k, vectors, q, pitch, f, m, inputs, more)
    REST(1);
    REST(2);
    REST(3);
    REST(4);
    REST(5);
#undef REST
}

static void multiply(const void *q, size_t pitch, const float *step, const float *low,
                     const struct rv_integer_weights *w, float *m, int n, int inputs,
                     int width, bool more)
{
    struct factors f = {step, low, w};

    if (width == PANEL)
        all_rows(VECTORS, q, pitch, &f, m, n, inputs, more);
#if LANES == 16
    else
        all_rows(VECTORS / 2, q, pitch, &f, m, n, inputs, more);
#endif
}

#if BITS == 16
const struct rv_integers TABLE = {BITS, GROUP, PANEL, round_row, multiply, input};
#else
const struct rv_integers TABLE = {BITS, GROUP, PANEL, round_row, multiply, NULL};
#endif
