/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps_conv.h - compares convolutions in plain C, by oneDNN, by Winograd's method and
 * in integers with the definition in double, whole and cut into bands at any row. A part
 * of steps.c. */
#ifndef RV_STEPS_CONV_H
#define RV_STEPS_CONV_H

#include <string.h>

#include "../log.h"
#include "cpu/conv.h"
#include "cpu/integers.h"
#include "cpu/kernels.h"
#include "cpu/winograd.h"

extern const struct rv_conv_engine rv_engine_winograd, rv_engine_patches;

/* NULL: this build has no such engine. */
static const struct rv_conv_engine *onednn_engine(void)
{
    for (int i = 0; rv_conv_engines[i]; i++)
        if (rv_conv_engines[i]->library && rv_conv_engines[i] != &rv_engine_plain)
            return rv_conv_engines[i];
    return NULL;
}

static rvos_device device = {.params = {.log = print_warnings}};

static void *alloc(size_t floats)
{
    size_t bytes = (floats * sizeof(float) + 127) / 64 * 64;
    void *p = aligned_alloc(64, bytes);

    if (!p)
        exit(1);
    memset(p, 0, bytes);
    return p;
}

static float *random_floats(size_t n, uint64_t *seed, float low, float high)
{
    float *p = alloc(n);

    for (size_t i = 0; i < n; i++)
        p[i] = test_random_float(seed, low, high);
    return p;
}

/* ---- convolution -------------------------------------------------------- */

struct conv_case {
    int h, w, ic, oc, size, stride;
    bool relu, relu6, depthwise, sum;
    enum rv_type in_type, out_type;
    float *kernel, *bias; /* OIHW */
    float *in, *before;   /* input; what is added, for sum */
    int oh, ow;
    int rows, parts; /* pieces of the cut; 0: any */
    int bits;        /* of integers; 0: floats */
};

/* Rounds to bfloat16. */
static float rounded(float x)
{
    uint16_t bits;

    rv_store_row(&bits, &x, RV_BF16, 1);
    rv_load_row(&x, &bits, RV_BF16, 1);
    return x;
}

static int give_weights(const struct rv_weights *weights, int index, float *kernel,
                        float *bias)
{
    const struct conv_case *c = weights->opaque;
    int inputs = c->depthwise ? 1 : c->ic;

    CHECK(index == 0);
    memcpy(kernel, c->kernel, (size_t)c->oc * inputs * c->size * c->size * sizeof(float));
    memcpy(bias, c->bias, (size_t)c->oc * sizeof(float));
    return 0;
}

static struct conv_case new_conv(uint64_t *seed, int h, int w, int ic, int oc, int size,
                                 int stride, enum rv_type type)
{
    struct conv_case c = {.h = h, .w = w, .ic = ic, .oc = oc, .size = size};
    size_t taps = (size_t)ic * size * size;
    float gain = 1.7f / sqrtf((float)taps);

    c.stride = stride;
    c.oh = (h + size / 2 * 2 - size) / stride + 1;
    c.ow = (w + size / 2 * 2 - size) / stride + 1;
    c.in_type = type;
    c.kernel = random_floats((size_t)oc * taps, seed, -gain, gain);
    c.bias = random_floats((size_t)oc, seed, -1, 1);
    c.in = random_floats((size_t)h * w * ic, seed, -2, 2);
    c.before = random_floats((size_t)c.oh * c.ow * oc, seed, -2, 2);
    for (size_t i = 0; type == RV_BF16 && i < (size_t)oc * taps; i++)
        c.kernel[i] = rounded(c.kernel[i]);
    for (size_t i = 0; type == RV_BF16 && i < (size_t)h * w * ic; i++)
        c.in[i] = rounded(c.in[i]);
    for (size_t i = 0; type == RV_BF16 && i < (size_t)c.oh * c.ow * oc; i++)
        c.before[i] = rounded(c.before[i]);
    return c;
}

static void free_conv(struct conv_case *c)
{
    free(c->kernel);
    free(c->bias);
    free(c->in);
    free(c->before);
}

