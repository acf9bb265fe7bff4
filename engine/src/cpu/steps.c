/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.c - measures the cost of each step of a plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* ---- names ------------------------------------------------------------------ */

/* The level whose hidden state has the tensor's size. All levels differ in size. */
static int level_of(const struct rv_program *p, int decoder, rv_tid t)
{
    for (int k = 0; k < RV_LEVELS; k++) {
        const struct rv_tensor *h = &p->tensor[p->memory[decoder].hidden[k]];

        if (h->h == p->tensor[t].h && h->w == p->tensor[t].w)
            return k;
    }
    return -1;
}

/* "encoder.base.layer1.0.conv1" without the common prefixes. */
static const char *short_name(const char *conv)
{
    static const char *const front[] = {"encoder.", "base."};

    for (int i = 0; i < 2; i++)
        if (!strncmp(conv, front[i], strlen(front[i])))
            conv += strlen(front[i]);
    return conv;
}

static void name_step(const struct rv_plan *plan, const struct rv_step *s, char *out,
                      size_t size)
{
    const struct rv_program *p = plan->program;
    const char *decoder = s->decoder < 0 || p->decoders != 3 ? ""
                          : s->decoder == RV_ONE_SHOT        ? "one-shot "
                                                             : "zero-shot ";

    switch (s->op) {
    case RV_OP_PREPROC:
        snprintf(out, size, "image");
        break;
    case RV_OP_CONV:
        if (s->decoder < 0)
            snprintf(out, size, "%s", short_name(plan->net->weight[s->weight].conv));
        else
            snprintf(out, size, "%sgates %d of the %s", decoder,
                     level_of(p, s->decoder, s->out[0]),
                     s->object >= 0 || p->tensor[s->in[0]].home == RV_STATE ||
                             p->tensor[s->out[0]].n > 1
                         ? "last frame"
                         : "image");
        break;
    case RV_OP_MAXPOOL:
        snprintf(out, size, "%s%s", decoder,
                 s->decoder < 0 ? "max pool" : "halved masks");
        break;
    case RV_OP_CELL:
        snprintf(out, size, "%scell %d", decoder, level_of(p, s->decoder, s->out[0]));
        break;
    case RV_OP_MASK:
        snprintf(out, size, "%smasks", decoder);
        break;
    case RV_OP_LABELS:
        snprintf(out, size, "%slabels", decoder);
        break;
    }
}

/* ---- bytes ------------------------------------------------------------------ */

static double view_bytes(const struct rv_plan *plan, rv_tid t, double rows)
{
    const struct rv_tensor *x;

    if (t < 0)
        return 0;
    x = &plan->program->tensor[t];
    return rows * x->w * x->c * (double)rv_type_bytes(x->type);
}

/* Approximate number of input rows that `rows` rows of the step's output need. */
static double input_rows(const struct rv_plan *plan, const struct rv_item *item, rv_tid t)
{
    const struct rv_tensor *out = &plan->program->tensor[item->step->out[0]];

    if (t < 0)
        return 0;
    return (double)(item->row1 - item->row0) * plan->program->tensor[t].h / out->h;
}

static double item_bytes(const struct rv_plan *plan, const struct rv_item *item)
{
    const struct rv_step *s = item->step;
    double rows = item->row1 - item->row0,
           bytes = item->conv ? item->conv->weight_bytes : 0;
    const struct rv_tensor *logits;

    switch (item->kind) {
    case RV_ITEM_SEED: /* the fed mask */
        return view_bytes(plan, s->out[1], rows);
    case RV_ITEM_LABELS: /* the requested outputs are not known here */
        logits = &plan->program->tensor[s->in[0]];
        return view_bytes(plan, s->in[0], (double)logits->h / plan->bands) * logits->n;
    case RV_ITEM_FINISH:
        return 0;
    case RV_ITEM_MASK: /* rows are those of out[1], at network size */
        return view_bytes(plan, s->in[0], rows / 4) +
               view_bytes(plan, s->out[0], rows / 2) + view_bytes(plan, s->out[1], rows) +
               view_bytes(plan, s->out[2], rows);
    default:
        for (int i = 0; i < RV_CELL_INPUTS; i++)
            bytes += view_bytes(plan, s->in[i], input_rows(plan, item, s->in[i]));
        bytes += view_bytes(plan, s->out[0], rows);
        return item->kind == RV_ITEM_CELL ? bytes + view_bytes(plan, s->out[1], rows)
                                          : bytes;
    }
}

/* ---- queries ----------------------------------------------------------------- */

struct question {
    struct rv_plan *plan;
    bool on;
    rvos_step *step; /* room for all steps */
    int count;
};

static void set_timed(void *ctx, int worker)
{
    const struct question *q = ctx;

    if (worker)
        return;
    q->plan->timed = q->on;
    for (int i = 0; i < q->plan->n_items; i++)
        q->plan->item[i].seconds = -1;
}

/* Goes through the pool, so that no frame runs at the same time. */
void rv_cpu_plan_time(struct rv_plan *plan, bool on)
{
    struct question q = {.plan = plan, .on = on};

    rv_pool_run(plan->cpu->pool, set_timed, &q);
}

static void add_item(rvos_step *step, const struct rv_plan *plan,
                     const struct rv_item *item)
{
    const struct rv_conv *conv = item->conv;

    step->parts++;
    step->seconds += item->seconds;
    if (conv) {
        snprintf(step->way, sizeof(step->way), "%s",
                 conv->way ? conv->way : plan->cpu->version);
        step->macs += conv->macs;
        step->flops += conv->flops;
    }
    step->bytes += item_bytes(plan, item);
}

/* Sums up the items that have run, by step name. */
static void read_steps(void *ctx, int worker)
{
    struct question *q = ctx;
    const struct rv_program *p = q->plan->program;
    rvos_step *all = q->step;

    if (worker)
        return;
    for (int s = 0; s < p->n_steps; s++) {
        rvos_step step = {.parts = 0};
        int at = 0;

        name_step(q->plan, &p->step[s], step.name, sizeof(step.name));
        while (at < q->count && strcmp(all[at].name, step.name))
            at++;
        for (int i = 0; i < q->plan->n_items; i++)
            if (q->plan->item[i].step == &p->step[s] && q->plan->item[i].seconds >= 0)
                add_item(at < q->count ? &all[at] : &step, q->plan, &q->plan->item[i]);
        if (at == q->count && step.parts)
            all[q->count++] = step;
    }
}

int rv_cpu_plan_steps(struct rv_plan *plan, rvos_step *out, int room)
{
    struct question q = {.plan = plan};

    q.step = calloc((size_t)plan->program->n_steps, sizeof(*q.step));
    if (!q.step)
        return RVOS_ERR_MEMORY;
    rv_pool_run(plan->cpu->pool, read_steps, &q);
    for (int i = 0; i < q.count && i < room; i++)
        out[i] = q.step[i];
    free(q.step);
    return q.count;
}
