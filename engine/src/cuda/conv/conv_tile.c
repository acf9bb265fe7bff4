/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_tile.c - convolutions with our own tensor core kernel.
 *
 * The maps of deep layers are small (16 x 28 pixels at stride 16). Pixels and outputs
 * give fewer tiles than a large GPU has multiprocessors. So the columns of the product
 * (taps x channels, some thousand) are split as well, into as many parts as fill the GPU.
 * conv_best.c measures the best tiling. The order here is a guess, used if there is no
 * time to measure. */
#include "conv.h"

#include <stdio.h>
#include <stdlib.h>

#include "../kernels/kernels.h"

#define STEP 32     /* columns per step, as in conv_tile.cu */
#define FEW_STEPS 4 /* a part with fewer steps is mostly start-up cost */
#define BLOCKS 132  /* blocks that fill a large GPU; H100: one per multiprocessor */
#define SUMS_MOST (16 << 20) /* most bytes of workspace */

static const struct {
    int m, n;
} tiles[] = {{64, 64}, {64, 32}, {32, 64}, {128, 64}};
#define TILES ((int)(sizeof(tiles) / sizeof(tiles[0])))

struct rv_conv {
    rvos_device *dev;
    struct rv_tile_conv args;
    struct rv_tiling tiling;
};

static int over(int a, int b)
{
    return (a + b - 1) / b;
}

static int pixels_of(const struct rv_conv_shape *s)
{
    return s->n * s->oh * s->ow;
}

static int steps_of(const struct rv_conv_shape *s)
{
    return over(s->size * s->size * s->ic, STEP);
}

static bool suits(const struct rv_conv_shape *s)
{
    return s->in == RV_F16 && s->ic % 8 == 0 && s->oc % 8 == 0 &&
           (int64_t)s->n * s->oh * s->ow < INT32_MAX / 2;
}

static bool allowed(const struct rv_conv_shape *s, const struct rv_tiling *t)
{
    int64_t sums = (int64_t)t->parts * pixels_of(s) * s->oc * (int64_t)sizeof(float);
    bool known = false;

    for (int i = 0; i < TILES; i++)
        known = known || (t->m == tiles[i].m && t->n == tiles[i].n);
    return known && t->parts >= 1 && t->parts <= 64 && t->parts <= steps_of(s) &&
           (t->parts == 1 || sums <= SUMS_MOST);
}

/* Estimated time in units of a step of 64 x 64. The GPU runs blocks in rounds, and sums
 * of parts must be written and read again. */
static double guess(const struct rv_conv_shape *s, const struct rv_tiling *t)
{
    int blocks = over(pixels_of(s), t->m) * over(s->oc, t->n) * t->parts;
    int rounds = over(blocks, BLOCKS * (t->m * t->n > 2048 ? 2 : 3));
    double step = 0.4 + 0.6 * t->m * t->n / 4096.0;
    double sums = t->parts > 1 ? 12 + t->parts : 4;

    return rounds * (over(steps_of(s), t->parts) * step + sums);
}

int rv_conv_tilings(const struct rv_conv_shape *s, struct rv_tiling out[RV_TILINGS])
{
    static const int parts[] = {1, 2, 3, 4, 6, 8, 12, 16};
    int n = 0;

    for (int i = 0; i < TILES; i++)
        for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
            struct rv_tiling t = {tiles[i].m, tiles[i].n, parts[p]};
            int at;

            if (!allowed(s, &t) ||
                (t.parts > 1 && over(steps_of(s), t.parts) < FEW_STEPS))
                continue;
            for (at = n; at > 0 && guess(s, &t) < guess(s, &out[at - 1]); at--)
                if (at < RV_TILINGS)
                    out[at] = out[at - 1];
            if (at < RV_TILINGS)
                out[at] = t;
            n += n < RV_TILINGS;
        }
    return n;
}

