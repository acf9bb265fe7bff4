/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame.c - tables that depend on a frame's size, and drawing with the pool's threads. */
#include <stdlib.h>

#include "../pixels/draw.h"
#include "plan.h"

int rv_image_rows(const struct rv_net *net, int shares)
{
    int rows = (net->height + 4 * shares - 1) / (4 * shares);

    return rows < 8 ? 8 : rows;
}

/* Grows each worker's scratch, used for the resize and for the label sizes so far. */
static int grow_scratch(struct rv_pixels *pixels, size_t need)
{
    if (need <= pixels->scratch_bytes)
        return 0;
    for (int i = 0; i < pixels->threads; i++) {
        free(pixels->scratch[i]);
        pixels->scratch[i] = rv_alloc_aligned(need);
        if (!pixels->scratch[i]) {
            pixels->scratch_bytes = 0;
            return RVOS_ERR_MEMORY;
        }
    }
    pixels->scratch_bytes = need;
    return 0;
}

static int set_target(struct rv_pixels *pixels, struct rv_target *target,
                      const struct rv_net *net, int width, int height)
{
    if (target->upsample && target->width == width && target->height == height)
        return 0;
    rv_upsample_destroy(target->upsample);
    target->width = width;
    target->height = height;
    target->upsample = rv_upsample_create(net->width, net->height, width, height);
    if (!target->upsample)
        return RVOS_ERR_MEMORY;
    return grow_scratch(pixels, rv_upsample_scratch(target->upsample, RVOS_MAX_OBJECTS));
}

int rv_cpu_pixels_targets(struct rv_pixels *pixels, const struct rv_net *net,
                          const rvos_output *out)
{
    int ret = 0;

    if (out && out->labels)
        ret = set_target(pixels, &pixels->labels, net, out->labels->width,
                         out->labels->height);
    if (!ret && out && out->alpha)
        ret = set_target(pixels, &pixels->alpha, net, out->alpha->width,
                         out->alpha->height);
    return ret;
}

int rv_cpu_pixels_create(rvos_device *dev, const struct rv_net *net, int width,
                         int height, struct rv_pixels **out)
{
    const struct cpu_device *cpu = dev->priv;
    struct rv_pixels *pixels = calloc(1, sizeof(*pixels));
    int ret = RVOS_ERR_MEMORY;

    *out = NULL;
    if (!pixels)
        return ret;
    pixels->threads = rv_pool_threads(cpu->pool);
    pixels->scratch = calloc((size_t)pixels->threads, sizeof(*pixels->scratch));
    pixels->resize = rv_resize_create(width, height, net->width, net->height);
    if (pixels->scratch && pixels->resize)
        ret = grow_scratch(pixels, rv_resize_scratch(pixels->resize));
    if (!ret)
        ret = set_target(pixels, &pixels->labels, net, width, height);
    if (ret) {
        rv_cpu_pixels_destroy(pixels);
        return ret;
    }
    *out = pixels;
    return 0;
}

void rv_cpu_pixels_destroy(struct rv_pixels *pixels)
{
    for (int i = 0; pixels->scratch && i < pixels->threads; i++)
        free(pixels->scratch[i]);
    free(pixels->scratch);
    rv_resize_destroy(pixels->resize);
    rv_upsample_destroy(pixels->labels.upsample);
    rv_upsample_destroy(pixels->alpha.upsample);
    free(pixels);
}

/* ---- drawing ------------------------------------------------------------ */

struct draw {
    struct cpu_device *cpu;
    const rvos_image *image;
    const rvos_labels *labels; /* rvos_set_alpha: the alpha plane */
    const rvos_draw_params *params;
    atomic_int status;
};

/* A worker's rows. They start at even rows, so that each 4:2:0 chroma row has one
 * owner. */
static void worker_rows(const struct draw *d, int worker, int *row0, int *row1)
{
    int threads = rv_pool_threads(d->cpu->pool), pairs = (d->image->height + 1) / 2;

    *row0 = 2 * (pairs * worker / threads);
    *row1 = 2 * (pairs * (worker + 1) / threads);
    if (*row1 > d->image->height)
        *row1 = d->image->height;
}

static void draw_rows(void *ctx, int worker)
{
    struct draw *d = ctx;
    struct rv_scratch *scratch = &d->cpu->draw[worker];
    size_t need = rv_draw_scratch(d->image, d->params);
    int row0, row1;

    if (scratch->size < need) {
        free(scratch->ptr);
        scratch->ptr = rv_alloc_aligned(need);
        scratch->size = scratch->ptr ? need : 0;
        if (!scratch->ptr) {
            atomic_store(&d->status, RVOS_ERR_MEMORY);
            return;
        }
    }
    worker_rows(d, worker, &row0, &row1);
    if (row0 < row1)
        rv_draw_rows(d->image, d->labels, d->params, row0, row1, scratch->ptr);
}

static void alpha_rows(void *ctx, int worker)
{
    struct draw *d = ctx;
    int row0, row1;

    worker_rows(d, worker, &row0, &row1);
    rv_set_alpha_rows(d->image, d->labels, row0, row1);
}

int rv_cpu_draw(rvos_device *dev, const rvos_image *image, const rvos_labels *labels,
                const rvos_draw_params *params)
{
    struct cpu_device *cpu = dev->priv;
    struct draw d = {.cpu = cpu, .image = image, .labels = labels, .params = params};

    rv_pool_run(cpu->pool, draw_rows, &d);
    return atomic_load(&d.status);
}

int rv_cpu_set_alpha(rvos_device *dev, const rvos_image *image, const rvos_labels *alpha)
{
    struct cpu_device *cpu = dev->priv;
    struct draw d = {.cpu = cpu, .image = image, .labels = alpha};

    rv_pool_run(cpu->pool, alpha_rows, &d);
    return 0;
}
