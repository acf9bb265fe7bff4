/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_scene.h - scripted scenes of rectangles, and decoders without faults, for the
 * rules of the automatic task. */
#ifndef RV_FOLLOW_SCENE_H
#define RV_FOLLOW_SCENE_H

#include <string.h>

#include "../test.h"
#include "follow.h"

enum { W = 224, H = 128, PIXELS = W * H, START = 16, INTERVAL = 10, SHAPES = 6 };

/* A rectangle. Later ones lie in front. */
struct shape {
    int x, y, w, h;
    int found;   /* label that the zero-shot decoder gives it; 0: it does not see it */
    bool absent; /* it is not in the picture */
    bool moves;  /* its pixels differ from the picture that stands still */
    int border;  /* pixels at its edge of which the zero-shot decoder is less sure */
};

/* A scene, and decoders without faults: a slot follows the shapes that its seed covered.
 */
struct scene {
    struct rv_follow *follow;
    struct rv_follow_decision decision;
    struct shape shape[SHAPES];
    uint32_t owns[RV_FOLLOW_SLOTS]; /* shapes, bit by bit */
    uint32_t held;                  /* slots that have been seeded */
    int frame, looks;               /* frames so far; those with the zero-shot decoder */
    uint32_t changed;               /* slots that the rules cleared or seeded */
    bool camera_moves;              /* so nobody knows what else does */
    float logit[PIXELS];            /* of the zero-shot decoder */
    uint8_t moves[PIXELS];
    uint8_t top[PIXELS], found[PIXELS], followed[PIXELS]; /* top: shape, from 1 */
};

static struct scene scene;
static const struct shape left = {.x = 20, .y = 40, .w = 30, .h = 40, .found = 1};
static const struct shape right = {.x = 150, .y = 40, .w = 24, .h = 40, .found = 2};

static inline struct scene *begin(const struct rv_follow_rules *rules, int objects,
                                  int interval)
{
    struct rv_follow_params params = {.width = W,
                                      .height = H,
                                      .objects = objects,
                                      .start = START,
                                      .interval = interval,
                                      .rules = rules};

    rv_follow_destroy(&scene.follow);
    memset(&scene, 0, sizeof(scene));
    if (!CHECK(rv_follow_create(&scene.follow, &params) == 0))
        exit(1);
    return &scene;
}

/* A scene of two shapes. */
static inline struct scene *begin_two(const struct rv_follow_rules *rules, int objects,
                                      int interval, struct shape first,
                                      struct shape second)
{
    struct scene *s = begin(rules, objects, interval);

    s->shape[0] = first;
    s->shape[1] = second;
    return s;
}

/* As high as `left`, which ends at x = 50. */
static inline struct shape tall(int x, int w, int found)
{
    return (struct shape){.x = x, .y = 40, .w = w, .h = 40, .found = found};
}

static inline uint32_t serial(const struct scene *s, int slot)
{
    return rv_follow_serials(s->follow)[slot];
}

/* Logits of the zero-shot decoder: of the background, the edge or the middle of a shape.
 */
static inline float logit(const struct scene *s, int x, int y)
{
    int top = s->top[y * W + x];
    const struct shape *p = top ? &s->shape[top - 1] : NULL;

    if (!p || !p->found)
        return -6;
    return x - p->x < p->border || y - p->y < p->border || p->x + p->w - x <= p->border ||
                   p->y + p->h - y <= p->border
               ? 1
               : 6;
}

static inline void draw(struct scene *s)
{
    memset(s->top, 0, PIXELS);
    for (int k = 0; k < SHAPES; k++) {
        const struct shape *p = &s->shape[k];

        for (int y = p->y < 0 ? 0 : p->y; y < p->y + p->h && y < H && !p->absent; y++)
            for (int x = p->x < 0 ? 0 : p->x; x < p->x + p->w && x < W; x++)
                s->top[y * W + x] = (uint8_t)(k + 1);
    }
    memset(s->followed, 0, PIXELS);
    for (int i = 0; i < PIXELS; i++) {
        int shape = s->top[i];

        s->found[i] = (uint8_t)(shape ? s->shape[shape - 1].found : 0);
        s->logit[i] = logit(s, i % W, i / W);
        s->moves[i] = shape && s->shape[shape - 1].moves;
        for (int k = 0; shape && k < RV_FOLLOW_SLOTS; k++)
            if (serial(s, k) && s->held >> k & 1 && s->owns[k] >> (shape - 1) & 1)
                s->followed[i] = (uint8_t)(k + 1);
    }
}

/* The shapes of which a seed shows at least half of what can be seen. */
static inline uint32_t covered(const struct scene *s, const uint8_t *masks, int slot)
{
    uint32_t owns = 0;

    for (int k = 0; k < SHAPES; k++) {
        int all = 0, in = 0;

        for (int i = 0; i < PIXELS; i++)
            if (s->top[i] == k + 1)
                all++, in += masks[i] == slot + 1;
        if (all && 2 * in >= all)
            owns |= UINT32_C(1) << k;
    }
    return owns;
}

static inline void step(struct scene *s)
{
    struct rv_follow_frame frame = {.moves = s->camera_moves ? NULL : s->moves};

    draw(s);
    for (int k = 0; k < RV_FOLLOW_SLOTS; k++)
        if (serial(s, k) && s->held >> k & 1)
            frame.followed = s->followed;
    if (rv_follow_wants_found(s->follow)) {
        frame.found = s->found;
        frame.found_logit = s->logit;
        s->looks++;
    }
    rv_follow_update(s->follow, &frame, &s->decision);
    for (int k = 0; k < RV_FOLLOW_SLOTS; k++) {
        if (s->decision.clear >> k & 1)
            s->owns[k] = 0, s->held &= ~(UINT32_C(1) << k);
        if (s->decision.seed >> k & 1) {
            s->owns[k] = covered(s, s->decision.masks, k);
            s->held |= UINT32_C(1) << k;
        }
    }
    if (s->frame >= START)
        s->changed |= s->decision.clear | s->decision.seed;
    s->frame++;
}

static inline void run(struct scene *s, int frames)
{
    while (frames-- > 0)
        step(s);
}

/* The serial number of the object that a shape belongs to; 0: of none. */
static inline uint32_t id(const struct scene *s, int shape)
{
    for (int k = 0; k < RV_FOLLOW_SLOTS; k++)
        if (serial(s, k) && s->owns[k] >> shape & 1)
            return serial(s, k);
    return 0;
}

static inline int slot_with(const struct scene *s, int shape)
{
    for (int k = 0; k < RV_FOLLOW_SLOTS; k++)
        if (serial(s, k) && s->owns[k] >> shape & 1)
            return k;
    return 0;
}

static inline int objects(const struct scene *s)
{
    int n = 0;

    for (int k = 0; k < RV_FOLLOW_SLOTS; k++)
        n += serial(s, k) != 0;
    return n;
}

typedef bool scene_fn(const struct rv_follow_rules *rules);

/* A scene passes with the rules as they are and must fail without the rule that it is
 * about. */
static inline void with_and_without(const char *name, scene_fn *play,
                                    struct rv_follow_rules without)
{
    test_note(CHECK(play(NULL)), "%s", name);
    test_note(CHECK(!play(&without)), "%s, without its rule", name);
}

#define WITHOUT(play, field, value)                                                      \
    do {                                                                                 \
        struct rv_follow_rules without = rv_follow_rules;                                \
        without.field = value;                                                           \
        with_and_without(#play, play, without);                                          \
    } while (0)

#endif
