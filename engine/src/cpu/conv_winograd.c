/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_winograd.c - 3x3 convolutions of stride 1 in float32 with a quarter of the
 * multiplications (winograd.h), two to three times as fast as a direct convolution. A
 * piece is a band or, if there are few bands, a part of a band's outputs. Tiles are
 * aligned to the whole map's grid, so that results do not depend on the cut. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../pixels/clones.h"
#include "conv.h"
#include "winograd.h"

/* The patches of TILES tiles are transformed, then multiplied: few enough for the
 * second-level cache. If the weights do not fit there, up to TILES_MOST tiles, so that
 * the weights are read less often. */
#define TILES 12
#define TILES_MOST 48
#define WEIGHTS_CACHED (1 << 14) /* input times output channels */

/* With at least this many weights and fewer than this many pixels, small tiles are as
 * fast as large ones, or faster. */
#define MANY_WEIGHTS (1 << 16)
#define FEW_PIXELS 512

/* Above this many weights (in x out channels, several megabytes) we split output channels
 * among workers, so that each worker reads its own part only. A part has at least
 * PART_OUTPUTS outputs, the most that are computed at a time. */
#define SHARED_WEIGHTS (1 << 17) /* input times output channels */
#define PART_OUTPUTS 64

#define PANEL_MOST 64
#define FEW_CHANNELS 8 /* below this the transforms cost more than they save */

struct layout {
    int tile;
    bool int16;
};

/* u[panel][point][input][output] (winograd.h), then the bias. For int16:
 * u16[panel][point][input / 2][output][2], the units of the weights, then the bias. */
struct prepared {
    struct rv_prepared head;
    struct layout layout;
    float *bias, *u, *unit; /* HEAD_BYTES after the start of the struct */
    int16_t *u16;
};
#define HEAD_BYTES ((sizeof(struct prepared) + 63) / 64 * 64)

struct winograd_conv {
    struct rv_conv head;
    struct rv_conv_shape shape;
    const struct prepared *weights;
    const struct rv_winograd *kernels;
    const struct rv_winograd_int16 *integers; /* NULL: products of floats */
    int tile, points, across, tiles,
        block; /* tiles across and in all of the band; patches at a time */
    int panel0, panel1;
    size_t pitch;   /* floats of a transformed patch */
    float zeroes[]; /* one per input channel */
};

/* ---- which shapes ----------------------------------------------------------------- */

extern const struct rv_winograd rv_winograd_plain;
#ifdef RV_WINOGRAD_X86
extern const struct rv_winograd rv_winograd_avx2, rv_winograd_avx512;
extern const struct rv_winograd_int16 rv_winograd_int16_avx2;

/* RVOS_CPU_WINOGRAD in the environment limits the instruction set, for comparisons. */
static bool allowed(const char *name)
{
    static const char *const names[] = {"plain", "avx2", "avx512"};
    const char *most = getenv("RVOS_CPU_WINOGRAD");

    for (int i = 0; i < 3 && most; i++) {
        if (!strcmp(names[i], name))
            return true;
        if (!strcmp(names[i], most))
            return false;
    }
    return true;
}
#endif

const struct rv_winograd *rv_winograd(void)
{
#ifdef RV_WINOGRAD_X86
    if (__builtin_cpu_supports("avx512f") && allowed("avx512"))
        return &rv_winograd_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        allowed("avx2"))
        return &rv_winograd_avx2;
#endif
    return &rv_winograd_plain;
}

/* RVOS_CPU_WINOGRAD=0 in the environment: another engine, to compare. */
static bool off(void)
{
    const char *most = getenv("RVOS_CPU_WINOGRAD");

    return most && !strcmp(most, "0");
}

const struct rv_winograd_int16 *rv_winograd_int16(void)
{
#ifdef RV_WINOGRAD_X86
    if (!off() && rv_winograd() == &rv_winograd_avx2)
        return &rv_winograd_int16_avx2;
#endif
    return NULL;
}

