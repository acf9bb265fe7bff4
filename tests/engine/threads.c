/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* threads.c - runs streams in several threads, on one device and on several. Each gives
 * the same as alone. Only devices start threads (OpenMP could start a team for each
 * calling thread). No thread, file or memory is left behind.
 *
 *     threads BACKEND MODEL_DIR */
#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#include "fixture.h"

#define CALLERS 4
#define FRAMES 6
#define WORKERS 3 /* of each device */
#define N 2

static atomic_int most_threads;
static int own_threads; /* the main thread, and those of a sanitizer */

static int entries_of(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 2;
}

static int count_threads(void)
{
    return entries_of("/proc/self/task");
}

/* A joined thread may be listed for a moment longer. */
static void expect_threads(int n)
{
    for (int i = 0; i < 2000 && count_threads() != n; i++)
        usleep(1000);
    test_note(CHECK(count_threads() == n), "%d threads, not %d", count_threads(), n);
}

static long resident_pages(void)
{
    return process_bytes(true) / sysconf(_SC_PAGESIZE);
}

struct caller {
    pthread_t thread;
    rvos_model *model;
    rvos_task task;
    float logits[FRAMES][N * PLANE];
};

static void *run(void *opaque)
{
    static const rvos_output none = {0};
    struct caller *c = opaque;
    rvos_stream *stream = open_stream(c->model, c->task, N);
    int n;

    if (c->task == RVOS_TASK_ONE_SHOT)
        CHECK(seed_objects(stream, 3, 3) == 0);
    for (int t = 0; t < FRAMES; t++) {
        CHECK(process_frame(stream, t, &none) == 0);
        read_logits(stream, N, c->logits[t]);
        n = count_threads();
        if (n > atomic_load(&most_threads))
            atomic_store(&most_threads, n);
    }
    rvos_stream_close(&stream);
    return NULL;
}

/* Runs CALLERS threads on `devices` devices; caller i must give the results alone[i % 2].
 */
static void together(int devices, const struct caller alone[2])
{
    rvos_device *device[CALLERS] = {NULL};
    rvos_model *model[CALLERS] = {NULL};
    struct caller *caller = calloc(CALLERS, sizeof(*caller));

    if (!CHECK(caller != NULL))
        return;
    for (int i = 0; i < devices; i++) {
        device[i] = open_device(backend, WORKERS, &log_);
        model[i] = load_model(device[i], folder, "r18", NET_W, NET_H);
        if (!model[i])
            exit(1);
    }
    atomic_store(&most_threads, 0);
    for (int i = 0; i < CALLERS; i++) {
        caller[i].model = model[i % devices];
        caller[i].task = alone[i % 2].task;
        CHECK(pthread_create(&caller[i].thread, NULL, run, &caller[i]) == 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(caller[i].thread, NULL);
        test_note(CHECK(!memcmp(caller[i].logits, alone[i % 2].logits,
                                sizeof(alone[0].logits))),
                  "caller %d of %d on %d devices", i, CALLERS, devices);
    }
    if (test_note(CHECK(most_threads <= own_threads + CALLERS + devices * WORKERS),
                  "%d threads", most_threads))
        printf("%s: %d callers, %d devices of %d threads: at most %d threads\n", backend,
               CALLERS, devices, WORKERS, most_threads);
    expect_threads(own_threads + devices * WORKERS);
    for (int i = 0; i < devices; i++) {
        close_handles(NULL, &model[i], &device[i]);
    }
    expect_threads(own_threads);
    free(caller);
}

/* The results of each task alone, in this thread, with one worker. */
static void run_alone(struct caller alone[2])
{
    rvos_device *device = open_device(backend, 1, &log_);
    rvos_model *model = load_model(device, folder, "r18", NET_W, NET_H);

    if (!model)
        exit(1);
    for (int i = 0; i < 2; i++) {
        alone[i].model = model;
        alone[i].task = i ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT;
        run(&alone[i]);
    }
    close_handles(NULL, &model, &device);
    expect_threads(own_threads);
}

static void *run_one(void *opaque)
{
    rvos_stream *stream = open_with(
        opaque, (rvos_stream_params){.variant = RVOS_VARIANT_SPATIAL, .objects = N});

    for (int t = 0; t < 15; t++)
        CHECK(process_frame(stream, t, NULL) == 0);
    rvos_stream_close(&stream);
    return NULL;
}

/* New plans are made, and the model's tables grow, while another stream runs. */
static void open_while_running(void)
{
    rvos_device *device = open_device(backend, 2, &log_);

    for (int i = 0; i < 5; i++) {
        rvos_model *model = load_model(device, folder, "r18", NET_W, NET_H);
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, run_one, model) == 0);
        for (int k = 0; k < 5; k++) {
            rvos_stream *stream;
            rvos_stream_params params = {.task = k % 2 ? RVOS_TASK_ONE_SHOT
                                                       : RVOS_TASK_ZERO_SHOT,
                                         .variant = (rvos_variant)(k % 3),
                                         .objects = 1 + k};

            usleep(2000);
            stream = open_with(model, params);
            rvos_stream_close(&stream);
        }
        pthread_join(thread, NULL);
        rvos_model_close(&model);
    }
    rvos_device_close(&device);
}

