/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_patches.c - convolutions of any size and stride as products of patches and
 * weights, in integers (integers.h).
 *
 * A patch is the inputs that one output pixel reads. It is rounded to integers in slabs
 * of at most SLAB inputs. Each slab has its own unit, so results do not depend on how the
 * map is cut. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../pixels/clones.h"
#include "conv.h"
#include "integers.h"

/* Few enough that weights of 16 bits, whose sums must fit into 32 bits, stay exact. */
#define SLAB 512

/* A block of patches should stay in the second-level cache. */
#define PATCH_BYTES (192 * 1024)
#define PATCHES_MOST 48

/* From this many bytes of weights on we split outputs among workers, so that each worker
 * reads its own part only. With fewer it takes longer to round all patches in each. */
#define SHARED_BYTES (1 << 21)

/* u[panel][slab][input][output] (integers.h), unit[panel][slab][output], sum (the same),
 * then the bias of all outputs, with zeroes for those that fill up the last panel. */
struct prepared {
    struct rv_prepared head;
    const struct rv_integers *integers;
    char *u; /* HEAD_BYTES after the start of the struct */
    float *unit, *sum, *bias;
};
#define HEAD_BYTES ((sizeof(struct prepared) + 63) / 64 * 64)

struct patch_conv {
    struct rv_conv head;
    struct rv_conv_shape shape;
    const struct prepared *weights;
    const struct rv_integers *integers;
    int inputs, slabs; /* of a patch */
    int slab;          /* inputs of a slab; the last one may have fewer */
    int block;         /* patches at a time */
    struct rv_panels panels;
    size_t pitch; /* inputs of a patch, rounded up to whole slabs */
};

static int up(int a, int b)
{
    return rv_over(a, b) * b;
}

static int slabs_of(int inputs)
{
    return rv_over(inputs, SLAB);
}

/* A multiple of the vectors that round. */
static int slab_of(int inputs)
{
    return up(rv_over(inputs, slabs_of(inputs)), RV_INTEGERS_LANES);
}

static int inputs_of(const struct rv_conv_shape *s)
{
    return s->ic * s->size * s->size;
}

/* Bytes of the weights of one slab of one panel. */
static size_t slab_bytes(const struct rv_integers *k, int slab)
{
    return (size_t)slab / k->group * k->panel * 4;
}

/* NULL: floats. The first layer keeps 16 bits, and so do projections of residual blocks,
 * which no activation follows: with 8 bits they cost more in the masks than they save in
 * time (docs/numerics.md). */
static const struct rv_integers *integers(const struct rv_conv_shape *s)
{
    bool fine = s->ic < RV_INTEGERS_LANES || (s->size == 1 && !s->relu);

    return s->bits ? rv_integers(fine ? 16 : s->bits) : NULL;
}

static bool suits(const struct rv_conv_shape *whole)
{
    const struct rv_integers *k = integers(whole);

    return k && !whole->depthwise && whole->in == RV_F32 && whole->out == RV_F32 &&
           inputs_of(whole) >= 2 * RV_INTEGERS_LANES &&
           up(whole->oc, k->panel) * 3 <= whole->oc * 4;
}

static struct rv_conv_split split(const struct rv_conv_shape *whole, int images,
                                  int shares)
{
    const struct rv_integers *k = integers(whole);
    struct rv_conv_split s = {.rows = 1, .parts = 1, .speed = k->bits == 16 ? 2 : 3};
    int panels = rv_over(whole->oc, k->panel);

    if (images == 1 && inputs_of(whole) * whole->oc * (k->bits / 8) >= SHARED_BYTES)
        s.parts = shares < panels ? shares : panels;
    return s;
}

/* ---- weights ---------------------------------------------------------------------- */

/* Rounds the weights of output o, whose taps are in the order of a patch. */
static void round_output(struct prepared *p, const float *taps, int inputs, int o)
{
    const struct rv_integers *k = p->integers;
    int slabs = slabs_of(inputs), slab = slab_of(inputs);
    int panel = o / k->panel, at = o % k->panel;

    for (int s = 0; s < slabs; s++) {
        size_t number = (size_t)panel * slabs + s;
        int first = s * slab, n = inputs - first < slab ? inputs - first : slab;

        p->unit[number * k->panel + at] = rv_integer_weights_round(
            k, taps + first, n, 1, p->u + number * slab_bytes(k, slab) + 4 * (size_t)at,
            k->panel, &p->sum[number * k->panel + at]);
    }
}

