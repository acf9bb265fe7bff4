/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lanes.c - which stream each step runs in, and which steps of others it waits for. */
#include <stdlib.h>

#include "plan.h"

struct range {
    size_t from, to;
};

static struct range bytes_of(const struct rv_program *p, rv_tid root)
{
    const struct rv_tensor *t = &p->tensor[root];
    size_t size = (size_t)t->n * t->h * t->w * t->c * (t->wide ? 4 : p->narrow_bytes);

    return (struct range){t->offset, t->offset + size};
}

/* Whether two tensors share memory, as slices of one or by the arena's reuse. */
static bool same_bytes(const struct rv_program *p, rv_tid a, rv_tid b)
{
    struct rv_place x, y;
    struct range r, s;

    if (a < 0 || b < 0 || p->tensor[a].home != p->tensor[b].home)
        return false;
    x = rv_tensor_place(p, a);
    y = rv_tensor_place(p, b);
    if (x.root == y.root)
        return rv_same_elements(p, a, b);
    r = bytes_of(p, x.root);
    s = bytes_of(p, y.root);
    return r.from < s.to && s.from < r.to;
}

int rv_plan_level(const struct rv_program *p, const struct rv_step *cell)
{
    rv_tid root = rv_tensor_place(p, cell->out[0]).root;

    for (int k = 0; k < RV_LEVELS; k++)
        if (p->memory[cell->decoder].hidden[k] == root)
            return k;
    return 0;
}

/* Cells have their level's lane. Another step goes where what it works on was made, if
 * nothing has come behind that; else where the lane has been idle for longest. */
static int choose(const struct rv_plan *plan, int i, const int last[RV_LANES])
{
    const struct rv_program *p = plan->program;
    const struct rv_step *s = plan->step[i].step;
    int idle = 0;

    if (s->op == RV_OP_CELL)
        return RV_CELL_LANE + rv_plan_level(p, s);
    for (int l = 0; l < RV_LANES; l++)
        for (int o = 0; o < 3 && last[l] >= 0; o++)
            if (same_bytes(p, plan->step[last[l]].step->out[o], s->in[0]))
                return l;
    for (int l = 1; l < RV_LANES; l++)
        if (last[l] < last[idle])
            idle = l;
    return idle;
}

int rv_plan_lanes(struct rv_plan *plan)
{
    const struct rv_program *p = plan->program;
    int last[RV_LANES], ret = 0;

    for (int l = 0; l < RV_LANES; l++)
        last[l] = -1;
    for (int i = 0; i < p->n_steps; i++) {
        struct cuda_step *s = &plan->step[i];

        s->lane = choose(plan, i, last);
        last[s->lane] = i;
        for (int l = 0; l < RV_LANES; l++)
            s->wait[l] = -1;
        for (int j = 0; j < i; j++)
            if (plan->step[j].lane != s->lane &&
                rv_must_follow(p, s->step, plan->step[j].step, same_bytes))
                s->wait[plan->step[j].lane] = j;
        for (int l = 0; l < RV_LANES; l++)
            if (s->wait[l] >= 0 && !plan->step[s->wait[l]].done)
                CU(plan->dev, cudaEventCreateWithFlags(&plan->step[s->wait[l]].done,
                                                       cudaEventDisableTiming));
    }
error:
    return ret;
}
