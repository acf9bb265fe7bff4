/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_still.c - cuts what moves in front of a still object off it. The one-shot
 * decoder may take an arm that swings over a planter for a part of the planter. */
#include "follow_state.h"

#include <string.h>

/* Marks the pieces of what moves (f->cores) that are in front of slot s: they touch
 * another object that moves. */
static void find_front(struct rv_follow *f, int s, uint32_t movers,
                       bool front[RV_MAX_PIECES + 1])
{
    bool moves[RV_FOLLOW_SLOTS + 1] = {false};

    for (int t = 0; t < f->params.objects; t++)
        moves[t + 1] = t != s && movers >> t & 1;
    for (int i = 0; i < f->pixels; i++)
        f->side[i] = moves[f->masks[i]];
    rv_grow(f->side, f->near, f->scratch, f->params.width, f->params.height,
            f->rules.front);
    memset(front, 0, (RV_MAX_PIECES + 1) * sizeof(*front));
    for (int i = 0; i < f->pixels; i++)
        front[f->cores.of[i]] |= f->near[i];
    front[0] = false;
}

/* Sets f->near to what is in front of slot s, a bit larger, since something of the same
 * colour does not differ. Returns how much of the slot this is; 0: hardly anything. */
static int grow_front(struct rv_follow *f, int s, const bool front[RV_MAX_PIECES + 1])
{
    int area = 0;

    for (int i = 0; i < f->pixels; i++) {
        f->side[i] = f->masks[i] == s + 1 && front[f->cores.of[i]];
        area += f->side[i];
    }
    if (area < f->rules.front_least * f->pixels)
        return 0;
    rv_grow(f->side, f->near, f->scratch, f->params.width, f->params.height,
            f->rules.front);
    area = 0;
    for (int i = 0; i < f->pixels; i++) {
        f->near[i] = f->near[i] && f->masks[i] == s + 1;
        area += f->near[i];
    }
    return area;
}

/* Whether the object of slot s, of which `moving` pixels move, stands still. Sets *cut,
 * and f->near to what must be cut off it: it has stood still for long, and something is
 * in front of it. */
static bool stands_still(struct rv_follow *f, int s, int moving, int area,
                         uint32_t movers, bool *cut)
{
    bool front[RV_MAX_PIECES + 1];
    int covered;

    *cut = false;
    find_front(f, s, movers, front);
    for (int k = 1; k <= f->cores.count; k++)
        moving -= front[k] ? f->overlap[k][s + 1] : 0;
    covered = grow_front(f, s, front);
    if (moving > f->rules.stirs * area || covered > f->rules.cut_most * area)
        return false;
    *cut = covered && f->slot[s].still >= f->rules.still && !f->slot[s].given;
    return true;
}

/* Counts the frames in which an object stood still. A short stir takes only some of them
 * back. */
static void count_still(const struct rv_follow *f, struct slot *slot, bool still)
{
    const int most = 2 * f->rules.still;

    slot->still += still ? 1 : -f->rules.stir;
    slot->still = slot->still < 0 ? 0 : slot->still > most ? most : slot->still;
}

bool rv_follow_still(struct rv_follow *f, const uint8_t *moves,
                     const struct place places[RV_FOLLOW_SLOTS + 1],
                     struct rv_follow_decision *decision)
{
    uint32_t movers = 0;
    int moving[RV_FOLLOW_SLOTS + 1] = {0};
    bool found = false, changed = false;

    for (int i = 0; moves && i < f->pixels; i++)
        moving[f->masks[i]] += moves[i];
    for (int s = 0; s < f->params.objects; s++)
        if (f->slot[s].serial && moving[s + 1] > f->rules.moves * places[s + 1].area)
            movers |= rv_slot_bit(s);
    for (int s = 0; s < f->params.objects; s++) {
        int area = places[s + 1].area, own = moving[s + 1];
        bool still =
            moves && f->slot[s].serial && area && own <= f->rules.cut_most * area;
        bool cut = false;

        if (still &&
            (own > f->rules.stirs * area || own >= f->rules.front_least * f->pixels)) {
            if (!found) {
                rv_pieces_find(&f->cores, moves, false, 1);
                rv_overlaps(f->cores.of, f->masks, f->pixels, f->overlap);
                found = true;
            }
            still = stands_still(f, s, own, area, movers, &cut);
        }
        for (int i = 0; cut && i < f->pixels; i++)
            if (f->near[i])
                f->masks[i] = f->past[i] = 0;
        decision->seed |= cut ? rv_slot_bit(s) : 0;
        changed = changed || cut;
        count_still(f, &f->slot[s], still);
    }
    if (changed)
        decision->masks = f->masks;
    return changed;
}
