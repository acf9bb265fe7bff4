/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_pieces.c - which pieces of the start the automatic task joins to one object, and
 * which it divides, on scripted masks. */
#include "follow_scene.h"

/* One zero-shot slot comes to hold a thing and the gap between it and another one, at a
 * height of `h` pixels. `one`: they are one object at once. */
static bool bridged_by(const struct rv_follow_rules *rules, int h, bool *one)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(80, 20, 2));

    s->shape[2] = (struct shape){.x = 50, .y = 40, .w = 30, .h = h, .found = 1};
    s->shape[2].absent = true;
    run(s, 8);
    if (s->decision.shown[60 * W + 30] == s->decision.shown[60 * W + 90])
        return false;
    s->shape[2].absent = false;
    step(s);
    *one = s->decision.shown[60 * W + 30] == s->decision.shown[60 * W + 90];
    return true;
}

static bool bridge(const struct rv_follow_rules *rules)
{
    bool one = false;

    return bridged_by(rules, 40, &one) && one;
}

/* The same with three things, from the smallest to the largest. */
static bool bridges(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = (struct shape){.x = 10, .y = 40, .w = 20, .h = 40, .found = 1};
    s->shape[1] = (struct shape){.x = 52, .y = 40, .w = 14, .h = 40, .found = 2};
    s->shape[2] = (struct shape){.x = 92, .y = 40, .w = 44, .h = 40, .found = 3};
    s->shape[3] = (struct shape){.x = 30, .y = 40, .w = 22, .h = 40, .found = 2};
    s->shape[4] = (struct shape){.x = 66, .y = 40, .w = 26, .h = 40, .found = 3};
    s->shape[3].absent = s->shape[4].absent = true;
    run(s, 8);
    s->shape[3].absent = s->shape[4].absent = false;
    step(s);
    return s->decision.shown[60 * W + 15] == s->decision.shown[60 * W + 60] &&
           s->decision.shown[60 * W + 15] == s->decision.shown[60 * W + 120];
}

/* One zero-shot slot holds two things, and for a frame the gap between them, too. They
 * stay two. */
static bool one_slot(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(70, 60, 1));

    s->shape[2] = tall(50, 20, 1);
    for (int t = 0; t < START; t++) {
        s->shape[2].absent = t != 8;
        step(s);
    }
    return id(s, 0) == 2 && id(s, 1) == 1 && objects(s) == 2;
}

/* Where they hardly touch they stay two for some frames. */
static bool narrow_bridge(const struct rv_follow_rules *rules)
{
    bool one = true;

    return bridged_by(rules, 20, &one) && !one;
}

/* Two that run into each other by some pixels a frame are two. */
static bool quick_touch(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(60, 30, 2));

    run(s, 8);
    s->shape[1].x = 50;
    step(s);
    return s->decision.shown[60 * W + 30] != s->decision.shown[60 * W + 70];
}

/* A wall occludes the middle of an object for some frames of the start. */
static bool wall(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = tall(20, 100, 1);
    s->shape[1] = (struct shape){.x = 50, .y = 0, .w = 24, .h = H, .absent = true};
    for (int t = 0; t < START; t++) {
        s->shape[1].absent = t < START - 3;
        step(s);
    }
    s->shape[1].absent = true;
    run(s, 2);
    return id(s, 0) == 1 && objects(s) == 1;
}

/* A pole occludes the middle of an object from the beginning. One zero-shot slot holds
 * both parts. */
static bool pole(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = tall(20, 60, 1);
    s->shape[1] = (struct shape){.x = 50, .y = 0, .w = 6, .h = H};
    run(s, START + 2);
    return id(s, 0) == 1 && objects(s) == 1;
}

/* Two that meet stay two, whatever zero-shot slots they lie in. */
static bool meet(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(60, 24, 1));

    for (int t = 0; t < START; t++) {
        s->shape[1].absent = t < 2;
        s->shape[1].x = t < 12 ? 74 - 2 * t : 50;
        step(s);
    }
    run(s, 2);
    return id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2;
}

