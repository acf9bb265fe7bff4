/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_occluded.c - finds what comes out from behind another object while the two still
 * touch. The slot of the object in front often takes it.
 *
 * An object that touches no other one shows its shape. While it occludes others, its last
 * shape moves with it: what its slot holds beside this shape is not a part of it. */
#include "follow_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where an object is, or was before it was occluded. */
static const struct place *where(const struct rv_follow *f, int s,
                                 const struct place places[RV_FOLLOW_SLOTS + 1])
{
    return places[s + 1].area ? &places[s + 1] : &f->slot[s].at;
}

/* The slots of the objects that a slot's object touches, or that it occludes. */
static uint32_t neighbours(const struct rv_follow *f, int s,
                           const struct place places[RV_FOLLOW_SLOTS + 1])
{
    uint32_t near = 0;

    for (int t = 0; t < f->params.objects; t++)
        if (t != s && f->slot[t].serial &&
            (f->slot[t].behind >> s & 1 ||
             rv_places_meet(where(f, s, places), where(f, t, places), f->rules.margin)))
            near |= rv_slot_bit(t);
    return near;
}

/* The part of a slot's shape, moved by (dx, dy), that has one of the labels `on`: every
 * `pitch`-th pixel in x and y. */
static int fit(const struct rv_follow *f, int s, int dx, int dy, int pitch, uint64_t on)
{
    const struct place *p = &f->slot[s].shape;
    const int w = f->params.width, h = f->params.height;
    int n = 0;

    for (int y = p->y0 + dy < 0 ? -dy : p->y0; y < p->y1 && y + dy < h; y += pitch)
        for (int x = p->x0 + dx < 0 ? -dx : p->x0; x < p->x1 && x + dx < w; x += pitch)
            n += (f->shapes[y * w + x] >> s & 1) &&
                 (on >> f->masks[(y + dy) * w + x + dx] & 1);
    return n;
}

static uint64_t label_bit(int slot)
{
    return UINT64_C(2) << slot;
}

static void take_shape(struct rv_follow *f, struct slot *slot, const struct place *now)
{
    slot->shape = *now;
    slot->shaped = f->frame;
    slot->dx = slot->dy = 0;
    slot->vx = slot->vy = 0;
    if (slot->last.area) {
        slot->vx = (now->x0 + now->x1 - slot->last.x0 - slot->last.x1) / 2.0;
        slot->vy = (now->y0 + now->y1 - slot->last.y0 - slot->last.y1) / 2.0;
    }
}

/* Notes the neighbours that lie where an object should be and is not. */
static void find_occluders(struct rv_follow *f, int s, int area, uint32_t near)
{
    struct slot *slot = &f->slot[s];
    int x = slot->dx + (int)lround(slot->vx), y = slot->dy + (int)lround(slot->vy);

    if (area >= f->rules.shrinks * slot->shape.area) {
        slot->behind = 0;
        return;
    }
    for (int t = 0; t < f->params.objects; t++)
        if (near >> t & 1 && fit(f, s, x, y, 1, label_bit(t)) >=
                                 f->rules.covers * (slot->shape.area - area))
            slot->behind |= rv_slot_bit(t);
}

static void find_shapes(struct rv_follow *f,
                        const struct place places[RV_FOLLOW_SLOTS + 1])
{
    uint32_t alone = 0, bit[RV_FOLLOW_SLOTS + 1] = {0};

    for (int s = 0; s < f->params.objects; s++) {
        const struct place *now = &places[s + 1];
        struct slot *slot = &f->slot[s];
        uint32_t near;

        if (!slot->serial)
            continue;
        near = neighbours(f, s, places);
        if (now->area && !near && now->area >= f->rules.shrinks * slot->full) {
            take_shape(f, slot, now);
            bit[s + 1] = rv_slot_bit(s);
            alone |= bit[s + 1];
        } else if (f->frame > slot->shaped + f->rules.lost) {
            slot->shape.area = 0; /* too old */
        }
        find_occluders(f, s, now->area, near);
    }
    for (int i = 0; alone && i < f->pixels; i++)
        f->shapes[i] = (f->shapes[i] & ~alone) | bit[f->masks[i]];
}

/* Moves the shape of an object to where it fits best: on the pixels of its slot, less so
 * on those of what it occludes, and near where its motion takes it. */
static void move_shape(struct rv_follow *f, int s)
{
    struct slot *slot = &f->slot[s];
    int px = slot->dx + (int)lround(slot->vx), x = px;
    int py = slot->dy + (int)lround(slot->vy), y = py;
    int pitch = 1 + (int)sqrt(slot->shape.area / 1000.0);
    double price = f->rules.drift * sqrt(slot->shape.area), best = -1e9;
    uint64_t both = label_bit(s);

    for (int a = 0; a < f->params.objects; a++)
        if (f->slot[a].serial && f->slot[a].behind >> s & 1)
            both |= label_bit(a);
    for (int dy = -f->rules.step; dy <= f->rules.step; dy++)
        for (int dx = -f->rules.step; dx <= f->rules.step; dx++) {
            int n = fit(f, s, px + dx, py + dy, pitch, both) +
                    fit(f, s, px + dx, py + dy, pitch, label_bit(s));
            double value = n * pitch * pitch / 2.0 - price * (abs(dx) + abs(dy));

            if (value > best)
                best = value, x = px + dx, y = py + dy;
        }
    slot->vx = (slot->vx + x - slot->dx) / 2;
    slot->vy = (slot->vy + y - slot->dy) / 2;
    slot->dx = x;
    slot->dy = y;
}

