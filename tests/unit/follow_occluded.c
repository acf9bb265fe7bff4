/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_occluded.c - the automatic task where something occludes an object, in part or
 * as a whole, on scripted masks. */
#include "follow_scene.h"

/* An arm passes in front of an object and occludes its middle: the object stays one. When
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
    s->shape[1].absent = s->shape[3].absent = true;
    run(s, 20);
    return id(s, 0) != id(s, 2);
}

/* A followed object beside the gap occludes nothing. */
static bool divided_beside(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 30, 1));

    s->shape[2] = (struct shape){.x = 20, .y = 82, .w = 100, .h = 20, .found = 2};
    run(s, START + 2);
    for (int t = 0; t < 30; t++) {
        s->shape[1].x += 1;
        step(s);
    }
    return id(s, 0) && id(s, 1) && id(s, 0) != id(s, 1);
}

/* An object is occluded and then seen again, `by` pixels from there and `h` pixels high.
 * The one-shot decoder has forgotten it. Its number then; 0: it is not found. */
static uint32_t seen_again(const struct rv_follow_rules *rules, int by, int h)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    run(s, START + 10);
    for (int t = 0; t < 20; t++) { /* it goes behind something */
        s->shape[1].h -= 2;
        step(s);
    }
    s->shape[1].absent = true;
    s->owns[slot_with(s, 1)] = 0;
    run(s, 10);
    s->shape[1] = right;
    s->shape[1].x += by;
    s->shape[1].h = h;
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 ? id(s, 1) : 0;
}

static bool occluded_again(const struct rv_follow_rules *rules)
{
    return seen_again(rules, 20, right.h) == 2;
}

static bool occluded_slowly(const struct rv_follow_rules *rules)
{
    return seen_again(rules, 20, right.h) == 2;
}

/* An object is occluded by another one, whose slot takes it when it is seen again. */
static bool swallowed(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, right, left);

    run(s, START + 10);
    s->shape[0].absent = true;
    s->owns[slot_with(s, 0)] = 0;
    s->owns[slot_with(s, 1)] |= 1;
    run(s, 20);
    s->shape[0].absent = false;
    run(s, 20);
    return id(s, 1) == 1 && id(s, 0) == 2 && objects(s) == 2;
}

/* An object goes sideways behind something and is seen whole again, less than two of its
 * widths from there. */
static bool occluded_sideways(void)
{
    struct scene *s = begin_two(NULL, 4, INTERVAL, left, right);

    run(s, START + 10);
    for (int t = 0; t < 12; t++) {
        s->shape[1].w -= 2;
        step(s);
    }
    s->shape[1].absent = true;
    s->owns[slot_with(s, 1)] = 0;
    run(s, 10);
    s->shape[1] = right;
    s->shape[1].x += 38;
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 && id(s, 1) == 2;
}

/* Something comes up far from an object, and the object's slot takes it. It is another
 * object at once, or none while it is small: `w` pixels of 40 each. */
static uint32_t strays(const struct rv_follow_rules *rules, int w)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = left;
    s->shape[1] = (struct shape){.x = W - w, .y = 40, .w = w, .h = 40};
    s->shape[1].absent = true;
    run(s, START + 1);
    s->shape[1].absent = false;
    s->owns[slot_with(s, 0)] |= 2;
    run(s, 1);
    return id(s, 0) == 1 ? id(s, 1) : 1;
}

static bool entering(const struct rv_follow_rules *rules)
{
    return strays(rules, 10) == 2;
}

static bool entering_edge(const struct rv_follow_rules *rules)
{
    return strays(rules, 3) == 0;
}

/* What the user gives may be anywhere. */
static void given_strays(void)
{
    struct scene *s = begin(NULL, 4, 0);

    s->shape[0] = left;
    run(s, START + 1);
    rv_follow_given(s->follow, 1);
    run(s, 2);
    s->shape[1] = right;
    s->owns[0] |= 2;
    run(s, 1);
    CHECK(id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1);
}