/* NULL: its products are of floats. */
static const struct rv_winograd_int16 *integers(const struct rv_conv_shape *s)
{
    return s->int16 ? rv_winograd_int16() : NULL;
}

static int over(int a, int b)
{
    return (a + b - 1) / b;
}

/* Multiplications per channel. Reading the weights counts as four more tiles, which
 * matters on small maps. */
static int cost(int points, int tiles)
{
    return points * (tiles + 4);
}

/* The tile size to use. 0: another engine is faster, or this one cannot. */
static int tile_for(const struct rv_conv_shape *whole)
{
    int four = cost(36, over(whole->oh, 4) * over(whole->ow, 4));
    int two = cost(16, over(whole->oh, 2) * over(whole->ow, 2));
    int direct = cost(9, whole->oh * whole->ow);

    if (whole->size != 3 || whole->stride != 1 || whole->pad_side != 1 ||
        whole->depthwise || whole->relu6 || whole->in != RV_F32 || whole->out != RV_F32 ||
        whole->ic < FEW_CHANNELS || whole->oc % rv_winograd()->panel)
        return 0;
    /* The weights of a deep layer fit no cache (9 MB for 256 channels with 4x4 tiles).
     * Reading them costs as much time as large tiles save, and small tiles need less than
     * half the memory. Integers are half as large, and large tiles are faster. */
    if (!integers(whole) && whole->ic * whole->oc >= MANY_WEIGHTS &&
        whole->oh * whole->ow < FEW_PIXELS)
        four = two + 1;
    if (2 * (four < two ? four : two) > direct)
        return 0;
    return four < two ? 4 : 2;
}

static bool suits(const struct rv_conv_shape *whole)
{
    return !off() && tile_for(whole);
}

/* Bands consist of whole tiles. If weights are large and maps small, outputs are split
 * too, so that no worker reads all weights. There may also be fewer rows of tiles than
 * workers. */
static struct rv_conv_split split(const struct rv_conv_shape *whole, int images,
                                  int threads)
{
    struct rv_conv_split s = {.rows = tile_for(whole), .parts = 1, .speed = 3};
    int most = whole->oc / PART_OUTPUTS, wanted = threads;

    if (images > 1 || most < 1)
        return s;
    if (whole->ic * whole->oc < SHARED_WEIGHTS)
        wanted = over(threads, over(whole->oh, s.rows));
    s.parts = wanted < most ? wanted : most;
    return s;
}

/* ---- weights ---------------------------------------------------------------------- */

/* [n + 2][3]: matrix from a kernel's row to its values at the points of winograd.h,
 * divided by the product of the point's differences from the others. */
