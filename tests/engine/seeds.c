/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds.c - tests rvos_stream_seed and rvos_stream_drop: masks, frames and slots.
 *
 *     seeds BACKEND MODEL_DIR */
#include "fixture.h"

#define SLOTS 3

/* One frame's logits of all slots. */
typedef float frame[SLOTS * PLANE];

static rvos_stream *open_seeded(uint32_t objects)
{
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);

    CHECK(seed_objects(stream, objects, RVOS_ALL_SLOTS) == 0);
    return stream;
}

static void step(rvos_stream *stream, int t, frame out)
{
    CHECK(process_frame(stream, t, NULL) == 0);
    read_logits(stream, SLOTS, out);
}

/* Both streams give the same from frame `from` on. */
static void check_same(rvos_stream *a, rvos_stream *b, int from, int to)
{
    static frame x, y;

    for (int t = from; t < to; t++) {
        step(a, t, x);
        step(b, t, y);
        test_note(CHECK(!memcmp(x, y, sizeof(x))), "frame %d: %g", t,
                  difference(x, y, SLOTS * PLANE));
    }
}

/* Padded rows, every third byte, other sizes by whole factors: all the same mask. */
static void views(void)
{
    enum { PAD = 5, STEP = 3, W = NET_W, H = NET_H };
    static uint8_t labels[W * H], wide[H * (STEP * W + PAD)], large[9 * W * H];
    rvos_labels padded = {
        .width = W, .height = H, .data = wide, .stride = STEP * W + PAD, .step = STEP};
    rvos_labels thrice = {
        .width = 3 * W, .height = 3 * H, .data = large, .stride = 3 * W, .step = 1};
    rvos_stream *a, *b;

    memset(wide, 1, sizeof(wide)); /* a wrong step would find object 1 everywhere */
    make_masks(labels, W, H, 7);
    for (int y = 0; y < 3 * H; y++)
        for (int x = 0; x < 3 * W; x++) {
            uint8_t label = labels[y / 3 * W + x / 3];

            wide[(y / 3) * padded.stride + x / 3 * STEP] = label;
            large[y * 3 * W + x] = label;
        }
    for (int i = 0; i < 2; i++) {
        a = open_seeded(7);
        b = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);
        CHECK(rvos_stream_seed(b, i ? &thrice : &padded, RVOS_ALL_SLOTS) == 0);
        check_same(a, b, 0, 3);
        close_both(&a, &b);
    }
}

/* A later seed replaces an earlier one, slot by slot. */
static void replaced(void)
{
    rvos_stream *a = open_seeded(5), *b = open_seeded(2);

    CHECK(seed_objects(b, 1, 1) == 0);
    CHECK(seed_objects(b, 4, 6) == 0); /* and slot 2 becomes empty */
    check_same(a, b, 0, 4);
    CHECK(seed_objects(a, 7, 2) == 0);
    CHECK(seed_objects(b, 3, 2) == 0);
    CHECK(seed_objects(b, 7, 0) == 0); /* no slot: nothing */
    check_same(a, b, 4, 6);
    close_both(&a, &b);
}

/* Frame 1 is fed the mask of frame 0 again; frame 2 is not. */
static void shown_twice(void)
{
    static frame x, y;
    rvos_stream *a = open_seeded(7), *b = open_seeded(7);

    check_same(a, b, 0, 1);
    CHECK(seed_objects(b, 7, 7) == 0);
    check_same(a, b, 1, 2);
    CHECK(seed_objects(b, 7, 7) == 0);
    step(a, 2, x);
    step(b, 2, y);
    CHECK(difference(x, y, SLOTS * PLANE) > 1e-3);
    close_both(&a, &b);
}

/* All dropped is a new video, but for the second showing of what comes first. */
static void dropped(void)
{
    static frame x, y;
    rvos_stream *a = open_seeded(7), *b = open_seeded(7);

    check_same(a, b, 0, 3);
    CHECK(rvos_stream_drop(b, 3) == 0);
    step(a, 3, x);
    step(b, 3, y);
    CHECK_NEAR(difference(x, y, 2 * PLANE), 0, 1e-6); /* rows below are untouched */
    CHECK(difference(x + 2 * PLANE, y + 2 * PLANE, PLANE) > 1e-3);
    for (int i = 1; i <= SLOTS; i++)
        CHECK(rvos_stream_drop(b, i) == 0);
    CHECK(seed_objects(b, 7, 7) == 0);
    rvos_stream_reset(a);
    CHECK(seed_objects(a, 7, 7) == 0);
    check_same(a, b, 0, 1);
    close_both(&a, &b);
}

