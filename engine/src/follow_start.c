/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_start.c - the first frames: the pieces that the zero-shot decoder finds become
 * objects. */
#include "follow_state.h"

#include <math.h>
#include <string.h>

/* Whether a piece contains what a slot showed in the last frame. */
static bool holds(const struct rv_follow *f, int piece, int slot, const int shown[])
{
    int common = f->overlap[piece][slot];

    return common && (2 * common >= shown[slot] ||
                      common >= f->rules.again * f->pieces.piece[piece].area);
}

/* How much of an object each zero-shot slot contains, and the slot that contains most. */
struct held {
    int by[RV_FOLLOW_SLOTS + 1], area, most;
};

/* `area` counts the object's pixels that any zero-shot slot has. */
static void find_held(const struct rv_follow *f, const uint8_t *labels,
                      const uint8_t *found, struct held held[RV_FOLLOW_SLOTS + 1])
{
    for (int i = 0; i < f->pixels; i++)
        if (labels[i] <= RV_FOLLOW_SLOTS && found[i] && found[i] <= RV_FOLLOW_SLOTS) {
            held[labels[i]].area++;
            held[labels[i]].by[found[i]]++;
        }
    for (int a = 1; a <= f->params.objects; a++)
        for (int z = 1; z <= RV_FOLLOW_SLOTS; z++)
            if (held[a].by[z] > held[a].by[held[a].most])
                held[a].most = z;
}

/* Whether the object of a slot came up only a few frames ago. */
static bool is_new(const struct rv_follow *f, int slot)
{
    const int64_t since = f->slot[slot].since;

    return since && f->frame - since < f->rules.settled;
}

/* The slots that each piece holds. Two objects that meet stay two. What has only just
 * come up is a part of the larger one that it meets. */
static void find_owners(struct rv_follow *f, uint32_t owners[RV_MAX_PIECES + 1])
{
    int shown[RV_OVERLAP_LABELS];

    rv_overlaps(f->pieces.of, f->shown, f->pixels, f->overlap);
    rv_count_areas(f->shown, f->pixels, shown);
    for (int k = 1; k <= f->pieces.count; k++) {
        int largest = 0;

        owners[k] = 0;
        for (int s = 1; s <= f->params.objects; s++)
            if (holds(f, k, s, shown) && shown[s] > (largest ? shown[largest] : 0))
                largest = s;
        for (int s = 1; s <= f->params.objects; s++)
            if (holds(f, k, s, shown) && (s == largest || !is_new(f, s - 1)))
                owners[k] |= rv_slot_bit(s - 1);
    }
}

void rv_spread(struct rv_follow *f, uint8_t *labels, const uint8_t *over, int count)
{
    const int w = f->params.width, h = f->params.height;

    for (int first = 0; first < count; first++) {
        int i = f->queue[first], x = i % w, y = i / w;

        for (int d = 0; d < 9; d++) {
            int nx = x + d % 3 - 1, ny = y + d / 3 - 1, n = ny * w + nx;

            if (nx < 0 || ny < 0 || nx >= w || ny >= h || labels[n] || !over[n])
                continue;
            labels[n] = labels[i];
            f->queue[count++] = n;
        }
    }
}

/* Gives each pixel of a piece to the owner that is nearest within the piece. Pixels of a
 * piece without an owner get the label `none` plus its number. */
static void share_out(struct rv_follow *f, const uint32_t owners[RV_MAX_PIECES + 1],
                      uint8_t none)
{
    int count = 0;

    for (int i = 0; i < f->pixels; i++) {
        int piece = f->pieces.of[i], slot = f->shown[i];

        f->masks[i] = (uint8_t)(piece && !owners[piece] ? none + piece : 0);
        if (piece && slot && owners[piece] >> (slot - 1) & 1) {
            f->masks[i] = (uint8_t)slot;
            f->queue[count++] = i;
        }
    }
    rv_spread(f, f->masks, f->pieces.of, count);
}

