/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_discover.c - evaluates the zero-shot decoder while objects are followed. */
#include "follow_state.h"

#include <math.h>
#include <string.h>

/* Labels of pieces: see find_pieces. */
enum { WHOLE = 1, BESIDE };

static float probability(float logit)
{
    return 1 / (1 + expf(-logit));
}

void rv_unsure(const struct rv_follow *f, const uint8_t *of, const float *logit,
               bool unsure[256])
{
    double sum[256] = {0}, best = 0;
    int area[256] = {0};

    memset(unsure, 0, 256 * sizeof(*unsure));
    for (int i = 0; logit && i < f->pixels; i++)
        if (of[i]) {
            sum[of[i]] += probability(logit[i]);
            area[of[i]]++;
        }
    for (int k = 1; k < 256; k++)
        if (area[k] && sum[k] > best * area[k])
            best = sum[k] / area[k];
    for (int k = 1; k < 256; k++)
        unsure[k] = sum[k] < f->rules.sure * best * area[k];
}

/* The piece of the last discovery that a piece overlaps most; 0: none. */
static int last_piece(const struct rv_follow *f, int piece)
{
    int best = 0;

    for (int j = 1; j <= RV_MAX_PIECES; j++)
        if (f->overlap[piece][j] > (best ? f->overlap[piece][best] : 0))
            best = j;
    return best && f->overlap[piece][best] >= f->rules.again * f->pieces.piece[piece].area
               ? best
               : 0;
}

/* The slot whose object is a part of the piece, where that holds hardly anything of
 * others; 0: none. */
static int mended_slot(const struct rv_follow *f, int piece,
                       const int followed[RV_OVERLAP_LABELS])
{
    const int *common = f->overlap[piece], area = f->pieces.piece[piece].area;
    int slot = 0, all = 0;

    for (int s = 1; s <= f->params.objects; s++) {
        all += common[s];
        if (common[s] && common[s] >= f->rules.held * followed[s]) {
            if (slot)
                return 0;
            slot = s;
        }
    }
    return slot && !f->slot[slot - 1].given &&
                   area >= f->rules.mend_from * followed[slot] &&
                   area <= f->rules.mend_to * f->slot[slot - 1].full &&
                   all - common[slot] <= f->rules.mend_others * area
               ? slot
               : 0;
}

/* Whether the decoder is much less sure of what a piece would add to an object than of
 * what both share: that is another thing. */
static bool adds_unsure(const struct rv_follow *f, const struct rv_follow_frame *frame,
                        int piece, int slot)
{
    double sum[2] = {0};
    int area[2] = {0};

    for (int i = 0; frame->found_logit && i < f->pixels; i++)
        if (f->pieces.of[i] == piece &&
            (!frame->followed[i] || frame->followed[i] == slot)) {
            bool shared = frame->followed[i] == slot;

            sum[shared] += probability(frame->found_logit[i]);
            area[shared]++;
        }
    return area[0] && area[1] && sum[0] / area[0] < f->rules.mend_sure * sum[1] / area[1];
}

/* Judges each piece: a new object, or more of a followed one. */
static void judge(struct rv_follow *f, const struct rv_follow_frame *frame,
                  struct sighting now[RV_MAX_PIECES + 1])
{
    struct rv_pieces *p = &f->pieces;
    int followed[RV_OVERLAP_LABELS] = {0};
    bool unsure[256];

    rv_unsure(f, p->of, frame->found_logit, unsure);
    memset(f->near, 0, f->pixels);
    if (frame->followed)
        rv_grow(frame->followed, f->near, f->scratch, f->params.width, f->params.height,
                f->rules.margin);
    for (int i = 0; i < f->pixels; i++) /* a dropped object is not found again */
        f->near[i] |= f->dropped[i];
    rv_overlaps(p->of, f->near, f->pixels, f->overlap);
    for (int k = 1; k <= p->count; k++)
        now[k].seen = f->overlap[k][1] < f->rules.covered * p->piece[k].area &&
                      (!unsure[k] || (p->piece[k].label != BESIDE &&
                                      rv_slot_back(f, &p->piece[k]) >= 0));
    if (frame->followed) {
        rv_count_areas(frame->followed, f->pixels, followed);
        rv_overlaps(p->of, frame->followed, f->pixels, f->overlap);
        for (int k = 1; k <= p->count; k++) {
            int slot = now[k].seen ? 0 : mended_slot(f, k, followed);

            now[k].mends = slot && !adds_unsure(f, frame, k, slot) ? slot : 0;
        }
    }
    rv_overlaps(p->of, f->before, f->pixels, f->overlap);
    for (int k = 1; k <= p->count; k++) {
        const struct sighting *last = &f->sighting[last_piece(f, k)];

        now[k].mended = now[k].mends ? 1 : 0;
        if (now[k].seen)
            now[k].seen = last->seen + 1;
        if (now[k].mends && now[k].mends == last->mends)
            now[k].mended = last->mended + 1;
    }
}

/* Whether a piece holds most of an object that has become small: what lies beside it may
 * be what it lost. f->overlap counts pieces against followed slots. */
static bool holds_shrunk(const struct rv_follow *f, int piece)
{
    for (int s = 0; s < f->params.objects; s++) {
        const struct slot *slot = &f->slot[s];

        if (slot->last.area && slot->last.area < f->rules.shrinks * slot->full &&
            f->overlap[piece][s + 1] >= f->rules.held * slot->last.area)
            return true;
    }
    return false;
}

