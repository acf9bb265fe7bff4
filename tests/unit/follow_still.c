/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_still.c - the rule of the automatic task for what moves in front of an object
 * that stands still: an arm that swings over a planter. */
#include "follow_scene.h"

enum { PLANTER, WOMAN, ARM, LONG = 60 };

/* After so many frames of following, a woman whose arm is `length` pixels wide stands
 * before a planter. The planter's slot takes the arm. */
static struct scene *stand(const struct rv_follow_rules *rules, int frames, int length)
{
    struct scene *s = begin_two(rules, 4, 0, left, tall(100, 30, 2));

    s->shape[PLANTER].w = 60;
    s->shape[WOMAN].moves = true;
    run(s, START + frames);
    s->shape[ARM] = (struct shape){
        .x = 100 - length, .y = 50, .w = length, .h = 6, .found = 2, .moves = true};
    s->owns[slot_with(s, PLANTER)] |= 1u << ARM;
    return s;
}

/* The pixels of the planter's slot at the arm, after the rules, in front of the planter
 * and beside it. */
static int kept(struct scene *s)
{
    uint8_t label = (uint8_t)(slot_with(s, PLANTER) + 1);
    int n = 0;

    step(s);
    for (int i = 0; i < PIXELS; i++)
        n += s->top[i] == ARM + 1 &&
             (s->decision.shown ? s->decision.shown : s->followed)[i] == label;
    return n;
}

/* Whether the whole arm is cut off, and the planter is seeded without it. */
static bool cut(struct scene *s)
{
    int planter = slot_with(s, PLANTER);

    return kept(s) == 0 && s->decision.seed >> planter & 1 && s->decision.masks &&
           s->decision.masks[60 * W + 25] == planter + 1;
}

static bool untouched(struct scene *s)
{
    return kept(s) == s->shape[ARM].w * s->shape[ARM].h && !s->decision.seed;
}

static bool arm(const struct rv_follow_rules *rules)
{
    return cut(stand(rules, LONG, 40));
}

/* Part of the arm looks like the planter. */
static bool same_colour(const struct rv_follow_rules *rules)
{
    struct scene *s = stand(rules, LONG, 40);

    s->shape[3] = (struct shape){.x = 70, .y = 52, .w = 3, .h = 3};
    s->owns[slot_with(s, PLANTER)] |= 1u << 3;
    step(s);
    return s->decision.shown && s->decision.shown[53 * W + 71] == 0;
}

/* What has stood still for a short time only may have parts that move. */
static bool arrived(const struct rv_follow_rules *rules)
{
    return untouched(stand(rules, 25, 40));
}

/* Someone who sits next to the planter moves a finger. The planter's own leaves move. */
static bool neighbour(const struct rv_follow_rules *rules)
{
    struct scene *s = stand(rules, LONG, 40);

    s->shape[WOMAN].moves = false;
    s->shape[3] =
        (struct shape){.x = 100, .y = 50, .w = 3, .h = 3, .found = 2, .moves = true};
    s->owns[slot_with(s, WOMAN)] |= 1u << 3;
    return untouched(s);
}

/* The planter itself starts to move, and the woman who touches it moves, too. */
static bool starts(const struct rv_follow_rules *rules)
{
    struct scene *s = stand(rules, LONG, 40);

    s->shape[ARM].y = 40;
    s->shape[ARM].h = 25;
    return untouched(s);
}

/* Part of it moves all the time. */
static bool trembles(const struct rv_follow_rules *rules)
{
    struct scene *s = stand(rules, 0, 40);

    s->shape[ARM].absent = true;
    s->shape[3] = (struct shape){.x = 22, .y = 70, .w = 8, .h = 8, .moves = true};
    s->owns[slot_with(s, PLANTER)] |= 1u << 3;
    run(s, LONG);
    s->shape[ARM].absent = false;
    return untouched(s);
}

/* Part of it moved for one frame: a leaf in the wind. */
static bool leaf(const struct rv_follow_rules *rules)
{
    struct scene *s = stand(rules, 2 * LONG, 40);

    s->shape[ARM].absent = true;
    s->shape[3] = (struct shape){.x = 22, .y = 70, .w = 8, .h = 8, .moves = true};
    s->owns[slot_with(s, PLANTER)] |= 1u << 3;
    step(s);
    s->shape[3].absent = true;
    s->shape[ARM].absent = false;
    return cut(s);
}

/* Its own arm does not come from elsewhere. */
static void own_arm(void)
{
    struct scene *s = stand(NULL, LONG, 40);

    s->shape[ARM].x = 30;
    CHECK(untouched(s));
}

/* Before a camera that moves, nobody knows what moves. */
static void camera(void)
{
    struct scene *s = stand(NULL, LONG, 40);

    s->camera_moves = true;
    CHECK(untouched(s));
    run(s, 10);
    s->camera_moves = false;
    CHECK(untouched(s));
}

/* What the user gives is never cut. */
static void given(void)
{
    struct scene *s = stand(NULL, LONG, 40);

    rv_follow_given(s->follow, 1u << slot_with(s, PLANTER));
    CHECK(untouched(s));
}

int main(void)
{
    WITHOUT(arm, front_least, 2);
    WITHOUT(same_colour, front, 0);
    WITHOUT(arrived, still, 1);
    WITHOUT(neighbour, moves, 0);
    WITHOUT(starts, cut_most, 1);
    WITHOUT(trembles, stirs, 1);
    WITHOUT(leaf, stir, 1000);
    own_arm();
    camera();
    given();
    rv_follow_destroy(&scene.follow);
    return test_done();
}