/* The length of the seam between two owners of a piece, as far as it lies inside one
 * zero-shot slot: pairs of neighbours. */
static void find_seams(const struct rv_follow *f, const uint8_t *found,
                       int seam[RV_FOLLOW_SLOTS + 1][RV_FOLLOW_SLOTS + 1])
{
    const int w = f->params.width;

    for (int i = 0; i < f->pixels; i++)
        for (int d = 0; d < 2; d++) {
            int n = d ? i + w : i + 1, a = f->masks[i], b;

            if (n >= f->pixels || (!d && n % w == 0) || !a || a > RV_FOLLOW_SLOTS)
                continue;
            b = f->masks[n];
            if (!b || a == b || b > RV_FOLLOW_SLOTS || found[i] != found[n] ||
                f->pieces.of[i] != f->pieces.of[n])
                continue;
            seam[a][b]++;
            seam[b][a]++;
        }
}

/* Whether the zero-shot decoder sees one thing in two objects that have met: the slot of
 * one holds a good part of the other, and inside one slot the seam between them is as
 * long as the smaller one is wide. A slot that holds most of both shows nothing: it held
 * both before they met, too. */
static bool bridged(const struct rv_follow *f, const struct held *a, const struct held *b,
                    int seam)
{
    int least = a->area < b->area ? a->area : b->area;

    return seam && seam >= f->rules.bridged * sqrt(least) &&
           (a->most != b->most || !f->rules.bridge_two) &&
           (a->by[b->most] >= f->rules.bridge_share * a->area ||
            b->by[a->most] >= f->rules.bridge_share * b->area);
}

static int root(const uint8_t joins[256], int a)
{
    while (joins[a] != a)
        a = joins[a];
    return a;
}

/* Joins such objects at once, in the slot of the largest one. */
static void join_bridged(struct rv_follow *f, const uint8_t *found)
{
    int seam[RV_FOLLOW_SLOTS + 1][RV_FOLLOW_SLOTS + 1] = {{0}};
    struct held held[RV_FOLLOW_SLOTS + 1] = {0};
    uint8_t joins[256];

    find_seams(f, found, seam);
    find_held(f, f->masks, found, held);
    for (int i = 0; i < 256; i++)
        joins[i] = (uint8_t)i;
    for (int a = 1; a <= f->params.objects; a++)
        for (int b = 1; b < a; b++) {
            int r = root(joins, a), q = root(joins, b);

            if (r == q || !bridged(f, &held[a], &held[b], seam[a][b]))
                continue;
            if (held[r].area <= held[q].area)
                joins[r] = (uint8_t)q;
            else
                joins[q] = (uint8_t)r;
        }
    for (int i = 0; i < f->pixels; i++)
        f->masks[i] = (uint8_t)root(joins, f->masks[i]);
}

/* Divides the pieces that a narrow neck holds together. */
static void cut_necks(struct rv_follow *f, int least)
{
    struct rv_pieces *p = &f->pieces;
    bool cored[RV_MAX_PIECES + 1] = {false};
    int count = 0;

    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = !p->of[i];
    rv_grow(f->scratch, f->near, f->grown, f->params.width, f->params.height,
            f->rules.neck);
    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = !f->near[i];
    rv_pieces_find(&f->cores, f->scratch, false, (int)(f->rules.core * f->pixels));
    for (int i = 0; i < f->pixels; i++) {
        f->masks[i] = f->cores.of[i];
        if (f->masks[i]) {
            f->queue[count++] = i;
            cored[p->of[i]] = true;
        }
    }
    rv_spread(f, f->masks, f->pieces.of, count);
    for (int i = 0; i < f->pixels; i++)
        if (p->of[i] && !cored[p->of[i]])
            f->masks[i] = RV_MAX_PIECES + 1;
    rv_pieces_find(p, f->masks, true, least);
}

/* Finds the f->cores that divide their piece: two or more, none of them small, that
 * contain most of it. A core's label is its piece. */
