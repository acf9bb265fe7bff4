/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_check.c - checks followed objects against each other. */
#include "follow_state.h"

#include <string.h>

/* Whether slot b takes pixels of slot a: b has grown by them and a has shrunk. An object
 * that passes in front of another does not grow, and an object that comes out from behind
 * another does not shrink it. */
static bool robs(const struct rv_follow *f, int a, int b,
                 const int then[RV_OVERLAP_LABELS], const int now[RV_OVERLAP_LABELS])
{
    int flow = f->overlap[a][b];

    return a != b && then[a] && flow >= f->rules.theft * then[a] &&
           now[b] - then[b] >= f->rules.theft_growth * flow &&
           then[a] - now[a] >= f->rules.theft_growth * flow;
}

/* Gives b's pixels at places where a was and b was not back to a. */
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
    if (left >= f->rules.least_first * f->pixels || f->slot[b - 1].given)
        decision->seed |= rv_slot_bit(b - 1);
    else
        rv_slot_drop(f, b - 1, decision);
}

static void stop_theft(struct rv_follow *f, struct rv_follow_decision *decision)
{
    int then[RV_OVERLAP_LABELS], now[RV_OVERLAP_LABELS];

    rv_overlaps(f->past, f->masks, f->pixels, f->overlap);
    rv_count_areas(f->past, f->pixels, then);
    rv_count_areas(f->masks, f->pixels, now);
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
 * line between the middles of the pieces. They occlude the part in between. */
static bool occluded_between(const struct rv_follow *f, int a, int b, int slot)
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
    return others > f->rules.occluded * gap;
}

/* The largest piece of an object; 0: none. Sets f->near to the pixels within `margin`
 * pixels of it. */
static int largest_piece(struct rv_follow *f, int slot, int margin)
{
    const struct rv_pieces *p = &f->pieces;
    int k = 1;

    while (k <= p->count && p->piece[k].label != slot)
        k++;
    if (k > p->count)
        return 0;
    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = p->of[i] == k;
    rv_grow(f->scratch, f->near, f->grown, f->params.width, f->params.height, margin);
    return k;
}

static bool is_near(const struct rv_follow *f, int piece)
{
    for (int i = 0; i < f->pixels; i++)
        if (f->pieces.of[i] == piece && f->near[i])
            return true;
    return false;
}

/* A large piece of an object that is away from the rest, and not because something
 * occludes what is between them; 0: none. */
static int piece_apart(struct rv_follow *f, int slot)
{
    const struct rv_pieces *p = &f->pieces;
    int main = largest_piece(f, slot, f->rules.margin);

    for (int k = main + 1; main && k <= p->count; k++)
        if (p->piece[k].label == slot &&
            p->piece[k].area >= f->rules.separate * p->piece[main].area &&
            !is_near(f, k) && !occluded_between(f, main, k, slot))
            return k;
    return 0;
}

/* Cuts off small parts of an object that lie far from its largest piece, where nothing
 * occludes what is between. True if there are any. */
static bool cut_crumbs(struct rv_follow *f, int slot)
{
    const struct rv_pieces *p = &f->pieces;
    bool crumb[RV_MAX_PIECES + 1] = {false}, any = false;
    int main = largest_piece(f, slot, f->rules.near);

    for (int k = main + 1; main && k <= p->count; k++) {
        crumb[k] = p->piece[k].label == slot &&
                   p->piece[k].area < f->rules.separate * p->piece[main].area &&
                   !is_near(f, k) && !occluded_between(f, main, k, slot);
        any = any || crumb[k];
    }
    for (int i = 0; any && i < f->pixels; i++)
        if (crumb[p->of[i]])
            f->masks[i] = 0;
    return any;
}