/* The slots whose shape is known in this frame. */
static uint32_t move_shapes(struct rv_follow *f,
                            const struct place places[RV_FOLLOW_SLOTS + 1])
{
    uint32_t known = 0;

    for (int s = 0; s < f->params.objects; s++) {
        struct slot *slot = &f->slot[s];

        if (!slot->serial || !slot->shape.area || slot->shaped == f->frame)
            continue;
        if (!places[s + 1].area) { /* it moves on unseen */
            slot->dx += (int)lround(slot->vx);
            slot->dy += (int)lround(slot->vy);
        } else {
            move_shape(f, s);
            if (places[s + 1].area >= f->rules.shrinks * slot->shape.area)
                known |= rv_slot_bit(s);
        }
    }
    return known;
}

/* Whether a piece lies where the object of a slot should be by now. */
static bool expected(const struct rv_follow *f, const struct slot *slot,
                     const struct rv_piece *p)
{
    int x = abs(p->x0 + p->x1 - slot->shape.x0 - slot->shape.x1 - 2 * slot->dx);
    int y = abs(p->y0 + p->y1 - slot->shape.y0 - slot->shape.y1 - 2 * slot->dy);

    return x <= 2 * f->rules.comes_near * (slot->shape.x1 - slot->shape.x0) &&
           y <= 2 * f->rules.comes_near * (slot->shape.y1 - slot->shape.y0);
}

/* Sets f->side to the shape of slot b in this frame, and f->near to what its slot holds
 * beside the shape and may be the object of slot a. Returns the area of that. */
static int find_rest(struct rv_follow *f, int a, int b)
{
    const int w = f->params.width, h = f->params.height;
    const struct slot *front = &f->slot[b];
    struct rv_pieces *p = &f->cores;
    bool mine[RV_MAX_PIECES + 1] = {false};
    int area = 0;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int sx = x - front->dx, sy = y - front->dy;

            f->side[y * w + x] = sx >= 0 && sy >= 0 && sx < w && sy < h &&
                                 (f->shapes[sy * w + sx] >> b & 1);
        }
    rv_grow(f->side, f->near, f->grown, w, h, f->rules.margin);
    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = f->masks[i] == b + 1 && !f->near[i];
    rv_pieces_find(p, f->scratch, false, (int)(f->rules.least_first * f->pixels));
    for (int k = 1; k <= p->count; k++)
        mine[k] = expected(f, &f->slot[a], &p->piece[k]);
    for (int i = 0; i < f->pixels; i++)
        f->scratch[i] = mine[p->of[i]];
    rv_grow(f->scratch, f->near, f->grown, w, h, f->rules.margin);
    for (int i = 0; i < f->pixels; i++) {
        f->near[i] = f->near[i] && f->masks[i] == b + 1 && !f->side[i];
        area += f->near[i];
    }
    return area;
}

/* Gives the object of slot a, which slot b's object occludes, what b holds beside its own
 * shape. The shape itself is b's. */
static bool uncover(struct rv_follow *f, int a, int b)
{
    int area = find_rest(f, a, b);

    if (!area || area < f->rules.comes_out * f->slot[b].shape.area ||
        area > f->rules.comes_most * f->slot[a].shape.area)
        return false;
    for (int i = 0; i < f->pixels; i++) {
        if (f->near[i])
            f->past[i] = f->masks[i] = (uint8_t)(a + 1);
        else if (f->masks[i] == a + 1 && f->side[i])
            f->past[i] = f->masks[i] = (uint8_t)(b + 1);
    }
    return true;
}

bool rv_follow_uncover(struct rv_follow *f,
                       const struct place places[RV_FOLLOW_SLOTS + 1],
                       struct rv_follow_decision *decision)
{
    uint32_t changed = 0, known;

    find_shapes(f, places);
    known = move_shapes(f, places);
    for (int a = 0; a < f->params.objects; a++)
        for (int b = 0; b < f->params.objects && f->slot[a].serial; b++)
            if (f->slot[a].behind & known & rv_slot_bit(b) && f->slot[a].shape.area &&
                !f->slot[a].given && !f->slot[b].given && uncover(f, a, b))
                changed |= rv_slot_bit(a) | rv_slot_bit(b);
    if (!changed)
        return false;
    decision->seed |= changed;
    decision->masks = f->masks;
    return true;
}
