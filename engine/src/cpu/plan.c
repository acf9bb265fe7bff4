/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "../log.h"

/* A band of a convolution below this costs more to hand out than it saves. */
#define MIN_BAND_MACS 2e6
/* Above this a worker that loses its core for a while would hold up the others. */
#define MAX_BAND_MACS 150e6
/* Of a cell's band: input and gate sums should stay in the second-level cache. */
#define CELL_BYTES (640 * 1024)
/* Input times output channels: weights of several megabytes, which all workers would
 * read. And a part has at least so many outputs, which is what is made at a time. */
#define MANY_WEIGHTS (1 << 17)
#define PART_OUTPUTS 64

/* What plan creation needs, in the hands of worker 0. */
struct maker {
    struct rv_plan *plan;
    struct rv_weights *weights;
    int threads;
    int status;
};

static int bands_for(int rows, int images, double macs, int threads)
{
    int bands = (threads + images - 1) / images;

    while (macs / bands > MAX_BAND_MACS)
        bands += threads;
    if (images % threads && images < 4 * threads && bands < 2)
        bands = 2;
    while (bands > 1 && macs / bands < MIN_BAND_MACS)
        bands--;
    return bands < rows ? bands : rows;
}

static struct rv_item *new_item(struct maker *m, const struct rv_step *s,
                                enum rv_item_kind kind, int slot, int row0, int row1)
{
    struct rv_plan *plan = m->plan;
    int n = plan->n_items;

    if (!(n & (n - 1))) {
        struct rv_item *grown =
            realloc(plan->item, (n ? 2 * (size_t)n : 1) * sizeof(*grown));

        if (!grown) {
            m->status = RVOS_ERR_MEMORY;
            return NULL;
        }
        plan->item = grown;
    }
    plan->item[plan->n_items++] = (struct rv_item){.kind = kind,
                                                   .step = s,
                                                   .image = slot < 0 ? 0 : slot,
                                                   .decoder = s->decoder,
                                                   .slot = slot,
                                                   .row0 = row0,
                                                   .row1 = row1,
                                                   .wave = s->wave,
                                                   .seconds = -1};
    return &plan->item[n];
}

/* The convolution of a step's whole output, of one image. */
static struct rv_conv_shape whole_conv(const struct maker *m, const struct rv_step *s,
                                       int in_h, int in_w, enum rv_type in,
                                       enum rv_type out)
{
    const struct rv_weight *w = &m->plan->net->weight[s->weight];
    struct rv_conv_shape shape = {
        .ih = in_h,
        .iw = in_w,
        .ic = w->depthwise ? w->out : w->in,
        .oh = (in_h + 2 * s->pad - s->size) / s->stride + 1,
        .ow = (in_w + 2 * s->pad - s->size) / s->stride + 1,
        .oc = w->out,
        .size = s->size,
        .stride = s->stride,
        .pad_side = s->pad,
        .in = in,
        .out = out,
        .relu = s->relu,
        .relu6 = s->relu6,
        .depthwise = w->depthwise,
        .parts = 1,
    };

    if (m->plan->cpu->winograd)
        shape.tile = rv_winograd_tile(&shape);
    return shape;
}

/* Bands begin at multiples of this. */
static int rows_at_once(const struct rv_conv_shape *whole)
{
    return whole->tile ? whole->tile : 1;
}

/* Multiply-accumulates, as far as time goes. */
static double conv_cost(const struct rv_conv_shape *s)
{
    int inputs = s->depthwise ? 1 : s->ic;
    double macs = (double)s->oh * s->ow * s->oc * inputs * s->size * s->size;

    return (s->tile ? macs / 3 : macs) / s->parts;
}

/* What its convolution computes and reads, in numbers. */
static void count(const struct maker *m, struct rv_item *item,
                  const struct rv_conv_shape *s)
{
    double weights = (double)(s->depthwise ? 1 : s->ic) * s->oc / s->parts;
    int points = s->size * s->size;

    item->macs = weights * points * s->oh * s->ow;
    item->flops = 2 * item->macs;
    item->way = m->plan->cpu->library;
    if (s->tile) {
        int across = (s->ow + s->tile - 1) / s->tile;
        int down = (s->oh + s->tile - 1) / s->tile;

        points = (s->tile + 2) * (s->tile + 2);
        item->flops = 2 * weights * points * across * down;
        item->way = s->tile == 4 ? "Winograd 4x4" : "Winograd 2x2";
    }
    item->weight_bytes = weights * points * (double)rv_type_bytes(s->in);
}

