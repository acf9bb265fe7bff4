/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "follow.h"

#include <stdlib.h>
#include <string.h>

#include "pieces.h"

const struct rv_follow_rules rv_follow_rules = {
    .least_first = 0.001,
    .least_later = 0.003,
    .covered = 0.2,
    .again = 0.3,
    .margin = 4,
    .sightings = 2,
    .lost = 60,
};

struct slot {
    uint32_t serial; /* 0: free */
    bool given;      /* by the user */
    bool detected;   /* not by a piece of the start */
    int empty;       /* frames in a row without a pixel */
};

/* A piece of the last discovery, by its number there. */
struct sighting {
    int seen; /* discoveries in a row */
};

struct rv_follow {
    struct rv_follow_params params;
    struct rv_follow_rules rules;
    int pixels;
    int64_t frame;       /* the next one's number */
    int64_t discover_at; /* the frame of the next discovery; below 0: none */
    bool running;        /* the last frame was one of discovery, too */
    uint32_t next_serial, serials[RV_FOLLOW_SLOTS];
    struct slot slot[RV_FOLLOW_SLOTS];
    struct rv_pieces pieces;
    uint8_t *masks, *shown, *before, *near, *scratch;
    struct sighting sighting[RV_MAX_PIECES + 1];
    int overlap[RV_OVERLAP_LABELS][RV_OVERLAP_LABELS];
};

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
    f->scratch = malloc(n);
    f->next_serial = 1;
    if (!f->masks || !f->shown || !f->before || !f->near || !f->scratch ||
        rv_pieces_init(&f->pieces, params->width, params->height)) {
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
    free(f->masks);
    free(f->shown);
    free(f->before);
    free(f->near);
    free(f->scratch);
    free(f);
}

void rv_follow_reset(struct rv_follow *f)
{
    f->frame = 0;
    f->discover_at = 0;
    f->running = false;
    memset(f->slot, 0, sizeof(f->slot));
    memset(f->serials, 0, sizeof(f->serials));
    memset(f->shown, 0, f->pixels);
    memset(f->before, 0, f->pixels);
}

const uint32_t *rv_follow_serials(const struct rv_follow *f)
{
    return f->serials;
}

static bool starting(const struct rv_follow *f)
{
    return f->frame < f->params.start;
}

bool rv_follow_wants_found(const struct rv_follow *f)
{
    return f->discover_at >= 0 && f->frame >= f->discover_at;
}

bool rv_follow_clears_found(const struct rv_follow *f)
{
    return rv_follow_wants_found(f) && !f->running;
}

static void occupy(struct rv_follow *f, int slot, bool given)
{
    f->serials[slot] = f->next_serial++;
    f->slot[slot] = (struct slot){.serial = f->serials[slot], .given = given};
}

static void vacate(struct rv_follow *f, int slot)
{
    f->serials[slot] = 0;
    f->slot[slot] = (struct slot){0};
}

/* From 0; -1: all are taken. */
static int free_slot(const struct rv_follow *f)
{
    for (int i = 0; i < f->params.objects; i++)
        if (!f->serials[i])
            return i;
    return -1;
}

void rv_follow_given(struct rv_follow *f, uint32_t slots)
{
    for (int i = 0; i < f->params.objects; i++) {
        if (!(slots >> i & 1))
            continue;
        if (!f->serials[i])
            occupy(f, i, true);
        f->slot[i].given = true;
        f->slot[i].empty = 0;
    }
}

void rv_follow_detected(struct rv_follow *f, uint32_t slots)
{
    for (int i = 0; i < f->params.objects; i++)
        if (slots >> i & 1 && !f->serials[i]) {
            occupy(f, i, false);
            f->slot[i].detected = true;
        }
}

void rv_follow_dropped(struct rv_follow *f, int slot)
{
    if (slot >= 0 && slot < f->params.objects)
        vacate(f, slot);
}

void rv_follow_discover(struct rv_follow *f)
{
    f->discover_at = f->frame;
}

/* The start: each piece takes the slot of the earlier piece that it covers most. */
static void start(struct rv_follow *f, const struct rv_follow_frame *frame,
                  struct rv_follow_decision *decision)
{
    struct rv_pieces *p = &f->pieces;
    uint8_t slot_of[RV_MAX_PIECES + 1] = {0};
    uint32_t used = 0;