/* One output, and the sum of the magnitudes of its terms. */
static double conv_at(const struct conv_case *c, int y, int x, int o, double *magnitude)
{
    double sum = c->bias[o];
    int inputs = c->depthwise ? 1 : c->ic;
    size_t at = ((size_t)y * c->ow + x) * c->oc + o;

    *magnitude = 1;
    for (int i = c->depthwise ? o : 0; i < (c->depthwise ? o + 1 : c->ic); i++)
        for (int r = 0; r < c->size; r++)
            for (int q = 0; q < c->size; q++) {
                int iy = y * c->stride + r - c->size / 2,
                    ix = x * c->stride + q - c->size / 2;
                double v;

                if (iy < 0 || iy >= c->h || ix < 0 || ix >= c->w)
                    continue;
                v = (double)c->in[((size_t)iy * c->w + ix) * c->ic + i] *
                    c->kernel[(((size_t)o * inputs + (c->depthwise ? 0 : i)) * c->size +
                               r) *
                                  c->size +
                              q];
                sum += v;
                *magnitude += fabs(v);
            }
    if (c->sum)
        sum += c->before[at];
    if (c->relu6 && sum > 6)
        return 6;
    return c->relu && sum < 0 ? 0 : sum;
}

static struct rv_conv_shape whole_shape(const struct conv_case *c)
{
    return (struct rv_conv_shape){.ih = c->h,
                                  .iw = c->w,
                                  .ic = c->ic,
                                  .oh = c->oh,
                                  .ow = c->ow,
                                  .oc = c->oc,
                                  .size = c->size,
                                  .stride = c->stride,
                                  .pad_side = c->size / 2,
                                  .in = c->in_type,
                                  .out = c->out_type,
                                  .relu = c->relu,
                                  .relu6 = c->relu6,
                                  .depthwise = c->depthwise,
                                  .sum = c->sum,
                                  .bits = c->bits};
}

/* One band, or one part of its outputs; `in` and `to` are the whole maps. */
static void run_band(const struct rv_conv_order *order, int row0, int row1,
                     const char *in, const char *add, char *to)
{
    const struct rv_conv_shape *s = &order->shape;
    size_t in_row = (size_t)s->iw * s->ic * rv_type_bytes(s->in),
           at = (size_t)row0 * s->ow * s->oc * rv_type_bytes(s->out);
    struct rv_conv *conv = NULL;
    void *scratch;

    if (!CHECK(rv_conv_create(order, row0, row1, &conv) == 0))
        return;
    scratch = alloc(conv->scratch_bytes / sizeof(float) + 1);
    CHECK(conv->engine->run(conv, in + conv->in0 * in_row, s->sum ? add + at : NULL,
                            to + at, scratch) == 0);
    rv_conv_destroy(conv);
    free(scratch);
}

/* All rows in bands that end at the rows whose bit is set; what is added lies in the
 * output or, if bit 0 is set, elsewhere. */
static void run_conv(const struct rv_conv_engine *engine, const struct conv_case *c,
                     uint64_t cuts, float *out)
{
    struct rv_net net = {.n_weights = 1};
    struct rv_weight weight = {.out = c->oc,
                               .in = c->depthwise ? 1 : c->ic,
                               .size = c->size,
                               .depthwise = c->depthwise};
    void *prepared[1] = {NULL};
    struct rv_weights weights = {
        .net = &net, .read = give_weights, .opaque = (void *)c, .prepared = prepared};
    struct rv_conv_order order = {
        .dev = &device,
        .engine = engine,
        .shape = whole_shape(c),
        .split = {c->rows ? c->rows : 1, c->parts ? c->parts : 1, 1},
        .weights = &weights};
    size_t n_in = (size_t)c->h * c->w * c->ic, n_out = (size_t)c->oh * c->ow * c->oc;
    char *in = alloc(n_in), *to = alloc(n_out), *add = alloc(n_out);
    bool apart = cuts & 1;

    net.weight = &weight;
    rv_store_row(in, c->in, c->in_type, n_in);
    rv_store_row(apart ? add : to, c->before, c->out_type, n_out);
    CHECK(!engine->open || engine->open(&device, &order.opened) == 0);
    for (int row0 = 0, row1; row0 < c->oh; row0 = row1) {
        for (row1 = row0 + 1;
             row1 < c->oh && !(cuts >> row1 % 64 & 1 && row1 % order.split.rows == 0);)
            row1++;
        for (order.part = 0; order.part < order.split.parts; order.part++)
            run_band(&order, row0, row1, in, apart ? add : to, to);
    }
    rv_load_row(out, to, c->out_type, n_out);
    rv_prepared_free(&weights);
    if (engine->close)
        engine->close(order.opened);
    free(add);
    free(in);
    free(to);
}

