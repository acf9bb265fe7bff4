/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_plain.c - convolutions in plain C, float32 only. They define the correct result,
 * and run if there is no oneDNN. Sums are float32 in the order (row, column, channel) of
 * the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../pixels/clones.h"
#include "conv.h"

/* Output channels and pixels summed at a time, chosen so that the sums stay in
 * registers. */
#define LANES 16
#define PIXELS 6

/* Kernel as [block of LANES outputs][row][column][input][LANES], zero-padded. */
struct prepared {
    struct rv_prepared head;
    int blocks;
    float *bias; /* blocks x LANES */
    float kernel[];
};

struct plain_conv {
    struct rv_conv head;
    struct rv_conv_shape shape;
    const struct prepared *weights;
    float zeroes[]; /* one per input channel */
};

static int weights_make(struct rv_prepared **out, rvos_device *dev,
                        const struct rv_weight *w, const void *layout,
                        const float *kernel, const float *bias)
{
    int taps = w->size * w->size, blocks = (w->out + LANES - 1) / LANES;
    size_t n = (size_t)blocks * taps * w->in * LANES, n_bias = (size_t)blocks * LANES;
    struct prepared *p = calloc(1, sizeof(*p) + (n + n_bias) * sizeof(float));

    (void)dev;
    (void)layout;
    if (!p)
        return RVOS_ERR_MEMORY;
    p->head.bytes = (n + n_bias) * sizeof(float);
    p->blocks = blocks;
    p->bias = p->kernel + n;
    memcpy(p->bias, bias, (size_t)w->out * sizeof(float));
    for (int o = 0; o < w->out; o++)
        for (int i = 0; i < w->in; i++)
            for (int t = 0; t < taps; t++)
                p->kernel[(((size_t)(o / LANES) * taps + t) * w->in + i) * LANES +
                          o % LANES] = kernel[((size_t)o * w->in + i) * taps + t];
    *out = &p->head;
    return 0;
}

static const struct rv_form form = {.make = weights_make};

static int conv_create(struct rv_conv **out, const struct rv_conv_order *piece)
{
    struct plain_conv *c =
        calloc(1, sizeof(*c) + (size_t)piece->shape.ic * sizeof(float));
    int ret = c ? rv_prepare(piece->dev, piece->weights, piece->index, &form, NULL,
                             (const struct rv_prepared **)&c->weights)
                : RVOS_ERR_MEMORY;

    if (ret) {
        free(c);
        return ret;
    }
    c->shape = piece->shape;
    *out = &c->head;
    return 0;
}

/* add_tap() adds one tap to the sums of PIXELS neighbouring output pixels, LANES outputs
 * each. x[p] is pixel p's input under this tap, zeroes beyond the border. Vectors must
 * not be wider than the processor's: gcc keeps such sums in memory, which takes five
 * times as long. */
#define NARROW 4
typedef float narrow __attribute__((vector_size(NARROW * sizeof(float))));

RV_CLONES
static void add_tap_narrow(float sums[PIXELS][LANES], const float *const *x,
                           const float *kernel, int channels)
{
    for (int part = 0; part < LANES; part += NARROW) {
        narrow sum[PIXELS], k;

        for (int p = 0; p < PIXELS; p++)
            memcpy(&sum[p], sums[p] + part, sizeof(k));
        for (int i = 0; i < channels; i++) {
            memcpy(&k, kernel + (size_t)i * LANES + part, sizeof(k));
            for (int p = 0; p < PIXELS; p++)
                sum[p] += x[p][i] * k;
        }
        for (int p = 0; p < PIXELS; p++)
            memcpy(sums[p] + part, &sum[p], sizeof(k));
    }
}

#if defined(__x86_64__)
typedef float wide __attribute__((vector_size(LANES * sizeof(float))));

__attribute__((target("avx512f"))) static void add_tap_wide(float sums[PIXELS][LANES],
                                                            const float *const *x,
                                                            const float *kernel,
                                                            int channels)
{
    wide sum[PIXELS], k;

    memcpy(sum, sums, sizeof(sum));
    for (int i = 0; i < channels; i++) {
        memcpy(&k, kernel + (size_t)i * LANES, sizeof(k));
        for (int p = 0; p < PIXELS; p++)
            sum[p] += x[p][i] * k;
    }
    memcpy(sums, sum, sizeof(sum));
}
#endif

