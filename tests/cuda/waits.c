/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* waits.c - tests that frames of other streams continue while a plan is made, which can
 * take many seconds: streams of other plans, and of the same plan when a larger one is
 * made for one more stream. No frame captures a graph: while captures are blocked,
 * streams of one plan continue with new numbers of live slots, and their masks are right.
 *
 *     cuda-waits MODEL_DIR          with RVOS_EMULATED_CONV=sums */
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "../engine/fixture.h"

/* A stream with another number of objects, which needs a plan of its own. */
static void *open_another(void *opaque)
{
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, 3);

    (void)opaque;
    CHECK(seed_objects(stream, 3, 3) == 0);
    CHECK(process_frame(stream, 0, NULL) == 0);
    rvos_stream_close(&stream);
    return NULL;
}

#define SLOTS 6
#define FRAMES (SLOTS + 2)

/* Frames of a stream that has one more live slot in each but the last. */
struct video {
    rvos_stream *stream;
    uint8_t labels[FRAMES][NET_W * NET_H];
};

static void play(struct video *v, int from, int to)
{
    for (int t = from; t < to; t++) {
        rvos_stream_info info;

        if (t < SLOTS)
            CHECK(seed_objects(v->stream, 1u << t, 1u << t) == 0);
        CHECK(process_labels(v->stream, t, v->labels[t]) == 0);
        info = info_of(v->stream);
        CHECK(info.frames == t + 1 && info.live == (t < SLOTS ? t + 1 : SLOTS));
    }
}

static void *play_beside(void *opaque)
{
    play(opaque, 2, FRAMES);
    return NULL;
}

static void *open_one_more(void *opaque)
{
    *(rvos_stream **)opaque = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);
    return NULL;
}

/* Loads another model and runs a frame: allocates device memory, makes a plan, captures.
 */
static void load_another(rvos_device *device, const char *folder)
{
    rvos_model *other = load_model(device, folder, "r18-h64", NET_W, NET_H);
    rvos_stream *alone = open_with(other, (rvos_stream_params){.objects = 1});

    CHECK(process_frame(alone, 0, NULL) == 0);
    close_handles(&alone, &other, NULL);
}

/* Streams a and b share a plan; a third stream then needs a larger plan. */
static void same_plan(rvos_device *device, atomic_int *hold, const char *folder)
{
    static struct video want, a, b, c;
    rvos_model *alone = load_model(device, folder, "r18", NET_W, NET_H);
    pthread_t thread;

    want.stream = open_stream(alone, RVOS_TASK_ONE_SHOT, SLOTS);
    play(&want, 0, FRAMES);
    close_handles(&want.stream, &alone, NULL);
    a.stream = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);
    b.stream = open_stream(model, RVOS_TASK_ONE_SHOT, SLOTS);
    play(&a, 0, 2);
    play(&b, 0, 2);

    hold[1] = 0;
    hold[0] = 1; /* a capture would never end */
    CHECK(pthread_create(&thread, NULL, play_beside, &b) == 0);
    play(&a, 2, 4);
    pthread_join(thread, NULL);
    CHECK(hold[1] == 0);
    CHECK(pthread_create(&thread, NULL, open_one_more, &c.stream) == 0);
    while (!hold[1])
        usleep(1000);
    play(&a, 4, FRAMES);
    hold[0] = 2; /* this thread's own captures end at once */
    load_another(device, folder);
    CHECK(hold[1] == 1);
    hold[0] = 0;
    pthread_join(thread, NULL);
    play(&c, 0, FRAMES);

    CHECK(!memcmp(want.labels, a.labels, sizeof(want.labels)));
    CHECK(!memcmp(want.labels, b.labels, sizeof(want.labels)));
    CHECK(!memcmp(want.labels, c.labels, sizeof(want.labels)));
    CHECK(memcmp(want.labels[0], want.labels[SLOTS], sizeof(want.labels[0])));
    rvos_stream_close(&a.stream);
    close_both(&b.stream, &c.stream);
}

int main(int argc, char **argv)
{
    atomic_int *(*hold)(void) = NULL, *(*hold_capture)(void) = NULL;
    void *module;
    rvos_device *device;
    rvos_stream *stream;
    pthread_t thread;

    if (argc < 2)
        return test_skip("usage: cuda-waits MODEL_DIR");
    device = open_device("cuda", 0, &log_);
    module = dlopen("librvos-cuda.so", RTLD_NOW | RTLD_NOLOAD);
    if (module)
        *(void **)&hold = dlsym(module, "rv_emulated_hold");
    if (module)
        *(void **)&hold_capture = dlsym(module, "rv_emulated_hold_capture");
    if (!CHECK(device && hold && hold_capture))
        return test_done();
    model = load_batched(device, argv[1], 4, 0);
    stream = open_stream(model, RVOS_TASK_ONE_SHOT, 4);
    CHECK(seed_objects(stream, 1, 1) == 0);
    CHECK(process_frame(stream, 0, NULL) == 0);

    alarm(60); /* a frame that waits for the plan would hang */
    hold()[0] = 1;
    CHECK(pthread_create(&thread, NULL, open_another, NULL) == 0);
    while (!hold()[1])
        usleep(1000);
    CHECK(process_frame(stream, 1, NULL) == 0);
    CHECK(seed_objects(stream, 2, 2) == 0); /* two slots: another graph */
    CHECK(process_frame(stream, 2, NULL) == 0);
    CHECK(info_of(stream).live == 2 && info_of(stream).frames == 3);
    hold()[0] = 0;
    pthread_join(thread, NULL);
    same_plan(device, hold_capture(), argv[1]);
    CHECK(log_.errors == 0 && log_.warnings == 0);
    close_handles(&stream, &model, &device);
    dlclose(module);
    return test_done();
}