/* What has only just come up is a part of what it meets. */
static bool newcomer(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(20, 20, 2));

    for (int t = 0; t < START; t++) {
        s->shape[1].absent = t < START - 4;
        s->shape[1].x = t >= START - 1 ? 50 : 60;
        step(s);
    }
    run(s, 2);
    return id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1;
}

/* A narrow neck between two large pieces does not make one of them. */
static bool neck(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, right);

    s->shape[2] = (struct shape){.x = 50, .y = 58, .w = 100, .h = 3, .found = 1};
    run(s, START + 2);
    return id(s, 0) && id(s, 1) && id(s, 0) != id(s, 1);
}

/* Two objects touch all the time, in one zero-shot slot, and the decoder is less sure of
 * the pixels between them than of either. */
static bool border(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 30, 1));

    s->shape[0].border = s->shape[1].border = 2;
    run(s, START + 2);
    return id(s, 0) && id(s, 1) && id(s, 0) != id(s, 1) && objects(s) == 2;
}

/* The border between the two comes up later: the larger one keeps the number. */
static bool late_border(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 20, 1));

    for (int t = 0; t < START; t++) {
        s->shape[0].border = s->shape[1].border = t < 5 ? 0 : 2;
        step(s);
    }
    run(s, 2);
    return id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2;
}

/* A border before a small part, such as a head, does not divide. */
static bool small_part(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = left;
    s->shape[1] = (struct shape){.x = 50, .y = 50, .w = 18, .h = 16, .found = 1};
    s->shape[0].border = s->shape[1].border = 2;
    run(s, START + 2);
    return id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1;
}

/* Of most of an object the decoder is not sure: that is no border. */
static bool unsure(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 30, 1));

    s->shape[0].border = s->shape[1].border = 8;
    run(s, START + 2);
    return id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1;
}

/* The decoder is much less sure of one piece than of the other one. The start does not
 * hand it over, not even as a part of an object. */
static bool hardly_there(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, right);

    s->shape[1].border = right.h;
    s->shape[2] = (struct shape){.x = 20, .y = 90, .w = 30, .h = 20, .found = 1};
    s->shape[2].border = 20;
    run(s, START + 2);
    return id(s, 0) == 1 && !id(s, 1) && !id(s, 2) && objects(s) == 1;
}

/* Nor does a discovery make it an object. */
static bool hardly_there_later(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    s->shape[1].border = right.h;
    s->shape[1].absent = true;
    run(s, START + 2);
    s->shape[1].absent = false;
    run(s, 3 * INTERVAL);
    return id(s, 0) == 1 && objects(s) == 1;
}

/* It is an object if the decoder is not sure of anything: the network is small. */
static bool all_unsure(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    s->shape[0].border = left.h;
    s->shape[1].border = right.h;
    run(s, START + 2);
    return id(s, 0) == 1 && id(s, 1) == 2;
}

int main(void)
{
    WITHOUT(bridge, bridge_share, 2);
    WITHOUT(bridges, bridge_share, 2);
    WITHOUT(narrow_bridge, bridged, 0);
    WITHOUT(one_slot, bridge_two, false);
    WITHOUT(quick_touch, bridge_share, 0);
    WITHOUT(wall, settled, 1);
    WITHOUT(pole, near, 0);
    WITHOUT(newcomer, settled, 0);
    WITHOUT(meet, settled, 1000000);
    WITHOUT(neck, neck, 0);
    WITHOUT(border, border_held, 2);
    WITHOUT(late_border, border_held, 2);
    WITHOUT(small_part, border_share, 0);
    WITHOUT(unsure, border_held, 0);
    WITHOUT(hardly_there, sure, 0);
    WITHOUT(hardly_there_later, sure, 0);
    WITHOUT(all_unsure, sure, 1.1);
    rv_follow_destroy(&scene.follow);
    return test_done();
}
