/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* order.c - the order in which the steps of a plan are made. Finding the best engine of a
 * convolution takes time, which is limited. So shapes are sorted by their part of a
 * frame, and each gets a share of the time in proportion. */
#include <stdlib.h>

#include "plan.h"

static double macs_of(const struct rv_plan *plan, const struct rv_step *s)
{
    const struct rv_tensor *out = &plan->program->tensor[s->out[0]];
    bool cell = s->op == RV_OP_CELL;

    if ((s->op != RV_OP_CONV && !cell) || s->weight < 0)
        return 0;
    return (double)out->n * out->h * out->w * out->c * (cell ? 4 : 1) *
           plan->net->weight[s->weight].in * s->size * s->size;
}

static bool same_size(const struct rv_program *p, rv_tid a, rv_tid b)
{
    const struct rv_tensor *x, *y;

    if (a < 0 || b < 0)
        return a < 0 && b < 0;
    x = &p->tensor[a];
    y = &p->tensor[b];
    return x->n == y->n && x->h == y->h && x->w == y->w && x->c == y->c &&
           x->type == y->type;
}

static bool same_shape(const struct rv_program *p, const struct rv_step *a,
                       const struct rv_step *b)
{
    return a->op == b->op && a->size == b->size && a->stride == b->stride &&
           a->relu == b->relu && same_size(p, a->in[0], b->in[0]) &&
           same_size(p, a->in[1], b->in[1]) && same_size(p, a->out[0], b->out[0]);
}

static int heaviest_first(const void *a, const void *b)
{
    const struct rv_order *x = a, *y = b;

    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->step - y->step;
}

int rv_plan_order(const struct rv_plan *plan, struct rv_order **out)
{
    const struct rv_program *p = plan->program;
    struct rv_order *order = calloc((size_t)p->n_steps, sizeof(*order));
    double left = 0;

    *out = order;
    if (!order)
        return RVOS_ERR_MEMORY;
    for (int i = 0; i < p->n_steps; i++) {
        double macs = macs_of(plan, &p->step[i]);
        int first = 0;

        while (!same_shape(p, &p->step[first], &p->step[i]))
            first++;
        order[i].step = i;
        order[first].weight += macs;
        left += macs;
    }
    qsort(order, (size_t)p->n_steps, sizeof(*order), heaviest_first);
    for (int i = 0; i < p->n_steps; i++) {
        order[i].share = left > 0 ? order[i].weight / left : 0;
        left -= order[i].weight;
    }
    return 0;
}