/* Of all outputs the largest sum of magnitudes: integers are rounded by the largest value
 * of a tile. */
static double largest_magnitude(const struct conv_case *c)
{
    double most = 0, magnitude;

    for (int i = 0; i < c->oh * c->ow * c->oc; i++) {
        conv_at(c, i / c->oc / c->ow, i / c->oc % c->ow, i % c->oc, &magnitude);
        most = fmax(most, magnitude);
    }
    return most;
}

static void check_conv(const struct rv_conv_engine *engine, const struct conv_case *c,
                       uint64_t cuts)
{
    size_t n = (size_t)c->oh * c->ow * c->oc;
    float *out = alloc(n);
    char name[64] = "Winograd";
    double most = c->bits ? largest_magnitude(c) : 0;

    if (engine->library)
        engine->library(name, sizeof(name));
    run_conv(engine, c, cuts, out);
    for (size_t i = 0; i < n; i++) {
        double magnitude,
            want = conv_at(c, (int)(i / c->oc / c->ow), (int)(i / c->oc % c->ow),
                           (int)(i % c->oc), &magnitude);
        /* Winograd's sums are of the whole tile. */
        double tolerance = (c->rows ? 1e-5 : 2e-6) * magnitude +
                           (c->bits == 8 ? 2e-2 : 3e-3) * most +
                           (c->out_type == RV_BF16 ? fabs(want) / 128 : 0);

        if (!test_note(CHECK_NEAR(out[i], want, tolerance),
                       "%s: %dx%dx%d to %dx%dx%d, size %d, stride %d, relu %d, relu6 %d, "
                       "depthwise %d, sum %d, types %d %d, cuts %llx",
                       name, c->h, c->w, c->ic, c->oh, c->ow, c->oc, c->size, c->stride,
                       c->relu, c->relu6, c->depthwise, c->sum, c->in_type, c->out_type,
                       (unsigned long long)cuts))
            break;
    }
    free(out);
}

/* Every cut gives the same bits. */
static void check_cuts(const struct rv_conv_engine *engine, const struct conv_case *c,
                       uint64_t *seed)
{
    size_t n = (size_t)c->oh * c->ow * c->oc;
    float *whole = alloc(n), *cut = alloc(n);
    struct conv_case divided = *c;

    check_conv(engine, c, 0);
    run_conv(engine, c, 0, whole);
    divided.parts = test_random_int(seed, 1, 3);
    run_conv(engine, &divided, test_random(seed), cut);
    test_note(CHECK(!memcmp(whole, cut, n * sizeof(float))),
              "%dx%dx%d to %d, size %d, int%d, tile %d, %d parts", c->h, c->w, c->ic,
              c->oc, c->size, c->bits, c->rows, divided.parts);
    free(whole);
    free(cut);
}