static void find_divided(const struct rv_follow *f, bool divides[RV_MAX_PIECES + 1],
                         bool divided[RV_MAX_PIECES + 1])
{
    const struct rv_pieces *p = &f->pieces, *c = &f->cores;
    int largest[RV_MAX_PIECES + 1] = {0}, parts[RV_MAX_PIECES + 1] = {0};
    int sum[RV_MAX_PIECES + 1] = {0};

    for (int j = 1; j <= c->count; j++) {
        int k = c->piece[j].label;

        if (!largest[k])
            largest[k] = c->piece[j].area;
        divides[j] = c->piece[j].area >= f->rules.border_share * largest[k];
        if (divides[j])
            parts[k]++, sum[k] += c->piece[j].area;
    }
    for (int k = 1; k <= p->count; k++)
        divided[k] = divided[k] ||
                     (parts[k] > 1 && sum[k] >= f->rules.border_held * p->piece[k].area);
}

/* Divides the pieces that have a border inside: the decoder is sure of the parts on both
 * sides, and less so of what is between them. */
static void cut_borders(struct rv_follow *f, const float *logit, int least)
{
    static const float levels[] = {2.2F, 2.9F, 3.9F}; /* p = 0.9, 0.95, 0.98 */
    struct rv_pieces *p = &f->pieces;
    bool divided[RV_MAX_PIECES + 1] = {false};
    int count = 0;

    memset(f->near, 0, f->pixels); /* the cores that divide */
    for (int l = 0; l < 3; l++) {
        bool divides[RV_MAX_PIECES + 1] = {false};

        for (int i = 0; i < f->pixels; i++)
            f->scratch[i] = logit[i] > levels[l] && !divided[p->of[i]] ? p->of[i] : 0;
        rv_pieces_find(&f->cores, f->scratch, true, (int)(f->rules.core * f->pixels));
        find_divided(f, divides, divided);
        for (int i = 0; i < f->pixels; i++)
            if (f->cores.of[i] && divides[f->cores.of[i]] && divided[p->of[i]])
                f->near[i] = (uint8_t)((RV_MAX_PIECES + 1) * (l + 1) + f->cores.of[i]);
    }
    for (int i = 0; i < f->pixels; i++) {
        f->masks[i] = divided[p->of[i]] ? f->near[i] : p->of[i];
        if (f->near[i])
            f->queue[count++] = i;
    }
    if (!count)
        return;
    rv_spread(f, f->masks, f->pieces.of, count);
    for (int i = 0; i < f->pixels; i++)
        f->side[i] = divided[p->of[i]];
    rv_pieces_find(p, f->masks, true, least);
    for (int i = 0; i < f->pixels; i++)
        f->side[i] = f->side[i] ? p->of[i] : 0;
}

/* Finds the pieces of f->masks. Pieces that only touch are separate. */
static void find_pieces(struct rv_follow *f, const float *logit, int least)
{
    memset(f->side, 0, f->pixels);
    rv_pieces_find(&f->pieces, f->masks, false, least);
    if (f->rules.neck)
        cut_necks(f, least);
    if (logit)
        cut_borders(f, logit, least);
}

/* Counts for how many frames each piece has been a part that came off its slot's largest
 * piece. `main_of` is the largest piece of each slot. */
static void count_apart(struct rv_follow *f, const uint8_t slot_of[RV_MAX_PIECES + 1],
                        const uint8_t main_of[RV_FOLLOW_SLOTS + 1],
                        struct sighting now[RV_MAX_PIECES + 1])
{
    rv_overlaps(f->pieces.of, f->before, f->pixels, f->overlap);
    for (int k = 1; k <= f->pieces.count; k++) {
        int most = 0, last = 0;

        for (int j = 1; j <= RV_MAX_PIECES; j++)
            if (f->overlap[k][j] > most)
                most = f->overlap[k][last = j];
        now[k].seen = last ? f->sighting[last].seen + 1 : 1;
        now[k].apart = slot_of[k] && main_of[slot_of[k]] != k
                           ? (last ? f->sighting[last].apart : 0) + 1
                           : 0;
    }
}

