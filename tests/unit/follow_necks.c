/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_necks.c - the rules of the automatic task for what hangs on a followed object by
 * a neck: a racket that a player holds. */
#include "follow_scene.h"

/* When the start ends, the object is a body, a neck of that height, and a square. */
static struct scene *hold(const struct rv_follow_rules *rules, int neck, int square)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, left);

    s->shape[0].w = 60;
    s->shape[1] = (struct shape){.x = 80, .y = 58, .w = 8, .h = neck, .found = 1};
    s->shape[2] = (struct shape){.x = 88, .y = 50, .w = square, .h = square, .found = 1};
    run(s, START);
    return s;
}

/* From then on the zero-shot decoder does not see the square. */
static bool one_object(struct scene *s)
{
    s->shape[1].found = s->shape[2].found = 0;
    run(s, INTERVAL + 2);
    return id(s, 0) == 1 && id(s, 2) == 1 && objects(s) == 1;
}

/* It is an object of its own, and stays one: the next check does not take it for stolen.
 */
static bool racket(const struct rv_follow_rules *rules)
{
    struct scene *s = hold(rules, 6, 20);

    s->shape[1].found = s->shape[2].found = 0;
    run(s, 3 * INTERVAL);
    return id(s, 0) == 1 && id(s, 2) == 2 && objects(s) == 2;
}

/* An arm is wider than a neck. */
static bool arm(const struct rv_follow_rules *rules)
{
    return one_object(hold(rules, 10, 20));
}

/* A foot is small. */
static bool foot(const struct rv_follow_rules *rules)
{
    return one_object(hold(rules, 6, 13));
}

/* The zero-shot decoder sees the square, too. */
static bool leg(const struct rv_follow_rules *rules)
{
    struct scene *s = hold(rules, 6, 20);

    run(s, INTERVAL + 2);
    return id(s, 0) == 1 && id(s, 2) == 1 && objects(s) == 1;
}

/* It sees nothing of the object: that says nothing about its parts. */
static bool blind(const struct rv_follow_rules *rules)
{
    struct scene *s = hold(rules, 6, 20);

    s->shape[0].found = 0;
    return one_object(s);
}

/* Another object is dropped as scenery in the discovery that divides this one. What hangs
 * gets its slot, but none of its pixels. */
static void dropped_at_once(void)
{
    struct scene *s = begin_two(NULL, 2, INTERVAL, left, left);
    int x = 0;

    s->shape[0].w = 60;
    s->shape[1] = (struct shape){.x = 80, .y = 58, .w = 8, .h = 6, .found = 1};
    s->shape[2] = (struct shape){.x = 88, .y = 50, .w = 20, .h = 20, .found = 1};
    s->shape[3] = right;
    run(s, START);
    s->shape[3].found = 0;
    for (int i = 0; i < 6 * INTERVAL && serial(s, 1) == 2; i++) {
        if (s->looks && i > 3 * INTERVAL)
            s->shape[1].found = s->shape[2].found = 0;
        step(s);
    }
    for (int i = 0; i < PIXELS; i++)
        x += s->decision.masks && s->decision.masks[i] == 2 && i % W >= right.x;
    CHECK(serial(s, 1) == 3 && x == 0);
}

/* What the user gives is never divided. */
static void given(void)
{
    struct scene *s = hold(NULL, 6, 20);

    rv_follow_given(s->follow, 1);
    CHECK(one_object(s));
}

int main(void)
{
    WITHOUT(racket, hang_neck, 0);
    WITHOUT(arm, hang_neck, 5);
    WITHOUT(foot, hang_share, 0);
    WITHOUT(leg, unseen, 1.1);
    WITHOUT(blind, held, 0);
    dropped_at_once();
    given();
    rv_follow_destroy(&scene.follow);
    return test_done();
}