static void convolutions(uint64_t *seed)
{
    static const int sizes[] = {1, 3, 7, 5};
    const struct rv_conv_engine *onednn = onednn_engine();
    bool bf16 = onednn && onednn->suits(&(struct rv_conv_shape){.in = RV_BF16});

    if (onednn && onednn->set_threads)
        onednn->set_threads(1);
    printf("convolutions: plain C%s%s\n", onednn ? ", oneDNN" : "", bf16 ? ", bf16" : "");
    for (int i = 0; i < 200; i++) {
        bool depthwise = i >= 150;
        int size = depthwise ? sizes[1 + i % 3] : sizes[i % 3];
        enum rv_type type = bf16 && i % 4 == 3 ? RV_BF16 : RV_F32;
        int ic = test_random_int(seed, 1, depthwise ? 40 : 20);
        struct conv_case c = new_conv(
            seed, test_random_int(seed, 1, 24), test_random_int(seed, 1, 24), ic,
            depthwise ? ic : test_random_int(seed, 1, 40), size, 1 + i / 3 % 2, type);

        c.depthwise = depthwise;
        for (int k = 0; depthwise && k < c.oc * size * size; k++)
            c.kernel[k] = rounded(2 * c.kernel[k]);
        c.relu = test_random(seed) % 2;
        c.relu6 = c.relu && test_random(seed) % 2;
        c.sum = test_random(seed) % 2;
        c.out_type = type == RV_BF16 && test_random(seed) % 2 ? RV_BF16 : RV_F32;
        for (int k = 0; k < 2; k++) {
            uint64_t cuts = k ? test_random(seed) & test_random(seed) : 0;

            if (type == RV_F32)
                check_conv(&rv_engine_plain, &c, cuts);
            if (onednn)
                check_conv(onednn, &c, cuts);
        }
        free_conv(&c);
    }
}

/* Also with channels that are not a multiple of a vector, and maps that are not a
 * multiple of tiles. */
static void winograd(uint64_t *seed)
{
    const struct rv_winograd *k = rv_winograd();

    printf("Winograd, %d outputs at a time\n", k->panel);

    for (int i = 0; i < 60; i++) {
        struct conv_case c = new_conv(
            seed, test_random_int(seed, 1, 24), test_random_int(seed, 1, 24),
            i % 3 ? test_random_int(seed, 1, 50) : 16 * (1 + i / 3 % 3),
            (k->narrow && i % 4 ? k->narrow : k->panel) * test_random_int(seed, 1, 3), 3,
            1, RV_F32);

        c.relu = test_random(seed) % 2;
        c.sum = test_random(seed) % 2;
        c.rows = i % 2 ? 4 : 2;
        check_cuts(&rv_engine_winograd, &c, seed);
        free_conv(&c);
    }
}

static int winograd_tile(const struct rv_conv_shape *s)
{
    return rv_engine_winograd.suits(s) ? rv_engine_winograd.split(s, 2, 1).rows : 0;
}

/* Checks `suits`: shapes of the networks, but not unsupported ones. */
static void winograd_shapes(void)
{
    const struct rv_conv_shape usual = {
        .oh = 16, .ow = 28, .ic = 192, .oc = 256, .size = 3, .stride = 1, .pad_side = 1};
    struct rv_conv_shape s = usual;

    CHECK(rv_conv_find(rv_conv_engines, &s) == &rv_engine_winograd);
    CHECK(winograd_tile(&s) == 4);
    s.ic = 256;
    CHECK(winograd_tile(&s) == 2);
    s.bits = 16; /* half as many bytes to read */
    CHECK(winograd_tile(&s) == (rv_integers(16) ? 4 : 2));
    s.bits = 0;
    s.oh = 32, s.ow = 56;
    CHECK(winograd_tile(&s) == 4);
    s.oh = 8, s.ow = 14, s.ic = s.oc = 512;
    CHECK(winograd_tile(&s) == 2);
    s = usual, s.ic = 17; /* hidden channels and a mask */
    CHECK(winograd_tile(&s) == 4);
    s = usual, s.stride = 2;
    CHECK(winograd_tile(&s) == 0);
    s = usual, s.size = 1, s.pad_side = 0;
    CHECK(winograd_tile(&s) == 0 && rv_conv_find(rv_conv_engines, &s)->library);
    s = usual, s.oc = 4;
    CHECK(winograd_tile(&s) == 0);
    s = usual, s.in = RV_BF16;
    CHECK(winograd_tile(&s) == 0);
    s = usual, s.oh = s.ow = 1;
    CHECK(winograd_tile(&s) == 0);
}

#endif