/* Finds the zero-shot slot that contains most of each piece. */
static void find_found(struct rv_follow *f, const uint8_t *found,
                       uint8_t found_of[RV_MAX_PIECES + 1])
{
    rv_overlaps(f->pieces.of, found, f->pixels, f->overlap);
    for (int k = 1; k <= f->pieces.count; k++)
        for (int z = found_of[k] = 1; z <= RV_FOLLOW_SLOTS; z++)
            if (f->overlap[k][z] > f->overlap[k][found_of[k]])
                found_of[k] = (uint8_t)z;
}

/* A larger piece close to this one and of the same zero-shot slot: both are parts of one
 * object, of which something thin occludes the middle. Pieces that touch have a border
 * between them instead. 0: there is none. */
static int rest_of(struct rv_follow *f, int piece,
                   const uint8_t found_of[RV_MAX_PIECES + 1])
{
    int common[RV_MAX_PIECES + 1] = {0}, best = 0;
    bool touches[RV_MAX_PIECES + 1] = {false};

    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = f->pieces.of[i] == piece;
    rv_grow(f->scratch, f->near, f->grown, f->params.width, f->params.height, 1);
    for (int i = 0; i < f->pixels; i++)
        if (f->near[i])
            touches[f->pieces.of[i]] = true;
    rv_grow(f->scratch, f->near, f->grown, f->params.width, f->params.height,
            f->rules.near);
    for (int i = 0; i < f->pixels; i++)
        if (f->near[i] && f->pieces.of[i] < piece && f->pieces.of[i])
            common[f->pieces.of[i]]++;
    for (int k = 1; k < piece; k++)
        if (found_of[k] == found_of[piece] && !touches[k] && common[k] > common[best])
            best = k;
    return best;
}

/* Gives parts of objects that were somewhere else, or nowhere, to their objects. */
static void find_parts(struct rv_follow *f, const uint8_t *found,
                       const uint8_t main_of[RV_FOLLOW_SLOTS + 1],
                       uint8_t slot_of[RV_MAX_PIECES + 1],
                       uint8_t part_of[RV_MAX_PIECES + 1])
{
    uint8_t found_of[RV_MAX_PIECES + 1];

    find_found(f, found, found_of);
    for (int k = 2; k <= f->pieces.count && f->rules.near; k++) {
        if (slot_of[k] && main_of[slot_of[k]] == k)
            continue;
        part_of[k] = (uint8_t)rest_of(f, k, found_of);
        if (part_of[k])
            slot_of[k] = slot_of[part_of[k]];
    }
}

/* Drops pieces of which the decoder is not sure, and objects that have just appeared:
 * they are neither handed over nor shown, and their slots are free again. */
static uint32_t drop_unsettled(struct rv_follow *f, const float *logit, uint32_t used)
{
    uint32_t late = 0, left = 0;
    bool unsure[256];

    rv_unsure(f, f->pieces.of, logit, unsure);
    for (int i = 0; i < f->pixels; i++)
        if (f->shown[i] && !unsure[f->pieces.of[i]])
            left |= rv_slot_bit(f->shown[i] - 1);
    for (int s = 0; s < f->params.objects; s++)
        if (used >> s & 1 && (!(left >> s & 1) || is_new(f, s))) {
            rv_slot_vacate(f, s);
            late |= rv_slot_bit(s);
        }
    for (int i = 0; i < f->pixels; i++)
        if (f->shown[i] &&
            (unsure[f->pieces.of[i]] || late & rv_slot_bit(f->shown[i] - 1)))
            f->shown[i] = 0;
    return late;
}

/* From the next frame on the one-shot decoder follows the pieces of these slots. */
static void hand_over(struct rv_follow *f, const struct rv_follow_frame *frame,
                      struct rv_follow_decision *decision, uint32_t used)
{
    used &= ~drop_unsettled(f, frame->found_logit, used);
    decision->seed = decision->clear = used;
    decision->masks = f->shown;
    for (int i = 0; i < f->pixels; i++)
        f->past[i] =
            frame->followed && frame->followed[i] ? frame->followed[i] : f->shown[i];
    f->past_frame = f->frame;
    memset(f->before, 0, f->pixels);
    memset(f->sighting, 0, sizeof(f->sighting));
}

