/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow.c - the rules of the automatic task, on scripted masks. How pieces of the start
 * are joined and divided is in follow_pieces.c, objects that occlude others are in
 * follow_occluded.c, and what a discovery sees beside an object in follow_beside.c. */
#include "follow_scene.h"

/* ---- scenes: true if all went as it should ------------------------------------------
 */

/* Two objects are there from the beginning. Each piece is an object when the start ends.
 */
static bool start(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, right);

    s->shape[1].found = 1; /* far away pieces are two, whatever their slot */
    for (int t = 0; t < START; t++) {
        step(s);
        if (!s->decision.shown || !s->decision.shown[60 * W + 30] ||
            !s->decision.shown[60 * W + 160])
            return false;
    }
    run(s, 20);
    return id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2 && s->looks == START &&
           !s->decision.shown && !s->changed;
}

/* An object enters while another one is followed. */
static bool appear(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, INTERVAL);
    int since = -1;

    s->shape[0] = left;
    run(s, START + 4);
    s->shape[1] = right;
    for (int t = 0; t < 2 * INTERVAL && since < 0; t++) {
        step(s);
        if (id(s, 1))
            since = t;
    }
    return since >= 0 && id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2;
}

/* What one discovery sees and the next does not is no object. */
static bool flicker(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, INTERVAL);
    bool any = false;

    s->shape[0] = left;
    run(s, START);
    for (int t = 0; t < 60; t++) {
        s->shape[1] = right;
        s->shape[1].absent = s->looks & 1;
        step(s);
        any = any || id(s, 1);
    }
    return !any && objects(s) == 1;
}

/* What lasts for a frame or two in the start is no object when it ends. */
static bool start_flicker(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    for (int t = 0; t < START; t++) {
        s->shape[0] = left;
        s->shape[1] = right;
        s->shape[1].absent = t < START - 1;
        step(s);
    }
    run(s, 2);
    return id(s, 0) && objects(s) == 1;
}

/* An object leaves, and its slot is free after a while. It comes back under a new number.
 */
static bool leave(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    run(s, START + 10);
    s->shape[1].absent = true;
    run(s, 80);
    if (objects(s) != 1 || id(s, 0) != 1)
        return false;
    s->shape[1].absent = false;
    run(s, 2 * INTERVAL);
    return id(s, 0) == 1 && id(s, 1) == 3;
}

/* Away for a short time only: the slot waits. */
static bool come_back(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    run(s, START + 10);
    s->shape[1].absent = true;
    run(s, 30);
    s->shape[1].absent = false;
    run(s, 30);
    return id(s, 0) == 1 && id(s, 1) == 2;
}

/* One object passes in front of the other: nobody steals. */
static bool cross(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, right);

    run(s, START);
    for (int t = 0; t < 60; t++) {
        s->shape[1].x -= 2;
        s->shape[0].x += 2;
        step(s);
    }
    return id(s, 0) == 1 && id(s, 1) == 2 && !s->changed;
}

/* One object comes apart into two large parts: the larger one keeps the number. */
static bool separate(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 20, 1));

    run(s, START + 2);
    if (id(s, 0) != 1 || id(s, 1) != 1)
        return false;
    for (int t = 0; t < 40; t++) {
        s->shape[1].x += 2;
        step(s);
    }
    return id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2;
}

/* The decoder sees a small part of an object `gap` pixels away from it. Whether that is
 * cut off. */
static bool cuts_off(const struct rv_follow_rules *rules, int gap)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = left;
    s->shape[1] = (struct shape){.x = 50 + gap, .y = 60, .w = 12, .h = 12};
    s->shape[1].absent = true;
    run(s, START + 2);
    s->shape[1].absent = false;
    s->owns[slot_with(s, 0)] |= 2;
    run(s, 8);
    CHECK(id(s, 0) == 1 && objects(s) == 1);
    return !id(s, 1);
}

static bool crumb(const struct rv_follow_rules *rules)
{
    return cuts_off(rules, 30);
}

static bool near_part(const struct rv_follow_rules *rules)
{
    return !cuts_off(rules, 10);
}

