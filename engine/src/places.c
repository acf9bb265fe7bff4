/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* places.c - gives each tensor of a scheduled program its offset.
 *
 * Two tensors of the arena may share bytes if they never live in the same wave. On a
 * backend with lanes, shared bytes make a step wait for another that it does not depend
 * on. In the encoder, steps would wait for the skip projections, which are needed late.
 * There a tensor keeps its bytes until the last wave in which its readers may run, unless
 * the arena grows by more than 1 / GROWTH. */
#include "places.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 64
#define GROWTH 10 /* the arena may grow by 1 / GROWTH */

/* Storage of one arena tensor, or of two if a sum is made in place. */
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

/* Step i runs in its wave or a later one, up to until[i]. */
static void set_lifetimes(const struct rv_program *p, struct block *blocks,
                          const int *until)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct rv_step *s = &p->step[i];

        for (int n = 0; n < RV_CELL_INPUTS + 3; n++) {
            rv_tid t = n < 3 ? s->out[n] : s->in[n - 3];

            if (t < 0)
                continue;
            t = rv_tensor_place(p, t).root;
            touch(&blocks[blocks[t].same_as >= 0 ? blocks[t].same_as : t],
                  until ? until[i] : s->wave);
        }
    }
}

/* conv + in1 may overwrite in1 if no other step reads in1 in this wave or later. */
static void share_sums(const struct rv_program *p, struct block *blocks)
{
    for (int i = 0; i < p->n_steps; i++) {
        const struct rv_step *s = &p->step[i];
        rv_tid a = s->in[1], out = s->out[0];
        int readers = 0;

        if (s->op != RV_OP_CONV || a < 0 || p->tensor[a].parent >= 0 ||
            p->tensor[a].home != RV_ARENA || p->tensor[a].type != p->tensor[out].type ||
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

static size_t room_for(const struct rv_tensor *t)
{
    return (rv_tensor_bytes(t) + ALIGN - 1) / ALIGN * ALIGN;
}

/* Lowest offset where `b` overlaps no placed block that lives at the same time. */
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

/* Greedy, largest first: within a few percent of the optimum for such chains. */
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
            p->state_bytes += room_for(x);
        } else if (x->parent < 0) {
            rv_tid own = blocks[t].same_as >= 0 ? blocks[t].same_as : t;

            x->offset = blocks[own].offset;
        } else { /* parents come before their slices */
            const struct rv_tensor *parent = &p->tensor[x->parent];
            size_t pitch = rv_tensor_pitch(p, t);

            x->offset = parent->offset + ((size_t)x->n0 * x->h * x->w * pitch + x->c0) *
                                             rv_type_bytes(x->type);
        }
    }
}

static int place(struct rv_program *p, const int *until)
{
    struct block *blocks = calloc((size_t)p->n_tensors, sizeof(*blocks));
    rv_tid *placed = calloc((size_t)p->n_tensors, sizeof(*placed));
    bool done = blocks && placed;

    if (done) {
        p->arena_bytes = p->state_bytes = 0;
        for (int t = 0; t < p->n_tensors; t++)
            blocks[t] = (struct block){.last = -1,
                                       .size = room_for(&p->tensor[t]),
                                       .offset = SIZE_MAX,
                                       .same_as = -1};
        set_lifetimes(p, blocks, NULL);
        share_sums(p, blocks);
        if (until)
            set_lifetimes(p, blocks, until);
        place_arena(p, blocks, placed);
        set_offsets(p, blocks);
    }
    free(blocks);
    free(placed);
    return done ? 0 : -1;
}

/* latest[i]: the last wave in which step i does not delay the frame. */
static void find_latest(const struct rv_program *p, int *latest)
{
    for (int i = p->n_steps - 1; i >= 0; i--) {
        latest[i] = p->n_waves - 1;
        for (int j = i + 1; j < p->n_steps; j++)
            if (latest[j] <= latest[i] &&
                rv_must_follow(p, &p->step[j], &p->step[i], rv_same_elements))
                latest[i] = latest[j] - 1;
    }
}

/* Extends lifetimes as far as possible, then half as far, and so on, until the arena is
 * small enough. */
static int place_apart(struct rv_program *p)
{
    size_t least = p->arena_bytes;
    int *latest = malloc(2 * (size_t)p->n_steps * sizeof(*latest)), ret = 0;
    int *until = latest + p->n_steps, most;

    if (!latest)
        return -1;
    find_latest(p, latest);
    for (most = p->n_waves; most > 0 && !ret; most /= 2) {
        for (int i = 0; i < p->n_steps; i++) {
            until[i] = p->step[i].wave + most;
            until[i] = until[i] < latest[i] ? until[i] : latest[i];
        }
        ret = place(p, until);
        if (p->arena_bytes <= least + least / GROWTH)
            break;
    }
    free(latest);
    return ret || most ? ret : place(p, NULL);
}

int rv_places(struct rv_program *p, bool lanes)
{
    int ret = place(p, NULL);

    return ret || !lanes ? ret : place_apart(p);
}
