/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench.c - the engine on a GPU: frames in device memory in, labels in device memory out.
 *
 *     cuda-bench MODEL TASK OBJECTS PRECISION STREAMS FRAMES [host]
 *         prints one line of JSON: the host call, p50 and p99; the graph alone by device
 *         events, p50; frames a second of all streams together; memory; start-up
 *     cuda-bench --serve MODEL TASK OBJECTS PRECISION
 *         a line of milliseconds for each line "run" on the standard input
 *
 * `host`: frames and labels in host memory, 1920x1080 NV12. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rvos.h"

#define MOST 100000

struct bench {
    rvos_device *device;
    rvos_model *model;
    rvos_model_info info;
    rvos_task task;
    int objects, frames;
    bool host;
    double graph[MOST]; /* ms by device events, of a single stream */
    int n_graph;
};

struct worker {
    struct bench *bench;
    pthread_barrier_t *barrier;
    double *ms; /* of each frame; NULL: not wanted */
    double seconds;
    int failed;
};

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    struct bench *b = opaque;
    double ms;

    if (level <= RVOS_LOG_WARNING)
        fprintf(stderr, "%s\n", line);
    else if (sscanf(line, "cuda: graph %lf", &ms) == 1 && b->n_graph < MOST)
        b->graph[b->n_graph++] = ms;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static rvos_precision precision_of(const char *name)
{
    return !strcmp(name, "fp32")   ? RVOS_PRECISION_FP32
           : !strcmp(name, "tf32") ? RVOS_PRECISION_TF32
                                   : RVOS_PRECISION_FP16;
}

static int open_bench(struct bench *b, char **argv)
{
    rvos_device_params device = {.backend = "cuda", .log = on_log, .log_opaque = b};
    rvos_model_params model = {.precision = precision_of(argv[3])};

    b->task = strcmp(argv[1], "one-shot") ? RVOS_TASK_ZERO_SHOT : RVOS_TASK_ONE_SHOT;
    b->objects = atoi(argv[2]);
    if (rvos_device_open(&b->device, &device) ||
        rvos_model_load(&b->model, b->device, argv[0], &model))
        return -1;
    rvos_model_get_info(b->model, &b->info);
    return 0;
}

/* ---- one stream ----------------------------------------------------------------- */

struct video {
    rvos_stream *stream;
    rvos_image image;
    rvos_labels labels;
    void *pixels, *map;
};

static void *get(bool host, size_t size)
{
    void *p = NULL, *noise = malloc(size);

    for (size_t i = 0; noise && i < size; i++)
        ((unsigned char *)noise)[i] = (unsigned char)(i * 2654435761u >> 13);
    if (host || !noise)
        return noise;
    if (cudaMalloc(&p, size) || cudaMemcpy(p, noise, size, cudaMemcpyHostToDevice))
        p = NULL;
    free(noise);
    return p;
}

static int open_video(struct video *v, const struct bench *b)
{
    int w = b->host ? 1920 : b->info.width, h = b->host ? 1080 : b->info.height;
    size_t pixels = (size_t)w * h;
    rvos_memory memory = b->host ? RVOS_MEMORY_HOST : RVOS_MEMORY_CUDA;
    uint8_t seed[64];
    rvos_stream_params params = {.task = b->task, .objects = b->objects};
    rvos_labels masks = {.width = 8, .height = 8, .data = seed, .stride = 8};

    *v = (struct video){.pixels = get(b->host, pixels * 3), .map = get(b->host, pixels)};
    v->image = (rvos_image){.format = b->host ? RVOS_NV12 : RVOS_RGB,
                            .memory = memory,
                            .width = w,
                            .height = h,
                            .plane = {v->pixels, (char *)v->pixels + pixels},
                            .stride = {b->host ? w : 3 * w, w}};
    v->labels = (rvos_labels){
        .memory = memory, .width = w, .height = h, .data = v->map, .stride = w};
    if (!v->pixels || !v->map || rvos_stream_open(&v->stream, b->model, &params))
        return -1;
    for (int i = 0; i < 64; i++)
        seed[i] = (uint8_t)(i % b->objects + 1);
    if (b->task == RVOS_TASK_ONE_SHOT &&
        rvos_stream_seed(v->stream, &masks, RVOS_ALL_SLOTS))
        return -1;
    return rvos_stream_warm_up(v->stream);
}

static void close_video(struct video *v, const struct bench *b)
{
    rvos_stream_close(&v->stream);
    if (b->host) {
        free(v->pixels);
        free(v->map);
    } else {
        cudaFree(v->pixels);
        cudaFree(v->map);
    }
}

static int run_frame(struct video *v)
{
    return rvos_stream_process(v->stream, &v->image,
                               &(rvos_output){.labels = &v->labels});
}

