/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.h - shared by the tests of the public API: a log that counts, models with
 * random weights, moving frames. Included by one file per program. */
#ifndef RV_ENGINE_FIXTURE_H
#define RV_ENGINE_FIXTURE_H

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "../test.h"
#include "rvos.h"

#define NET_W 75 /* odd, so that no level is exactly half of the next */
#define NET_H 50

struct log {
    atomic_int errors, warnings;
    char last[1024]; /* error or warning */
    bool quiet;
};

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    struct log *log = opaque;

    if (level > RVOS_LOG_WARNING)
        return;
    snprintf(log->last, sizeof(log->last), "%s", line);
    atomic_fetch_add(level == RVOS_LOG_ERROR ? &log->errors : &log->warnings, 1);
    if (!log->quiet)
        fprintf(stderr, "%s\n", line);
}

/* Forgets the warning of a build without oneDNN, so that log->warnings counts only later
 * ones. */
static inline rvos_device *open_device(const char *backend, int threads, struct log *log)
{
    rvos_device *device = NULL;

    CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = backend,
                                                          .threads = threads,
                                                          .log = on_log,
                                                          .log_opaque = log}) == 0);
    log->warnings = 0;
    return device;
}

static inline rvos_model *load_with(rvos_device *device, const char *folder,
                                    const char *name, rvos_model_params params)
{
    rvos_model *model = NULL;
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s.safetensors", folder, name);
    test_note(CHECK(rvos_model_load(&model, device, path, &params) == 0), "%s", path);
    return model;
}

static inline rvos_model *load_model(rvos_device *device, const char *folder,
                                     const char *name, int width, int height)
{
    return load_with(device, folder, name,
                     (rvos_model_params){.width = width, .height = height});
}

/* r18, for passes of up to max_batch streams. */
static inline rvos_model *load_batched(rvos_device *device, const char *folder,
                                       int max_batch, int wait_us)
{
    return load_with(device, folder, "r18",
                     (rvos_model_params){.max_batch = max_batch,
                                         .batch_wait_us = wait_us,
                                         .width = NET_W,
                                         .height = NET_H});
}

static inline rvos_stream *open_with(rvos_model *model, rvos_stream_params params)
{
    rvos_stream *stream = NULL;

    CHECK(rvos_stream_open(&stream, model, &params) == 0);
    return stream;
}

static inline rvos_stream *open_stream(rvos_model *model, rvos_task task, int objects)
{
    return open_with(model, (rvos_stream_params){.task = task, .objects = objects});
}

static inline void close_both(rvos_stream **a, rvos_stream **b)
{
    rvos_stream_close(a);
    rvos_stream_close(b);
}

/* Each may be NULL. */
static inline void close_handles(rvos_stream **stream, rvos_model **model,
                                 rvos_device **device)
{
    rvos_stream_close(stream);
    rvos_model_close(model);
    rvos_device_close(device);
}

/* ---- a test of one backend and the model r18 ------------------------------------ */

static struct log log_;
static const char *backend, *folder; /* of the command line: BACKEND MODEL_DIR */
static rvos_device *device;
static rvos_model *model;

/* The status to end with, if it is not 0. */
static inline int begin(int argc, char **argv, int threads)
{
    if (argc < 3)
        return test_skip("usage: TEST BACKEND MODEL_DIR");
    backend = argv[1];
    folder = argv[2];
    device = open_device(backend, threads, &log_);
    model = device ? load_model(device, folder, "r18", NET_W, NET_H) : NULL;
    return model ? 0 : test_done();
}

static inline int end(void)
{
    close_handles(NULL, &model, &device);
    CHECK(log_.errors == 0);
    return test_done();
}

/* ---- frames and results ------------------------------------------------------------ */

/* Frame t of a video of blocks that move over a gradient, with noise; w * h * 3 bytes. */
static inline void make_frame(uint8_t *rgb, int w, int h, int t)
{
    uint64_t seed = (uint64_t)t + 1;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                int cell = (x * 5 / w + t + c) * 7 + (y * 4 / h) * (3 + c);
                int v =
                    40 + cell * 37 % 160 + x * 40 / w + (int)(test_random(&seed) % 16);

                rgb[((size_t)y * w + x) * 3 + c] = (uint8_t)v;
            }
}

