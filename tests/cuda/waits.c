/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* waits.c - while a plan is being made, which can take many seconds, the frames of other
 * streams go on: also those that need a graph which is not there yet. While such a graph
 * is being captured, in the middle of a stream, the frames of other plans go on, other
 * plans are made, and device memory is allocated.
 *
 *     cuda-waits MODEL_DIR          with RVOS_EMULATED_CONV=sums */
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "../engine/fixture.h"

static struct log log_;
static rvos_model *model;

/* Of another number of objects, which takes a plan of its own. */
static void *open_another(void *opaque)
{
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, 3);

    (void)opaque;
    CHECK(seed_objects(stream, 3, 3) == 0);
    CHECK(process_frame(stream, 0, NULL) == 0);
    rvos_stream_close(&stream);
    return NULL;
}

/* One more slot, for which there is no graph. */
static void *need_graph(void *opaque)
{
    rvos_stream *stream = opaque;

    CHECK(seed_objects(stream, 4, 4) == 0);
    CHECK(process_frame(stream, 3, NULL) == 0);
    return NULL;
}

static void during_capture(rvos_device *device, rvos_stream *stream, atomic_int *hold,
                           const char *folder)
{
    rvos_stream *beside = open_stream(model, RVOS_TASK_ONE_SHOT, 2), *alone = NULL;
    rvos_model *other = NULL;
    rvos_stream_info info;
    pthread_t thread;

    CHECK(seed_objects(beside, 1, 1) == 0);
    CHECK(process_frame(beside, 0, NULL) == 0);
    hold[1] = 0;
    hold[0] = 1;
    CHECK(pthread_create(&thread, NULL, need_graph, stream) == 0);
    while (!hold[1])
        usleep(1000);
    CHECK(process_frame(beside, 1, NULL) == 0);
    CHECK(process_frame(beside, 2, NULL) == 0);
    hold[0] = 2; /* this thread's own captures end at once */
    other = load_model(device, folder, "r18-h64", NET_W, NET_H);
    CHECK(rvos_stream_open(&alone, other, &(rvos_stream_params){.objects = 1}) == 0);
    CHECK(process_frame(alone, 0, NULL) == 0);
    CHECK(hold[1] == 1);
    hold[0] = 0;
    pthread_join(thread, NULL);
    rvos_stream_get_info(stream, &info);
    CHECK(info.live == 3 && info.frames == 4);
    rvos_stream_close(&alone);
    rvos_stream_close(&beside);
    rvos_model_close(&other);
}

int main(int argc, char **argv)
{
    atomic_int *(*hold)(void) = NULL, *(*hold_capture)(void) = NULL;
    void *module;
    rvos_device *device;
    rvos_stream *stream;
    rvos_stream_info info;
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
    model = load_model(device, argv[1], "r18", NET_W, NET_H);
    stream = open_stream(model, RVOS_TASK_ONE_SHOT, 4);
    CHECK(seed_objects(stream, 1, 1) == 0);
    CHECK(process_frame(stream, 0, NULL) == 0);

    alarm(60); /* else it would hang, if frames did wait */
    hold()[0] = 1;
    CHECK(pthread_create(&thread, NULL, open_another, NULL) == 0);
    while (!hold()[1])
        usleep(1000);
    CHECK(process_frame(stream, 1, NULL) == 0);
    CHECK(seed_objects(stream, 2, 2) == 0); /* two slots: a graph of its own */
    CHECK(process_frame(stream, 2, NULL) == 0);
    rvos_stream_get_info(stream, &info);
    CHECK(info.live == 2 && info.frames == 3);
    hold()[0] = 0;
    pthread_join(thread, NULL);
    during_capture(device, stream, hold_capture(), argv[1]);
    CHECK(log_.errors == 0 && log_.warnings == 0);
    rvos_stream_close(&stream);
    rvos_model_close(&model);
    rvos_device_close(&device);
    dlclose(module);
    return test_done();
}
