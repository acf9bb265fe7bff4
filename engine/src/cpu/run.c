/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run.c - runs one frame: every item does its band. Allocates only the tables of a new
 * label size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plan.h"

static size_t align64(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* NULL while the plan is being made, when neither arena nor state exists. */
static char *bytes_of(const struct rv_plan *plan, rv_tid t)
{
    const struct rv_tensor *x = &plan->program->tensor[t];
    char *base = x->home == RV_STATE && plan->job ? plan->job->state.ptr : plan->arena;

    return base ? base + x->offset : NULL;
}

struct rv_view rv_plan_view(const struct rv_plan *plan, rv_tid t, int image)
{
    const struct rv_tensor *x;
    struct rv_view m = {0};

    if (t < 0)
        return m;
    x = &plan->program->tensor[t];
    m.h = x->h;
    m.w = x->w;
    m.c = x->c;
    m.pitch = (int)rv_tensor_pitch(plan->program, t);
    m.type = x->type;
    m.data = bytes_of(plan, t);
    if (m.data)
        m.data = (char *)m.data +
                 (size_t)image * x->h * x->w * m.pitch * rv_type_bytes(m.type);
    return m;
}

struct rv_cell_views rv_plan_cell(const struct rv_plan *plan, const struct rv_step *s)
{
    return (struct rv_cell_views){
        .below = rv_plan_view(plan, s->in[RV_CELL_BELOW], 0),
        .h_left = rv_plan_view(plan, s->in[RV_CELL_H_LEFT], 0),
        .c_left = rv_plan_view(plan, s->in[RV_CELL_C_LEFT], 0),
        .time = rv_plan_view(plan, s->in[RV_CELL_TIME], 0),
        .skip = rv_plan_view(plan, s->in[RV_CELL_SKIP], 0),
        .mul = rv_plan_view(plan, s->in[RV_CELL_MUL], 0),
        .h = rv_plan_view(plan, s->out[0], 0),
        .c = rv_plan_view(plan, s->out[1], 0),
        .input_channels = s->weight < 0 ? 0 : plan->net->weight[s->weight].in,
    };
}

void rv_plan_half_rows(const struct rv_plan *plan, int row0, int row1, int *first,
                       int *last)
{
    const struct rv_axis *y = &plan->mask_y;

    *first = y->at[row0];
    *last = y->at[row1 - 1] + 2 < y->in ? y->at[row1 - 1] + 2 : y->in;
    /* also the rows that this band stores, so that all bands together store every row */
    if (y->in * row0 / y->out < *first)
        *first = y->in * row0 / y->out;
    if (y->in * row1 / y->out > *last)
        *last = y->in * row1 / y->out;
}

static size_t conv_input_bytes(const struct rv_plan *plan, const struct rv_item *item)
{
    const struct rv_tensor *h = &plan->program->tensor[item->step->out[0]];
    int rows = item->row1 - item->row0 + 2 * item->step->pad;
    int channels = plan->net->weight[item->step->weight].in;

    return align64((size_t)rows * h->w * channels * rv_type_bytes(plan->program->type));
}

size_t rv_item_scratch(const struct rv_plan *plan, const struct rv_item *item)
{
    const struct rv_step *s = item->step;
    struct rv_cell_views cell;
    struct rv_view h;
    size_t row;
    int first, last;

    switch (item->kind) {
    case RV_ITEM_IMAGE:
        return (size_t)(item->row1 - item->row0) * plan->net->width * 3 * sizeof(float);
    case RV_ITEM_CELL:
        cell = rv_plan_cell(plan, s);
        row = (size_t)cell.h.w * cell.h.c * sizeof(float);
        return (item->conv ? conv_input_bytes(plan, item) : 0) +
               align64((size_t)(item->row1 - item->row0) * 4 * row) +
               align64(rv_cell_line(&cell) * sizeof(float));
    case RV_ITEM_MASK:
        h = rv_plan_view(plan, s->in[0], 0);
        rv_plan_half_rows(plan, item->row0, item->row1, &first, &last);
        return align64((size_t)(last - first) * 2 * h.w * sizeof(float)) +
               rv_mask_scratch(&h, s->size) * sizeof(float);
    default:
        return 0;
    }
}

static int run_image(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_job *job = plan->job;
    struct rv_view out = rv_plan_view(plan, item->step->out[0], 0);
    size_t n = (size_t)(item->row1 - item->row0) * out.w * 3;
    char *rows =
        (char *)out.data + (size_t)item->row0 * out.w * 3 * rv_type_bytes(out.type);
    float *line = out.type == RV_F32 ? (float *)(void *)rows : plan->scratch[worker];

    if (!job->frame)
        memset(line, 0, n * sizeof(float));
    else
        rv_resize_rows(job->pixels->resize, job->frame, item->row0, item->row1, line,
                       job->pixels->scratch[worker]);
    if (out.type != RV_F32)
        rv_store_row(rows, line, out.type, n);
    return 0;
}

static int run_seed(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_job *job = plan->job;
    struct rv_view out = rv_plan_view(plan, item->step->out[1], item->slot);
    float *mask = out.data;

    (void)worker;
    if (!(job->seed_slots >> item->slot & 1))
        return 0;
    for (size_t i = 0, n = (size_t)out.h * out.w; i < n; i++)
        mask[i] = job->seed ? (float)(job->seed[i] >> item->slot & 1) : 0;
    return 0;
}

static char *row_at(const struct rv_view *m, int y)
{
    return (char *)m->data + (size_t)y * m->w * m->pitch * rv_type_bytes(m->type);
}

static int run_conv(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_step *s = item->step;
    struct rv_view in = rv_plan_view(plan, s->in[0], item->image);
    struct rv_view out = rv_plan_view(plan, s->out[0], item->image);
    struct rv_view add = rv_plan_view(plan, s->in[1], 0);

    return item->conv->engine->run(item->conv, row_at(&in, item->conv->in0),
                                   add.data ? row_at(&add, item->row0) : NULL,
                                   row_at(&out, item->row0), plan->scratch[worker]);
}

static int run_maxpool(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_step *s = item->step;
    struct rv_view in = rv_plan_view(plan, s->in[0], item->image);
    struct rv_view out = rv_plan_view(plan, s->out[0], item->image);

    (void)worker;
    rv_maxpool(&in, &out, s->size, s->stride, s->pad, item->row0, item->row1);
    return 0;
}

/* Whether the item's decoder starts from zeroes. */
static bool is_blank(const struct rv_item *item, const struct rv_job *job)
{
    return item->decoder >= 0 && job->blank >> item->decoder & 1;
}

/* The band is small enough that its input, gate sums and state stay in this worker's
 * cache. */
static int run_cell(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_step *s = item->step;
    struct rv_cell_views m = rv_plan_cell(plan, s);
    int rows = item->row1 - item->row0, in1 = item->row1 + s->pad;
    char *input = plan->scratch[worker];
    float *gates = NULL;
    int ret = 0;

    if (is_blank(item, plan->job))
        m.time.data = NULL;
    if (item->conv) {
        char *rest;

        gates = (float *)(void *)(input + conv_input_bytes(plan, item));
        rest = (char *)gates + align64((size_t)rows * m.h.w * 4 * m.h.c * sizeof(float));
        rv_cell_input(&m, item->conv->in0, in1 < m.h.h ? in1 : m.h.h, input,
                      plan->program->type, (float *)(void *)rest);
        ret = item->conv->engine->run(item->conv, input, NULL, gates, rest);
    }
    if (!ret)
        plan->cpu->kernels->cell_update(&m, item->row0, item->row1, gates);
    return ret;
}

static int run_mask(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_kernels *k = plan->cpu->kernels;
    const struct rv_step *s = item->step;
    const struct rv_axis *x = &plan->mask_x, *y = &plan->mask_y;
    struct rv_view h = rv_plan_view(plan, s->in[0], item->image);
    struct rv_view half = rv_plan_view(plan, s->out[0], item->image);
    struct rv_view full = rv_plan_view(plan, s->out[1], item->image);
    struct rv_view prob = rv_plan_view(plan, s->out[2], item->image);
    const float *kernel = plan->mask_kernel[s->decoder];
    float *rows = plan->scratch[worker], *rest;
    int first, last, own0 = y->in * item->row0 / y->out,
                     own1 = y->in * item->row1 / y->out;

    rv_plan_half_rows(plan, item->row0, item->row1, &first, &last);
    rest =
        rows + align64((size_t)(last - first) * half.w * sizeof(float)) / sizeof(float);
    k->mask_half(&h, kernel, kernel[s->size * s->size * h.c], s->size, first, last, rows,
                 rest);
    memcpy((float *)half.data + (size_t)own0 * half.w,
           rows + (size_t)(own0 - first) * half.w,
           (size_t)(own1 - own0) * half.w * sizeof(float));
    for (int r = item->row0; r < item->row1; r++) {
        int at = y->at[r] - first, next = y->at[r] + 1 < y->in ? at + 1 : at;
        float *out = (float *)full.data + (size_t)r * full.w;

        rv_upsample_plane_row(rows + (size_t)at * half.w, rows + (size_t)next * half.w,
                              y->frac[r], x, rest, out);
        if (prob.data)
            k->sigmoid(out, (float *)prob.data + (size_t)r * full.w, (size_t)full.w);
    }
    return 0;
}

/* The outputs to make from this decoder; NULL: none. */
static const rvos_output *wanted(const struct rv_job *job, int decoder)
{
    return job->shown == decoder ? job->out : NULL;
}

static int run_labels(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_job *job = plan->job;
    int d = item->decoder, live = job->live[d];
    struct rv_band *band = &plan->band[d][item->band];
    const struct rv_tensor *t = &plan->program->tensor[item->step->in[0]];
    const float *logits = (const float *)(void *)bytes_of(plan, item->step->in[0]);
    const rvos_output *out = wanted(job, d);
    const rvos_labels *labels = out ? out->labels : NULL;
    uint8_t *seen = job->seen[d].labels;
    bool same = labels && (out->threshold == 0 || out->threshold == 0.5f);
    int row0 = item->row0, row1 = item->row1;

    if (!labels && !seen)
        return 0;
    memset(band, 0, sizeof(*band));
    if (labels) {
        rv_labels_rows(job->pixels->labels.upsample, logits, live, out->hidden,
                       out->threshold, labels, labels->height * item->band / plan->bands,
                       labels->height * (item->band + 1) / plan->bands, band->stats,
                       job->pixels->scratch[worker]);
        rv_scores(logits, live, t->w, t->h, out->threshold, row0, row1, &band->shown,
                  same ? seen : NULL);
    }
    if (same)
        band->seen = band->shown;
    else if (seen)
        rv_scores(logits, live, t->w, t->h, 0, row0, row1, &band->seen, seen);
    return 0;
}

/* Merges all bands' statistics of one slot. */
static void merge(const struct rv_plan *plan, int decoder, int slot, rvos_object *o)
{
    struct rv_stats all = {0};
    double score = 0;
    int64_t count = 0;

    for (int b = 0; b < plan->bands; b++) {
        const struct rv_band *band = &plan->band[decoder][b];

        rv_stats_merge(&all, &band->stats[slot]);
        score += band->shown.score[slot];
        count += band->shown.count[slot];
    }
    *o = rv_object_of(&all, rv_mean_score(score, count), plan->job->out->min_object_size);
}

static void merge_seen(const struct rv_plan *plan, int decoder, int slot, float *out)
{
    double score = 0;
    int64_t count = 0;

    for (int b = 0; b < plan->bands; b++) {
        score += plan->band[decoder][b].seen.score[slot];
        count += plan->band[decoder][b].seen.count[slot];
    }
    *out = (float)rv_mean_score(score, count);
}

static int run_finish(struct rv_plan *plan, const struct rv_item *item, int worker)
{
    const struct rv_job *job = plan->job;
    const float *logits = (const float *)(void *)bytes_of(plan, item->step->in[0]);
    int d = item->decoder, live = job->live[d];
    const rvos_output *out = wanted(job, d);
    uint32_t drop = out ? out->hidden : 0;

    for (int n = 0; job->seen[d].labels && n < live && !item->band; n++)
        merge_seen(plan, d, n, &job->seen[d].score[n]);
    for (int n = 0; out && out->labels && n < live; n++) {
        rvos_object o;

        merge(plan, d, n, &o);
        if (o.area < out->min_object_size) /* alpha keeps small objects */
            drop |= UINT32_C(1) << n;
        if (!item->band)
            job->object[n] = o;
    }
    if (out && out->labels)
        rv_labels_drop(out->labels, drop, out->labels->height * item->band / plan->bands,
                       out->labels->height * (item->band + 1) / plan->bands);
    if (out && out->alpha)
        rv_alpha_rows(job->pixels->alpha.upsample, logits, live, drop, out->alpha,
                      out->alpha->height * item->band / plan->bands,
                      out->alpha->height * (item->band + 1) / plan->bands,
                      job->pixels->scratch[worker]);
    return 0;
}

static bool runs(const struct rv_item *item, const struct rv_job *job)
{
    if (job->labels_only && item->step->op != RV_OP_LABELS)
        return false;
    if (item->step->time && is_blank(item, job))
        return false;
    return item->decoder < 0 ||
           job->live[item->decoder] > (item->slot < 0 ? 0 : item->slot);
}

typedef int run_fn(struct rv_plan *plan, const struct rv_item *item, int worker);

static double thread_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int run_timed(run_fn *run, struct rv_plan *plan, struct rv_item *item, int worker)
{
    double begin = thread_seconds(), seconds;
    int status = run(plan, item, worker);

    seconds = thread_seconds() - begin;
    if (item->seconds < 0 || seconds < item->seconds)
        item->seconds = seconds;
    return status;
}

static void run_waves(void *ctx, int worker)
{
    static run_fn *const run[] = {
        [RV_ITEM_IMAGE] = run_image,   [RV_ITEM_SEED] = run_seed,
        [RV_ITEM_CONV] = run_conv,     [RV_ITEM_MAXPOOL] = run_maxpool,
        [RV_ITEM_CELL] = run_cell,     [RV_ITEM_MASK] = run_mask,
        [RV_ITEM_LABELS] = run_labels, [RV_ITEM_FINISH] = run_finish,
    };
    struct rv_plan *plan = ctx;

    for (int w = 0; w < plan->n_waves; w++) {
        int first = plan->wave_at[w], n = plan->wave_at[w + 1] - first, i;

        while ((i = atomic_fetch_add(&plan->next[w], 1)) < n) {
            struct rv_item *item = &plan->item[first + i];
            int none = 0, status = 0;

            if (runs(item, plan->job) && !atomic_load(&plan->status))
                status = plan->timed ? run_timed(run[item->kind], plan, item, worker)
                                     : run[item->kind](plan, item, worker);
            if (status)
                atomic_compare_exchange_strong(&plan->status, &none, status);
            if (atomic_fetch_sub(&plan->left[w], 1) == 1)
                rv_pool_post(plan->cpu->pool, &plan->done, w + 1);
        }
        if (!n && !worker) /* an empty wave has no item that ends it */
            rv_pool_post(plan->cpu->pool, &plan->done, w + 1);
        rv_pool_wait(plan->cpu->pool, &plan->done, w + 1);
    }
}

int rv_cpu_plan_run(struct rv_plan *plan, const struct rv_job *jobs, int n_jobs)
{
    int status = 0;

    for (int j = 0; j < n_jobs && !status; j++) {
        plan->job = &jobs[j];
        status = rv_cpu_pixels_targets(plan->job->pixels, plan->net, plan->job->out);
        if (status)
            break;
        for (int w = 0; w < plan->n_waves; w++) {
            atomic_store(&plan->next[w], 0);
            atomic_store(&plan->left[w], plan->wave_at[w + 1] - plan->wave_at[w]);
        }
        atomic_store(&plan->done, 0);
        atomic_store(&plan->status, 0);
        rv_pool_run(plan->cpu->pool, run_waves, plan);
        status = atomic_load(&plan->status);
    }
    plan->job = NULL;
    return status;
}