/* An object is half occluded and moves on by three of its sizes. */
static void half_occluded(void)
{
    struct scene *s = begin(NULL, 4, 0);

    s->shape[0] = left;
    run(s, START + 10);
    s->shape[0].h /= 2;
    for (int t = 0; t < 15; t++) {
        s->shape[0].x += 6;
        step(s);
    }
    CHECK(id(s, 0) == 1 && objects(s) == 1);
}

/* An object is away for a frame: the next look comes soon. */
static bool looked_for(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    run(s, START + INTERVAL + 2);
    s->shape[1].absent = true;
    s->owns[slot_with(s, 1)] = 0;
    run(s, 1);
    s->shape[1].absent = false;
    run(s, 5);
    return id(s, 0) == 1 && id(s, 1) == 2;
}

/* An object comes back at the edge of the frame at which it left. At first only a small
 * part of it is seen, of `w` columns. */
static uint32_t back_at(const struct rv_follow_rules *rules, int x, int w)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    run(s, START + 2);
    for (int t = 0; t < 36; t++) {
        s->shape[1].x += t < 25 ? 3 : 0;
        s->shape[1].absent = s->shape[1].x >= W;
        step(s);
    }
    s->owns[slot_with(s, 1)] = 0;
    s->shape[1].x = x;
    s->shape[1].w = w;
    s->shape[1].absent = false;
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 ? id(s, 1) : 0;
}

static bool back_at_edge(const struct rv_follow_rules *rules)
{
    return back_at(rules, W - 7, right.w) == 2;
}

/* What is small and not at the edge is another object. */
static bool beside_edge(const struct rv_follow_rules *rules)
{
    return back_at(rules, W - 14, 7) == 3;
}

/* The one-shot decoder sees a few pixels of an object that comes back. */
static bool back_in_part(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);
    int slot;

    run(s, START + 2);
    slot = slot_with(s, 1);
    s->shape[1].absent = true;
    run(s, 10);
    s->shape[1].absent = false;
    s->shape[2] = (struct shape){.x = 160, .y = 50, .w = 5, .h = 5, .found = 2};
    s->owns[slot] = 4;
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2;
}

/* An object has lost most of its parts: the next look comes soon and repairs it. */
static bool repaired_soon(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, INTERVAL);

    s->shape[0] = (struct shape){.x = 20, .y = 40, .w = 30, .h = 16, .found = 1};
    s->shape[1] = (struct shape){.x = 20, .y = 56, .w = 30, .h = 24, .found = 1};
    run(s, START + INTERVAL + 2);
    s->owns[0] = 1;
    run(s, 6);
    return id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1;
}

/* An object that is fast stays one. */
static bool runs_fast(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = left;
    run(s, START + 1);
    for (int t = 0; t < 12; t++) {
        s->shape[0].x += 12;
        step(s);
    }
    return id(s, 0) == 1 && objects(s) == 1;
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
    WITHOUT(occluded_again, back_size, 2);
    WITHOUT(occluded_slowly, shrinks, 0);
    WITHOUT(swallowed, back_size, 2);
    test_note(CHECK(occluded_sideways()), "occluded_sideways");
    given_strays();
    half_occluded();
    WITHOUT(looked_for, shrinks, 0);
    WITHOUT(repaired_soon, shrinks, 0);
    WITHOUT(back_at_edge, back_edge, -1);
    WITHOUT(beside_edge, back_edge, 40);
    WITHOUT(back_in_part, back_left, 0);
    WITHOUT(entering, reach, 1000);
    WITHOUT(entering_edge, reach, 1000);
    WITHOUT(runs_fast, reach, 0);
    WITHOUT(too_far, reach, 9);
    WITHOUT(too_small, back_size, 0.1);
    WITHOUT(divided, occluded, 2);
    WITHOUT(divided_beside, occluded, -1);
    rv_follow_destroy(&scene.follow);
    return test_done();
}
