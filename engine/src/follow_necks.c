/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_necks.c - makes what hangs on a followed object by a neck an object of its own,
 * if the zero-shot decoder sees the object without it. */
#include "follow_state.h"

#include <string.h>

/* Slots of whose object the zero-shot decoder misses enough to be such a part. */
static uint32_t may_hang(const struct rv_follow *f, const uint8_t *found)
{
    int unseen[RV_OVERLAP_LABELS] = {0};
    uint32_t may = 0;

    for (int i = 0; i < f->pixels; i++)
        unseen[f->masks[i]] += !found[i];
    for (int s = 0; s < f->params.objects; s++)
        if (f->slot[s].serial && !f->slot[s].given &&
            unseen[s + 1] > (1 - f->rules.unseen) * f->rules.least_later * f->pixels)
            may |= rv_slot_bit(s);
    return may;
}

/* Sets f->pieces to the parts of an object that no neck holds together. */
static void find_hanging(struct rv_follow *f, int label)
{
    int count = 0;

    for (int i = 0; i < f->pixels; i++) {
        f->near[i] = f->masks[i] == label;
        f->scratch[i] = !f->near[i];
    }
    rv_grow(f->scratch, f->side, f->grown, f->params.width, f->params.height,
            f->rules.hang_neck);
    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = !f->side[i];
    rv_pieces_find(&f->cores, f->scratch, false, (int)(f->rules.least_first * f->pixels));
    for (int i = 0; i < f->pixels; i++) {
        f->side[i] = f->cores.of[i];
        if (f->side[i])
            f->queue[count++] = i;
    }
    rv_spread(f, f->side, f->near, count);
    rv_pieces_find(&f->pieces, f->side, true, (int)(f->rules.least_later * f->pixels));
}

/* The part that the zero-shot decoder does not see, though it sees the largest one; 0:
 * there is none. */
static int unseen_part(const struct rv_follow *f, const uint8_t *found)
{
    const struct rv_pieces *p = &f->pieces;
    int seen[RV_MAX_PIECES + 1] = {0};

    for (int i = 0; i < f->pixels; i++)
        seen[p->of[i]] += found[i] != 0;
    if (!p->count || seen[1] < f->rules.held * p->piece[1].area)
        return 0;
    for (int k = 2; k <= p->count; k++)
        if (p->piece[k].area >= f->rules.hang_share * p->piece[1].area &&
            seen[k] < f->rules.unseen * p->piece[k].area)
            return k;
    return 0;
}

void rv_follow_hanging(struct rv_follow *f, const uint8_t *found,
                       struct rv_follow_decision *decision)
{
    uint32_t may = f->rules.hang_neck ? may_hang(f, found) : 0;

    for (int s = 0; s < f->params.objects; s++) {
        int part = 0, other = -1;

        if (may >> s & 1) {
            find_hanging(f, s + 1);
            part = unseen_part(f, found);
        }
        if (part)
            other = rv_slot_take(f, &f->pieces.piece[part]);
        if (other < 0)
            continue;
        for (int i = 0; i < f->pixels; i++)
            if (f->pieces.of[i] == part)
                f->masks[i] = (uint8_t)(other + 1);
        decision->clear |= rv_slot_bit(other);
        decision->seed |= rv_slot_bit(other) | rv_slot_bit(s);
        decision->masks = f->masks;
        /* Else the next check takes the part for stolen. */
        memcpy(f->past, f->masks, f->pixels);
        f->past_frame = f->frame;
    }
}