static inline rvos_image rgb_image(uint8_t *rgb, int w, int h)
{
    return (rvos_image){.format = RVOS_RGB,
                        .width = w,
                        .height = h,
                        .plane = {rgb},
                        .stride = {3 * (ptrdiff_t)w}};
}

/* The next frame of a video of network-sized frames. */
static inline int process_frame(rvos_stream *stream, int t, const rvos_output *out)
{
    static _Thread_local uint8_t rgb[NET_W * NET_H * 3];
    rvos_image image = rgb_image(rgb, NET_W, NET_H);

    make_frame(rgb, NET_W, NET_H, t);
    return rvos_stream_process(stream, &image, out);
}

static inline rvos_labels net_labels(uint8_t *data)
{
    return (rvos_labels){.width = NET_W, .height = NET_H, .data = data, .stride = NET_W};
}

/* The same with labels only, NET_W * NET_H of them. */
static inline int process_labels(rvos_stream *stream, int t, uint8_t *labels)
{
    rvos_labels out = net_labels(labels);

    return process_frame(stream, t, &(rvos_output){.labels = &out});
}

/* A label map with a rectangle for each bit of `objects`. Lower objects cover higher
 * ones, so an object looks the same whatever is behind it. */
static inline void make_masks(uint8_t *labels, int w, int h, uint32_t objects)
{
    memset(labels, 0, (size_t)w * h);
    for (int i = 31; i >= 0; i--)
        for (int y = (i * 5 % 11) * h / 16; objects >> i & 1 && y < h; y++)
            for (int x = (i * 7 % 13) * w / 20; x < w; x++)
                if (y < (i * 5 % 11) * h / 16 + h * 2 / 5 &&
                    x < (i * 7 % 13) * w / 20 + w / 3)
                    labels[(size_t)y * w + x] = (uint8_t)(i + 1);
}

static inline int seed_objects(rvos_stream *stream, uint32_t objects, uint32_t slots)
{
    uint8_t labels[NET_W * NET_H];
    rvos_labels view = net_labels(labels);

    make_masks(labels, NET_W, NET_H, objects);
    return rvos_stream_seed(stream, &view, slots);
}

static inline rvos_stream_info info_of(const rvos_stream *stream)
{
    rvos_stream_info info;

    rvos_stream_get_info(stream, &info);
    return info;
}

static inline rvos_object object_of(rvos_stream *stream, int slot)
{
    rvos_object object = {0};

    CHECK(rvos_stream_get_object(stream, slot, &object) == 0);
    return object;
}

#define HALF_W (2 * ((NET_W + 3) / 4))
#define HALF_H (2 * ((NET_H + 3) / 4))
#define PLANE (HALF_W * HALF_H)

/* Half-size logits of objects 1..n, to out. */
static inline void read_logits(rvos_stream *stream, int n, float *out)
{
    int w = 0, h = 0;

    for (int i = 0; i < n; i++) {
        CHECK(rvos_stream_read_logits(stream, i + 1, out + (size_t)i * PLANE, &w, &h) ==
              0);
        if (!CHECK(w == HALF_W && h == HALF_H))
            exit(1);
    }
}

/* Compares all fields bit for bit, without the padding between them. */
static inline bool same_object(const rvos_object *a, const rvos_object *b)
{
    return a->present == b->present && a->x == b->x && a->y == b->y &&
           a->width == b->width && a->height == b->height && a->area == b->area &&
           !memcmp(&a->score, &b->score, sizeof(a->score)) && a->serial == b->serial;
}

/* Bytes of the process: all, or those in memory; 0: there is no /proc. */
static inline long process_bytes(bool resident)
{
    long pages[2] = {0};
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%ld %ld", &pages[0], &pages[1]) != 2)
        pages[0] = pages[1] = 0;
    if (f)
        fclose(f);
    return pages[resident] * sysconf(_SC_PAGESIZE);
}

/* The largest difference; a NaN counts as infinite. */
static inline double difference(const float *a, const float *b, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);

        if (!(d <= worst))
            worst = isnan(d) ? INFINITY : d;
    }
    return worst;
}

#endif
