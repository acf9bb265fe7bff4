/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedule.c - when each step may run, and where each tensor lies.
 *
 * The meaning of a program is that of its steps run one after another. A step's
 * wave is one more than the last wave among the earlier steps that it must not
 * overtake: those that write what it reads or writes, and those that read what it
 * writes (a cell writes h over the h of the last frame, which the TIME part must
 * have read before). A late step's wave is the last in front of anybody who must not
 * overtake it. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 64

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

/* Late steps do not follow one another, so each can be moved by itself. */
static void put_off(struct rv_program *p, int i)
{
    p->step[i].wave = p->n_waves - 1;
    for (int j = i + 1; j < p->n_steps; j++)
        if (p->step[j].wave <= p->step[i].wave &&
            rv_must_follow(p, &p->step[j], &p->step[i], rv_same_elements))
            p->step[i].wave = p->step[j].wave - 1;
}

static void set_waves(struct rv_program *p)
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

/* Storage of one arena tensor, or of two where a sum is made in place. */
struct block {
    int first, last; /* waves */
    size_t size, offset;
    rv_tid same_as; /* root whose storage this uses; -1: its own */
};

static void touch(struct block *b, int wave)
{
    if (b->last < 0 || wave < b->first)
        b->first = wave;
    if (wave > b->last)
        b->last = wave;
}

static void set_lifetimes(const struct rv_program *p, struct block *blocks)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct rv_step *s = &p->step[i];

        for (int n = 0; n < RV_CELL_INPUTS + 3; n++) {
            rv_tid t = n < 3 ? s->out[n] : s->in[n - 3];

            if (t >= 0)
                touch(&blocks[rv_tensor_place(p, t).root], s->wave);
        }
    }
}

/* conv + in1 may overwrite in1 if nobody else reads that in this wave or later. */
static void share_sums(const struct rv_program *p, struct block *blocks)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct rv_step *s = &p->step[i];
        rv_tid a = s->in[1], out = s->out[0];
        int readers = 0;

        if (s->op != RV_OP_CONV || a < 0 || p->tensor[a].parent >= 0 ||
            p->tensor[a].home != RV_ARENA || p->tensor[a].wide != p->tensor[out].wide ||
            blocks[a].last != s->wave)
            continue;
        for (int j = 0; j < p->n_steps; j++)
            for (int n = 0; n < RV_CELL_INPUTS; n++)
                if (p->step[j].wave == s->wave && p->step[j].in[n] >= 0 &&
                    rv_tensor_place(p, p->step[j].in[n]).root == a)
                    readers++;
        if (readers > 1)
            continue;
        while (blocks[a].same_as >= 0)
            a = blocks[a].same_as;
        blocks[out].same_as = a;
        touch(&blocks[a], blocks[out].last);
    }
}

static size_t tensor_bytes(const struct rv_program *p, const struct rv_tensor *t)
{
    size_t bytes = (size_t)t->n * t->h * t->w * t->c * (t->wide ? 4 : p->narrow_bytes);

    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Lowest offset at which `b` overlaps no placed block that lives at the same time. */
static size_t fit(const struct block *blocks, const rv_tid *placed, int n,
                  const struct block *b)
{
    size_t at = 0;

    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            const struct block *o = &blocks[placed[i]];

            if (o->first <= b->last && b->first <= o->last && at < o->offset + o->size &&
                o->offset < at + b->size) {
                at = o->offset + o->size;
                moved = true;
            }
        }
    }
    return at;
}

/* Greedy, the largest first: within a few percent of the best for such chains. */
static void place_arena(struct rv_program *p, struct block *blocks, rv_tid *placed)
{
    int n = 0;

    for (;;) {
        rv_tid best = -1;

        for (rv_tid t = 0; t < p->n_tensors; t++)
            if (p->tensor[t].parent < 0 && p->tensor[t].home == RV_ARENA &&
                blocks[t].same_as < 0 && blocks[t].offset == SIZE_MAX &&
                (best < 0 || blocks[t].size > blocks[best].size))
                best = t;
        if (best < 0)
            break;
        blocks[best].offset = fit(blocks, placed, n, &blocks[best]);
        placed[n++] = best;
        if (blocks[best].offset + blocks[best].size > p->arena_bytes)
            p->arena_bytes = blocks[best].offset + blocks[best].size;
    }
}

static void set_offsets(struct rv_program *p, const struct block *blocks)
{
    for (rv_tid t = 0; t < p->n_tensors; t++) {
        struct rv_tensor *x = &p->tensor[t];

        if (x->parent < 0 && x->home == RV_STATE) {
            x->offset = p->state_bytes;
            p->state_bytes += tensor_bytes(p, x);
        } else if (x->parent < 0) {
            rv_tid own = blocks[t].same_as >= 0 ? blocks[t].same_as : t;

            x->offset = blocks[own].offset;
        } else { /* parents come before their slices */
            const struct rv_tensor *parent = &p->tensor[x->parent];
            size_t pitch = rv_tensor_pitch(p, t);

            x->offset = parent->offset + ((size_t)x->n0 * x->h * x->w * pitch + x->c0) *
                                             (x->wide ? 4 : p->narrow_bytes);
        }
    }
}

int rv_schedule(struct rv_program *p)
{
    struct block *blocks = calloc((size_t)p->n_tensors, sizeof(*blocks));
    rv_tid *placed = calloc((size_t)p->n_tensors, sizeof(*placed));
    bool done = blocks && placed;

    if (done) {
        set_waves(p);
        p->arena_bytes = p->state_bytes = 0;
        for (int t = 0; t < p->n_tensors; t++)
            blocks[t] = (struct block){.last = -1,
                                       .size = tensor_bytes(p, &p->tensor[t]),
                                       .offset = SIZE_MAX,
                                       .same_as = -1};
        set_lifetimes(p, blocks);
        share_sums(p, blocks);
        place_arena(p, blocks, placed);
        set_offsets(p, blocks);
    }
    free(blocks);
    free(placed);
    return done ? 0 : -1;
}