/* The smaller object's slot creeps onto the larger object, and has to give it back. */
static bool creep(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 30, 1));

    s->shape[2] = tall(100, 20, 1);
    run(s, START + 8);
    if (id(s, 1) != 1 || id(s, 2) != 2)
        return false;
    s->owns[slot_with(s, 2)] |= 2;
    s->owns[slot_with(s, 0)] &= ~UINT32_C(2);
    run(s, 8);
    return id(s, 0) == 1 && id(s, 1) == 1 && id(s, 2) == 2;
}

/* A slot that was empty appears on another object: it goes. */
static bool creep_from_nowhere(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(50, 30, 1));

    s->shape[2] = tall(100, 30, 1);
    run(s, START);
    s->shape[2].absent = true;
    run(s, 10);
    s->owns[1] |= 2;
    s->owns[0] &= ~UINT32_C(2);
    run(s, 8);
    return id(s, 0) == 1 && id(s, 1) == 1 && objects(s) == 1;
}

/* The zero-shot decoder does not see an object any more, in many discoveries. Before that
 * it has moved `by` pixels. Its number in the end. */
static uint32_t unseen(const struct rv_follow_rules *rules, int by)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);

    run(s, START + 2);
    s->shape[1].x += by;
    s->shape[1].found = 0;
    run(s, 2 * INTERVAL);
    if (id(s, 0) != 1 || id(s, 1) != 2) /* too soon */
        return 9;
    run(s, 4 * INTERVAL);
    return id(s, 1);
}

static bool scenery(const struct rv_follow_rules *rules)
{
    return unseen(rules, 0) == 0;
}

/* What has moved is no scenery. */
static bool unseen_mover(const struct rv_follow_rules *rules)
{
    return unseen(rules, 30) == 2;
}

/* No slot is free. An object that has been away gives way to a new one. */
static bool full_slots(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 2, INTERVAL, left, right);

    s->shape[2] = tall(90, 30, 1);
    s->shape[2].absent = true;
    run(s, START + 2);
    s->shape[2].absent = false;
    run(s, 3 * INTERVAL);
    if (id(s, 0) != 1 || id(s, 1) != 2 || id(s, 2))
        return false;
    s->shape[1].absent = true;
    run(s, 3 * INTERVAL);
    return id(s, 0) == 1 && id(s, 2) == 3 && objects(s) == 2;
}

/* The user drops an object: it is not found again at its place for a while. */
static bool drop(const struct rv_follow_rules *rules)
{
    struct scene *s = begin_two(rules, 4, INTERVAL, left, right);
    int slot;

    run(s, START + 8);
    slot = slot_with(s, 1);
    rv_follow_dropped(s->follow, slot);
    s->owns[slot] = 0;
    run(s, 4 * INTERVAL);
    if (objects(s) != 1)
        return false;
    run(s, 80);
    return objects(s) == 2 && id(s, 1) == 3;
}

/* Nothing is left to follow: discovery comes sooner. */
static bool all_lost(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 50);

    s->shape[0] = left;
    run(s, START);
    s->shape[0].absent = true;
    run(s, 60);
    s->shape[1] = right;
    run(s, 10);
    return id(s, 1) == 2;
}

/* Beside one followed object a discovery runs three zero-shot slots. The start runs all,
 * and so does a discovery when there is no object. */
static bool few_slots(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 8, INTERVAL);

    s->shape[0] = left;
    for (int t = 0; t < START; t++) {
        if (rv_follow_slots(s->follow) != 8)
            return false;
        step(s);
    }
    run(s, 4);
    if (rv_follow_slots(s->follow) != 3)
        return false;
    s->shape[0].absent = true;
    run(s, 70);
    return objects(s) == 0 && rv_follow_slots(s->follow) == 8;
}

/* ---- what no threshold turns off ----------------------------------------------------
 */

/* The user's object is followed whatever the rules think, and pieces on it are not new.
 */