/* The convolution of rows item->row0 to row1 of the output. */
static void make_conv(struct maker *m, struct rv_item *item,
                      const struct rv_conv_shape *whole)
{
    const struct rv_step *s = item->step;
    const struct cpu_device *cpu = m->plan->cpu;
    int first = item->row0 * s->stride - s->pad;
    int last = (item->row1 - 1) * s->stride - s->pad + s->size;
    struct rv_conv_shape shape = *whole;

    shape.oh = item->row1 - item->row0;
    shape.pad_top = first < 0 ? -first : 0;
    shape.pad_bottom = last > whole->ih ? last - whole->ih : 0;
    item->in0 = first + shape.pad_top;
    shape.ih = last - shape.pad_bottom - item->in0;
    item->cost = conv_cost(&shape);
    count(m, item, &shape);
    item->engine = shape.tile ? rv_conv_winograd() : cpu->engine;
    m->status = item->engine->create(&item->conv, m->plan->dev, cpu->opened, &shape,
                                     m->weights, s->weight);
}

/* Into how many parts the outputs are cut: where weights are large and maps are small,
 * each worker should not read all of them; and where there are fewer rows of tiles than
 * workers. */
static int parts_for(const struct maker *m, const struct rv_conv_shape *whole, int images,
                     int units)
{
    int most = whole->oc / PART_OUTPUTS, wanted = m->threads;

    if (!whole->tile || images > 1 || most < 1)
        return 1;
    if (whole->ic * whole->oc < MANY_WEIGHTS)
        wanted = (m->threads + units - 1) / units;
    return wanted < most ? wanted : most;
}

static void make_convs(struct maker *m, const struct rv_step *s)
{
    const struct rv_program *p = m->plan->program;
    const struct rv_tensor *in = &p->tensor[s->in[0]], *out = &p->tensor[s->out[0]];
    bool per_slot = out->n > 1 || (out->n == p->objects && in->home == RV_STATE);
    int slot0 = s->object >= 0 ? s->object : per_slot ? 0 : -1;
    struct rv_conv_shape whole = whole_conv(m, s, in->h, in->w, in->type, out->type);
    int unit = rows_at_once(&whole), units = (out->h + unit - 1) / unit, bands;

    whole.sum = s->in[1] >= 0;
    whole.parts = parts_for(m, &whole, out->n, units);
    bands = bands_for(units, out->n * whole.parts, conv_cost(&whole), m->threads);
    for (int i = 0; i < out->n * whole.parts * bands && !m->status; i++) {
        int n = i / whole.parts / bands, b = i % bands, row1;
        struct rv_item *item;

        whole.part = i / bands % whole.parts;
        row1 = units * (b + 1) / bands * unit;
        item = new_item(m, s, RV_ITEM_CONV, slot0 < 0 ? -1 : slot0 + n,
                        units * b / bands * unit, row1 < out->h ? row1 : out->h);
        if (!item)
            return;
        item->image = n;
        make_conv(m, item, &whole);
    }
}

static void make_cell(struct maker *m, const struct rv_step *s)
{
    const struct rv_program *p = m->plan->program;
    const struct rv_tensor *h = &p->tensor[s->out[0]];
    int channels = s->weight >= 0 ? m->plan->net->weight[s->weight].in : 0;
    size_t row = (size_t)h->w * (4 * h->c * 4 + channels * rv_type_bytes(p->type));
    struct rv_conv_shape whole = {0};
    int unit = 1, units, bands;

    if (s->weight >= 0) {
        whole = whole_conv(m, s, h->h, h->w, p->type, RV_F32);
        unit = rows_at_once(&whole);
    }
    units = (h->h + unit - 1) / unit;
    bands = bands_for(units, 1, s->weight >= 0 ? conv_cost(&whole) : 1e4, m->threads);
    while (bands < units && row * unit * ((units + bands - 1) / bands) > CELL_BYTES)
        bands++;
    for (int b = 0; b < bands && !m->status; b++) {
        int row1 = units * (b + 1) / bands * unit;
        struct rv_item *item =
            new_item(m, s, RV_ITEM_CELL, s->object, units * b / bands * unit,
                     row1 < h->h ? row1 : h->h);

        if (item && s->weight >= 0)
            make_conv(m, item, &whole);
    }
}

