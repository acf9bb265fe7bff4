/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api.c - tests misuse of every public function, and handles closed in every order.
 *
 *     api BACKEND BROKEN_DIR */
#include "fixture.h"

static char path[1024];

/* The call must fail with this status and one line of log (none without a device). */
static void expect(int status, int got, int lines, const char *what)
{
    int said = atomic_exchange(&log_.errors, 0);

    test_note(CHECK(got == status), "%s: %d, not %d", what, got, status);
    test_note(CHECK(said == lines), "%s: %d lines, not %d; last: %s", what, said, lines,
              log_.last);
}
#define EXPECT(status, lines, call) expect(status, call, lines, #call)

static void words(void)
{
    for (int i = -20; i < 20; i++)
        for (int j = -8; CHECK(rvos_strerror(i) && rvos_strerror(i)[0]) && j <= 0; j++)
            CHECK(i == j || i < -8 || strcmp(rvos_strerror(i), rvos_strerror(j)));
    CHECK(!strcmp(rvos_strerror(1), rvos_strerror(-9)));
}

static int open_params(rvos_device_params params)
{
    rvos_device *device = (void *)1;
    int ret;

    params.log = on_log;
    params.log_opaque = &log_;
    ret = rvos_device_open(&device, &params);
    CHECK(ret < 0 && !device);
    return ret;
}
#define OPEN_DEVICE(...) open_params((rvos_device_params){__VA_ARGS__})

static bool is_cuda(void)
{
    return !strcmp(backend, "cuda");
}

static void devices(void)
{
    rvos_device *device = NULL;
    rvos_device_info info;

    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_device_open(NULL, NULL));
    EXPECT(RVOS_ERR_UNSUPPORTED, 1, OPEN_DEVICE(.backend = "gpu", .threads = 1));
    CHECK(strstr(log_.last, "gpu"));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN_DEVICE(.backend = backend, .threads = -1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN_DEVICE(.backend = backend, .threads = 100000));
    rvos_device_close(NULL);
    rvos_device_close(&device);
    rvos_device_get_info(NULL, NULL);
    rvos_device_get_info(NULL, &info);
    CHECK(!strcmp(info.backend, "") && info.name && info.library && info.isa);
    for (int i = 0; i < 3; i++) { /* 0: one thread for each core */
        char name[16];

        snprintf(name, sizeof(name), "%s", backend);
        CHECK(rvos_device_open(
                  &device, &(rvos_device_params){.backend = name, .threads = i}) == 0);
        memset(name, 0, sizeof(name)); /* params must live only during the call */
        rvos_device_get_info(device, &info);
        CHECK(!strcmp(info.backend, backend));
        CHECK(is_cuda() ? !info.threads : i ? info.threads == i : info.threads >= 1);
        CHECK(info.name[0] && info.library[0] && info.isa);
        rvos_device_close(&device);
        CHECK(!device);
    }
    CHECK(rvos_device_open(&device, NULL) == 0);
    rvos_device_close(&device);
}

static int load_params(rvos_device *device, rvos_model_params params)
{
    rvos_model *model = (void *)1;
    int ret = rvos_model_load(&model, device, path, &params);

    CHECK((ret == 0) == (model != NULL));
    rvos_model_close(&model);
    return ret;
}
#define LOAD(...) load_params(device, (rvos_model_params){__VA_ARGS__})

