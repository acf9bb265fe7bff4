/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* order.c - finds what each step reads and writes from its kernels' addresses, and the
 * order of steps from lanes and waits alone. It shares no code with lanes.c. */
#include "order.h"

#include <stdlib.h>

#define MOST 16 /* accesses of a step */

/* `count` pieces of `width` bytes, `pitch` apart; the same again for each job. */
struct access {
    bool write, state;
    size_t at, count, pitch, width, stride;
    int jobs;
};

struct accesses {
    struct access of[MOST];
    int n;
};

static void add(struct accesses *a, struct access one)
{
    if (a->n < MOST && one.count && one.width)
        a->of[a->n++] = one;
}

static void add_view(struct accesses *a, const struct rv_plan *plan, rv_tid t, bool write)
{
    struct rv_view v = rv_plan_view(plan, t);
    size_t element = rv_type_bytes(v.type);

    if (v.where == RV_NOWHERE)
        return;
    add(a, (struct access){.write = write,
                           .state = v.where == RV_IN_STATE,
                           .at = v.offset,
                           .count = (size_t)v.n * v.h * v.w,
                           .pitch = v.pitch * element,
                           .width = v.c * element,
                           .stride = v.stride,
                           .jobs = v.where == RV_IN_STATE ? 1 : plan->batch});
}

static void add_scratch(struct accesses *a, size_t at, size_t bytes)
{
    if (at != RV_NONE)
        add(a, (struct access){.write = true,
                               .at = at,
                               .count = 1,
                               .pitch = bytes,
                               .width = bytes,
                               .jobs = 1});
}

static void find(const struct rv_plan *plan, const struct cuda_step *s,
                 struct accesses *a)
{
    const struct rv_program *p = plan->program;
    const struct rv_step *step = s->step;
    size_t element = rv_type_bytes(plan->program->type);

    a->n = 0;
    for (int i = 0; i < RV_CELL_INPUTS; i++)
        add_view(a, plan, step->in[i], false);
    for (int i = 0; i < 3; i++)
        add_view(a, plan, step->out[i], true);
    if (s->made.conv)
        add_scratch(a, plan->workspace[s->lane],
                    s->made.engine->workspace_bytes(s->made.conv));
    if (step->op == RV_OP_CONV) {
        const struct rv_tensor *in = &p->tensor[step->in[0]];

        add_scratch(a, s->input,
                    (size_t)plan->batch * in->n * in->h * in->w * s->channels * element);
    } else if (step->op == RV_OP_CELL && s->made.conv) {
        const struct rv_tensor *h = &p->tensor[step->out[0]];
        size_t pixels = (size_t)plan->batch * h->h * h->w;

        add_scratch(a, s->input, pixels * s->channels * element);
        add_scratch(a, plan->cell_gates[rv_plan_level(p, step)],
                    pixels * 4 * h->c * sizeof(float));
    } else if (step->op == RV_OP_MASK) {
        add_scratch(a, plan->mask_taps[step->decoder],
                    plan->batch * plan->mask_taps_stride * sizeof(float));
    }
}

/* Slices of one tensor without common channels are interleaved in memory. */
static bool meet(const struct access *a, const struct access *b)
{
    for (int i = 0; i < a->jobs; i++)
        for (int j = 0; j < b->jobs; j++) {
            size_t x = a->at + i * a->stride, y = b->at + j * b->stride, d;

            if (x >= y + (b->count - 1) * b->pitch + b->width ||
                y >= x + (a->count - 1) * a->pitch + a->width)
                continue;
            if (a->pitch != b->pitch)
                return true;
            d = y >= x ? (y - x) % a->pitch : (a->pitch - (x - y) % a->pitch) % a->pitch;
            if (d < a->width || d + b->width > a->pitch)
                return true;
        }
    return false;
}

static bool conflict(const struct accesses *a, const struct accesses *b)
{
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++)
            if ((a->of[i].write || b->of[j].write) && a->of[i].state == b->of[j].state &&
                meet(&a->of[i], &b->of[j]))
                return true;
    return false;
}

/* before[i * n + j]: step j has ended when step i begins. */
static void find_order(const struct rv_plan *plan, bool *before, struct order *o)
{
    int n = plan->program->n_steps, last[RV_LANES];

    for (int l = 0; l < RV_LANES; l++)
        last[l] = -1;
    for (int i = 0; i < n; i++) {
        const struct cuda_step *s = &plan->step[i];

        for (int l = 0; l <= RV_LANES; l++) {
            int j = l < RV_LANES ? s->wait[l] : last[s->lane];

            if (j < 0)
                continue;
            o->waits += l < RV_LANES;
            before[i * n + j] = true;
            for (int k = 0; k < j; k++)
                before[i * n + k] = before[i * n + k] || before[j * n + k];
        }
        last[s->lane] = i;
    }
}

struct order order_check(const struct rv_plan *plan)
{
    size_t n = (size_t)plan->program->n_steps;
    struct accesses *a = calloc(n, sizeof(*a));
    bool *before = calloc(n * n, sizeof(*before));
    struct order o = {.first = -1, .second = -1};

    if (!a || !before)
        abort();
    find_order(plan, before, &o);
    for (size_t i = 0; i < n; i++) {
        find(plan, &plan->step[i], &a[i]);
        for (size_t j = 0; j < i; j++) {
            if (before[i * n + j]) {
                o.ordered += plan->step[i].lane != plan->step[j].lane;
            } else if (conflict(&a[i], &a[j])) {
                if (!o.unordered++) {
                    o.first = (int)j;
                    o.second = (int)i;
                }
            }
        }
    }
    free(a);
    free(before);
    return o;
}

/* ---- waits for memory --------------------------------------------------------- */

/* needs[i * n + j]: step i needs step j's output, or j must have read what i overwrites.
 */
static void find_needs(const struct rv_program *p, bool *needs)
{
    int n = p->n_steps;

    for (int i = 0; i < n; i++)
        for (int j = i - 1; j >= 0; j--) {
            if (!rv_must_follow(p, &p->step[i], &p->step[j], rv_same_elements))
                continue;
            needs[i * n + j] = true;
            for (int k = 0; k < j; k++)
                needs[i * n + k] = needs[i * n + k] || needs[j * n + k];
        }
}

int order_false_waits(const struct rv_plan *plan, bool encoder)
{
    const struct rv_program *p = plan->program;
    size_t n = (size_t)p->n_steps;
    bool *needs = calloc(n * n, sizeof(*needs));
    int waits = 0;

    if (!needs)
        abort();
    find_needs(p, needs);
    for (size_t i = 0; i < n; i++)
        for (int l = 0; l < RV_LANES; l++) {
            int j = plan->step[i].wait[l];

            waits += j >= 0 && !needs[i * n + (size_t)j] &&
                     (p->step[i].decoder < 0 || !encoder);
        }
    free(needs);
    return waits;
}