static void add_tap(float sums[PIXELS][LANES], const float *const *x, const float *kernel,
                    int channels)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        add_tap_wide(sums, x, kernel, channels);
        return;
    }
#endif
    add_tap_narrow(sums, x, kernel, channels);
}

/* The same for depthwise convolutions: each output reads its own input channel. x[p]
 * points to the channel of the first of `count` outputs. */
static void add_tap_depthwise(float sums[PIXELS][LANES], const float *const *x,
                              const float *kernel, int count)
{
    for (int p = 0; p < PIXELS; p++)
        for (int i = 0; i < count; i++)
            sums[p][i] += x[p][i] * kernel[i];
}

static float activated(const struct rv_conv_shape *s, float v)
{
    if (s->relu && !(v > 0))
        return 0;
    return s->relu6 && v > 6 ? 6 : v;
}

/* Computes output pixels x to x + PIXELS of row y (fewer at the border) in one block of
 * channels. `add` is added to them if not NULL. */
static void pixels(const struct plain_conv *c, const float *src, int y, int x, int block,
                   const float *add, float *out)
{
    const struct rv_conv_shape *s = &c->shape;
    int inputs = s->depthwise ? 1 : s->ic, first = s->depthwise ? block * LANES : 0;
    const float *kernel =
        c->weights->kernel + (size_t)block * s->size * s->size * inputs * LANES;
    int n = s->oc - block * LANES < LANES ? s->oc - block * LANES : LANES;
    float sums[PIXELS][LANES];
    const float *in[PIXELS], *tap;

    for (int p = 0; p < PIXELS; p++)
        memcpy(sums[p], c->weights->bias + block * LANES, sizeof(sums[p]));
    for (int r = 0; r < s->size; r++) {
        int iy = y * s->stride + r - s->pad_top;

        for (int q = 0; q < s->size && iy >= 0 && iy < s->ih; q++) {
            for (int p = 0; p < PIXELS; p++) {
                int ix = (x + p) * s->stride + q - s->pad_side;

                in[p] = ix >= 0 && ix < s->iw
                            ? src + ((size_t)iy * s->iw + ix) * s->ic + first
                            : c->zeroes;
            }
            tap = kernel + (size_t)(r * s->size + q) * inputs * LANES;
            if (s->depthwise)
                add_tap_depthwise(sums, in, tap, n);
            else
                add_tap(sums, in, tap, s->ic);
        }
    }
    for (int p = 0; p < PIXELS && x + p < s->ow; p++)
        for (int o = 0; o < n; o++) {
            size_t at = (size_t)p * s->oc + o;
            float v = s->sum ? sums[p][o] + add[at] : sums[p][o];

            out[at] = activated(s, v);
        }
}

static int conv_run(struct rv_conv *conv, const void *src, const void *add, void *dst,
                    void *scratch)
{
    const struct plain_conv *c = (struct plain_conv *)conv;
    const struct rv_conv_shape *s = &c->shape;
    const float *other = s->sum ? add : dst;

    (void)scratch;
    for (int block = 0; block < c->weights->blocks; block++)
        for (int y = 0; y < s->oh; y++)
            for (int x = 0; x < s->ow; x += PIXELS) {
                size_t at = ((size_t)y * s->ow + x) * s->oc + block * LANES;

                pixels(c, src, y, x, block, other + at, (float *)dst + at);
            }
    return 0;
}

static void library(char *text, size_t size)
{
    snprintf(text, size, "plain C");
}

static const char *isa(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") ? "avx512f"
           : __builtin_cpu_supports("avx2")  ? "avx2"
                                             : "sse2";
#else
    return "";
#endif
}

static bool suits(const struct rv_conv_shape *whole)
{
    return whole->in == RV_F32 && whole->out == RV_F32;
}

const struct rv_conv_engine rv_engine_plain = {
    .suits = suits,
    .create = conv_create,
    .run = conv_run,
    .library = library,
    .isa = isa,
};
