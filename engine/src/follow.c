/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "follow_state.h"

#include <stdlib.h>
#include <string.h>

const struct rv_follow_rules rv_follow_rules = {
    .least_first = 0.001,
    .least_later = 0.003,
    .covered = 0.2,
    .again = 0.3,
    .margin = 4,
    .beside = true,
    .sightings = 2,
    .more = 2,
    .spare = 15,
    .lost = 60,
    .back_size = 0.5,
    .back_edge = 1,
    .back_left = 0.1,
    .reach = 2,
    .shrinks = 0.75,
    .covers = 0.75,
    .step = 6,
    .drift = 0.35,
    .comes_out = 0.05,
    .comes_most = 1.25,
    .comes_near = 1,
    .still = 45,
    .stir = 10,
    .stirs = 0.01,
    .moves = 0.1,
    .front_least = 0.0002,
    .front = 2,
    .cut_most = 0.25,
    .fade = 0.98,
    .hurry = 5,
    .sure = 0.88,
    .settled = 4,
    .near = 16,
    .bridge_share = 0.25,
    .bridged = 1,
    .bridge_two = true,
    .neck = 2,
    .core = 0.005,
    .border_held = 0.55,
    .border_share = 0.25,
    .separate = 0.15,
    .occluded = 0.5,
    .inside = 0.5,
    .hang_neck = 3,
    .hang_share = 0.1,
    .unseen = 0.3,
    .unseen_times = 4,
    .moved = 1,
    .held = 0.6,
    .mend_from = 1.15,
    .mend_to = 1.5,
    .mend_others = 0.1,
    .mend_sure = 0.85,
    .dropped = 90,
    .theft = 0.1,
    .theft_growth = 0.5,
    .theft_frames = 6,
};

void rv_count_areas(const uint8_t *labels, int pixels, int area[RV_OVERLAP_LABELS])
{
    memset(area, 0, RV_OVERLAP_LABELS * sizeof(*area));
    for (int i = 0; i < pixels; i++)
        area[labels[i]]++;
}

bool rv_follow_starting(const struct rv_follow *f)
{
    return f->frame < f->params.start;
}

int rv_follow_create(struct rv_follow **out, const struct rv_follow_params *params)
{
    struct rv_follow *f = calloc(1, sizeof(*f));
    size_t n = (size_t)params->width * params->height;

    *out = f;
    if (!f)
        return -1;
    f->params = *params;
    f->rules = params->rules ? *params->rules : rv_follow_rules;
    f->pixels = (int)n;
    f->masks = malloc(n);
    f->shown = malloc(n);
    f->before = malloc(n);
    f->near = malloc(n);
    f->side = malloc(n);
    f->scratch = malloc(n);
    f->grown = malloc(n);
    f->past = malloc(n);
    f->last = malloc(n);
    f->dropped = malloc(n);
    f->shapes = malloc(n * sizeof(*f->shapes));
    f->queue = malloc(n * sizeof(*f->queue));
    f->next_serial = 1;
    if (!f->masks || !f->shown || !f->before || !f->near || !f->side || !f->scratch ||
        !f->grown || !f->past || !f->last || !f->dropped || !f->shapes || !f->queue ||
        rv_pieces_init(&f->pieces, params->width, params->height) ||
        rv_pieces_init(&f->cores, params->width, params->height)) {
        rv_follow_destroy(out);
        return -1;
    }
    rv_follow_reset(f);
    return 0;
}

void rv_follow_destroy(struct rv_follow **follow)
{
    struct rv_follow *f = *follow;

    *follow = NULL;
    if (!f)
        return;
    rv_pieces_finish(&f->pieces);
    rv_pieces_finish(&f->cores);
    free(f->masks);
    free(f->shown);
    free(f->before);
    free(f->near);
    free(f->side);
    free(f->scratch);
    free(f->grown);
    free(f->past);
    free(f->last);
    free(f->dropped);
    free(f->shapes);
    free(f->queue);
    free(f);
}

void rv_follow_reset(struct rv_follow *f)
{
    f->frame = 0;
    f->discover_at = f->discovered = f->counted = 0;
    f->running = false;
    memset(f->slot, 0, sizeof(f->slot));
    memset(f->serials, 0, sizeof(f->serials));
    memset(f->shown, 0, f->pixels);
    memset(f->before, 0, f->pixels);
    memset(f->past, 0, f->pixels);
    memset(f->last, 0, f->pixels);
    memset(f->shapes, 0, f->pixels * sizeof(*f->shapes));
    memset(f->dropped, 0, f->pixels);
    memset(f->sighting, 0, sizeof(f->sighting));
    f->past_frame = 0;
    f->dropped_until = 0;
}

