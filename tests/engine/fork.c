/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork.c - tests handles that were opened before a fork: in the child they return errors,
 * and close; the parent keeps working; the child can open its own.
 *
 *     fork BACKEND MODEL_DIR
 *
 * A child that hangs is ended by SIGALRM, which fails the test. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define SECONDS 60 /* limit for a child, which needs far less */

/* Runs `child` in a child process; it must return 0. No exit handlers run there. */
static void in_child(int (*child)(rvos_stream *stream), rvos_stream *stream,
                     const char *name)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(SECONDS);
        _exit(child(stream));
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    test_note(CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0), "%s: %s %d", name,
              WIFSIGNALED(status) ? "signal" : "failed at step",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Calls everything that must fail; returns the number of the call that did not. */
static int use(rvos_stream *stream)
{
    static uint8_t rgb[NET_W * NET_H * 3], labels[NET_W * NET_H];
    static float plane[NET_W * NET_H];
    rvos_image image = rgb_image(rgb, NET_W, NET_H);
    rvos_labels l = net_labels(labels);
    rvos_stream *another = stream;
    rvos_model *second = model;
    rvos_model_info info;
    rvos_device_info about;
    rvos_stream_info state;
    rvos_object object;
    char path[1024];
    int w, h, errors = log_.errors, step = 0;

    snprintf(path, sizeof(path), "%s/r18.safetensors", folder);
#define FAILS(call)                                                                      \
    do {                                                                                 \
        step++;                                                                          \
        if ((call) != RVOS_ERR_DEVICE)                                                   \
            return step;                                                                 \
    } while (0)
    FAILS(rvos_stream_process(stream, &image, &(rvos_output){.labels = &l}));
    FAILS(rvos_stream_warm_up(stream));
    FAILS(rvos_stream_prepare(stream, 20, 20));
    FAILS(rvos_stream_seed(stream, &l, RVOS_ALL_SLOTS));
    FAILS(rvos_stream_drop(stream, 1));
    FAILS(rvos_stream_discover(stream));
    FAILS(rvos_stream_read_mask(stream, 1, plane));
    FAILS(rvos_stream_read_logits(stream, 1, plane, &w, &h));
    FAILS(rvos_stream_get_object(stream, 1, &object));
    FAILS(rvos_draw(device, &image, &l, NULL));
    FAILS(rvos_set_alpha(device, &image, &l));
    FAILS(rvos_stream_open(&another, model, NULL));
    FAILS(rvos_model_load(&second, device, path, NULL));
    if (another || second)
        return step + 1;
    rvos_stream_reset(stream); /* these just return */
    rvos_device_get_info(device, &about);
    rvos_model_get_info(model, &info);
    rvos_stream_get_info(stream, &state);
    rvos_stream_drop(stream, 99); /* logs nothing here */
    if (!about.backend[0] || !info.encoder[0] || info.objects < 1)
        return step + 2;
    return log_.errors == errors ? 0 : step + 3; /* others may hold their locks */
}

static int close_all(rvos_stream *stream)
{
    rvos_device_close(&device);
    close_handles(&stream, &model, NULL);
    return device || stream || model;
}

static int use_and_close(rvos_stream *stream)
{
    int step = use(stream);

    return step ? step : close_all(stream);
}

/* The labels of a frame, and the number of failed checks. */
static int own_frame(uint8_t *labels, rvos_model *m)
{
    rvos_stream *s = open_stream(m, RVOS_TASK_ZERO_SHOT, 2);

    CHECK(process_labels(s, 0, labels) == 0);
    rvos_stream_close(&s);
    return test_failures;
}

static uint8_t expected[NET_W * NET_H];

static int open_anew(rvos_stream *stream)
{
    static uint8_t labels[NET_W * NET_H];
    rvos_device *d = open_device(backend, 2, &log_);
    rvos_model *m = load_model(d, folder, "r18", NET_W, NET_H);
    int failed = own_frame(labels, m);

    close_handles(NULL, &m, &d);
    failed |= memcmp(labels, expected, sizeof(labels)) != 0;
    return failed ? 100 : use_and_close(stream);
}

static atomic_bool quit;

static void *run(void *opaque)
{
    rvos_stream *stream = opaque;

    for (int t = 0; !atomic_load(&quit); t++)
        CHECK(process_frame(stream, t % 4, NULL) == 0);
    return NULL;
}

/* Forks while other threads hold the device's locks, lead a batch or follow one. */
static void while_others_run(rvos_stream *idle)
{
    enum { STREAMS = 3 };
    pthread_t thread[STREAMS];
    rvos_stream *stream[STREAMS];

    for (int i = 0; i < STREAMS; i++) {
        stream[i] = open_stream(model, RVOS_TASK_ZERO_SHOT, 2);
        CHECK(!pthread_create(&thread[i], NULL, run, stream[i]));
    }
    for (int i = 0; i < 40; i++) {
        in_child(use_and_close, i % 2 ? idle : stream[i % STREAMS], "others run");
        usleep(1000 * (i % 7));
    }
    atomic_store(&quit, true);
    for (int i = 0; i < STREAMS; i++) {
        pthread_join(thread[i], NULL);
        rvos_stream_close(&stream[i]);
    }
}

int main(int argc, char **argv)
{
    int status = begin(argc, argv, 2);
    rvos_stream *stream;

    if (status)
        return status;
    stream = open_stream(model, RVOS_TASK_ONE_SHOT, 2);
    CHECK(seed_objects(stream, 3, 3) == 0 && process_frame(stream, 0, NULL) == 0);
    own_frame(expected, model);
    in_child(use, stream, "use");
    in_child(close_all, stream, "close");
    in_child(open_anew, stream, "open anew");
    while_others_run(stream);
    CHECK(process_frame(stream, 1, NULL) == 0);
    CHECK(use(stream) == 1); /* the first call works here */
    CHECK(close_all(stream) == 0);
    return test_done();
}