static int weights_make(struct rv_prepared **out, rvos_device *dev,
                        const struct rv_weight *w, const void *layout,
                        const float *kernel, const float *bias)
{
    const struct rv_integers *k = layout;
    int taps = w->size * w->size, inputs = w->in * taps, outputs = up(w->out, k->panel);
    size_t slabs = (size_t)slabs_of(inputs);
    size_t n = outputs / k->panel * slabs * slab_bytes(k, slab_of(inputs));
    size_t bytes = up((int)(n + (2 * slabs + 1) * outputs * sizeof(float)), 64);
    struct prepared *p = aligned_alloc(64, HEAD_BYTES + bytes);
    float *row = malloc((size_t)inputs * sizeof(float));

    (void)dev;
    if (!p || !row) {
        free(p);
        free(row);
        return RVOS_ERR_MEMORY;
    }
    *p = (struct prepared){.head.bytes = bytes, .integers = k};
    p->u = (char *)p + HEAD_BYTES;
    p->unit = (float *)(void *)(p->u + n);
    p->sum = p->unit + slabs * outputs;
    p->bias = p->sum + slabs * outputs;
    memset(p->u, 0, bytes);
    memcpy(p->bias, bias, (size_t)w->out * sizeof(float));
    for (int o = 0; o < w->out; o++) {
        for (int i = 0; i < inputs; i++)
            row[i % taps * w->in + i / taps] = kernel[(size_t)o * inputs + i];
        round_output(p, row, inputs, o);
    }
    free(row);
    *out = &p->head;
    return 0;
}

static bool weights_same(const struct rv_prepared *p, const void *layout)
{
    return ((const struct prepared *)p)->integers == layout;
}

static const struct rv_form form = {.same = weights_same, .make = weights_make};

/* ---- the engine -------------------------------------------------------------------- */

/* The parts of a scratch buffer. */
struct scratch {
    char *q;
    float *step, *low; /* [slab][patch] */
    float *row;        /* one patch in floats */
    float *m;          /* sums of one panel */
};

/* Lays out the parts after `start`, which may be NULL, and returns their size. */
static size_t lay_out(const struct patch_conv *c, char *start, struct scratch *out)
{
    size_t units = (size_t)up(c->slabs * c->block, 16) * sizeof(float);
    size_t at = up((int)(c->block * c->pitch * (c->integers->bits / 8)), 64);

    *out = (struct scratch){.q = start};
    if (start) {
        out->step = (float *)(void *)(start + at);
        out->low = (float *)(void *)(start + at + units);
        out->row = (float *)(void *)(start + at + 2 * units);
        out->m = out->row + c->pitch;
    }
    return at + 2 * units +
           (c->pitch + (size_t)c->block * c->integers->panel) * sizeof(float);
}

static int conv_create(struct rv_conv **out, const struct rv_conv_order *piece)
{
    const struct rv_conv_shape *s = &piece->shape;
    const struct rv_integers *k = integers(s);
    int parts = piece->split.parts, block;
    struct patch_conv *c = calloc(1, sizeof(*c));
    struct scratch scratch;
    int ret = c ? rv_prepare(piece->dev, piece->weights, piece->index, &form, k,
                             (const struct rv_prepared **)&c->weights)
                : RVOS_ERR_MEMORY;

    if (ret) {
        free(c);
        return ret;
    }
    c->shape = *s;
    c->integers = k;
    c->inputs = inputs_of(s);
    c->slabs = slabs_of(c->inputs);
    c->slab = slab_of(c->inputs);
    c->pitch = (size_t)c->slabs * c->slab;
    block = PATCH_BYTES / (int)(c->pitch * (k->bits / 8));
    block = block < 6 ? 6 : block > PATCHES_MOST ? PATCHES_MOST : block / 6 * 6;
    c->block = block < s->oh * s->ow ? block : s->oh * s->ow;
    c->panels = rv_conv_panels(piece, k->panel);
    c->head.scratch_bytes = lay_out(c, NULL, &scratch);
    c->head.way = k->bits == 16 ? "int16" : "int8";
    c->head.flops = 2.0 * c->inputs * s->oc / parts * s->oh * s->ow;
    c->head.weight_bytes = (double)c->inputs * s->oc / parts * (k->bits / 8);
    *out = &c->head;
    return 0;
}

/* Copies n floats. The runs of a first layer are short: a call of memcpy would take
 * longer than the copy. */
static void copy_floats(float *to, const float *from, size_t n)
{
    if (n >= 16 && n <= 32) {
        memcpy(to, from, 16 * sizeof(float));
        memcpy(to + n - 16, from + n - 16, 16 * sizeof(float));
    } else {
        memcpy(to, from, n * sizeof(float));
    }
}