/* Bands of something that is not counted in multiply-accumulates. */
static void make_bands(struct maker *m, const struct rv_step *s, enum rv_item_kind kind,
                       int slot, int rows, int bands)
{
    if (bands > rows)
        bands = rows;
    for (int b = 0; b < bands && !m->status; b++)
        new_item(m, s, kind, slot, rows * b / bands, rows * (b + 1) / bands);
}

static void make_mask_weights(struct maker *m, const struct rv_step *s)
{
    struct rv_plan *plan = m->plan;
    const struct rv_weight *w = &plan->net->weight[s->weight];
    int taps = w->size * w->size;
    float *oihw = malloc((size_t)w->in * taps * sizeof(float)), *kernel;

    kernel = malloc((size_t)w->in * taps * sizeof(float));
    plan->mask_kernel[s->decoder] = kernel;
    m->status = oihw && kernel ? m->weights->read(m->weights, s->weight, oihw,
                                                  &plan->mask_bias[s->decoder])
                               : RVOS_ERR_MEMORY;
    for (int c = 0; c < w->in && !m->status; c++)
        for (int t = 0; t < taps; t++)
            kernel[t * w->in + c] = oihw[c * taps + t];
    free(oihw);
}

static void make_mask(struct maker *m, const struct rv_step *s)
{
    const struct rv_program *p = m->plan->program;
    const struct rv_tensor *half = &p->tensor[s->out[0]], *full = &p->tensor[s->out[1]];

    make_mask_weights(m, s);
    if (!m->status && !m->plan->mask_x.out && /* the decoders have it in common */
        (rv_axis_init(&m->plan->mask_x, half->w, full->w) ||
         rv_axis_init(&m->plan->mask_y, half->h, full->h)))
        m->status = RVOS_ERR_MEMORY;
    for (int n = 0; n < full->n; n++)
        make_bands(m, s, RV_ITEM_MASK, n, full->h, m->threads > 1 ? 2 : 1);
}

static void make_labels(struct maker *m, const struct rv_step *s)
{
    struct rv_plan *plan = m->plan;

    plan->bands = m->threads > 1 ? 2 * m->threads : 1;
    plan->band[s->decoder] = calloc((size_t)plan->bands, sizeof(**plan->band));
    if (!plan->band[s->decoder])
        m->status = RVOS_ERR_MEMORY;
    for (int kind = RV_ITEM_LABELS; kind <= RV_ITEM_FINISH && !m->status; kind++)
        for (int b = 0; b < plan->bands; b++) {
            struct rv_item *item =
                new_item(m, s, (enum rv_item_kind)kind, -1, b, plan->bands);

            if (item)
                item->wave += kind == RV_ITEM_FINISH;
        }
}

/* Of a step of the frame, but it works for the one-shot decoder. */
static void new_seed_item(struct maker *m, const struct rv_step *s, int slot)
{
    struct rv_item *item = new_item(m, s, RV_ITEM_SEED, slot, 0, m->plan->net->height);

    if (item)
        item->decoder = RV_ONE_SHOT;
}

static void make_step(struct maker *m, const struct rv_step *s)
{
    const struct rv_program *p = m->plan->program;
    const struct rv_net *net = m->plan->net;
    const struct rv_tensor *out;

    switch (s->op) {
    case RV_OP_PREPROC:
        for (int y = 0, n = rv_image_rows(net, m->threads); y < net->height; y += n)
            new_item(m, s, RV_ITEM_IMAGE, -1, y,
                     y + n < net->height ? y + n : net->height);
        for (int n = 0; n < p->objects && s->out[1] >= 0; n++)
            new_seed_item(m, s, n);
        break;
    case RV_OP_CONV:
        make_convs(m, s);
        break;
    case RV_OP_MAXPOOL:
        out = &p->tensor[s->out[0]];
        for (int n = 0; n < out->n; n++)
            make_bands(m, s, RV_ITEM_POOL, s->decoder >= 0 ? n : -1, out->h,
                       out->c == 1 ? 1 : m->threads);
        break;
    case RV_OP_CELL:
        make_cell(m, s);
        break;
    case RV_OP_MASK:
        make_mask(m, s);
        break;
    case RV_OP_LABELS:
        make_labels(m, s);
        break;
    }
}

static int dearest_first(const void *a, const void *b)
{
    const struct rv_item *x = a, *y = b;

    if (x->wave != y->wave)
        return x->wave < y->wave ? -1 : 1;
    if (x->cost != y->cost)
        return x->cost > y->cost ? -1 : 1;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return x->slot != y->slot ? x->slot - y->slot : x->row0 - y->row0;
}

