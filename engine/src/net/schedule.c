/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedule.c - when each step may run.
 *
 * A program means: its steps run one after another. A step must stay behind earlier steps
 * that write what it reads or writes, or that read what it writes (a cell writes h over
 * the last frame's h, which the TIME part must read first). A step's wave is one more
 * than the last wave among those steps. A late step's wave is one less than the first
 * wave among the steps that must stay behind it. */
#include "program.h"

#include <stdlib.h>

bool rv_same_elements(const struct rv_program *p, rv_tid a, rv_tid b)
{
    struct rv_place x, y;

    if (a < 0 || b < 0)
        return false;
    x = rv_tensor_place(p, a);
    y = rv_tensor_place(p, b);
    return x.root == y.root && x.n0 < y.n1 && y.n0 < x.n1 && x.c0 < y.c1 && y.c0 < x.c1;
}

bool rv_must_follow(const struct rv_program *p, const struct rv_step *later,
                    const struct rv_step *s, rv_overlap *overlap)
{
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < RV_CELL_INPUTS; i++)
            if (overlap(p, s->out[o], later->in[i]) ||
                overlap(p, s->in[i], later->out[o]) ||
                (i < 3 && overlap(p, s->out[o], later->out[i])))
                return true;
    return false;
}

static int by_wave(const void *a, const void *b)
{
    const struct rv_step *x = a, *y = b;

    if (x->wave != y->wave)
        return x->wave - y->wave;
    return x->op != y->op ? (int)x->op - (int)y->op : x->object - y->object;
}

/* Late steps do not depend on one another, so each can be moved by itself. */
static void put_off(struct rv_program *p, int i)
{
    p->step[i].wave = p->n_waves - 1;
    for (int j = i + 1; j < p->n_steps; j++)
        if (p->step[j].wave <= p->step[i].wave &&
            rv_must_follow(p, &p->step[j], &p->step[i], rv_same_elements))
            p->step[i].wave = p->step[j].wave - 1;
}

void rv_schedule(struct rv_program *p)
{
    p->n_waves = 0;
    for (int i = 0; i < p->n_steps; i++) {
        struct rv_step *s = &p->step[i];

        s->wave = 0;
        for (int j = 0; j < i; j++)
            if (p->step[j].wave >= s->wave &&
                rv_must_follow(p, s, &p->step[j], rv_same_elements))
                s->wave = p->step[j].wave + 1;
        if (s->wave >= p->n_waves)
            p->n_waves = s->wave + 1;
    }
    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].late)
            put_off(p, i);
    qsort(p->step, (size_t)p->n_steps, sizeof(*p->step), by_wave);
}
