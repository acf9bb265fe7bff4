/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* follow_crossing.c - the automatic task where the slot of an object takes what is not
 * its: what comes out from behind the object, or a part of another one. Scripted masks.
 */
#include "follow_scene.h"

static const struct shape small = {.x = 97, .y = 60, .w = 20, .h = 28, .found = 2};
static const struct shape front = {.x = 20, .y = 40, .w = 30, .h = 60, .found = 1};

/* Object 1, `front`, moves by `by` pixels a frame in front of object 2, `small`, and
 * stops when it covers it. Its slot then holds both. Shape 2 is not in the picture. */
static struct scene *cover(const struct rv_follow_rules *rules, int by)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = small;
    s->shape[1] = front;
    s->shape[2].absent = true;
    run(s, START + 4);
    while (s->shape[1].x < 88) {
        s->shape[1].x += by;
        step(s);
    }
    s->owns[slot_with(s, 0)] = 0;
    s->owns[slot_with(s, 1)] |= 1;
    run(s, 3);
    return s;
}

/* The object in front moves on. The other one has its number while they still touch. */
static bool passes(const struct rv_follow_rules *rules)
{
    struct scene *s = cover(rules, 4);

    while (s->shape[1].x < 110) {
        s->shape[1].x += 2;
        step(s);
    }
    return id(s, 0) == 2 && id(s, 1) == 1 && objects(s) == 2;
}

/* The frame in which it gets its number back shows it, too. */
static bool shows_at_once(const struct rv_follow_rules *rules)
{
    struct scene *s = cover(rules, 4);
    int slot = -1;

    while (s->shape[1].x < 110 && slot < 0) {
        s->shape[1].x += 2;
        step(s);
        for (int k = 0; k < RV_FOLLOW_SLOTS; k++)
            if (serial(s, k) == 2 && s->decision.seed >> k & 1)
                slot = k;
    }
    if (slot < 0 || !s->decision.shown)
        return false;
    for (int i = 0; i < PIXELS; i++)
        if (s->decision.shown[i] != s->decision.masks[i])
            return false;
    /* the leftmost pixels of shape 0 are those that can be seen */
    return s->decision.shown[70 * W + s->shape[0].x + 1] == slot + 1;
}

/* The same where the object in front turns back. */
static bool turns_back(const struct rv_follow_rules *rules)
{
    struct scene *s = cover(rules, 6);

    for (int t = 1; s->shape[1].x > 76; t++) {
        s->shape[1].x -= t < 4 ? t : 4;
        step(s);
    }
    return id(s, 0) == 2 && id(s, 1) == 1 && objects(s) == 2;
}

/* The two have the same height, so the shape of the one in front fits in many places. */
static bool passes_alike(const struct rv_follow_rules *rules)
{
    struct scene *s = cover(rules, 4);

    s->shape[0].y = front.y;
    s->shape[0].h = front.h;
    while (s->shape[1].x < 110) {
        s->shape[1].x += 4;
        step(s);
    }
    return id(s, 0) == 2 && id(s, 1) == 1 && objects(s) == 2;
}

/* The slot of the one behind has taken a leg of the one in front. It gets it back. */
static bool passes_on_one_leg(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = small;
    s->shape[1] = s->shape[2] = front;
    s->shape[1].h -= 10;
    s->shape[2].y += s->shape[1].h;
    s->shape[2].h = 10;
    run(s, START + 4);
    while (s->shape[1].x < 110) {
        s->shape[1].x += 4;
        s->shape[2].x += 4;
        if (s->shape[1].x == 88) {
            s->owns[slot_with(s, 0)] = 4;
            s->owns[slot_with(s, 1)] = 3;
        }
        step(s);
    }
    return id(s, 0) == 2 && id(s, 1) == 1 && id(s, 2) == 1;
}

/* A part comes up beside the object in front. It keeps it. */
static bool part_stays(const struct rv_follow_rules *rules, struct shape part)
{
    struct scene *s = cover(rules, 4);

    s->shape[2] = part;
    s->owns[slot_with(s, 1)] |= 4;
    run(s, 2);
    return id(s, 1) == 1 && id(s, 2) == 1;
}