static void given(void)
{
    struct scene *s = begin_two(NULL, 4, INTERVAL, left, right);

    rv_follow_given(s->follow, 4);
    s->held = 4;
    s->owns[2] = 1;
    CHECK(serial(s, 2) == 1);
    run(s, START + 4);
    CHECK(id(s, 0) == 1 && id(s, 1) == 2 && objects(s) == 2);
    s->shape[0].found = 0;
    run(s, 10 * INTERVAL);
    CHECK(id(s, 0) == 1);
    s->shape[0].absent = true;
    run(s, 100);
    CHECK(serial(s, 2) == 1 && !(s->changed & 4));
    rv_follow_given(s->follow, 4); /* a correction */
    CHECK(serial(s, 2) == 1);
    /* In between: a free slot gets a number of its own. */
    rv_follow_given(s->follow, 8);
    CHECK(serial(s, 3) == 3);
    rv_follow_given(s->follow, 0);
    rv_follow_dropped(s->follow, 3);
    rv_follow_dropped(s->follow, 3);
    CHECK(serial(s, 3) == 0);
}

/* A piece of the start that the user takes over is the user's. */
static void given_in_start(void)
{
    struct scene *s = begin(NULL, 4, INTERVAL);

    s->shape[0] = left;
    run(s, 5);
    CHECK(serial(s, 0) == 1);
    rv_follow_given(s->follow, 1);
    s->held = 1;
    s->owns[0] = 1;
    for (int t = 5; t < START + 20; t++) {
        step(s);
        CHECK(!(s->decision.seed & 1) && !(s->decision.clear & 1));
    }
    CHECK(id(s, 0) == 1 && objects(s) == 1);
}

static void reset(void)
{
    struct scene *s = begin_two(NULL, 4, INTERVAL, left, right);

    run(s, START + 5);
    CHECK(objects(s) == 2);
    rv_follow_reset(s->follow);
    CHECK(objects(s) == 0 && rv_follow_wants_found(s->follow) &&
          rv_follow_clears_found(s->follow));
    s->held = 0;
    s->frame = 0;
    s->shape[1].absent = true;
    run(s, START + 5);
    CHECK(id(s, 0) == 3 && objects(s) == 1);
}

static void schedule(void)
{
    struct scene *s = begin(NULL, 4, 0);

    s->shape[0] = left;
    for (int t = 0; t < START; t++) {
        CHECK(rv_follow_wants_found(s->follow));
        CHECK(rv_follow_clears_found(s->follow) == (t == 0));
        step(s);
    }
    for (int t = 0; t < 100; t++) {
        CHECK(!rv_follow_wants_found(s->follow) && !rv_follow_clears_found(s->follow));
        step(s);
    }
    rv_follow_discover(s->follow);
    CHECK(rv_follow_wants_found(s->follow) && rv_follow_clears_found(s->follow));
    step(s);
    CHECK(!rv_follow_wants_found(s->follow));
    s = begin(NULL, 4, INTERVAL);
    s->shape[0] = left;
    run(s, START + 10 * INTERVAL);
    CHECK(s->looks == START + 10);
    s = begin(NULL, 2, INTERVAL); /* no slot for a third object: no second look at it */
    s->shape[0] = left;
    s->shape[1] = right;
    run(s, START);
    s->shape[2] = tall(90, 30, 1);
    run(s, 10 * INTERVAL);
    CHECK(s->looks == START + 10);
}

/* ---- all ----------------------------------------------------------------------------
 */

int main(void)
{
    WITHOUT(start, least_first, 1);
    WITHOUT(appear, least_later, 1);
    WITHOUT(flicker, sightings, 1);
    WITHOUT(start_flicker, settled, 0);
    WITHOUT(leave, lost, 1000000);
    WITHOUT(come_back, lost, 10);
    WITHOUT(cross, theft_growth, -10);
    WITHOUT(separate, sightings, 1000000);
    WITHOUT(crumb, near, 1000);
    WITHOUT(near_part, near, 0);
    WITHOUT(creep, theft, 100);
    WITHOUT(creep_from_nowhere, theft, 100);
    WITHOUT(scenery, unseen_times, 1000000);
    WITHOUT(unseen_mover, moved, 1000);
    WITHOUT(full_slots, spare, 1000000);
    WITHOUT(drop, dropped, 0);
    WITHOUT(all_lost, hurry, 50);
    WITHOUT(few_slots, more, 32);
    given();
    given_in_start();
    reset();
    schedule();
    rv_follow_destroy(&scene.follow);
    return test_done();
}
