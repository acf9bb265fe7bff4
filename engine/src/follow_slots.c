/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_slots.c - which slot an object gets: a free one, or its own when it is back. */
#include "follow_state.h"

#include <stdlib.h>

void rv_slot_occupy(struct rv_follow *f, int slot)
{
    f->serials[slot] = f->next_serial++;
    f->slot[slot] = (struct slot){.serial = f->serials[slot], .since = f->frame};
}

void rv_slot_vacate(struct rv_follow *f, int slot)
{
    f->serials[slot] = 0;
    f->slot[slot] = (struct slot){0};
}

void rv_slot_drop(struct rv_follow *f, int slot, struct rv_follow_decision *decision)
{
    for (int i = 0; i < f->pixels; i++)
        if (f->masks[i] == slot + 1)
            f->masks[i] = 0;
    rv_slot_vacate(f, slot);
    decision->clear |= rv_slot_bit(slot);
    decision->seed &= ~rv_slot_bit(slot);
}

int rv_slot_free(const struct rv_follow *f)
{
    int best = -1;

    for (int i = 0; i < f->params.objects; i++) {
        if (!f->serials[i])
            return i;
        if (!f->slot[i].given && f->slot[i].empty >= f->rules.spare &&
            (best < 0 || f->slot[i].empty > f->slot[best].empty))
            best = i;
    }
    return best;
}

double rv_place_offset(int x0, int y0, int x1, int y1, const struct place *at,
                       const struct place *size)
{
    double x = abs(x0 + x1 - at->x0 - at->x1) / 2.0 / (size->x1 - size->x0);
    double y = abs(y0 + y1 - at->y0 - at->y1) / 2.0 / (size->y1 - size->y0);

    return x > y ? x : y;
}

static double distance(const struct rv_piece *p, const struct slot *slot)
{
    return rv_place_offset(p->x0, p->y0, p->x1, p->y1, &slot->at, &slot->whole);
}

/* Whether a piece and the last view of an object touch the same edge of the frame: the
 * piece may be a part of the object, which comes back. */
static bool same_edge(const struct rv_follow *f, const struct rv_piece *p,
                      const struct place *seen)
{
    const int near = f->rules.back_edge;
    const int right = f->params.width - near, bottom = f->params.height - near;

    return (p->x0 <= near && seen->x0 <= near) || (p->y0 <= near && seen->y0 <= near) ||
           (p->x1 >= right && seen->x1 >= right) ||
           (p->y1 >= bottom && seen->y1 >= bottom);
}

/* Whether nothing is seen of an object, or hardly anything. */
static bool is_away(const struct rv_follow *f, const struct slot *slot)
{
    return slot->empty || slot->last.area < f->rules.back_left * slot->at.area;
}

int rv_slot_back(const struct rv_follow *f, const struct rv_piece *piece)
{
    double nearest = f->rules.reach;
    int best = -1;

    for (int s = 0; s < f->params.objects; s++) {
        const struct slot *slot = &f->slot[s];

        if (!slot->serial || slot->given || !is_away(f, slot) || !slot->at.area ||
            (piece->area < f->rules.back_size * slot->at.area &&
             !same_edge(f, piece, &slot->seen)) ||
            slot->at.area < f->rules.back_size * piece->area ||
            distance(piece, slot) > nearest)
            continue;
        nearest = distance(piece, slot);
        best = s;
    }
    return best;
}

int rv_slot_take(struct rv_follow *f, const struct rv_piece *piece)
{
    int s = rv_slot_back(f, piece);

    if (s >= 0) {
        f->slot[s].empty = f->slot[s].unseen = 0;
        f->slot[s].at.area = 0; /* it comes back only once, until it is seen again */
        return s;
    }
    s = rv_slot_free(f);
    if (s >= 0)
        rv_slot_occupy(f, s);
    return s;
}