static const double points4[6][3] = {
    {1, 0, 0},
    {-81.0 / 130, -27.0 / 65, -18.0 / 65},
    {-81.0 / 130, 27.0 / 65, -18.0 / 65},
    {8.0 / 65, 12.0 / 65, 18.0 / 65},
    {8.0 / 65, -12.0 / 65, 18.0 / 65},
    {0, 0, 1},
};
static const double points2[4][3] = {
    {1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

/* Transforms the kernels k[tap][output] of one input channel to u[point * pitch +
 * output]. */
RV_CLONES
static void transform(int tile, double (*k)[PANEL_MOST], int panel, float *u,
                      size_t pitch)
{
    const double(*g)[3] = tile == 4 ? points4 : points2;
    double half[6][3][PANEL_MOST];

    for (int y = 0; y < tile + 2; y++)
        for (int x = 0; x < 3; x++)
            for (int o = 0; o < panel; o++)
                half[y][x][o] =
                    g[y][0] * k[x][o] + g[y][1] * k[3 + x][o] + g[y][2] * k[6 + x][o];
    for (int y = 0; y < tile + 2; y++)
        for (int x = 0; x < tile + 2; x++)
            for (int o = 0; o < panel; o++)
                u[(size_t)(y * (tile + 2) + x) * pitch + o] =
                    (float)(g[x][0] * half[y][0][o] + g[x][1] * half[y][1][o] +
                            g[x][2] * half[y][2][o]);
}

/* The kernels of one panel to u[point][input][output]. */
static void transform_panel(const struct rv_weight *w, int tile, const float *oihw,
                            int number, float *u)
{
    int panel = rv_winograd()->panel;
    size_t pitch = (size_t)w->in * panel;
    double k[9][PANEL_MOST];

    for (int i = 0; i < w->in; i++) {
        for (int t = 0; t < 9; t++)
            for (int o = 0; o < panel; o++)
                k[t][o] = oihw[((size_t)(number * panel + o) * w->in + i) * 9 + t];
        transform(tile, k, panel, u + (size_t)i * panel, pitch);
    }
}

/* Sums of products with integers of up to RV_WINOGRAD_INT16 must fit into 31 bits. */
#define SUM_MOST (INT32_MAX / (RV_WINOGRAD_INT16 + 1))

/* Rounds the weights of one output at one point, u[input * panel], to integers,
 * u16[input / 2][panel][input % 2], which must be zero before. Returns their unit. */
static float round_weights(const float *u, int inputs, int panel, int16_t *u16)
{
    double sum = 0, most = 0, scale;

    for (int i = 0; i < inputs; i++) {
        double x = fabs(u[i * panel]);

        sum += x;
        most = x > most ? x : most;
    }
    if (!isfinite(sum) || most == 0)
        return isfinite(sum) ? 0 : NAN;
    scale = (SUM_MOST - inputs / 2.0) / sum; /* rounding adds up to a half each */
    if (scale * most > INT16_MAX)
        scale = INT16_MAX / most;
    for (int i = 0; i < inputs; i++)
        u16[(size_t)(i / 2 * panel) * 2 + i % 2] = (int16_t)lrint(u[i * panel] * scale);
    return (float)(1 / scale);
}

static void round_panel(const float *u, int tile, int inputs, int panel, int16_t *u16,
                        float *unit)
{
    const float *axis = tile == 4 ? rv_winograd_most4 : rv_winograd_most2;
    size_t pitch = (size_t)over(inputs, 2) * 2 * panel;

    for (int p = 0; p < (tile + 2) * (tile + 2); p++)
        for (int o = 0; o < panel; o++)
            unit[p * panel + o] =
                round_weights(u + (size_t)p * inputs * panel + o, inputs, panel,
                              u16 + p * pitch + 2 * (size_t)o) *
                axis[p / (tile + 2)] * axis[p % (tile + 2)];
}

static int transform_all(const struct rv_weight *w, const float *oihw, struct prepared *p)
{
    int tile = p->layout.tile, panel = rv_winograd()->panel;
    int points = (tile + 2) * (tile + 2);
    size_t n = (size_t)points * w->in * panel, pairs = (size_t)over(w->in, 2) * 2;
    float *u = p->layout.int16 ? malloc(n * sizeof(float)) : NULL;

    if (p->layout.int16 && !u)
        return RVOS_ERR_MEMORY;
    for (int i = 0; i < w->out / panel; i++) {
        transform_panel(w, tile, oihw, i, u ? u : p->u + i * n);
        if (u)
            round_panel(u, tile, w->in, panel, p->u16 + i * points * pairs * panel,
                        p->unit + (size_t)i * points * panel);
    }
    free(u);
    return 0;
}

static int weights_make(struct rv_prepared **out, rvos_device *dev,
                        const struct rv_weight *w, const void *layout,
                        const float *kernel, const float *bias)
{
    const struct layout *l = layout;
    size_t points = (size_t)(l->tile + 2) * (l->tile + 2), in = (size_t)w->in;
    size_t n = points * w->out * (l->int16 ? (in + 1) / 2 : in); /* in floats */
    size_t units = l->int16 ? points * w->out : 0;
    size_t bytes = ((n + units + w->out) * sizeof(float) + 63) / 64 * 64;
    struct prepared *p = aligned_alloc(64, HEAD_BYTES + bytes);
    int ret;

    (void)dev;
    if (!p)
        return RVOS_ERR_MEMORY;
    p->layout = *l;
    p->head.bytes = bytes;
    p->u = (float *)(void *)((char *)p + HEAD_BYTES);
    p->u16 = (int16_t *)(void *)p->u;
    p->unit = p->u + n;
    p->bias = p->unit + units;
    memset(p->u, 0, bytes); /* of an odd number of inputs the last is one of a pair */
    memcpy(p->bias, bias, (size_t)w->out * sizeof(float));
    ret = transform_all(w, kernel, p);
    if (ret)
        free(p);
    else
        *out = &p->head;
    return ret;
}

static bool weights_same(const struct rv_prepared *p, const void *layout)
{
    const struct layout *a = &((const struct prepared *)p)->layout, *b = layout;

    return a->tile == b->tile && a->int16 == b->int16;
}

static const struct rv_form form = {.same = weights_same, .make = weights_make};

/* ---- the engine -------------------------------------------------------------------- */

/* Bytes of a block's patches, and of their steps. */
static size_t patch_bytes(const struct winograd_conv *c)
{
    size_t n = c->points * c->block * c->pitch;
    size_t steps = ((size_t)c->block * sizeof(float) + 63) / 64 * 64;

    return c->integers ? n * sizeof(int16_t) + steps : n * sizeof(float);
}

static int conv_create(struct rv_conv **out, const struct rv_conv_order *piece)
{
    const struct rv_conv_shape *s = &piece->shape;
    int panels, tile = piece->split.rows, parts = piece->split.parts;
    struct layout layout = {tile, integers(s) != NULL};
    double weights = (double)s->ic * s->oc / parts;
    struct winograd_conv *c = calloc(1, sizeof(*c) + (size_t)s->ic * sizeof(float));
    int ret = c ? rv_prepare(piece->dev, piece->weights, piece->index, &form, &layout,
                             (const struct rv_prepared **)&c->weights)
                : RVOS_ERR_MEMORY;

    if (ret) {
        free(c);
        return ret;
    }
    c->shape = *s;
    c->kernels = rv_winograd();
    c->integers = integers(s);
    c->pitch = (size_t)over(s->ic, RV_WINOGRAD_LANES) * RV_WINOGRAD_LANES;
    c->tile = tile;
    c->points = (tile + 2) * (tile + 2);
    c->across = over(s->ow, tile);
    c->tiles = c->across * over(s->oh, tile);
    /* Twice as many integers fit into the cache, and products take half as long as
     * reading weights again does. */
    c->block =
        s->ic * s->oc > WEIGHTS_CACHED / (c->integers ? 2 : 1) ? TILES_MOST : TILES;
    c->block = over(c->tiles, over(c->tiles, c->block));
    panels = s->oc / c->kernels->panel;
    c->panel0 = panels * piece->part / parts;
    c->panel1 = panels * (piece->part + 1) / parts;
    c->head.scratch_bytes =
        patch_bytes(c) + c->points * c->block * c->kernels->panel * sizeof(float);
    c->head.way = c->integers ? tile == 4 ? "Winograd 4x4 int16" : "Winograd 2x2 int16"
                  : tile == 4 ? "Winograd 4x4"
                              : "Winograd 2x2";
    c->head.flops = 2 * weights * c->points * c->tiles;
    c->head.weight_bytes =
        weights * c->points * (c->integers ? sizeof(int16_t) : sizeof(float));
    *out = &c->head;
    return 0;
}

/* To floats, or to integers and their steps. */
static void transform_inputs(const struct winograd_conv *c, const float *src, int first,
                             int n, void *v, float *step)
{
    const struct rv_conv_shape *s = &c->shape;
    const float *pixel[RV_WINOGRAD_POINTS];
    size_t pitch = c->block * c->pitch;

    for (int i = 0; i < n; i++) {
        int y0 = (first + i) / c->across * c->tile - s->pad_top;
        int x0 = (first + i) % c->across * c->tile - s->pad_side, k = 0;

        for (int y = y0; y < y0 + c->tile + 2; y++)
            for (int x = x0; x < x0 + c->tile + 2; x++)
                pixel[k++] = y >= 0 && y < s->ih && x >= 0 && x < s->iw
                                 ? src + ((size_t)y * s->iw + x) * s->ic
                                 : c->zeroes;
        if (c->integers)
            c->integers->input(c->tile, pixel, s->ic, (int16_t *)v + i * c->pitch, pitch,
                               step + i);
        else
            c->kernels->input(c->tile, pixel, s->ic, (float *)v + i * c->pitch, pitch);
    }
}

/* Sums of all points for one panel of outputs. */
static void multiply(const struct winograd_conv *c, const void *v, const float *step,
                     int tiles, int panel, float *m)
{
    const struct prepared *w = c->weights;
    size_t width = (size_t)c->kernels->panel, pitch = c->block * c->pitch;
    size_t ic = (size_t)c->shape.ic, pairs = (ic + 1) / 2 * 2;

    for (int p = 0; p < c->points; p++) {
        size_t at = (size_t)panel * c->points + p;

        if (c->integers)
            c->integers->multiply((const int16_t *)v + p * pitch, c->pitch, step,
                                  w->u16 + at * pairs * width, w->unit + at * width,
                                  m + p * c->block * width, tiles, c->shape.ic);
        else
            c->kernels->multiply((const float *)v + p * pitch, c->pitch,
                                 w->u + at * ic * width, m + p * c->block * width, tiles,
                                 c->shape.ic);
    }
}

static void transform_outputs(const struct winograd_conv *c, const float *m, int first,
                              int n, int panel, const float *add, float *dst)
{
    const struct rv_conv_shape *s = &c->shape;
    float *pixel[RV_WINOGRAD_MOST * RV_WINOGRAD_MOST];
    const float *sum[RV_WINOGRAD_MOST * RV_WINOGRAD_MOST];

    for (int i = 0; i < n; i++) {
        int y0 = (first + i) / c->across * c->tile;
        int x0 = (first + i) % c->across * c->tile, k = 0;

        for (int y = y0; y < y0 + c->tile; y++)
            for (int x = x0; x < x0 + c->tile; x++, k++) {
                size_t at = ((size_t)y * s->ow + x) * s->oc + panel * c->kernels->panel;

                pixel[k] = y < s->oh && x < s->ow ? dst + at : NULL;
                if (add)
                    sum[k] = pixel[k] ? add + at : NULL;
            }
        c->kernels->output(c->tile, m + (size_t)i * c->kernels->panel,
                           (size_t)c->block * c->kernels->panel,
                           c->weights->bias + panel * c->kernels->panel, add ? sum : NULL,
                           s->relu, pixel);
    }
}

static int conv_run(struct rv_conv *conv, const void *src, const void *add, void *dst,
                    void *scratch)
{
    const struct winograd_conv *c = (struct winograd_conv *)conv;
    float *m = (float *)(void *)((char *)scratch + patch_bytes(c));
    float *step = m - over(c->block, 16) * 16;

    for (int first = 0; first < c->tiles; first += c->block) {
        int n = c->tiles - first < c->block ? c->tiles - first : c->block;

        transform_inputs(c, src, first, n, scratch, step);
        for (int panel = c->panel0; panel < c->panel1; panel++) {
            multiply(c, scratch, step, n, panel, m);
            transform_outputs(c, m, first, n, panel, add, dst);
        }
    }
    return 0;
}

const struct rv_conv_engine rv_engine_winograd = {
    .suits = suits,
    .split = split,
    .create = conv_create,
    .run = conv_run,
};
