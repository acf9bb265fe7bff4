/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_winograd.c - 3x3 convolutions of stride 1 with a quarter of the multiplications
 * (winograd.h), two to three times as fast as a direct convolution. The transforms are in
 * float32, the products in float32 or in 16-bit integers. A piece is a band or, if there
 * are few bands, a part of a band's outputs. Tiles are aligned to the whole map's grid,
 * so that results do not depend on the cut. */
#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "integers.h"
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

#define FEW_CHANNELS 8 /* below this the transforms cost more than they save */

struct layout {
    int tile, width; /* width: outputs at a time, a panel */
    const struct rv_integers *integers;
};

/* u[panel][point][input][output], with floats (winograd.h) or integers (integers.h), the
 * units of integers, unit[panel][point][output], then the bias. */
struct prepared {
    struct rv_prepared head;
    struct layout layout;
    char *u; /* HEAD_BYTES after the start of the struct */
    size_t point_bytes;
    float *unit, *bias;
};
#define HEAD_BYTES ((sizeof(struct prepared) + 63) / 64 * 64)

struct winograd_conv {
    struct rv_conv head;
    struct rv_conv_shape shape;
    const struct prepared *weights;
    const struct rv_winograd *kernels;
    const struct rv_integers *integers; /* NULL: products of floats */
    int tile, points, width; /* side of a tile, points of a patch, outputs of a panel */
    int across, tiles;       /* tiles in a row, and in the whole band */
    int block;               /* patches at a time */
    struct rv_panels panels;
    size_t pitch;   /* values of a transformed patch */
    float zeroes[]; /* one per input channel */
};

/* ---- which shapes ----------------------------------------------------------------- */

/* NULL: its products are of floats. */
static const struct rv_integers *integers(const struct rv_conv_shape *s)
{
    return s->bits ? rv_integers(16) : NULL;
}

/* Outputs at a time. 0: there is no way to divide them. */
static int width_for(int outputs)
{
    const struct rv_winograd *k = rv_winograd();

    return outputs % k->panel == 0                 ? k->panel
           : k->narrow && outputs % k->narrow == 0 ? k->narrow
                                                   : 0;
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
    int four = cost(36, rv_over(whole->oh, 4) * rv_over(whole->ow, 4));
    int two = cost(16, rv_over(whole->oh, 2) * rv_over(whole->ow, 2));
    int direct = cost(9, whole->oh * whole->ow);

    if (whole->size != 3 || whole->stride != 1 || whole->pad_side != 1 ||
        whole->depthwise || whole->relu6 || whole->in != RV_F32 || whole->out != RV_F32 ||
        whole->ic < FEW_CHANNELS || !width_for(whole->oc))
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
    return !rv_winograd_off() && tile_for(whole);
}

/* Bands consist of whole tiles. If weights are large and maps small, outputs are split
 * too, so that no worker reads all weights. There may also be fewer rows of tiles than
 * workers. */
static struct rv_conv_split split(const struct rv_conv_shape *whole, int images,
                                  int shares)
{
    struct rv_conv_split s = {.rows = tile_for(whole), .parts = 1, .speed = 3};
    int most = whole->oc / PART_OUTPUTS, wanted = shares;

    if (images > 1 || most < 1)
        return s;
    if (whole->ic * whole->oc < SHARED_WEIGHTS)
        wanted = rv_over(shares, rv_over(whole->oh, s.rows));
    s.parts = wanted < most ? wanted : most;
    return s;
}

/* ---- weights ---------------------------------------------------------------------- */

/* One panel in floats, u[point][input][output], to integers. */
static void round_panel(const float *u, const struct layout *l, int inputs, void *to,
                        size_t point_bytes, float *unit)
{
    size_t pitch = (size_t)inputs * l->width;
    float sum;

    for (int p = 0; p < (l->tile + 2) * (l->tile + 2); p++)
        for (int o = 0; o < l->width; o++)
            unit[p * l->width + o] = rv_integer_weights_round(
                l->integers, u + p * pitch + o, inputs, (size_t)l->width,
                (char *)to + p * point_bytes + 4 * (size_t)o, l->width, &sum);
}