static void open_and_close(void)
{
    int files = entries_of("/proc/self/fd");
    long pages = 0;

    for (int i = 0; i < 60; i++) {
        rvos_device *device = open_device(backend, 2, &log_);
        rvos_model *model = load_model(device, folder, "r18", NET_W, NET_H);
        rvos_stream *stream = open_stream(model, RVOS_TASK_ZERO_SHOT, 1);

        CHECK(process_frame(stream, 0, NULL) == 0);
        rvos_device_close(&device);
        rvos_model_close(&model);
        rvos_stream_close(&stream);
        if (i == 20)
            pages = resident_pages();
    }
    CHECK(entries_of("/proc/self/fd") == files);
    expect_threads(own_threads);
    pages = resident_pages() - pages;
    if (!TEST_SANITIZED) /* a heap of many threads breathes; a model is 250 pages a round
                          */
        test_note(CHECK(pages < 1024), "%ld pages more after 40 rounds", pages);
}

static void many_frames(void)
{
    static uint8_t labels[NET_W * NET_H];
    rvos_device *device = open_device(backend, 2, &log_);
    rvos_model *model = load_model(device, folder, "r18", 33, 32);
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, N);
    long pages = 0;

    CHECK(seed_objects(stream, 3, 3) == 0);
    for (int t = 0; t < 1100; t++) {
        if (t % 100 == 0)
            CHECK(seed_objects(stream, 3, 1u << (t / 100 % 2)) == 0);
        if (!CHECK(process_labels(stream, t, labels) == 0))
            break;
        if (t == 99)
            pages = resident_pages();
    }
    pages = resident_pages() - pages;
    if (!TEST_SANITIZED) /* which keep what was freed: oneDNN allocates in every frame */
        test_note(CHECK(pages <= 8), "%ld pages more after 1000 frames", pages);
    close_handles(&stream, &model, &device);
}

static void *do_nothing(void *opaque)
{
    return opaque;
}

int main(int argc, char **argv)
{
    pthread_t first;
    struct caller *alone = calloc(2, sizeof(*alone));

    if (argc < 3 || !alone)
        return test_skip("usage: threads BACKEND MODEL_DIR");
    if (access("/proc/self/task", R_OK))
        return test_skip("no /proc to count threads in");
    backend = argv[1];
    folder = argv[2];
    if (pthread_create(&first, NULL, do_nothing, NULL) == 0)
        pthread_join(first, NULL); /* a sanitizer may have waited for it */
    for (int i = 0; i < 100 && count_threads() > 1 + TEST_SANITIZED; i++)
        usleep(1000);
    own_threads = count_threads();
    CHECK(TEST_SANITIZED || own_threads == 1);
    run_alone(alone);
    together(1, alone);
    together(2, alone);
    open_while_running();
    open_and_close();
    many_frames();
    CHECK(log_.errors == 0);
    free(alone);
    return test_done();
}
