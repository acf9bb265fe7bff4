/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lanes.c - picks each step's stream ("lane") and the steps of other lanes that it waits
 * for.
 *
 * Waits that earlier waits imply are dropped. A needless wait costs an edge of the graph,
 * and the kernel after it cannot be chained (chain.c). */
#include <stdlib.h>

#include "plan.h"

struct range {
    size_t from, to;
};

static struct range bytes_of(const struct rv_program *p, rv_tid root)
{
    const struct rv_tensor *t = &p->tensor[root];

    return (struct range){t->offset, t->offset + rv_tensor_bytes(t)};
}

/* Whether two tensors share memory, as slices of one tensor or by reuse in the arena. */
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
    if (x.root == p->step[0].out[0] || y.root == p->step[0].out[0])
        return false; /* the network's input lies outside the arena (rv_plan_view) */
    r = bytes_of(p, x.root);
    s = bytes_of(p, y.root);
    return r.from < s.to && s.from < r.to;
}

/* Cells run in their level's lane. Another step runs in the lane of its input's step if
 * that is the lane's last one, else in the lane that has been idle for longest. */
static int choose_lane(const struct rv_plan *plan, int i, const int last[RV_LANES])
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

/* `s` runs after step j, and so after all steps that j runs after. */
static void come_behind(struct cuda_step *s, const struct cuda_step *j)
{
    for (int l = 0; l < RV_LANES; l++)
        s->after[l] = j->after[l] > s->after[l] ? j->after[l] : s->after[l];
}

/* Latest steps first, because steps that they run after need no wait of their own. */
static void set_waits(struct rv_plan *plan, int i)
{
    struct cuda_step *s = &plan->step[i];

    for (int j = i - 1; j >= 0; j--) {
        const struct cuda_step *other = &plan->step[j];

        if (s->after[other->lane] >= j ||
            !rv_must_follow(plan->program, s->step, other->step, same_bytes))
            continue;
        s->wait[other->lane] = j;
        come_behind(s, other);
    }
    s->after[s->lane] = i;
}

int rv_plan_lanes(struct rv_plan *plan)
{
    const struct rv_program *p = plan->program;
    int last[RV_LANES], ret = 0;

    for (int l = 0; l < RV_LANES; l++)
        last[l] = -1;
    for (int i = 0; i < p->n_steps; i++) {
        struct cuda_step *s = &plan->step[i];

        s->lane = choose_lane(plan, i, last);
        for (int l = 0; l < RV_LANES; l++)
            s->wait[l] = s->after[l] = -1;
        if (last[s->lane] >= 0)
            come_behind(s, &plan->step[last[s->lane]]);
        last[s->lane] = i;
        set_waits(plan, i);
        for (int l = 0; l < RV_LANES; l++)
            if (s->wait[l] >= 0 && !plan->step[s->wait[l]].done)
                CU(plan->dev, cudaEventCreateWithFlags(&plan->step[s->wait[l]].done,
                                                       cudaEventDisableTiming));
    }
error:
    return ret;
}