static void models(rvos_device *device)
{
    static const int sides[][2] = {{31, 64}, {64, 31},   {-1, 64},
                                   {64, -1}, {4097, 64}, {64, 4097}};
    rvos_model *model = NULL;
    rvos_model_info info;

    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_model_load(NULL, device, path, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_model_load(&model, NULL, path, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_model_load(&model, device, NULL, NULL));
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
        EXPECT(RVOS_ERR_ARGUMENT, 1, LOAD(.width = sides[i][0], .height = sides[i][1]));
    EXPECT(RVOS_ERR_ARGUMENT, 1, LOAD(.max_batch = -1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, LOAD(.max_batch = RVOS_MAX_BATCH + 1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, LOAD(.batch_wait_us = -1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, LOAD(.precision = -1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, LOAD(.precision = RVOS_PRECISION_INT8 + 1));
    for (int p = RVOS_PRECISION_TF32; p <= RVOS_PRECISION_FP16; p++)
        EXPECT(is_cuda() ? 0 : RVOS_ERR_UNSUPPORTED, is_cuda() ? 0 : 1,
               LOAD(.precision = (rvos_precision)p));
    EXPECT(0, 0,
           LOAD(.max_batch = RVOS_MAX_BATCH, .batch_wait_us = 1000, .width = 32,
                .height = 33));
    rvos_model_close(NULL);
    rvos_model_close(&model);
    rvos_model_get_info(NULL, NULL);
    rvos_model_get_info(NULL, &info);
    CHECK(info.encoder && info.skip_mode && info.licence && info.provenance);
}

/* The precision in use. A CPU that is not faster with it uses a more exact one and says
 * so in one line. */
static void optional_precision(rvos_device *device, rvos_precision precision,
                               const char *name)
{
    rvos_model *model = NULL;
    rvos_precision got;
    int lines = log_.warnings;

    CHECK(rvos_model_load(&model, device, path,
                          &(rvos_model_params){.precision = precision}) == 0);
    got = rvos_model_precision(model);
    if (strcmp(backend, "cpu"))
        CHECK(got == RVOS_PRECISION_FP32);
    CHECK(got == RVOS_PRECISION_FP32 || got == RVOS_PRECISION_INT16 || got == precision);
    CHECK(log_.warnings - lines == (got != precision));
    if (got != precision)
        CHECK(
            strstr(log_.last, name) &&
            strstr(log_.last, got == RVOS_PRECISION_FP32 ? "float32" : "int16 is used"));
    rvos_model_close(&model);
}

static void precisions(rvos_device *device)
{
    rvos_model *model = NULL;

    CHECK(rvos_model_precision(NULL) == RVOS_PRECISION_DEFAULT);
    CHECK(rvos_model_load(&model, device, path, NULL) == 0);
    CHECK(rvos_model_precision(model) ==
          (is_cuda() ? RVOS_PRECISION_FP16 : RVOS_PRECISION_FP32));
    rvos_model_close(&model);
    if (is_cuda()) {
        EXPECT(RVOS_ERR_UNSUPPORTED, 1, LOAD(.precision = RVOS_PRECISION_INT16));
        EXPECT(RVOS_ERR_UNSUPPORTED, 1, LOAD(.precision = RVOS_PRECISION_INT8));
        return;
    }
    optional_precision(device, RVOS_PRECISION_BF16, "bf16");
    optional_precision(device, RVOS_PRECISION_INT16, "int16");
    optional_precision(device, RVOS_PRECISION_INT8, "int8");
}

static void model_info(rvos_device *device)
{
    rvos_model *model = load_model(device, folder, "good", 0, 0);
    rvos_model_info info;

    rvos_model_get_info(model, NULL);
    rvos_model_get_info(model, &info);
    CHECK(!strcmp(info.encoder, "resnet18") && !strcmp(info.skip_mode, "concat"));
    CHECK(info.tasks == (RVOS_TASK_ZERO_SHOT | RVOS_TASK_ONE_SHOT | RVOS_TASK_AUTO));
    CHECK(info.width == 448 && info.height == 256 && info.objects == 10);
    CHECK(info.hidden == 8 && info.kernel_size == 3);
    CHECK(info.licence[0] && info.provenance[0]);
    CHECK(info.parameters > 100000 && info.encoder_macs > 1000 &&
          info.object_macs > 1000);
    rvos_model_close(&model);
}

static int try_open(rvos_model *model, rvos_stream_params params)
{
    rvos_stream *stream = (void *)1;
    int ret = rvos_stream_open(&stream, model, &params);

    CHECK((ret == 0) == (stream != NULL));
    rvos_stream_close(&stream);
    return ret;
}
#define OPEN(...) try_open(model, (rvos_stream_params){__VA_ARGS__})

static void streams(rvos_model *model)
{
    rvos_stream *stream = NULL;
    rvos_stream_info info;

    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_open(NULL, model, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_open(&stream, NULL, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN(.task = 3));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN(.task = 8));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN(.variant = 3));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN(.variant = -1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN(.objects = -1));
    EXPECT(RVOS_ERR_ARGUMENT, 1, OPEN(.objects = 33));
    EXPECT(0, 0, OPEN(.objects = 32));
    rvos_stream_close(NULL);
    rvos_stream_close(&stream);
    rvos_stream_get_info(NULL, NULL);
    rvos_stream_get_info(NULL, &info);
    CHECK(info.objects == 0 && info.frames == 0);
    rvos_stream_reset(NULL);
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_warm_up(NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_prepare(NULL, 1, 1));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_seed(NULL, NULL, 0));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_drop(NULL, 1));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_process(NULL, NULL, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_get_object(NULL, 1, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_read_mask(NULL, 1, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_read_logits(NULL, 1, NULL, NULL, NULL));
    CHECK(rvos_stream_open(&stream, model, NULL) == 0); /* all of it by default */
    rvos_stream_get_info(stream, NULL);
    rvos_stream_get_info(stream, &info);
    CHECK(info.task == RVOS_TASK_ZERO_SHOT && info.objects == 10);
    rvos_stream_close(&stream);
}

/* Before the first frame there are no objects, which is not an error. */
static void reading(rvos_model *model)
{
    static float plane[NET_W * NET_H];
    rvos_stream *stream = open_stream(model, RVOS_TASK_ZERO_SHOT, 2);
    rvos_object object;
    int w = 0, h = 0;

    plane[0] = plane[NET_W * NET_H - 1] = 7;
    CHECK(rvos_stream_read_mask(stream, 1, plane) == 0);
    CHECK(plane[0] == 0 && plane[NET_W * NET_H - 1] == 0);
    CHECK(rvos_stream_read_logits(stream, 2, NULL, &w, &h) == 0);
    CHECK(w == HALF_W && h == HALF_H);
    CHECK(rvos_stream_read_logits(stream, 2, NULL, NULL, NULL) == 0);
    CHECK(rvos_stream_get_object(stream, 2, &object) == 0 && !object.present);
    for (int i = 0; i < 4; i += 3) { /* objects 0 and 3 */
        EXPECT(RVOS_ERR_ARGUMENT, 1, rvos_stream_read_mask(stream, i, plane));
        EXPECT(RVOS_ERR_ARGUMENT, 1, rvos_stream_read_logits(stream, i, plane, &w, &h));
        EXPECT(RVOS_ERR_ARGUMENT, 1, rvos_stream_get_object(stream, i, &object));
        EXPECT(RVOS_ERR_ARGUMENT, 1, rvos_stream_drop(stream, i));
    }
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_read_mask(stream, 1, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_get_object(stream, 1, NULL));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_prepare(stream, 0, 1));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_prepare(stream, 1, -1));
    CHECK(rvos_stream_prepare(stream, 8, 8) == 0 &&
          rvos_stream_prepare(stream, 8, 8) == 0);
    rvos_stream_close(&stream);
}

/* The steps that have run since timing began, each with its time. */
static void timing(rvos_model *model)
{
    static rvos_step step[100];
    rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, 2);
    bool seen = false;
    int n;

    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_time_steps(NULL, true));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_read_steps(NULL, step, 100));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_read_steps(stream, NULL, 1));
    EXPECT(RVOS_ERR_ARGUMENT, 0, rvos_stream_read_steps(stream, step, -1));
    if (is_cuda()) {
        EXPECT(RVOS_ERR_UNSUPPORTED, 1, rvos_stream_time_steps(stream, true));
        EXPECT(RVOS_ERR_UNSUPPORTED, 0, rvos_stream_read_steps(stream, step, 100));
        rvos_stream_close(&stream);
        return;
    }
    CHECK(seed_objects(stream, 1, 1) == 0 && process_frame(stream, 0, NULL) == 0);
    CHECK(rvos_stream_read_steps(stream, step, 100) == 0); /* not asked for */
    CHECK(rvos_stream_time_steps(stream, true) == 0);
    CHECK(rvos_stream_read_steps(stream, step, 100) == 0); /* none has run since */
    CHECK(process_frame(stream, 1, NULL) == 0);
    n = rvos_stream_read_steps(stream, step, 100);
    CHECK(n > 30 && n < 100 && rvos_stream_read_steps(stream, NULL, 0) == n);
    for (int i = 0; i < n; i++) {
        test_note(CHECK(step[i].seconds > 0 && step[i].parts > 0 && step[i].bytes >= 0),
                  "%s", step[i].name);
        CHECK(step[i].flops <= 2 * step[i].macs && !step[i].flops == !step[i].way[0]);
        seen = seen || !strcmp(step[i].name, "halved masks");
    }
    CHECK(seen);
    CHECK(rvos_stream_time_steps(stream, false) == 0 &&
          process_frame(stream, 2, NULL) == 0);
    CHECK(rvos_stream_read_steps(stream, step, 100) == 0);
    rvos_stream_close(&stream);
}

