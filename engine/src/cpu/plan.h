/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan.h - a program on the CPU: waves of items, each a band of rows of one step.
 *
 * plan.c makes the items, run.c runs them. Workers take the items of the current wave one
 * by one, the most expensive first. The next wave starts when the last item is done. */
#ifndef RV_CPU_PLAN_H
#define RV_CPU_PLAN_H

#include <stdatomic.h>
#include <stdlib.h>

#include "../backend.h"
#include "conv.h"
#include "kernels.h"
#include "pixels.h"
#include "pool.h"

/* Memory for whole vectors of all instruction sets; freed with free(). */
static inline void *rv_alloc_aligned(size_t bytes)
{
    return aligned_alloc(64, (bytes + 64) / 64 * 64); /* never 0 bytes */
}

struct rv_scratch {
    void *ptr;
    size_t size;
};

/* rvos_device.priv */
struct cpu_device {
    struct rv_pool *pool;
    int shares; /* parts that a step should have at least, where it can be divided */
    const struct rv_conv_engine *const *engines; /* ended by NULL */
    const struct rv_conv_engine *library;        /* the first of them that is a library */
    void *opened;                                /* the library's */
    const struct rv_kernels *kernels;
    char version[32], name[64]; /* names of the library and of the CPU */
    struct rv_scratch *draw;    /* of each worker; grows with the size of frames */
};

enum rv_item_kind {
    RV_ITEM_IMAGE, /* rows of the network's input */
    RV_ITEM_SEED,  /* the seed mask of one slot, if the job has one */
    RV_ITEM_CONV,
    RV_ITEM_MAXPOOL,
    RV_ITEM_CELL,
    RV_ITEM_MASK,
    RV_ITEM_LABELS, /* label rows of a band, and their statistics */
    RV_ITEM_FINISH, /* the same band again, after all statistics are known */
};

struct rv_item {
    enum rv_item_kind kind;
    const struct rv_step *step;
    struct rv_conv *conv; /* NULL: none */
    int image;            /* image index, for tensors with one image per slot */
    int decoder;    /* the item is skipped if this decoder does not run; -1: never */
    int slot;       /* the item is skipped if this slot is not live; -1: never */
    int row0, row1; /* rows of the step's output; LABELS, FINISH: of the logits */
    int band;       /* LABELS, FINISH: index of the band */
    int wave;
    double cost;    /* approximate multiply-accumulates */
    double seconds; /* minimum since timing began; negative: has not run */
};

/* The result of one band of LABELS. */
struct rv_band {
    struct rv_stats stats[RVOS_MAX_OBJECTS];
    struct rv_scores shown, seen; /* with the job's threshold; with 0.5 */
};

struct rv_plan {
    rvos_device *dev;
    struct cpu_device *cpu;
    const struct rv_program *program;
    const struct rv_net *net;

    struct rv_item *item; /* sorted by wave, then by falling cost */
    int n_items, n_waves;
    int *wave_at;            /* first item of each wave; n_waves + 1 entries */
    atomic_int *next, *left; /* per wave: next item to take, items not done */
    atomic_int done;         /* waves that are done */
    atomic_int status;       /* first error */

    void *arena;
    void **scratch; /* of each worker */
    size_t scratch_bytes;
    const float *mask_kernel[RV_DECODERS]; /* conv_out as [tap][channel], then its bias */
    struct rv_axis mask_x, mask_y;         /* from half-size logits to network size */
    int bands;                             /* bands of LABELS */
    struct rv_band *band[RV_DECODERS];

    const struct rv_job *job; /* while it runs */
    bool timed;               /* measure the time of items */
};

/* Tables for one size of labels. */
struct rv_target {
    struct rv_upsample *upsample; /* NULL until asked for */
    int width, height;
};

/* Tables for one frame size and its outputs, and the scratch of each worker. */
struct rv_pixels {
    struct rv_resize *resize;
    struct rv_target labels, alpha;
    void **scratch;
    size_t scratch_bytes;
    int threads;
};

/* Rows of the network's input in one RV_ITEM_IMAGE; the last item may have fewer. */
int rv_image_rows(const struct rv_net *net, int shares);

struct rv_view rv_plan_view(const struct rv_plan *plan, rv_tid t, int image);
struct rv_cell_views rv_plan_cell(const struct rv_plan *plan, const struct rv_step *s);
/* The rows [first, last) of the half-size logits that network rows row0 to row1 read. */
void rv_plan_half_rows(const struct rv_plan *plan, int row0, int row1, int *first,
                       int *last);
/* Bytes of worker scratch for an item, without its convolution's. */
size_t rv_item_scratch(const struct rv_plan *plan, const struct rv_item *item);

int rv_cpu_plan_create(rvos_device *dev, const struct rv_program *program,
                       struct rv_weights *weights, rvos_precision precision, int batch,
                       struct rv_plan **out);
int rv_cpu_plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs);
void rv_cpu_plan_destroy(struct rv_plan *plan);

/* -- steps.c -- */
void rv_cpu_plan_time(struct rv_plan *plan, bool on);
int rv_cpu_plan_steps(struct rv_plan *plan, rvos_step *out, int room);

/* -- frame.c -- */
int rv_cpu_pixels_create(rvos_device *dev, const struct rv_net *net, int width,
                         int height, struct rv_pixels **out);
void rv_cpu_pixels_destroy(struct rv_pixels *pixels);
/* Makes the tables for a job's outputs. Allocates only if a size is new. */
int rv_cpu_pixels_targets(struct rv_pixels *pixels, const struct rv_net *net,
                          const rvos_output *out);
int rv_cpu_draw(rvos_device *dev, const rvos_image *image, const rvos_labels *labels,
                const rvos_draw_params *params);
int rv_cpu_set_alpha(rvos_device *dev, const rvos_image *image, const rvos_labels *alpha);

#endif