/* Makes an object that has come apart two objects. */
static void separate(struct rv_follow *f, struct rv_follow_decision *decision)
{
    rv_pieces_find(&f->pieces, f->masks, true, (int)(f->rules.least_first * f->pixels));
    for (int s = 0; s < f->params.objects; s++)
        if (f->serials[s] && !f->slot[s].given && cut_crumbs(f, s + 1))
            decision->seed |= rv_slot_bit(s);
    rv_pieces_find(&f->pieces, f->masks, true, (int)(f->rules.least_later * f->pixels));
    for (int s = 0; s < f->params.objects; s++) {
        int piece = f->serials[s] ? piece_apart(f, s + 1) : 0, other = -1;

        f->slot[s].apart = piece ? f->slot[s].apart + 1 : 0;
        if (piece && !f->slot[s].given && f->slot[s].apart >= f->rules.sightings)
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

/* What lies at the borders of the pieces, and what their pixels were in the last frame,
 * by label. */
struct inside {
    int border[RV_MAX_PIECES + 1][RV_FOLLOW_SLOTS + 1];
    int was[RV_MAX_PIECES + 1][RV_FOLLOW_SLOTS + 1];
};

static void find_inside(const struct rv_follow *f, struct inside *in)
{
    const int w = f->params.width;
    const uint8_t *of = f->pieces.of;

    memset(in, 0, sizeof(*in));
    for (int i = 0; i < f->pixels; i++) {
        in->was[of[i]][f->last[i]]++;
        for (int d = 0; d < 2; d++) {
            int n = d ? i + w : i + 1;

            if (n >= f->pixels || (!d && n % w == 0) || f->masks[i] == f->masks[n])
                continue;
            in->border[of[i]][f->masks[n]]++;
            in->border[of[n]][f->masks[i]]++;
        }
    }
}

/* The label of the object that a small part of another one lies in, and that most of it
 * belonged to in the last frame; 0: there is none. */
static uint8_t owner(const struct rv_follow *f, const struct inside *in, int piece,
                     int largest)
{
    const struct rv_piece *p = &f->pieces.piece[piece];
    int all = 0, most = 0;

    if (p->area >= f->rules.separate * largest || f->slot[p->label - 1].given)
        return 0;
    for (int l = 0; l <= f->params.objects; l++) {
        all += in->border[piece][l];
        most = l && in->border[piece][l] > in->border[piece][most] ? l : most;
    }
    return (uint8_t)(most && in->border[piece][most] > f->rules.inside * all &&
                             2 * in->was[piece][most] > p->area &&
                             f->slot[most - 1].serial && !f->slot[most - 1].given
                         ? most
                         : 0);
}

/* Whether any object has pixels that were another one's in the last frame. */
static bool any_moved(const struct rv_follow *f,
                      const struct place places[RV_FOLLOW_SLOTS + 1])
{
    bool touch = false;

    for (int a = 1; a <= f->params.objects; a++)
        for (int b = 1; b < a; b++)
            touch = touch || rv_places_meet(&places[a], &places[b], 1);
    for (int i = 0; touch && i < f->pixels; i++)
        if (f->masks[i] != f->last[i] && f->masks[i] && f->last[i])
            return true;
    return false;
}

bool rv_follow_fill(struct rv_follow *f, const struct place places[RV_FOLLOW_SLOTS + 1],
                    struct rv_follow_decision *decision)
{
    int largest[RV_FOLLOW_SLOTS + 1] = {0};
    uint8_t becomes[RV_MAX_PIECES + 1] = {0};
    struct inside in;
    bool any = false;

    if (!any_moved(f, places))
        return false;
    rv_pieces_find(&f->pieces, f->masks, true, 1);
    find_inside(f, &in);
    for (int k = 1; k <= f->pieces.count; k++) {
        int label = f->pieces.piece[k].label;

        if (!largest[label])
            largest[label] = f->pieces.piece[k].area;
        else
            becomes[k] = owner(f, &in, k, largest[label]);
        if (becomes[k])
            decision->seed |= rv_slot_bit(label - 1) | rv_slot_bit(becomes[k] - 1);
        any = any || becomes[k];
    }
    for (int i = 0; any && i < f->pixels; i++)
        if (becomes[f->pieces.of[i]])
            f->masks[i] = f->past[i] = becomes[f->pieces.of[i]];
    if (any)
        decision->masks = f->masks;
    return any;
}

void rv_follow_check(struct rv_follow *f, struct rv_follow_decision *decision)
{
    if (f->frame < f->past_frame + f->rules.theft_frames)
        return;
    stop_theft(f, decision);
    separate(f, decision);
    decision->masks = f->masks;
    memcpy(f->past, f->masks, f->pixels);
    f->past_frame = f->frame;
}