/* Marks in f->near the parts of the foreground that lie in a zero-shot slot of their own,
 * hardly covered by followed objects, beside an object that has not become small. */
static void find_beside(struct rv_follow *f, const struct rv_follow_frame *frame,
                        int least)
{
    struct rv_pieces *p = &f->pieces;
    bool own[RV_MAX_PIECES + 1] = {false};

    rv_grow(frame->followed, f->near, f->scratch, f->params.width, f->params.height,
            f->rules.margin);
    rv_pieces_find(p, frame->found, true, least);
    rv_overlaps(p->of, f->near, f->pixels, f->overlap);
    for (int k = 1; k <= p->count; k++)
        own[k] = f->overlap[k][1] < f->rules.covered * p->piece[k].area;
    for (int i = 0; i < f->pixels; i++)
        f->near[i] = own[p->of[i]];
    rv_pieces_find(p, frame->found, false, least);
    rv_overlaps(p->of, frame->followed, f->pixels, f->overlap);
    for (int k = 0; k <= p->count; k++)
        own[k] = k && f->overlap[k][0] < p->piece[k].area && !holds_shrunk(f, k);
    for (int i = 0; i < f->pixels; i++)
        f->near[i] = f->near[i] && own[p->of[i]];
}

/* Finds the pieces of the foreground. What has come up beside an object is a piece of its
 * own, with the label BESIDE. */
static void find_pieces(struct rv_follow *f, const struct rv_follow_frame *frame)
{
    const int least = (int)(f->rules.least_later * f->pixels);

    memset(f->near, 0, f->pixels);
    if (frame->followed && f->rules.beside)
        find_beside(f, frame, least);
    for (int i = 0; i < f->pixels; i++)
        f->near[i] = !frame->found[i] ? 0 : f->near[i] ? BESIDE : WHOLE;
    rv_pieces_find(&f->pieces, f->near, true, least);
}

static void discover(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision)
{
    struct rv_pieces *p = &f->pieces;
    struct sighting now[RV_MAX_PIECES + 1] = {{0}};
    uint8_t slot_of[RV_MAX_PIECES + 1] = {0};
    uint32_t added = 0, mended = 0;

    find_pieces(f, frame);
    judge(f, frame, now);
    for (int k = 1; k <= p->count; k++) {
        int s = now[k].seen >= f->rules.sightings ? rv_slot_take(f, &p->piece[k]) : -1;

        if (s >= 0) {
            added |= rv_slot_bit(s);
        } else if (now[k].mends && now[k].mended >= f->rules.sightings) {
            s = now[k].mends - 1;
            mended |= rv_slot_bit(s);
        }
        slot_of[k] = (uint8_t)(s + 1);
    }
    if (added | mended) {
        if (!decision->seed)
            memset(f->masks, 0, f->pixels);
        for (int i = 0; i < f->pixels; i++) {
            int mine = frame->followed ? frame->followed[i] : 0;

            if (mine && mended >> (mine - 1) & 1)
                f->masks[i] = (uint8_t)mine;
            else if (slot_of[p->of[i]] && (!mine || mine == slot_of[p->of[i]]))
                f->masks[i] = slot_of[p->of[i]];
        }
        decision->clear |= added;
        decision->seed |= added | mended;
        decision->masks = f->masks;
    }
    memcpy(f->before, p->of, f->pixels);
    memcpy(f->sighting, now, sizeof(now));
}

/* Whether a new piece may get a slot. */
static bool has_room(const struct rv_follow *f)
{
    for (int s = 0; s < f->params.objects; s++)
        if (!f->slot[s].serial || (f->slot[s].empty && !f->slot[s].given))
            return true;
    return false;
}

/* Whether the next frame may confirm what this one showed. */
static bool waits(const struct rv_follow *f)
{
    bool room = has_room(f);

    for (int k = 1; k <= f->pieces.count; k++)
        if ((room && f->sighting[k].seen && f->sighting[k].seen < f->rules.sightings) ||
            (f->sighting[k].mended && f->sighting[k].mended < f->rules.sightings))
            return true;
    return false;
}

/* Drops an object that the zero-shot decoder does not see for several discoveries, unless
 * it has moved: scenery does not move. */
static void drop_unseen(struct rv_follow *f, const struct rv_follow_frame *frame,
                        struct rv_follow_decision *decision)
{
    int area[RV_OVERLAP_LABELS] = {0}, seen[RV_OVERLAP_LABELS] = {0};

    for (int i = 0; i < f->pixels; i++) {
        area[frame->followed[i]]++;
        seen[frame->followed[i]] += frame->found[i] != 0;
    }
    for (int s = 0; s < f->params.objects; s++) {
        struct slot *slot = &f->slot[s];

        if (!slot->serial || !area[s + 1])
            continue;
        slot->unseen = seen[s + 1] < f->rules.unseen * area[s + 1] ? slot->unseen + 1 : 0;
        if (slot->unseen >= f->rules.unseen_times && !slot->given && !slot->moved)
            rv_slot_drop(f, s, decision);
    }
}

bool rv_follow_judge(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision)
{
    if (frame->followed && !f->running && f->frame >= f->counted + f->params.interval) {
        f->counted = f->frame;
        drop_unseen(f, frame, decision);
    }
    if (frame->followed)
        rv_follow_hanging(f, frame->found, decision);
    discover(f, frame, decision);
    if (waits(f))
        return true;
    memset(f->before, 0, f->pixels);
    memset(f->sighting, 0, sizeof(f->sighting));
    return false;
}