/* Drops a mask before it was fed, and between its two feeds. */
static void dropped_early(void)
{
    rvos_stream *a = open_seeded(5), *b = open_seeded(7);

    CHECK(rvos_stream_drop(b, 2) == 0);
    check_same(a, b, 0, 4);
    rvos_stream_reset(a);
    rvos_stream_reset(b);
    CHECK(seed_objects(a, 7, 7) == 0 && seed_objects(b, 7, 7) == 0);
    check_same(a, b, 0, 1);
    CHECK(rvos_stream_drop(a, 1) == 0 && seed_objects(a, 0, 1) == 0);
    CHECK(rvos_stream_drop(b, 1) == 0);
    check_same(a, b, 1, 4);
    close_both(&a, &b);
}

static void zero_shot_drop(void)
{
    rvos_stream *a = open_stream(model, RVOS_TASK_ZERO_SHOT, SLOTS),
                *b = open_stream(model, RVOS_TASK_ZERO_SHOT, SLOTS);

    check_same(a, b, 0, 3);
    rvos_stream_reset(a);
    for (int i = 1; i <= SLOTS; i++)
        CHECK(rvos_stream_drop(b, i) == 0);
    check_same(a, b, 0, 3);
    close_both(&a, &b);
}

/* Nothing runs before the first seed, and outputs are background. */
static void unseeded(void)
{
    static uint8_t labels[NET_W * NET_H], alpha[31 * 17];
    rvos_labels l = net_labels(labels);
    rvos_labels a = {.width = 31, .height = 17, .data = alpha, .stride = 31};
    static frame x, zero;
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS), *other;

    memset(labels, 9, sizeof(labels));
    memset(alpha, 9, sizeof(alpha));
    CHECK(process_frame(stream, 0, &(rvos_output){.labels = &l, .alpha = &a}) == 0);
    for (size_t i = 0; i < sizeof(labels); i++)
        if (!CHECK(!labels[i] && !alpha[i % sizeof(alpha)]))
            break;
    CHECK(!object_of(stream, 1).present && object_of(stream, 1).area == 0);
    CHECK(info_of(stream).frames == 0 && info_of(stream).live == 0);
    read_logits(stream, SLOTS, x);
    CHECK(!memcmp(x, zero, sizeof(x)));
    /* Time does not count: the next frame is a first frame. An empty seed is no seed. */
    CHECK(seed_objects(stream, 0, 7) == 0 && process_frame(stream, 1, NULL) == 0);
    CHECK(info_of(stream).frames == 0);
    CHECK(seed_objects(stream, 7, 7) == 0);
    other = open_seeded(7);
    check_same(stream, other, 0, 4);
    /* A reset forgets seeds. */
    CHECK(seed_objects(stream, 7, 7) == 0);
    rvos_stream_reset(stream);
    CHECK(process_frame(stream, 0, NULL) == 0);
    CHECK(info_of(stream).frames == 0);
    close_both(&stream, &other);
}

/* Labels above the stream's objects are background in all slots, an error by name. */
static void too_many(void)
{
    static uint8_t labels[NET_W * NET_H];
    rvos_labels view = net_labels(labels);
    rvos_stream *a = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS),
                *b = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);
    int errors;

    make_masks(labels, NET_W, NET_H, 2 | 1u << 3 | 1u << 20);
    labels[7] = 255;
    CHECK(rvos_stream_seed(b, &view, RVOS_ALL_SLOTS) == 0);
    for (size_t i = 0; i < sizeof(labels); i++)
        labels[i] = labels[i] > SLOTS ? 0 : labels[i];
    CHECK(rvos_stream_seed(a, &view, RVOS_ALL_SLOTS) == 0);
    check_same(a, b, 0, 2);
    close_both(&a, &b);
    a = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);
    errors = log_.errors;
    log_.quiet = true;
    CHECK(seed_objects(a, 8, 8) == RVOS_ERR_ARGUMENT);
    CHECK(log_.errors == errors + 1 && strstr(log_.last, "3"));
    CHECK(seed_objects(a, 7, 0x80000001u) == RVOS_ERR_ARGUMENT);
    CHECK(rvos_stream_seed(a, NULL, 1) == RVOS_ERR_ARGUMENT);
    CHECK(log_.errors == errors + 3);
    CHECK(rvos_stream_drop(a, 0) == RVOS_ERR_ARGUMENT);
    CHECK(rvos_stream_drop(a, 4) == RVOS_ERR_ARGUMENT);
    b = open_stream(model, RVOS_TASK_ZERO_SHOT, SLOTS);
    errors = log_.errors;
    CHECK(seed_objects(b, 1, 1) == RVOS_ERR_WRONG_TASK && log_.errors == errors + 1);
    log_.quiet = false;
    close_both(&a, &b);
}

int main(int argc, char **argv)
{
    int status = begin(argc, argv, 2);

    if (status)
        return status;
    views();
    replaced();
    shown_twice();
    dropped();
    dropped_early();
    zero_shot_drop();
    unseeded();
    CHECK(log_.errors == 0);
    too_many();
    log_.errors = 0;
    return end();
}