const uint32_t *rv_follow_serials(const struct rv_follow *f)
{
    return f->serials;
}

bool rv_follow_wants_found(const struct rv_follow *f)
{
    return f->discover_at >= 0 && f->frame >= f->discover_at;
}

bool rv_follow_clears_found(const struct rv_follow *f)
{
    return rv_follow_wants_found(f) && !f->running;
}

/* The start needs all slots, and so does a search for whatever is there. Beside followed
 * objects a few more slots than these are enough, since the rules look at the foreground
 * of all slots together. */
int rv_follow_slots(const struct rv_follow *f)
{
    int followed = 0;

    for (int s = 0; s < f->params.objects; s++)
        followed += f->serials[s] != 0;
    return !followed || rv_follow_starting(f) ||
                   followed + f->rules.more > f->params.objects
               ? f->params.objects
               : followed + f->rules.more;
}

/* A slot is no longer a piece of the start. */
static void forget_piece(struct rv_follow *f, int slot)
{
    for (int i = 0; i < f->pixels; i++)
        if (f->shown[i] == slot + 1)
            f->shown[i] = 0;
}

void rv_follow_given(struct rv_follow *f, uint32_t slots)
{
    for (int i = 0; i < f->params.objects; i++) {
        if (!(slots >> i & 1))
            continue;
        if (!f->serials[i])
            rv_slot_occupy(f, i);
        f->slot[i].given = true;
        f->slot[i].empty = 0;
        forget_piece(f, i);
    }
}

void rv_follow_detected(struct rv_follow *f, uint32_t slots)
{
    for (int i = 0; i < f->params.objects; i++)
        if (slots >> i & 1 && !f->serials[i]) {
            rv_slot_occupy(f, i);
            f->slot[i].detected = true;
        }
}

void rv_follow_dropped(struct rv_follow *f, int slot)
{
    if (slot < 0 || slot >= f->params.objects)
        return;
    for (int i = 0; i < f->pixels; i++)
        f->dropped[i] |= (rv_follow_starting(f) ? f->shown : f->past)[i] == slot + 1;
    f->dropped_until = f->frame + f->rules.dropped;
    rv_slot_vacate(f, slot);
}

void rv_follow_discover(struct rv_follow *f)
{
    f->discover_at = f->frame;
    f->running = false;
}

static bool last_of_start(const struct rv_follow *f)
{
    return f->frame == f->params.start - 1;
}

/* Sets the frame of the next discovery. It comes sooner while nothing is followed, and
 * while less of an object is seen than a short time ago. */
static void plan_discovery(struct rv_follow *f)
{
    bool any = false, small = false;

    for (int s = 0; s < f->params.objects; s++) {
        const struct slot *slot = &f->slot[s];

        any = any || slot->serial;
        small = small || (slot->serial && slot->empty <= f->rules.lost &&
                          slot->last.area < f->rules.shrinks * slot->full);
    }
    if (f->running)
        return;
    f->discover_at = -1;
    if (f->params.interval)
        f->discover_at =
            f->discovered + ((!any || small) && f->rules.hurry < f->params.interval
                                 ? f->rules.hurry
                                 : f->params.interval);
}

static void find_places(const struct rv_follow *f,
                        struct place places[RV_FOLLOW_SLOTS + 1])
{
    for (int i = 0; i <= RV_FOLLOW_SLOTS; i++)
        places[i] = (struct place){0, f->params.width, f->params.height, 0, 0};
    for (int y = 0; y < f->params.height; y++)
        for (int x = 0; x < f->params.width; x++) {
            int label = f->masks[y * f->params.width + x];
            struct place *p = &places[label];

            if (!label)
                continue;
            p->area++;
            p->x0 = x < p->x0 ? x : p->x0;
            p->x1 = x >= p->x1 ? x + 1 : p->x1;
            p->y0 = y < p->y0 ? y : p->y0;
            p->y1 = y + 1;
        }
}

bool rv_in_reach(const struct rv_follow *f, const struct slot *slot, int x0, int y0,
                 int x1, int y1)
{
    return rv_place_offset(x0, y0, x1, y1, &slot->at, &slot->whole) <= f->rules.reach ||
           rv_place_offset(x0, y0, x1, y1, &slot->last, &slot->whole) <= f->rules.reach;
}

