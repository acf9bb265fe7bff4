/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - tests the loops of the two tasks: what each slot's logits depend on.
 *
 *     stream BACKEND MODEL_DIR */
#include "fixture.h"

#define FRAMES 5
#define MOST 10

/* Logits of a video: [frame][object][pixel]. */
typedef float video[FRAMES][MOST][PLANE];

static video *new_video(void)
{
    video *v = calloc(1, sizeof(*v));

    if (!v)
        exit(1);
    return v;
}

/* seeds[t]: objects that are shown in frame t; only their slots are set. */
static void run(rvos_stream *stream, int n, const uint32_t seeds[FRAMES], video *out)
{
    for (int t = 0; t < FRAMES; t++) {
        if (seeds && seeds[t])
            CHECK(seed_objects(stream, seeds[t], seeds[t]) == 0);
        CHECK(process_frame(stream, t, NULL) == 0);
        read_logits(stream, n, (*out)[t][0]);
    }
}

static void run_new(rvos_stream_params params, const uint32_t seeds[FRAMES], video *out)
{
    rvos_stream *stream = open_with(model, params);

    if (stream)
        run(stream, params.objects, seeds, out);
    rvos_stream_close(&stream);
}

static double rows_differ(const video *a, const video *b, int from, int to)
{
    double worst = 0;

    for (int t = 0; t < FRAMES; t++) {
        double d = difference((*a)[t][from], (*b)[t][from], (size_t)(to - from) * PLANE);

        worst = d > worst ? d : worst;
    }
    return worst;
}

/* Slots do not depend on later ones: N = 1, 2, 3 give the first rows of N = 10. */
static void first_rows(rvos_task task, rvos_variant variant)
{
    const uint32_t all[FRAMES] = {0x3ff}, few[4] = {0, 1, 3, 7};
    rvos_stream_params params = {.task = task, .variant = variant, .objects = MOST};
    const uint32_t *seeds = task == RVOS_TASK_ONE_SHOT ? all : NULL;
    video *ten = new_video(), *some = new_video();

    run_new(params, seeds, ten);
    CHECK(rows_differ(ten, some, 0, MOST) > 1); /* there is something to compare */
    for (int n = 1; n <= 3; n++) {
        const uint32_t seed[FRAMES] = {few[n]};

        params.objects = n;
        run_new(params, seeds ? seed : NULL, some);
        test_note(CHECK_NEAR(rows_differ(ten, some, 0, n), 0, 1e-6),
                  "task %d, variant %d, %d objects", task, variant, n);
    }
    free(ten);
    free(some);
}

/* A late object does not change the slots before it. Slots that do not run are zeroes. */
static void late_object(void)
{
    const uint32_t two[FRAMES] = {3}, late[FRAMES] = {3, 0, 4}, gap[FRAMES] = {1, 0, 4};
    rvos_stream_params params = {.task = RVOS_TASK_ONE_SHOT, .objects = 3};
    video *a = new_video(), *b = new_video(), *c = new_video();

    run_new(params, two, a);
    run_new(params, late, b);
    CHECK_NEAR(rows_differ(a, b, 0, 2), 0, 1e-6);
    CHECK(difference((*b)[1][2], (*c)[1][2], PLANE) == 0);
    CHECK(difference((*b)[2][2], (*c)[2][2], PLANE) > 0);
    run_new(params, gap, c); /* slot 2 runs too, empty, because slot 3 reads it */
    CHECK_NEAR(rows_differ(a, c, 0, 1), 0, 1e-6);
    CHECK(difference((*c)[2][1], (*c)[1][1], PLANE) > 0);
    params.all_slots = true; /* changes the late row, not the rows before */
    run_new(params, late, c);
    CHECK_NEAR(rows_differ(a, c, 0, 2), 0, 1e-6);
    CHECK(difference((*b)[2][2], (*c)[2][2], PLANE) > 1e-3);
    free(a);
    free(b);
    free(c);
}

static void live_slots(void)
{
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, 6);
    const uint32_t seeds[FRAMES] = {0, 2, 0, 1 << 4, 1};
    const int live[FRAMES] = {0, 2, 2, 5, 5};

    for (int t = 0; t < FRAMES; t++) {
        rvos_stream_info info;

        if (seeds[t])
            CHECK(seed_objects(stream, seeds[t], seeds[t]) == 0);
        CHECK(process_frame(stream, t, NULL) == 0);
        info = info_of(stream);
        test_note(CHECK(info.live == live[t]), "frame %d: %d", t, info.live);
        CHECK(info.frames == t); /* the first one did not count */
        CHECK(info.objects == 6 && info.task == RVOS_TASK_ONE_SHOT && info.state_bytes);
    }
    rvos_stream_reset(stream);
    CHECK(info_of(stream).live == 0 && info_of(stream).frames == 0);
    rvos_stream_close(&stream);
    stream = open_with(model, (rvos_stream_params){.task = RVOS_TASK_ONE_SHOT,
                                                   .objects = 6,
                                                   .all_slots = true});
    CHECK(seed_objects(stream, 1, 1) == 0 && process_frame(stream, 0, NULL) == 0);
    CHECK(info_of(stream).live == 6);
    rvos_stream_close(&stream);
}

