/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_check.c - what followed objects do to each other. */
#include "follow_state.h"

#include <string.h>

/* Slot b takes pixels of slot a: b has grown by them, and a has shrunk. A thing that
 * passes in front of another does not grow, and one that comes out behind another leaves
 * it as large as it was. */
static bool robs(const struct rv_follow *f, int a, int b,
                 const int then[RV_OVERLAP_LABELS], const int now[RV_OVERLAP_LABELS])
{
    int flow = f->overlap[a][b];

    return a != b && then[a] && flow >= f->rules.theft * then[a] &&
           now[b] - then[b] >= f->rules.theft_growth * flow &&
           then[a] - now[a] >= f->rules.theft_growth * flow;
}

/* Gives b's pixels back that lie where a was and b was not. */
static void give_back(struct rv_follow *f, int a, int b,
                      struct rv_follow_decision *decision)
{
    int left = 0;

    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = f->past[i] == b;
    rv_grow(f->scratch, f->near, f->grown, f->params.width, f->params.height,
            f->rules.margin);
    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = f->past[i] == a;
    rv_grow(f->scratch, f->scratch, f->grown, f->params.width, f->params.height,
            f->rules.margin);
    for (int i = 0; i < f->pixels; i++) {
        if (f->masks[i] == b && f->scratch[i] && !f->near[i])
            f->masks[i] = (uint8_t)a;
        left += f->masks[i] == b;
    }
    decision->seed |= rv_slot_bit(a - 1);
    if (left >= f->rules.least_first * f->pixels || f->slot[b - 1].given) {
        decision->seed |= rv_slot_bit(b - 1);
    } else {
        rv_slot_vacate(f, b - 1);
        decision->clear |= rv_slot_bit(b - 1);
        decision->seed &= ~(rv_slot_bit(b - 1));
    }
}

static void stop_theft(struct rv_follow *f, const struct rv_follow_frame *frame,
                       struct rv_follow_decision *decision)
{
    int then[RV_OVERLAP_LABELS], now[RV_OVERLAP_LABELS];

    rv_overlaps(f->past, frame->followed, f->pixels, f->overlap);
    rv_count_areas(f->past, f->pixels, then);
    rv_count_areas(frame->followed, f->pixels, now);
    for (int a = 1; a <= f->params.objects; a++)
        for (int b = 1; b <= f->params.objects; b++)
            if (f->serials[a - 1] && f->serials[b - 1] && robs(f, a, b, then, now))
                give_back(f, a, b, decision);
}

static void middle(const struct rv_follow *f, int piece, double *x, double *y)
{
    double n = 0;

    *x = *y = 0;
    for (int i = 0; i < f->pixels; i++)
        if (f->pieces.of[i] == piece)
            *x += i % f->params.width, *y += i / f->params.width, n++;
    *x /= n;
    *y /= n;
}

/* Whether other objects fill most of the gap between two pieces of an object, on the
 * line between the middles of the pieces. They hide the part in between. */
static bool hidden_between(const struct rv_follow *f, int a, int b, int slot)
{
    double ax, ay, bx, by;
    int steps = f->params.width + f->params.height, gap = 0, others = 0;

    middle(f, a, &ax, &ay);
    middle(f, b, &bx, &by);
    for (int k = 0; k <= steps; k++) {
        int x = (int)(ax + (bx - ax) * k / steps + 0.5);
        int y = (int)(ay + (by - ay) * k / steps + 0.5);
        int label = f->masks[y * f->params.width + x];

        gap += label != slot;
        others += label && label != slot;
    }
    return others > f->rules.hidden * gap;
}

/* A large piece of an object that is away from the rest, and not because something hides
 * what is between them; 0: none. */
static int piece_apart(struct rv_follow *f, int slot)
{
    const struct rv_pieces *p = &f->pieces;
    int main = 0;

    for (int k = 1; k <= p->count; k++) {
        int common = 0;

        if (p->piece[k].label != slot)
            continue;
        if (main && p->piece[k].area >= f->rules.separate * p->piece[main].area) {
            for (int i = 0; i < f->pixels; i++)
                common += p->of[i] == k && f->near[i];
            if (!common && !hidden_between(f, main, k, slot))
                return k;
        }
        if (main)
            continue;
        main = k;
        for (int i = 0; i < f->pixels; i++)
            f->scratch[i] = p->of[i] == k;
        rv_grow(f->scratch, f->near, f->grown, f->params.width, f->params.height,
                f->rules.margin);
    }
    return 0;
}

/* An object that has come apart becomes two. */
static void separate(struct rv_follow *f, struct rv_follow_decision *decision)
{
    rv_pieces_find(&f->pieces, f->masks, true, (int)(f->rules.least_later * f->pixels));
    for (int s = 0; s < f->params.objects; s++) {
        int piece = f->serials[s] ? piece_apart(f, s + 1) : 0, other = -1;

        f->slot[s].apart = piece ? f->slot[s].apart + 1 : 0;
        if (piece && f->slot[s].apart >= f->rules.separations && !f->slot[s].given)
            other = rv_slot_take(f, &f->pieces.piece[piece]);
        if (other < 0)
            continue;
        for (int i = 0; i < f->pixels; i++)
            if (f->pieces.of[i] == piece)
                f->masks[i] = (uint8_t)(other + 1);
        decision->clear |= rv_slot_bit(other);
        decision->seed |= rv_slot_bit(other) | rv_slot_bit(s);
    }
}

/* What the followed objects did since the last check. */
void rv_follow_check(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision)
{
    if (f->frame < f->past_frame + f->rules.theft_frames)
        return;
    memcpy(f->masks, frame->followed, f->pixels);
    stop_theft(f, frame, decision);
    separate(f, decision);
    decision->masks = f->masks;
    memcpy(f->past, f->masks, f->pixels);
    f->past_frame = f->frame;
}