/* Whether a part of the object may have jumped: the box reaches further than it may. */
static bool may_stray(const struct rv_follow *f, int s, const struct place *now)
{
    const struct slot *slot = &f->slot[s];

    return slot->serial && !slot->given && now->area && slot->at.area &&
           slot->last.area &&
           !(rv_in_reach(f, slot, now->x0, now->y0, now->x0, now->y0) &&
             rv_in_reach(f, slot, now->x1, now->y1, now->x1, now->y1));
}

/* No object jumps: what its slot holds far from where the object was is not a part of it.
 * It becomes an object of its own if it is large enough. */
static void cut_strays(struct rv_follow *f, struct place places[RV_FOLLOW_SLOTS + 1],
                       struct rv_follow_decision *decision)
{
    uint8_t becomes[RV_MAX_PIECES + 1];
    struct rv_pieces *p = &f->pieces;
    uint32_t may = 0, cut = 0;

    for (int s = 0; s < f->params.objects; s++)
        if (may_stray(f, s, &places[s + 1]))
            may |= rv_slot_bit(s);
    if (!may)
        return;
    rv_pieces_find(p, f->masks, true, 1);
    for (int k = 1; k <= p->count; k++) {
        const struct rv_piece *piece = &p->piece[k];
        int s = piece->label - 1, other = -1;

        becomes[k] = piece->label;
        if (!(may >> s & 1) ||
            rv_in_reach(f, &f->slot[s], piece->x0, piece->y0, piece->x1, piece->y1))
            continue;
        if (piece->area >= f->rules.least_later * f->pixels &&
            piece->area >= f->rules.separate * f->slot[s].at.area)
            other = rv_slot_take(f, piece);
        if (other >= 0)
            decision->clear |= rv_slot_bit(other);
        cut |= rv_slot_bit(s) | (other >= 0 ? rv_slot_bit(other) : 0);
        becomes[k] = (uint8_t)(other + 1);
    }
    if (!cut)
        return;
    for (int i = 0; i < f->pixels; i++)
        if (p->of[i])
            f->masks[i] = becomes[p->of[i]];
    decision->seed |= cut;
    decision->masks = f->masks;
    find_places(f, places);
}

static void free_lost(struct rv_follow *f, const struct place places[RV_FOLLOW_SLOTS + 1],
                      struct rv_follow_decision *decision)
{
    const double fade = f->rules.fade;

    for (int s = 0; s < f->params.objects; s++) {
        const struct place *now = &places[s + 1];
        struct slot *slot = &f->slot[s];

        slot->last = *now;
        if (now->area)
            slot->seen = *now;
        slot->empty = now->area ? 0 : slot->empty + 1;
        slot->full = now->area > fade * slot->full ? now->area : fade * slot->full;
        if (now->area && now->area >= slot->full)
            slot->whole = *now;
        if (now->area && now->area >= f->rules.shrinks * slot->full)
            slot->at = *now;
        if (now->area && !slot->home.area)
            slot->home = *now;
        if (now->area && rv_place_offset(now->x0, now->y0, now->x1, now->y1, &slot->home,
                                         &slot->home) > f->rules.moved)
            slot->moved = true;
        if (f->serials[s] && !f->slot[s].given && f->slot[s].empty >= f->rules.lost)
            rv_slot_drop(f, s, decision);
    }
}

void rv_follow_update(struct rv_follow *f, const struct rv_follow_frame *frame,
                      struct rv_follow_decision *decision)
{
    *decision = (struct rv_follow_decision){0};
    if (f->frame == f->dropped_until)
        memset(f->dropped, 0, f->pixels);
    if (frame->found && rv_follow_starting(f)) {
        rv_follow_start(f, frame, decision);
        f->running = !last_of_start(f);
    } else {
        if (frame->followed) {
            struct place places[RV_FOLLOW_SLOTS + 1];

            memcpy(f->masks, frame->followed, f->pixels);
            find_places(f, places);
            cut_strays(f, places, decision);
            if (rv_follow_uncover(f, places, decision))
                find_places(f, places);
            if (rv_follow_fill(f, places, decision))
                find_places(f, places);
            if (rv_follow_still(f, frame->moves, places, decision))
                find_places(f, places);
            rv_follow_check(f, decision);
            memcpy(f->last, f->masks, f->pixels);
            if (memcmp(f->last, frame->followed, f->pixels))
                decision->shown = f->last;
            free_lost(f, places, decision);
        }
        if (frame->found)
            f->running = rv_follow_judge(f, frame, decision);
    }
    if (frame->found && !f->running)
        f->discovered = f->frame;
    plan_discovery(f);
    f->frame++;
}