int rv_tiling_code(struct rv_tiling t)
{
    return t.m << 20 | t.n << 10 | t.parts;
}

bool rv_tiling_of_code(const struct rv_conv_shape *shape, int code, struct rv_tiling *out)
{
    *out = (struct rv_tiling){code >> 20, code >> 10 & 1023, code & 1023};
    return code > 0 && allowed(shape, out);
}

void rv_conv_tile_set(struct rv_conv *conv, struct rv_tiling tiling)
{
    conv->tiling = tiling;
}

/* ---- the engine ------------------------------------------------------------------ */

static void tile_library(char *text, size_t size)
{
    snprintf(text, size, "own kernels on tensor cores");
}

static void tile_destroy(struct rv_conv *conv)
{
    rv_cuda_free(conv->args.ticket);
    free(conv);
}

/* Makes a zero for each tile of the finest tiling. The convolution runs in another stream
 * later, so the zeroes must be complete on return. */
static int make_tickets(struct rv_conv *conv)
{
    struct cuda_device *cuda = conv->dev->priv;
    size_t bytes = (size_t)over(conv->args.pixels, 32) * over(conv->args.oc, 32) *
                   sizeof(*conv->args.ticket);
    int ret = rv_cuda_alloc(conv->dev, (void **)&conv->args.ticket, bytes);

    if (ret)
        return ret;
    CU(conv->dev, cudaMemsetAsync(conv->args.ticket, 0, bytes, cuda->stream));
    CU(conv->dev, cudaStreamSynchronize(cuda->stream));
error:
    return ret;
}

static int tile_create(struct rv_conv **out, rvos_device *dev, void *opened,
                       const struct rv_conv_shape *s, struct rv_weights *weights,
                       int index)
{
    struct rv_tiling tiling[RV_TILINGS];
    struct rv_conv *conv;
    int ret;

    (void)opened;
    *out = NULL;
    if (!suits(s) || !rv_conv_tilings(s, tiling))
        return RVOS_ERR_UNSUPPORTED;
    conv = calloc(1, sizeof(*conv));
    if (!conv)
        return RVOS_ERR_MEMORY;
    conv->dev = dev;
    conv->tiling = tiling[0];
    conv->args = (struct rv_tile_conv){.ih = s->ih,
                                       .iw = s->iw,
                                       .ic = s->ic,
                                       .oh = s->oh,
                                       .ow = s->ow,
                                       .oc = s->oc,
                                       .size = s->size,
                                       .stride = s->stride,
                                       .pad = s->pad,
                                       .out = s->out,
                                       .relu = s->relu,
                                       .columns = s->size * s->size * s->ic,
                                       .pixels = pixels_of(s)};
    ret = rv_cuda_weights(dev, weights, index, s->ic, true, RV_LAYOUT_FILTER,
                          &conv->args.kernel, &conv->args.bias);
    if (!ret)
        ret = make_tickets(conv);
    if (ret) {
        tile_destroy(conv);
        return ret;
    }
    *out = conv;
    return 0;
}

static size_t tile_workspace_bytes(const struct rv_conv *conv)
{
    const struct rv_tile_conv *a = &conv->args;

    if (conv->tiling.parts == 1)
        return 0;
    return (size_t)conv->tiling.parts * a->pixels * a->oc * sizeof(float);
}

static int tile_run(struct rv_conv *conv, const struct rv_conv_io *io,
                    cudaStream_t stream)
{
    const struct rv_tiling *t = &conv->tiling;
    int ret = 0;

    CU(conv->dev, rv_cuda_conv_tile(conv->args, t->m, t->n, t->parts, io->x, io->add,
                                    io->y, io->workspace, io->chained, stream));
error:
    return ret;
}

const struct rv_conv_engine rv_conv_tile = {
    .library = tile_library,
    .own = true,
    .create = tile_create,
    .workspace_bytes = tile_workspace_bytes,
    .run = tile_run,
    .destroy = tile_destroy,
};