static int transform_all(const struct rv_weight *w, const float *oihw, struct prepared *p)
{
    const struct layout *l = &p->layout;
    size_t points = (size_t)(l->tile + 2) * (l->tile + 2);
    float *u = malloc(points * w->in * l->width * sizeof(float));

    if (!u)
        return RVOS_ERR_MEMORY;
    for (int i = 0; i < w->out / l->width; i++) {
        char *to = p->u + i * points * p->point_bytes;

        rv_winograd_weights(l->tile, oihw, w->in, i * l->width, l->width, u);
        if (l->integers)
            round_panel(u, l, w->in, to, p->point_bytes, p->unit + i * points * l->width);
        else
            memcpy(to, u, points * p->point_bytes);
    }
    free(u);
    return 0;
}

static int weights_make(struct rv_prepared **out, rvos_device *dev,
                        const struct rv_weight *w, const void *layout,
                        const float *kernel, const float *bias)
{
    const struct layout *l = layout;
    size_t points = (size_t)(l->tile + 2) * (l->tile + 2);
    int group = l->integers ? l->integers->group : 1;
    size_t point_bytes = (size_t)rv_over(w->in, group) * l->width * 4;
    size_t n = points * (w->out / l->width) * point_bytes;
    size_t units = l->integers ? points * w->out : 0;
    size_t bytes = (n + (units + w->out) * sizeof(float) + 63) / 64 * 64;
    struct prepared *p = aligned_alloc(64, HEAD_BYTES + bytes);
    int ret;

    (void)dev;
    if (!p)
        return RVOS_ERR_MEMORY;
    p->layout = *l;
    p->head.bytes = bytes;
    p->point_bytes = point_bytes;
    p->u = (char *)p + HEAD_BYTES;
    p->unit = (float *)(void *)(p->u + n);
    p->bias = p->unit + units;
    memset(p->u, 0, bytes); /* the last group of inputs may not be full */
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

    return a->tile == b->tile && a->width == b->width && a->integers == b->integers;
}

static const struct rv_form form = {.same = weights_same, .make = weights_make};

/* ---- the engine -------------------------------------------------------------------- */

/* Bytes of a block's patches, and of the units of their values. */
static size_t patch_bytes(const struct winograd_conv *c)
{
    size_t n = c->points * c->block * c->pitch;

    return c->integers ? n * sizeof(int16_t) + c->points * c->block * sizeof(float)
                       : n * sizeof(float);
}

/* How many of the panels are made in this piece, and how many tiles at a time. */
static void divide(struct winograd_conv *c, const struct rv_conv_order *piece)
{
    const struct rv_conv_shape *s = &piece->shape;

    c->across = rv_over(s->ow, c->tile);
    c->tiles = c->across * rv_over(s->oh, c->tile);
    /* Twice as many integers fit into the cache, and products take half as long as
     * reading weights again does. */
    c->block =
        s->ic * s->oc > WEIGHTS_CACHED / (c->integers ? 2 : 1) ? TILES_MOST : TILES;
    c->block = rv_over(c->tiles, rv_over(c->tiles, c->block));
    c->panels = rv_conv_panels(piece, c->width);
}

static int conv_create(struct rv_conv **out, const struct rv_conv_order *piece)
{
    const struct rv_conv_shape *s = &piece->shape;
    int tile = piece->split.rows;
    struct layout layout = {tile, width_for(s->oc), integers(s)};
    double weights = (double)s->ic * s->oc / piece->split.parts;
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
    c->integers = layout.integers;
    c->pitch = (size_t)rv_over(s->ic, RV_WINOGRAD_LANES) * RV_WINOGRAD_LANES;
    c->tile = tile;
    c->points = (tile + 2) * (tile + 2);
    c->width = layout.width;
    divide(c, piece);
    c->head.scratch_bytes =
        (patch_bytes(c) + 63) / 64 * 64 + c->points * c->block * c->width * sizeof(float);
    c->head.way = c->integers ? tile == 4 ? "Winograd 4x4 int16" : "Winograd 2x2 int16"
                  : tile == 4 ? "Winograd 4x4"
                              : "Winograd 2x2";
    c->head.flops = 2 * weights * c->points * c->tiles;
    c->head.weight_bytes =
        weights * c->points * (c->integers ? sizeof(int16_t) : sizeof(float));
    *out = &c->head;
    return 0;
}