/* Ten frames to warm up, then all threads together. */
static void *work(void *opaque)
{
    struct worker *w = opaque;
    struct video v;
    double from;

    w->failed = open_video(&v, w->bench);
    for (int i = 0; i < 10 && !w->failed; i++)
        w->failed = run_frame(&v);
    pthread_barrier_wait(w->barrier);
    from = now();
    for (int i = 0; i < w->bench->frames && !w->failed; i++) {
        double begin = now();

        w->failed = run_frame(&v);
        if (w->ms)
            w->ms[i] = now() - begin;
    }
    w->seconds = (now() - from) / 1e3;
    pthread_barrier_wait(w->barrier);
    close_video(&v, w->bench);
    return NULL;
}

/* ---- figures ---------------------------------------------------------------------- */

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(double *ms, int n, double q)
{
    if (!n)
        return -1;
    qsort(ms, (size_t)n, sizeof(*ms), rising);
    return ms[(int)(q * (n - 1))];
}

static size_t used_memory(void)
{
    size_t left = 0, all = 0;

    return cudaMemGetInfo(&left, &all) == cudaSuccess ? all - left : 0;
}

static int measure(struct bench *b, char **argv)
{
    int streams = atoi(argv[4]), failed = 0;
    struct worker *workers = calloc((size_t)streams, sizeof(*workers));
    pthread_t *threads = calloc((size_t)streams, sizeof(*threads));
    double *ms = calloc(MOST, sizeof(*ms)), slowest = 0, began, ready;
    pthread_barrier_t barrier;
    size_t before, model;
    rvos_device_info info;
    struct video first;

    b->frames = atoi(argv[5]) < MOST ? atoi(argv[5]) : MOST;
    cudaFree(NULL);
    before = used_memory();
    began = now();
    if (!workers || !threads || !ms || open_bench(b, argv) || open_video(&first, b) ||
        run_frame(&first))
        return 1;
    ready = now() - began;
    model = used_memory() - before;
    pthread_barrier_init(&barrier, NULL, (unsigned int)streams + 1);
    for (int i = 0; i < streams; i++) {
        workers[i] = (struct worker){b, &barrier, i ? NULL : ms, 0, 0};
        if (pthread_create(&threads[i], NULL, work, &workers[i]))
            return 1;
    }
    pthread_barrier_wait(&barrier);
    b->n_graph = 0;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < streams; i++) {
        pthread_join(threads[i], NULL);
        failed |= workers[i].failed;
        slowest = workers[i].seconds > slowest ? workers[i].seconds : slowest;
    }
    rvos_device_get_info(b->device, &info);
    printf("{\"engine\": \"rvosseg\", \"gpu\": \"%s\", \"library\": \"%s\", \"encoder\": "
           "\"%s\", \"task\": \"%s\", \"objects\": %d, \"precision\": \"%s\", "
           "\"streams\": %d, \"memory\": \"%s\", \"p50_ms\": %.4f, \"p99_ms\": %.4f, "
           "\"graph_p50_ms\": %.4f, \"fps\": %.1f, \"start_ms\": %.0f, "
           "\"device_mb\": %.1f, \"weights_mb\": %.1f, \"failed\": %d}\n",
           info.name, info.library, b->info.encoder, argv[1], b->objects, argv[3],
           streams, b->host ? "host 1080p NV12" : "device", quantile(ms, b->frames, 0.5),
           quantile(ms, b->frames, 0.99), quantile(b->graph, b->n_graph, 0.5),
           slowest > 0 ? streams * b->frames / slowest : 0, ready, (double)model / 1e6,
           (double)b->info.weights_bytes / 1e6, failed);
    close_video(&first, b);
    free(workers);
    free(threads);
    free(ms);
    return failed != 0;
}

static int serve(struct bench *b, char **argv)
{
    struct video v;
    char line[64];
    double began;

    if (open_bench(b, argv) || open_video(&v, b))
        return 1;
    for (int i = 0; i < 20; i++)
        run_frame(&v);
    printf("ready cuda 0\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        began = now();
        if (run_frame(&v))
            return 1;
        printf("%.4f\n", now() - began);
        fflush(stdout);
    }
    close_video(&v, b);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof(*b));
    int count = 0, ret;

    if (!b)
        return 1;
    if (cudaGetDeviceCount(&count) != cudaSuccess || !count) {
        fprintf(stderr, "skipped: no GPU\n");
        free(b);
        return 77;
    }
    if (argc == 6 && !strcmp(argv[1], "--serve")) {
        ret = serve(b, argv + 2);
    } else if (argc >= 7) {
        b->host = argc > 7;
        ret = measure(b, argv + 1);
    } else {
        fprintf(stderr, "usage: see the head of bench.c\n");
        ret = 2;
    }
    rvos_model_close(&b->model);
    rvos_device_close(&b->device);
    free(b);
    return ret;
}