static void make_waves(struct maker *m)
{
    struct rv_plan *plan = m->plan;

    plan->n_waves = plan->program->n_waves + 1; /* and RV_ITEM_FINISH */
    qsort(plan->item, (size_t)plan->n_items, sizeof(*plan->item), dearest_first);
    plan->wave_at = calloc((size_t)plan->n_waves + 1, sizeof(*plan->wave_at));
    plan->next = calloc((size_t)plan->n_waves, sizeof(*plan->next));
    plan->left = calloc((size_t)plan->n_waves, sizeof(*plan->left));
    if (!plan->wave_at || !plan->next || !plan->left) {
        m->status = RVOS_ERR_MEMORY;
        return;
    }
    for (int i = 0; i < plan->n_items; i++)
        plan->wave_at[plan->item[i].wave + 1] = i + 1;
    for (int w = 0; w < plan->n_waves; w++) /* a wave without items */
        if (plan->wave_at[w + 1] < plan->wave_at[w])
            plan->wave_at[w + 1] = plan->wave_at[w];
}

static void *alloc_aligned(size_t bytes)
{
    return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

static void make_memory(struct maker *m)
{
    struct rv_plan *plan = m->plan;

    for (int i = 0; i < plan->n_items; i++) {
        const struct rv_item *item = &plan->item[i];
        size_t need = rv_item_scratch(plan, item);

        if (item->conv)
            need += item->engine->scratch_bytes(item->conv);
        if (need > plan->scratch_bytes)
            plan->scratch_bytes = need;
    }
    plan->arena = alloc_aligned(plan->program->arena_bytes);
    plan->scratch = calloc((size_t)m->threads, sizeof(*plan->scratch));
    if (!plan->arena || !plan->scratch) {
        m->status = RVOS_ERR_MEMORY;
        return;
    }
    for (int i = 0; i < m->threads; i++) {
        plan->scratch[i] = alloc_aligned(plan->scratch_bytes);
        if (!plan->scratch[i])
            m->status = RVOS_ERR_MEMORY;
    }
}

/* In worker 0: what is made here remembers how many threads its thread has. */
static void make(void *ctx, int worker)
{
    struct maker *m = ctx;
    const struct rv_program *p = m->plan->program;

    if (worker)
        return;
    for (int i = 0; i < p->n_steps && !m->status; i++)
        make_step(m, &p->step[i]);
    if (!m->status)
        make_waves(m);
    if (!m->status)
        make_memory(m);
}

int rv_cpu_plan_create(rvos_device *dev, const struct rv_program *program,
                       struct rv_weights *weights, rvos_precision precision, int batch,
                       struct rv_plan **out)
{
    struct rv_plan *plan = calloc(1, sizeof(*plan));
    struct cpu_device *cpu = dev->priv;
    struct maker m = {plan, weights, rv_pool_threads(cpu->pool), 0};

    (void)precision; /* the program has its types */
    (void)batch;     /* 1: frames of several streams run one after another */
    *out = NULL;
    if (!plan)
        return RVOS_ERR_MEMORY;
    plan->dev = dev;
    plan->cpu = cpu;
    plan->program = program;
    plan->net = weights->net;
    rv_pool_run(cpu->pool, make, &m);
    if (m.status) {
        rv_cpu_plan_destroy(plan);
        return m.status;
    }
    rv_log(dev, RVOS_LOG_DEBUG, "plan: %d steps, %d waves, %d items, arena %zu bytes",
           program->n_steps, plan->n_waves, plan->n_items, program->arena_bytes);
    *out = plan;
    return 0;
}

void rv_cpu_plan_destroy(struct rv_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < plan->n_items; i++)
        if (plan->item[i].conv)
            plan->item[i].engine->destroy(plan->item[i].conv);
    for (int i = 0; plan->scratch && i < rv_pool_threads(plan->cpu->pool); i++)
        free(plan->scratch[i]);
    free(plan->scratch);
    free(plan->arena);
    free(plan->item);
    free(plan->wave_at);
    free((void *)plan->next);
    free((void *)plan->left);
    for (int d = 0; d < RV_DECODERS; d++) {
        free(plan->mask_kernel[d]);
        free(plan->band[d]);
    }
    rv_axis_finish(&plan->mask_x);
    rv_axis_finish(&plan->mask_y);
    free(plan);
}