/* The pixels of a patch from (y0, x0) on; zeroes where the map ends. */
static void tile_pixels(const struct winograd_conv *c, const float *src, int y0, int x0,
                        const float **pixel)
{
    const struct rv_conv_shape *s = &c->shape;
    int y1 = y0 + c->tile + 2, x1 = x0 + c->tile + 2;
    bool inside = y0 >= 0 && y1 <= s->ih && x0 >= 0 && x1 <= s->iw;

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            bool here = inside || (y >= 0 && y < s->ih && x >= 0 && x < s->iw);

            *pixel++ = here ? src + ((size_t)y * s->iw + x) * s->ic : c->zeroes;
        }
}

/* To floats, or to integers and their units, step[point * block + tile]. */
static void transform_inputs(const struct winograd_conv *c, const float *src, int first,
                             int n, void *v, float *step)
{
    const struct rv_conv_shape *s = &c->shape;
    const float *pixel[RV_WINOGRAD_POINTS];
    size_t pitch = c->block * c->pitch;

    for (int i = 0; i < n; i++) {
        tile_pixels(c, src, (first + i) / c->across * c->tile - s->pad_top,
                    (first + i) % c->across * c->tile - s->pad_side, pixel);
        if (c->integers)
            c->integers->input(c->tile, pixel, s->ic, (int16_t *)v + i * c->pitch, pitch,
                               step + i, (size_t)c->block);
        else
            c->kernels->input(c->tile, pixel, s->ic, (float *)v + i * c->pitch, pitch);
    }
}

/* Sums of all points for one panel of outputs. */
static void multiply(const struct winograd_conv *c, const void *v, const float *step,
                     int tiles, int panel, float *m)
{
    const struct prepared *w = c->weights;
    size_t pitch = c->block * c->pitch;

    for (int p = 0; p < c->points; p++) {
        size_t at = (size_t)panel * c->points + p;
        const char *u = w->u + at * w->point_bytes;
        float *sums = m + (size_t)p * c->block * c->width;

        if (c->integers) {
            const struct rv_integer_weights weights = {u, w->unit + at * c->width, NULL};

            c->integers->multiply((const int16_t *)v + p * pitch, c->pitch,
                                  step + (size_t)p * c->block, NULL, &weights, sums,
                                  tiles, c->shape.ic, c->width, false);
        } else {
            c->kernels->multiply((const float *)v + p * pitch, c->pitch,
                                 (const float *)(const void *)u, sums, tiles, c->shape.ic,
                                 c->width);
        }
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
                size_t at = ((size_t)y * s->ow + x) * s->oc + panel * c->width;

                pixel[k] = y < s->oh && x < s->ow ? dst + at : NULL;
                if (add)
                    sum[k] = pixel[k] ? add + at : NULL;
            }
        c->kernels->output(c->tile, m + (size_t)i * c->width, (size_t)c->block * c->width,
                           c->weights->bias + panel * c->width, add ? sum : NULL, s->relu,
                           pixel, c->width);
    }
}

static int conv_run(struct rv_conv *conv, const void *src, const void *add, void *dst,
                    void *scratch)
{
    const struct winograd_conv *c = (struct winograd_conv *)conv;
    size_t patches = patch_bytes(c);
    float *m = (float *)(void *)((char *)scratch + (patches + 63) / 64 * 64);
    float *step = (float *)(void *)((char *)scratch + patches) - c->points * c->block;

    for (int first = 0; first < c->tiles; first += c->block) {
        int n = c->tiles - first < c->block ? c->tiles - first : c->block;

        transform_inputs(c, src, first, n, scratch, step);
        for (int panel = c->panels.first; panel < c->panels.end; panel++) {
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