/* Runs again, and after a reset in the middle, with warm-ups between the frames. */
static void again(rvos_task task, rvos_variant variant)
{
    const uint32_t seed[FRAMES] = {7}, *seeds = task == RVOS_TASK_ONE_SHOT ? seed : NULL;
    rvos_stream_params params = {.task = task, .variant = variant, .objects = 3};
    video *a = new_video(), *b = new_video();
    rvos_stream *stream = NULL;

    run_new(params, seeds, a);
    CHECK(rvos_stream_open(&stream, model, &params) == 0);
    CHECK(rvos_stream_warm_up(stream) == 0);
    CHECK(rvos_stream_prepare(stream, NET_W, NET_H) == 0);
    run(stream, 3, seeds, b);
    CHECK(!memcmp(a, b, sizeof(*a)));
    rvos_stream_reset(stream);
    memset(b, 0, sizeof(*b));
    for (int t = 0; t < FRAMES; t++) {
        CHECK(rvos_stream_warm_up(stream) == 0);
        if (seeds && seeds[t])
            CHECK(seed_objects(stream, seeds[t], seeds[t]) == 0);
        CHECK(process_frame(stream, t, NULL) == 0);
        CHECK(rvos_stream_warm_up(stream) == 0);
        read_logits(stream, 3, (*b)[t][0]);
    }
    test_note(CHECK(!memcmp(a, b, sizeof(*a))), "task %d, variant %d", task, variant);
    rvos_stream_close(&stream);
    free(a);
    free(b);
}

/* Three streams of one model, two of one plan, take turns. */
static void interleaved(void)
{
    const rvos_task task[3] = {RVOS_TASK_ZERO_SHOT, RVOS_TASK_ONE_SHOT,
                               RVOS_TASK_ZERO_SHOT};
    const uint32_t seeds[FRAMES] = {7};
    rvos_stream *stream[3];
    video *alone = new_video(), *shared[3];

    for (int i = 0; i < 3; i++) {
        shared[i] = new_video();
        stream[i] = open_stream(model, task[i], 3);
    }
    CHECK(seed_objects(stream[1], 7, RVOS_ALL_SLOTS) == 0);
    for (int t = 0; t < FRAMES; t++) {
        for (int i = 0; i < 3; i++) /* the third one is behind */
            CHECK(process_frame(stream[i], i == 2 ? t / 2 : t, NULL) == 0);
        for (int i = 0; i < 3; i++)
            read_logits(stream[i], 3, (*shared[i])[t][0]);
    }
    for (int i = 0; i < 3; i++)
        rvos_stream_close(&stream[i]);
    for (int i = 0; i < 2; i++) {
        run_new((rvos_stream_params){.task = task[i], .objects = 3}, i ? seeds : NULL,
                alone);
        CHECK(!memcmp(alone, shared[i], sizeof(*alone)));
    }
    CHECK(memcmp((*alone)[1], (*shared[2])[1], sizeof((*alone)[1])));
    for (int i = 0; i < 3; i++)
        free(shared[i]);
    free(alone);
}

/* Frames of one colour give the same result at any size. */
static void changing_sizes(void)
{
    static const int size[FRAMES][2] = {
        {16, 9}, {NET_W, NET_H}, {301, 7}, {1, 1}, {99, 98}};
    static uint8_t grey[320 * 240 * 3];
    rvos_stream *a = open_stream(model, RVOS_TASK_ZERO_SHOT, 2),
                *b = open_stream(model, RVOS_TASK_ZERO_SHOT, 2);
    float logits[2][2 * PLANE];

    memset(grey, 90, sizeof(grey));
    for (int t = 0; t < FRAMES; t++) {
        rvos_image one = rgb_image(grey, 40, 40),
                   other = rgb_image(grey, size[t][0], size[t][1]);

        if (t == 2)
            CHECK(rvos_stream_prepare(b, 1000, 2) == 0);
        CHECK(rvos_stream_process(a, &one, NULL) == 0);
        CHECK(rvos_stream_process(b, &other, NULL) == 0);
        read_logits(a, 2, logits[0]);
        read_logits(b, 2, logits[1]);
        CHECK(!memcmp(logits[0], logits[1], sizeof(logits[0])));
    }
    close_both(&a, &b);
}

int main(int argc, char **argv)
{
    int status = begin(argc, argv, 2);

    if (status)
        return status;
    for (int v = RVOS_VARIANT_SPATIO_TEMPORAL; v <= RVOS_VARIANT_TEMPORAL; v++) {
        first_rows(RVOS_TASK_ZERO_SHOT, (rvos_variant)v);
        first_rows(RVOS_TASK_ONE_SHOT, (rvos_variant)v);
        again(RVOS_TASK_ZERO_SHOT, (rvos_variant)v);
        again(RVOS_TASK_ONE_SHOT, (rvos_variant)v);
    }
    late_object();
    live_slots();
    interleaved();
    changing_sizes();
    return end();
}