    memcpy(f->masks, frame->found, f->pixels);
    for (int i = 0; frame->followed && i < f->pixels; i++)
        if (frame->followed[i])
            f->masks[i] = 0;
    rv_pieces_find(p, f->masks, false, (int)(f->rules.least_first * f->pixels));
    rv_overlaps(p->of, f->shown, f->pixels, f->overlap);
    for (;;) {
        int best = 0, piece = 0, slot = 0;

        for (int k = 1; k <= p->count; k++)
            for (int s = 1; s <= f->params.objects && !slot_of[k]; s++)
                if (!(used >> (s - 1) & 1) && f->overlap[k][s] > best)
                    best = f->overlap[piece = k][slot = s];
        if (!best)
            break;
        slot_of[piece] = (uint8_t)slot;
        used |= UINT32_C(1) << (slot - 1);
    }
    for (int s = 0; s < f->params.objects; s++)
        if (f->serials[s] && !f->slot[s].given && !f->slot[s].detected &&
            !(used >> s & 1))
            vacate(f, s);
    for (int k = 1; k <= p->count; k++) {
        int s = slot_of[k] ? -1 : free_slot(f);

        if (s < 0)
            continue;
        occupy(f, s, false);
        slot_of[k] = (uint8_t)(s + 1);
        used |= UINT32_C(1) << s;
    }
    for (int i = 0; i < f->pixels; i++)
        f->shown[i] = slot_of[p->of[i]];
    decision->shown = f->shown;
    if (f->frame == f->params.start - 1) {
        decision->seed = decision->clear = used;
        decision->masks = f->shown;
        memset(f->before, 0, f->pixels);
        f->running = false;
        f->discover_at = f->params.interval ? f->frame + f->params.interval : -1;
    }
}

static void find_new(struct rv_follow *f, const struct rv_follow_frame *frame,
                     struct rv_follow_decision *decision)
{
    struct rv_pieces *p = &f->pieces;
    struct sighting now[RV_MAX_PIECES + 1] = {{0}};
    uint8_t slot_of[RV_MAX_PIECES + 1] = {0};

    memset(f->near, 0, f->pixels);
    if (frame->followed)
        rv_grow(frame->followed, f->near, f->scratch, f->params.width, f->params.height,
                f->rules.margin);
    rv_pieces_find(p, frame->found, false, (int)(f->rules.least_later * f->pixels));
    rv_overlaps(p->of, f->near, f->pixels, f->overlap);
    for (int k = 1; k <= p->count; k++)
        now[k].seen = f->overlap[k][1] < f->rules.covered * p->piece[k].area;
    rv_overlaps(p->of, f->before, f->pixels, f->overlap);
    for (int k = 1; k <= p->count; k++)
        for (int j = 1; j <= RV_MAX_PIECES && now[k].seen; j++)
            if (f->overlap[k][j] > f->rules.again * p->piece[k].area &&
                now[k].seen <= f->sighting[j].seen)
                now[k].seen = f->sighting[j].seen + 1;
    for (int k = 1; k <= p->count; k++) {
        int s = now[k].seen >= f->rules.sightings ? free_slot(f) : -1;

        if (s < 0)
            continue;
        occupy(f, s, false);
        slot_of[k] = (uint8_t)(s + 1);
        decision->clear |= UINT32_C(1) << s;
        decision->seed |= UINT32_C(1) << s;
    }
    for (int i = 0; i < f->pixels; i++)
        f->masks[i] = frame->followed && frame->followed[i] ? 0 : slot_of[p->of[i]];
    decision->masks = f->masks;
    memcpy(f->before, p->of, f->pixels);
    memcpy(f->sighting, now, sizeof(now));
}

static bool waits(const struct rv_follow *f)
{
    for (int k = 1; k <= f->pieces.count; k++)
        if (f->sighting[k].seen && f->sighting[k].seen < f->rules.sightings)
            return true;
    return false;
}

static void free_lost(struct rv_follow *f, const struct rv_follow_frame *frame,
                      struct rv_follow_decision *decision)
{
    uint32_t present = 0;

    for (int i = 0; i < f->pixels; i++)
        if (frame->followed[i])
            present |= UINT32_C(1) << (frame->followed[i] - 1);
    for (int s = 0; s < f->params.objects; s++) {
        f->slot[s].empty = present >> s & 1 ? 0 : f->slot[s].empty + 1;
        if (f->serials[s] && !f->slot[s].given && f->slot[s].empty >= f->rules.lost) {
            vacate(f, s);
            decision->clear |= UINT32_C(1) << s;
        }
    }
}

void rv_follow_update(struct rv_follow *f, const struct rv_follow_frame *frame,
                      struct rv_follow_decision *decision)
{
    *decision = (struct rv_follow_decision){0};
    if (frame->found && starting(f)) {
        f->running = true;
        start(f, frame, decision);
    } else {
        if (frame->followed)
            free_lost(f, frame, decision);
        if (frame->found) {
            find_new(f, frame, decision);
            f->running = waits(f);
            if (!f->running) {
                memset(f->before, 0, f->pixels);
                f->discover_at = f->params.interval ? f->frame + f->params.interval : -1;
            }
        }
    }
    f->frame++;
}