/* Handles of every kind are closed in every order; those left keep working. */
static void close_orders(void)
{
    static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    for (int i = 0; i < 6; i++) {
        rvos_device *device = open_device(backend, 1, &log_);
        rvos_model *model = load_model(device, folder, "good", NET_W, NET_H);
        rvos_stream *stream = open_stream(model, RVOS_TASK_ONE_SHOT, 1);
        rvos_model_info info;

        for (int k = 0; k < 3; k++) {
            if (stream) {
                CHECK(seed_objects(stream, 1, 1) == 0);
                CHECK(process_frame(stream, k, NULL) == 0);
            }
            if (model) {
                rvos_model_get_info(model, &info);
                CHECK(!strcmp(info.encoder, "resnet18"));
            }
            if (order[i][k] == 0)
                rvos_device_close(&device);
            if (order[i][k] == 1)
                rvos_model_close(&model);
            if (order[i][k] == 2)
                rvos_stream_close(&stream);
        }
        CHECK(!device && !model && !stream);
    }
}

/* A model with one task refuses the other task; the default is its own. */
static void tasks(rvos_device *device)
{
    rvos_model *model = load_model(device, folder, "r18-one-only", NET_W, NET_H);
    rvos_stream *stream = NULL;
    rvos_stream_info info;

    EXPECT(RVOS_ERR_WRONG_TASK, 1, OPEN(.task = RVOS_TASK_ZERO_SHOT));
    CHECK(strstr(log_.last, "r18-one-only") && strstr(log_.last, "zero-shot"));
    EXPECT(RVOS_ERR_WRONG_TASK, 1, OPEN(.task = RVOS_TASK_AUTO));
    CHECK(strstr(log_.last, "r18-one-only") && strstr(log_.last, "no zero-shot") &&
          strstr(log_.last, "auto"));
    CHECK(rvos_stream_open(&stream, model, NULL) == 0);
    rvos_stream_get_info(stream, &info);
    CHECK(info.task == RVOS_TASK_ONE_SHOT);
    close_handles(&stream, &model, NULL);
}

int main(int argc, char **argv)
{
    rvos_device *device;
    rvos_model *model;

    if (argc < 3)
        return test_skip("usage: api BACKEND BROKEN_DIR");
    backend = argv[1];
    folder = argv[2];
    log_.quiet = true;
    snprintf(path, sizeof(path), "%s/good.safetensors", folder);
    words();
    devices();
    device = open_device(backend, 2, &log_);
    models(device);
    precisions(device);
    model_info(device);
    model = load_model(device, folder, "good", NET_W, NET_H);
    if (!model)
        return test_done();
    streams(model);
    reading(model);
    timing(model);
    rvos_model_close(&model);
    tasks(device);
    rvos_device_close(&device);
    close_orders();
    CHECK(log_.errors == 0);
    return test_done();
}
