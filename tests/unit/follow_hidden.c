/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_hidden.c - the automatic task where something hides an object, in part or as a
 * whole, on scripted masks. */
#include "follow_scene.h"

/* An arm passes in front of an object and hides its middle: the object stays one. When
 * the arm is gone and there is still a gap, they are two. */
static bool divided(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = (struct shape){.x = 60, .y = 30, .w = 30, .h = 30, .found = 1};
    s->shape[1] = (struct shape){.x = 60, .y = 60, .w = 30, .h = 16, .found = 1};
    s->shape[2] = (struct shape){.x = 60, .y = 76, .w = 30, .h = 30, .found = 1};
    s->shape[3] = (struct shape){.x = 110, .y = 60, .w = 100, .h = 16, .found = 2};
    run(s, START + 2);
    for (int t = 0; t < 60; t++) {
        s->shape[3].x -= t < 30 ? 2 : 0;
        step(s);
    }
    if (id(s, 0) != 1 || id(s, 2) != 1 || id(s, 3) != 2 || objects(s) != 2)
        return false;
    s->shape[1].hidden = s->shape[3].hidden = true;
    run(s, 20);
    return id(s, 0) != id(s, 2);
}

/* A followed object beside the gap hides nothing. */
static bool divided_beside(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = left;
    s->shape[1] = left;
    s->shape[1].x = 50;
    s->shape[2] = (struct shape){.x = 20, .y = 82, .w = 100, .h = 20, .found = 2};
    run(s, START + 2);
    for (int t = 0; t < 30; t++) {
        s->shape[1].x += 1;
        step(s);
    }
    return id(s, 0) && id(s, 1) && id(s, 0) != id(s, 1);
}

/* An object is hidden and then seen again, `by` pixels from there and `h` pixels high.
 * The one-shot decoder has forgotten it. Its number then; 0: it is not found. */
static uint32_t seen_again(const struct rv_follow_rules *rules, int by, int h)
{
    struct scene *s = begin(rules, 4, INTERVAL);

    s->shape[0] = left;
    s->shape[1] = right;
    run(s, START + 10);
    for (int t = 0; t < 20; t++) { /* it goes behind something */
        s->shape[1].h -= 2;
        step(s);
    }
    s->shape[1].hidden = true;
    s->owns[slot_with(s, 1)] = 0;
    run(s, 10);
    s->shape[1] = right;
    s->shape[1].x += by;
    s->shape[1].h = h;
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 ? id(s, 1) : 0;
}

static bool hidden_again(const struct rv_follow_rules *rules)
{
    return seen_again(rules, 20, right.h) == 2;
}

static bool hidden_slowly(const struct rv_follow_rules *rules)
{
    return seen_again(rules, 20, right.h) == 2;
}

/* An object is hidden by another one, whose slot takes it when it is seen again. */
static bool swallowed(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = right;
    s->shape[1] = left;
    run(s, START + 10);
    s->shape[0].hidden = true;
    s->owns[slot_with(s, 0)] = 0;
    s->owns[slot_with(s, 1)] |= 1;
    run(s, 20);
    s->shape[0].hidden = false;
    run(s, 20);
    return id(s, 1) == 1 && id(s, 0) == 2 && objects(s) == 2;
}

/* What comes up too far away, or has another size, is another object. */
static bool too_far(const struct rv_follow_rules *rules)
{
    return seen_again(rules, -60, right.h) == 3;
}

static bool too_small(const struct rv_follow_rules *rules)
{
    return seen_again(rules, 0, right.h / 3) == 3;
}

int main(void)
{
    WITHOUT(hidden_again, back_size, 2);
    WITHOUT(hidden_slowly, shrinks, 0);
    WITHOUT(swallowed, back_size, 2);
    WITHOUT(too_far, back_near, 9);
    WITHOUT(too_small, back_size, 0.1);
    WITHOUT(divided, hidden, 2);
    WITHOUT(divided_beside, hidden, -1);
    rv_follow_destroy(&scene.follow);
    return test_done();
}