/* It is too large for what is behind. */
static bool large_part(const struct rv_follow_rules *rules)
{
    return part_stays(rules, (struct shape){.x = 118, .y = 24, .w = 10, .h = 100});
}

/* It is too far from where the other one should be. */
static bool far_part(const struct rv_follow_rules *rules)
{
    return part_stays(rules, (struct shape){.x = 66, .y = 90, .w = 22, .h = 10});
}

/* It is too small. */
static bool small_part(const struct rv_follow_rules *rules)
{
    return part_stays(rules, (struct shape){.x = 118, .y = 66, .w = 9, .h = 9});
}

/* An object beside another one loses a part, but not behind it. What comes up beside the
 * other one is not that part. */
static bool beside(const struct rv_follow_rules *rules)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = (struct shape){.x = 120, .y = 50, .w = 30, .h = 40, .found = 2};
    s->shape[1] = front;
    s->shape[2].absent = true;
    run(s, START + 4);
    while (s->shape[1].x < 88) {
        s->shape[1].x += 4;
        step(s);
    }
    s->shape[0].w = 8;
    run(s, 3);
    s->shape[2] = (struct shape){.x = 104, .y = 100, .w = 14, .h = 14};
    s->owns[slot_with(s, 1)] |= 4;
    run(s, 4);
    return id(s, 0) == 2 && id(s, 1) == 1 && id(s, 2) == 1;
}

/* What the user gives is not cut. */
static void given_passes(void)
{
    struct scene *s = begin(NULL, 4, 0);

    s->shape[0] = small;
    s->shape[1] = front;
    run(s, START + 1);
    rv_follow_given(s->follow, UINT32_C(1) << slot_with(s, 1));
    while (s->shape[1].x < 110) {
        s->shape[1].x += 4;
        if (s->shape[1].x >= 88) {
            s->owns[slot_with(s, 0)] &= ~UINT32_C(1);
            s->owns[slot_with(s, 1)] |= 1;
        }
        step(s);
    }
    CHECK(id(s, 0) == 1 && id(s, 1) == 1);
}

/* Object 2 comes to stand beside object 1. Its slot takes a part in the middle of object
 * 1, which object 1 had or not. */
static struct scene *take_part(const struct rv_follow_rules *rules, bool had)
{
    struct scene *s = begin(rules, 4, 0);

    s->shape[0] = front;
    s->shape[1] = front;
    s->shape[1].x = front.x + front.w + 20;
    s->shape[1].found = 2;
    s->shape[2] = (struct shape){.x = 30, .y = 80, .w = 8, .h = 12};
    s->shape[2].found = had;
    run(s, START + 4);
    s->shape[1].x -= 20;
    run(s, 1);
    s->owns[slot_with(s, 0)] = 1;
    s->owns[slot_with(s, 1)] = 6;
    run(s, 1);
    return s;
}

static bool splinter(const struct rv_follow_rules *rules)
{
    struct scene *s = take_part(rules, true);

    return id(s, 0) == 1 && id(s, 1) == 2 && id(s, 2) == 1;
}

/* A part that object 1 never had is seen through a gap. Object 2 keeps it. */
static void seen_through(void)
{
    struct scene *s = take_part(NULL, false);

    CHECK(id(s, 0) && id(s, 0) != id(s, 1) && id(s, 2) == id(s, 1));
}

int main(void)
{
    WITHOUT(shows_at_once, comes_out, 2);
    WITHOUT(passes, comes_out, 2);
    WITHOUT(passes_alike, drift, 0);
    WITHOUT(passes_on_one_leg, comes_out, 2);
    WITHOUT(turns_back, step, 0);
    WITHOUT(large_part, comes_most, 100);
    WITHOUT(far_part, comes_near, 100);
    WITHOUT(small_part, comes_out, 0);
    WITHOUT(beside, covers, 0);
    WITHOUT(splinter, inside, 2);
    given_passes();
    seen_through();
    rv_follow_destroy(&scene.follow);
    return test_done();
}
