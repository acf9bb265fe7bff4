/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "../log.h"

/* Handing out a smaller band of a convolution costs more than it saves. */
#define MIN_BAND_MACS 2e6
/* With larger bands a worker that loses its core for a while holds up the others. */
#define MAX_BAND_MACS 150e6
/* Limit for a cell's band: input and gate sums should stay in the second-level cache. */
#define CELL_BYTES (640 * 1024)

/* The state of plan creation, which worker 0 runs. */
struct maker {
    struct rv_plan *plan;
    struct rv_weights *weights;
    int threads, shares;
    int bits; /* of convolutions: see conv.h */
    int status;
};

static int bands_for(int rows, int images, double macs, int shares)
{
    int bands = (shares + images - 1) / images;

    while (macs / bands > MAX_BAND_MACS)
        bands += shares;
    if (images % shares && images < 4 * shares && bands < 2)
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

/* A step's whole convolution, and its split. */
struct conv_plan {
    struct rv_conv_order order;
    int units;   /* units of order.split.rows rows; a band has one or several */
    double cost; /* multiply-accumulates that would take the same time */
};

/* For inputs of h x w pixels and `images` equal convolutions. */
static struct conv_plan plan_conv(struct maker *m, const struct rv_step *s, int h, int w,
                                  enum rv_type in, enum rv_type out, int images)
{
    const struct cpu_device *cpu = m->plan->cpu;
    const struct rv_weight *weight = &m->plan->net->weight[s->weight];
    const struct rv_conv_shape whole = {
        .ih = h,
        .iw = w,
        .ic = weight->depthwise ? weight->out : weight->in,
        .oh = (h + 2 * s->pad - s->size) / s->stride + 1,
        .ow = (w + 2 * s->pad - s->size) / s->stride + 1,
        .oc = weight->out,
        .size = s->size,
        .stride = s->stride,
        .pad_side = s->pad,
        .in = in,
        .out = out,
        .relu = s->relu,
        .relu6 = s->relu6,
        .depthwise = weight->depthwise,
        .sum = s->op == RV_OP_CONV && s->in[1] >= 0,
        .bits = m->bits,
    };
    const struct rv_conv_engine *engine = rv_conv_find(cpu->engines, &whole);
    struct rv_conv_split split =
        engine->split ? engine->split(&whole, images, m->shares)
                      : (struct rv_conv_split){.rows = 1, .parts = 1, .speed = 1};

    return (struct conv_plan){
        {m->plan->dev, engine, cpu->opened, whole, split, 0, m->weights, s->weight},
        (whole.oh + split.rows - 1) / split.rows,
        (double)whole.oh * whole.ow * whole.oc * weight->in * whole.size * whole.size /
            split.speed};
}

/* Makes band b of `bands`: an item and its convolution. */
static struct rv_item *new_conv_item(struct maker *m, const struct rv_step *s,
                                     enum rv_item_kind kind, int slot,
                                     const struct conv_plan *c, int b, int bands)
{
    int unit = c->order.split.rows, rows = c->order.shape.oh;
    int row0 = c->units * b / bands * unit, row1 = c->units * (b + 1) / bands * unit;
    struct rv_item *item = new_item(m, s, kind, slot, row0, row1 < rows ? row1 : rows);

    if (!item)
        return NULL;
    item->cost = c->cost / rows * (item->row1 - row0) / c->order.split.parts;
    m->status = rv_conv_create(&c->order, row0, item->row1, &item->conv);
    return item;
}

static void make_convs(struct maker *m, const struct rv_step *s)
{
    const struct rv_program *p = m->plan->program;
    const struct rv_tensor *in = &p->tensor[s->in[0]], *out = &p->tensor[s->out[0]];
    bool per_slot = out->n > 1 || (out->n == p->objects && in->home == RV_STATE);
    int slot0 = s->object >= 0 ? s->object : per_slot ? 0 : -1;
    struct conv_plan c = plan_conv(m, s, in->h, in->w, in->type, out->type, out->n);
    int parts = c.order.split.parts;
    int bands = bands_for(c.units, out->n * parts, c.cost / parts, m->shares);

    for (int i = 0; i < out->n * parts * bands && !m->status; i++) {
        int n = i / parts / bands;
        struct rv_item *item;

        c.order.part = i / bands % parts;
        item = new_conv_item(m, s, RV_ITEM_CONV, slot0 < 0 ? -1 : slot0 + n, &c,
                             i % bands, bands);
        if (item)
            item->image = n;
    }
}

static void make_cell(struct maker *m, const struct rv_step *s)
{
    const struct rv_program *p = m->plan->program;
    const struct rv_tensor *h = &p->tensor[s->out[0]];
    struct conv_plan c = {.units = h->h, .cost = 1e4};
    size_t row = (size_t)h->w * 4 * h->c * sizeof(float);
    int bands, unit = 1;

    if (s->weight >= 0) {
        c = plan_conv(m, s, h->h, h->w, p->type, RV_F32, 1);
        c.order.split.parts = 1; /* the cell update needs all gates */
        unit = c.order.split.rows;
        row += (size_t)h->w * c.order.shape.ic * rv_type_bytes(p->type);
    }
    bands = bands_for(c.units, 1, c.cost, m->shares);
    while (bands < c.units && row * unit * ((c.units + bands - 1) / bands) > CELL_BYTES)
        bands++;
    for (int b = 0; b < bands && !m->status; b++)
        if (s->weight >= 0)
            new_conv_item(m, s, RV_ITEM_CELL, s->object, &c, b, bands);
        else
            new_item(m, s, RV_ITEM_CELL, s->object, h->h * b / bands,
                     h->h * (b + 1) / bands);
}

/* Makes bands of a step without multiply-accumulates. */
static void make_bands(struct maker *m, const struct rv_step *s, enum rv_item_kind kind,
                       int slot, int rows, int bands)
{
    if (bands > rows)
        bands = rows;
    for (int b = 0; b < bands && !m->status; b++)
        new_item(m, s, kind, slot, rows * b / bands, rows * (b + 1) / bands);
}

/* The kernel of conv_out as [tap][channel], followed by the bias. */
struct mask_weights {
    struct rv_prepared head;
    float kernel[];
};

static int mask_make(struct rv_prepared **out, rvos_device *dev,
                     const struct rv_weight *w, const void *layout, const float *kernel,
                     const float *bias)
{
    int taps = w->size * w->size, n = w->in * taps;
    struct mask_weights *p = malloc(sizeof(*p) + ((size_t)n + 1) * sizeof(float));

    (void)dev;
    (void)layout;
    if (!p)
        return RVOS_ERR_MEMORY;
    p->head.bytes = 0;
    for (int i = 0; i < n; i++)
        p->kernel[i % taps * w->in + i / taps] = kernel[i];
    p->kernel[n] = *bias;
    *out = &p->head;
    return 0;
}

static void make_mask(struct maker *m, const struct rv_step *s)
{
    static const struct rv_form form = {.make = mask_make};
    const struct mask_weights *weights = NULL;
    const struct rv_program *p = m->plan->program;
    const struct rv_tensor *half = &p->tensor[s->out[0]], *full = &p->tensor[s->out[1]];

    m->status = rv_prepare(m->plan->dev, m->weights, s->weight, &form, NULL,
                           (const struct rv_prepared **)&weights);
    if (!m->status)
        m->plan->mask_kernel[s->decoder] = weights->kernel;
    if (!m->status && !m->plan->mask_x.out && /* both decoders use the same axes */
        (rv_axis_init(&m->plan->mask_x, half->w, full->w) ||
         rv_axis_init(&m->plan->mask_y, half->h, full->h)))
        m->status = RVOS_ERR_MEMORY;
    for (int n = 0; n < full->n; n++)
        make_bands(m, s, RV_ITEM_MASK, n, full->h, m->shares > 1 ? 2 : 1);
}

static void make_labels(struct maker *m, const struct rv_step *s)
{
    struct rv_plan *plan = m->plan;
    int rows = plan->program->tensor[s->in[0]].h;

    plan->bands = m->shares > 1 ? 2 * m->shares : 1;
    plan->band[s->decoder] = calloc((size_t)plan->bands, sizeof(**plan->band));
    if (!plan->band[s->decoder])
        m->status = RVOS_ERR_MEMORY;
    for (int kind = RV_ITEM_LABELS; kind <= RV_ITEM_FINISH && !m->status; kind++)
        for (int b = 0; b < plan->bands; b++) {
            struct rv_item *item =
                new_item(m, s, (enum rv_item_kind)kind, -1, rows * b / plan->bands,
                         rows * (b + 1) / plan->bands);

            if (!item)
                return;
            item->band = b;
            item->wave += kind == RV_ITEM_FINISH;
        }
}

/* Belongs to a step of the frame, but works for the one-shot decoder. */
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
        for (int y = 0, n = rv_image_rows(net, m->shares); y < net->height; y += n)
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
            make_bands(m, s, RV_ITEM_MAXPOOL, s->decoder >= 0 ? n : -1, out->h,
                       out->c == 1 ? 1 : m->shares);
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

    plan->n_waves = plan->program->n_waves + 1; /* one more wave for RV_ITEM_FINISH */
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

static void make_memory(struct maker *m)
{
    struct rv_plan *plan = m->plan;

    for (int i = 0; i < plan->n_items; i++) {
        const struct rv_item *item = &plan->item[i];
        size_t need = rv_item_scratch(plan, item);

        if (item->conv)
            need += item->conv->scratch_bytes;
        if (need > plan->scratch_bytes)
            plan->scratch_bytes = need;
    }
    plan->arena = rv_alloc_aligned(plan->program->arena_bytes);
    plan->scratch = calloc((size_t)m->threads, sizeof(*plan->scratch));
    if (!plan->arena || !plan->scratch) {
        m->status = RVOS_ERR_MEMORY;
        return;
    }
    for (int i = 0; i < m->threads; i++) {
        plan->scratch[i] = rv_alloc_aligned(plan->scratch_bytes);
        if (!plan->scratch[i])
            m->status = RVOS_ERR_MEMORY;
    }
}

/* Runs in worker 0, because oneDNN's primitives remember the thread count of their
 * creator. */
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
    struct maker m = {.plan = plan,
                      .weights = weights,
                      .threads = rv_pool_threads(cpu->pool),
                      .shares = cpu->shares,
                      .bits = precision == RVOS_PRECISION_INT16  ? 16
                              : precision == RVOS_PRECISION_INT8 ? 8
                                                                 : 0};

    (void)batch; /* 1: frames of several streams run one after another */
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
        rv_conv_destroy(plan->item[i].conv);
    for (int i = 0; plan->scratch && i < rv_pool_threads(plan->cpu->pool); i++)
        free(plan->scratch[i]);
    free(plan->scratch);
    free(plan->arena);
    free(plan->item);
    free(plan->wave_at);
    free((void *)plan->next);
    free((void *)plan->left);
    for (int d = 0; d < RV_DECODERS; d++)
        free(plan->band[d]);
    rv_axis_finish(&plan->mask_x);
    rv_axis_finish(&plan->mask_y);
    free(plan);
}