/* Finds the pieces of f->masks, by label. The two sides of a border are two pieces even
 * if they have the same label. */
static void find_labelled(struct rv_follow *f, int least)
{
    uint8_t number[RV_FOLLOW_SLOTS + RV_MAX_PIECES + 1][RV_MAX_PIECES + 1] = {{0}};
    uint8_t label[256] = {0};
    int count = 0;

    for (int i = 0; i < f->pixels; i++) {
        uint8_t *n = &number[f->masks[i]][f->side[i]];

        if (f->masks[i] && !*n && count < 255) {
            *n = (uint8_t)++count;
            label[count] = f->masks[i];
        }
        f->scratch[i] = *n;
    }
    rv_pieces_find(&f->pieces, f->scratch, true, least);
    for (int k = 1; k <= f->pieces.count; k++)
        f->pieces.piece[k].label = label[f->pieces.piece[k].label];
}

/* The start: a piece stays in the slot that it comes from. A piece that has come off the
 * rest of its object becomes an object of its own when that has lasted. */
void rv_follow_start(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision)
{
    struct rv_pieces *p = &f->pieces;
    struct sighting now[RV_MAX_PIECES + 1] = {{0}};
    uint8_t slot_of[RV_MAX_PIECES + 1] = {0}, main_of[RV_FOLLOW_SLOTS + 1] = {0};
    uint8_t part_of[RV_MAX_PIECES + 1] = {0};
    uint32_t used = 0, owners[RV_MAX_PIECES + 1];

    memcpy(f->masks, frame->found, f->pixels);
    for (int i = 0; i < f->pixels; i++)
        if (f->dropped[i] || (frame->followed && frame->followed[i]))
            f->masks[i] = 0;
    find_pieces(f, frame->found_logit, (int)(f->rules.least_first * f->pixels));
    find_owners(f, owners);
    share_out(f, owners, RV_FOLLOW_SLOTS);
    join_bridged(f, frame->found);
    find_labelled(f, (int)(f->rules.least_first * f->pixels));
    for (int k = p->count; k >= 1; k--) {
        slot_of[k] = p->piece[k].label > RV_FOLLOW_SLOTS ? 0 : p->piece[k].label;
        main_of[slot_of[k]] = (uint8_t)k;
    }
    find_parts(f, frame->found, main_of, slot_of, part_of);
    count_apart(f, slot_of, main_of, now);
    for (int k = 1; k <= p->count; k++) {
        if (part_of[k])
            now[k].apart = 0;
        if (now[k].apart >= f->rules.settled)
            slot_of[k] = 0, now[k].apart = 0;
        if (slot_of[k])
            used |= rv_slot_bit(slot_of[k] - 1);
    }
    for (int s = 0; s < f->params.objects; s++)
        if (f->serials[s] && !f->slot[s].given && !f->slot[s].detected &&
            !(used >> s & 1))
            rv_slot_vacate(f, s);
    for (int k = 1; k <= p->count; k++) {
        int s;

        if (!slot_of[k] && part_of[k])
            slot_of[k] = slot_of[part_of[k]];
        s = slot_of[k] ? -1 : rv_slot_free(f);
        if (s < 0)
            continue;
        rv_slot_occupy(f, s);
        slot_of[k] = (uint8_t)(s + 1);
        used |= rv_slot_bit(s);
    }
    for (int i = 0; i < f->pixels; i++)
        f->shown[i] = slot_of[p->of[i]];
    memcpy(f->before, p->of, f->pixels);
    memcpy(f->sighting, now, sizeof(now));
    decision->shown = f->shown;
    if (f->frame == f->params.start - 1)
        hand_over(f, frame, decision, used);
}