/* The inputs of one output pixel, in row[tap][channel]. */
static void gather(const struct patch_conv *c, const float *src, int pixel, float *row)
{
    const struct rv_conv_shape *s = &c->shape;
    int y = pixel / s->ow * s->stride - s->pad_top;
    int x = pixel % s->ow * s->stride - s->pad_side;
    int x0 = x < 0 ? -x : 0, x1 = x + s->size > s->iw ? s->iw - x : s->size;
    size_t ic = (size_t)s->ic, line = s->size * ic;

    for (int i = 0; i < s->size; i++, row += line) {
        const float *from;

        if (y + i < 0 || y + i >= s->ih || x0 >= x1) {
            memset(row, 0, line * sizeof(float));
            continue;
        }
        from = src + ((size_t)(y + i) * s->iw + x + x0) * ic;
        if (x1 - x0 == s->size) {
            copy_floats(row, from, line);
        } else {
            memset(row, 0, line * sizeof(float));
            memcpy(row + x0 * ic, from, (size_t)(x1 - x0) * ic * sizeof(float));
        }
    }
}

static void round_patches(const struct patch_conv *c, const float *src, int first, int n,
                          const struct scratch *to)
{
    const struct rv_conv_shape *s = &c->shape;
    bool direct = s->size == 1 && s->pad_side == 0 && (size_t)c->inputs == c->pitch;

    for (int i = 0; i < n; i++) {
        const float *row = to->row;

        if (direct)
            row = src + ((size_t)((first + i) / s->ow * s->stride) * s->iw +
                         (first + i) % s->ow * s->stride) *
                            s->ic;
        else
            gather(c, src, first + i, to->row);
        for (int k = 0; k < c->slabs; k++)
            c->integers->round(row + (size_t)k * c->slab, c->slab,
                               to->q + (i * c->pitch + (size_t)k * c->slab) *
                                           (c->integers->bits / 8),
                               &to->step[k * c->block + i], &to->low[k * c->block + i]);
    }
}

/* Sums of all slabs for one panel of outputs. */
static void multiply(const struct patch_conv *c, const struct scratch *from, int n,
                     int panel)
{
    const struct rv_integers *k = c->integers;
    const struct prepared *w = c->weights;

    for (int s = 0; s < c->slabs; s++) {
        size_t number = (size_t)panel * c->slabs + s;
        const struct rv_integer_weights weights = {w->u + number * slab_bytes(k, c->slab),
                                                   w->unit + number * k->panel,
                                                   w->sum + number * k->panel};

        k->multiply(from->q + (size_t)s * c->slab * (k->bits / 8), c->pitch,
                    from->step + s * c->block, from->low + s * c->block, &weights,
                    from->m, n, s < c->slabs - 1 ? c->slab : c->inputs - s * c->slab,
                    k->panel, s > 0);
    }
}

/* Adds the bias and `add` (NULL: nothing), and applies the activation. */
RV_CLONES
static void finish(const struct rv_conv_shape *s, const float *m, int panel,
                   const float *bias, const float *add, int outputs, float *dst, int n)
{
    float least = s->relu ? 0 : -INFINITY, most = s->relu6 ? 6 : INFINITY;

    for (int i = 0; i < n; i++, m += panel, dst += s->oc) {
        for (int o = 0; o < outputs; o++) {
            float v = m[o] + bias[o] + (add ? add[o] : 0);

            v = v < least ? least : v;
            dst[o] = v > most ? most : v;
        }
        add = add ? add + s->oc : NULL;
    }
}

static int conv_run(struct rv_conv *conv, const void *src, const void *add, void *dst,
                    void *scratch)
{
    const struct patch_conv *c = (struct patch_conv *)conv;
    const struct rv_conv_shape *s = &c->shape;
    int pixels = s->oh * s->ow, width = c->integers->panel;
    struct scratch parts;

    lay_out(c, scratch, &parts);
    memset(parts.row + c->inputs, 0, (c->pitch - c->inputs) * sizeof(float));
    for (int first = 0; first < pixels; first += c->block) {
        int n = pixels - first < c->block ? pixels - first : c->block;

        round_patches(c, src, first, n, &parts);
        for (int panel = c->panels.first; panel < c->panels.end; panel++) {
            int o = panel * width, outputs = s->oc - o < width ? s->oc - o : width;
            size_t at = (size_t)first * s->oc + o;

            multiply(c, &parts, n, panel);
            finish(s, parts.m, width, c->weights->bias + o,
                   add ? (const float *)add + at : NULL, outputs, (float *)dst + at, n);
        }
    }
    return 0;
}

const struct rv_conv_engine rv_engine_patches = {
    .suits = suits,
    .split = split,
    .create = conv_create,
    .run = conv_run,
};
