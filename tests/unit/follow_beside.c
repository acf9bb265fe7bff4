/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_beside.c - what the automatic task does with what a discovery sees beside a
 * followed object: a part that it has lost, or something new. On scripted masks. */
#include "follow_scene.h"

/* A slot lost a part of its object. Discoveries see the object as a whole. */
static bool lose_parts(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, tall(50, 20, 1));

    run(s, START + 2);
    s->owns[slot_with(s, 1)] &= ~UINT32_C(2);
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1;
}

/* Something comes up that touches a followed object, in a zero-shot slot of its own. At
 * that time the object has `w` of its 30 columns of pixels. The number of what has come
 * up. */
static uint32_t touching(const struct rv_follow_rules *rules, int w)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, tall(50, 24, 2));

    s->shape[1].absent = true;
    run(s, START + 2);
    s->shape[1].absent = false;
    s->shape[0] = tall(50 - w, w, 1);
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 ? id(s, 1) : 9;
}

/* It is an object of its own. */
static bool comes_up_beside(const struct rv_follow_rules *rules)
{
    return touching(rules, 30) == 2;
}

/* It is a part of the object that has become small: the object has lost it. */
static bool lost_beside(const struct rv_follow_rules *rules)
{
    return touching(rules, 12) == 1;
}

/* A piece that is much larger than the object was holds another thing, too. */
static bool too_large(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, tall(50, 30, 1));

    s->shape[1].absent = true;
    run(s, START + 2);
    s->shape[1].absent = false;
    run(s, 3 * INTERVAL);
    return id(s, 0) == 1 && !id(s, 1) && objects(s) == 1;
}

/* The decoder is much less sure of what a piece holds beside the object: that is another
 * thing. */
static bool mend_sure(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, tall(50, 12, 1));

    s->shape[1].absent = true;
    s->shape[1].border = 12;
    run(s, START + 2);
    s->shape[1].absent = false;
    run(s, 3 * INTERVAL);
    return id(s, 0) == 1 && !id(s, 1) && objects(s) == 1;
}

/* Only one discovery sees more than what is followed: that mends nothing. */
static bool mend_flicker(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, INTERVAL);

    s->shape[0] = left;
    run(s, START + 2);
    s->shape[1] = tall(50, 12, 1);
    for (int t = 0; t < 60; t++) {
        s->shape[1].found = ~s->looks & 1;
        step(s);
    }
    return id(s, 0) == 1 && !id(s, 1);
}

/* An object is away. The decoder is not sure of what comes up at its place, beside
 * another object: that is not the object. */
static void unsure_beside(void)
{
    struct scene *s = begin_two(NULL, 4, INTERVAL, left, tall(60, 30, 2));

    s->shape[2] = tall(50, 30, 2);
    s->shape[2].border = 30;
    s->shape[2].absent = true;
    run(s, START + 2);
    CHECK(id(s, 0) == 1 && id(s, 1) == 2);
    s->shape[1].absent = true;
    run(s, INTERVAL);
    s->shape[2].absent = false;
    run(s, 2 * INTERVAL);
    CHECK(id(s, 0) == 1 && !id(s, 2));
    s->shape[2].border = 0;
    run(s, 2 * INTERVAL);
    CHECK(id(s, 0) == 1 && id(s, 2) == 2);
}

int main(void)
{
    WITHOUT(lose_parts, mend_to, 0);
    WITHOUT(comes_up_beside, beside, false);
    WITHOUT(lost_beside, shrinks, 0);
    WITHOUT(too_large, mend_to, 4);
    WITHOUT(mend_flicker, sightings, 1);
    WITHOUT(mend_sure, mend_sure, 0);
    unsure_beside();
    rv_follow_destroy(&scene.follow);
    return test_done();
}
