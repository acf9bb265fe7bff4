/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench.c - measures the engine on a GPU, with frames and labels in device memory.
 *
 *     cuda-bench MODEL TASK OBJECTS PRECISION STREAMS FRAMES [host] [batch=N] [wait=US]
 *                [parity=N] [size=WxH] [warm=N]
 *         prints one line of JSON: the host call, p50, p99, min; the graph alone by
 *         device events, p50 (if RVOS_CUDA_TIMES is set, which costs the host call some
 *         time); frames a second of all streams together; memory of the model with its
 *         first stream, and of each further one; start-up
 *     cuda-bench --serve MODEL TASK OBJECTS PRECISION
 *         a line of milliseconds for each line "run" on the standard input
 *
 * `parity`: the first N frames of each stream, all streams together, are compared with
 * those of the CPU in float32 (parity.h). If they disagree, nothing is timed, and the
 * line says "failed". RVOS_BENCH_REFERENCE: a folder for the CPU's results, which are
 * computed once. `host`: frames and labels in host memory, 1920x1080 NV12.
 * RVOS_BENCH_LOG: a file for the engine's log.
 *
 * Start-up is from the program's start to the first frame's labels, the context included.
 * Memory is the amount that closing the model frees, so the context and the libraries'
 * code do not count. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parity.h"

#define MOST 100000

struct bench {
    rvos_device *device;
    rvos_model *model;
    rvos_model_info info;
    rvos_task task;
    int objects, frames, warm, batch, wait_us, width, height;
    struct parity parity;
    struct parity_result result; /* of all streams */
    pthread_mutex_t lock;
    bool host;
    double began; /* ms */
    char encoder[32];
    FILE *log;
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

    if (b->log)
        fprintf(b->log, "%s\n", line);
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
    rvos_model_params model = {.precision = precision_of(argv[3]),
                               .width = b->width,
                               .height = b->height,
                               .max_batch = b->batch,
                               .batch_wait_us = b->wait_us};

    b->task = strcmp(argv[1], "one-shot") ? RVOS_TASK_ZERO_SHOT : RVOS_TASK_ONE_SHOT;
    b->objects = atoi(argv[2]);
    if (rvos_device_open(&b->device, &device) ||
        rvos_model_load(&b->model, b->device, argv[0], &model))
        return -1;
    rvos_model_get_info(b->model, &b->info);
    snprintf(b->encoder, sizeof(b->encoder), "%s", b->info.encoder);
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
    rvos_stream_params params = {.task = b->task, .objects = b->objects};

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
    if (b->task == RVOS_TASK_ONE_SHOT && parity_seed(v->stream, b->objects))
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

/* Compares the first frames with the CPU's, while the other streams do the same. */
static int check_frames(struct bench *b, struct video *v)
{
    size_t bytes = (size_t)b->info.width * b->info.height * 3;
    struct parity_result r = {0};
    unsigned char *rgb = malloc(bytes);
    int failed = !rgb;

    for (int t = 0; t < b->parity.frames && !failed; t++) {
        parity_frame(rgb, b->info.width, b->info.height, t);
        failed = cudaMemcpy(v->pixels, rgb, bytes, cudaMemcpyHostToDevice) ||
                 run_frame(v) || parity_compare(&b->parity, v->stream, t, &r);
    }
    free(rgb);
    pthread_mutex_lock(&b->lock);
    b->result.worst = r.worst > b->result.worst ? r.worst : b->result.worst;
    b->result.sum += r.sum;
    b->result.count += r.count;
    for (int i = 0; i < RVOS_MAX_OBJECTS; i++) {
        b->result.both[i] += r.both[i];
        b->result.either[i] += r.either[i];
    }
    pthread_mutex_unlock(&b->lock);
    return failed || (b->parity.frames && !parity_good(&r));
}

/* Some frames to warm up, then all threads together. */
static void *work(void *opaque)
{
    struct worker *w = opaque;
    struct video v;
    double from;

    w->failed = open_video(&v, w->bench) || check_frames(w->bench, &v);
    for (int i = 0; i < w->bench->warm && !w->failed; i++)
        w->failed = run_frame(&v);
    pthread_barrier_wait(w->barrier);
    pthread_barrier_wait(w->barrier); /* memory is looked at */
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

static double used_mb(void)
{
    size_t left = 0, all = 0;

    return cudaMemGetInfo(&left, &all) == cudaSuccess ? (double)(all - left) / 1e6 : 0;
}

struct figures {
    double context_ms, start_ms;                  /* since the program's start */
    double empty_mb, first_mb, all_mb, closed_mb; /* in use on the whole GPU */
    double seconds;                               /* of the slowest stream */
    int failed;
};

/* All streams open, then all run at once. */
static int run_streams(struct bench *b, int streams, double *ms, struct figures *f)
{
    struct worker *workers = calloc((size_t)streams, sizeof(*workers));
    pthread_t *threads = calloc((size_t)streams, sizeof(*threads));
    pthread_barrier_t barrier;

    if (!workers || !threads)
        return -1;
    pthread_barrier_init(&barrier, NULL, (unsigned int)streams + 1);
    for (int i = 0; i < streams; i++) {
        workers[i] = (struct worker){b, &barrier, i ? NULL : ms, 0, 0};
        if (pthread_create(&threads[i], NULL, work, &workers[i]))
            exit(1); /* the others wait for it */
    }
    pthread_barrier_wait(&barrier);
    b->n_graph = 0;
    f->all_mb = used_mb();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < streams; i++) {
        pthread_join(threads[i], NULL);
        f->failed |= workers[i].failed;
        f->seconds = workers[i].seconds > f->seconds ? workers[i].seconds : f->seconds;
    }
    free(workers);
    free(threads);
    return f->failed;
}

static void print(struct bench *b, char **argv, int streams, double *ms,
                  const struct figures *f)
{
    rvos_device_info info;

    rvos_device_get_info(b->device, &info);
    printf("{\"engine\": \"rvosseg\", \"gpu\": \"%s\", \"library\": \"%s\", \"encoder\": "
           "\"%s\", \"task\": \"%s\", \"objects\": %d, \"precision\": \"%s\", "
           "\"streams\": %d, \"batch\": %d, \"memory\": \"%s\", \"frames\": %d, ",
           info.name, info.library, b->encoder, argv[1], b->objects, argv[3], streams,
           b->batch, b->host ? "host 1080p NV12" : "device", b->frames);
    printf("\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"min_ms\": %.4f, \"graph_p50_ms\": "
           "%.4f, \"fps\": %.1f, ",
           quantile(ms, b->frames, 0.5), quantile(ms, b->frames, 0.99),
           quantile(ms, b->frames, 0), quantile(b->graph, b->n_graph, 0.5),
           f->seconds > 0 ? streams * b->frames / f->seconds : 0);
    printf("\"context_ms\": %.0f, \"start_ms\": %.0f, \"model_mb\": %.1f, "
           "\"stream_mb\": %.1f, \"library_mb\": %.1f, \"weights_mb\": %.1f, "
           "\"per_pass\": %.2f, ",
           f->context_ms, f->start_ms, f->first_mb - f->closed_mb,
           (f->all_mb - f->first_mb) / streams, f->closed_mb - f->empty_mb,
           (double)b->info.weights_bytes / 1e6,
           b->info.passes ? (double)b->info.frames / (double)b->info.passes : 1);
    if (b->parity.frames)
        printf("\"parity_frames\": %d, \"parity_worst\": %.5f, \"parity_mean\": %.2e, "
               "\"parity_iou\": %.4f, ",
               b->parity.frames, b->result.worst < 9 ? b->result.worst : 9,
               b->result.count ? b->result.sum / (double)b->result.count : 9,
               parity_iou(&b->result));
    printf("\"failed\": %d}\n", f->failed);
}

static int make_parity(struct bench *b, char **argv)
{
    const char *folder = getenv("RVOS_BENCH_REFERENCE");
    char file[1200] = "";

    if (!b->parity.frames || b->host)
        return b->parity.frames ? -1 : 0; /* frames are of the network's size */
    if (folder)
        snprintf(file, sizeof(file), "%s/%s-%s-%d-%dx%d-%d.f32", folder, b->encoder,
                 argv[1], b->objects, b->info.width, b->info.height, b->parity.frames);
    return parity_make(&b->parity, argv[0], b->task, b->objects, &b->info,
                       b->parity.frames, folder ? file : NULL);
}

static int measure(struct bench *b, char **argv)
{
    int streams = atoi(argv[4]) > 0 ? atoi(argv[4]) : 1;
    double *ms = calloc(MOST, sizeof(*ms));
    struct figures f = {0};
    struct video first;

    b->frames = atoi(argv[5]) < MOST ? atoi(argv[5]) : MOST;
    cudaFree(NULL);
    f.context_ms = now() - b->began;
    f.empty_mb = used_mb();
    if (!ms || open_bench(b, argv) || open_video(&first, b) || run_frame(&first))
        return 1;
    f.start_ms = now() - b->began;
    f.first_mb = used_mb();
    if (make_parity(b, argv)) {
        fprintf(stderr, "there is nothing to compare with\n");
        return 1;
    }
    if (run_streams(b, streams, ms, &f))
        fprintf(stderr, "a stream failed, or its masks are not the CPU's: no times\n");
    if (f.failed)
        memset(ms, 0, MOST * sizeof(*ms));
    if (f.failed)
        f.seconds = 0;
    close_video(&first, b);
    rvos_model_get_info(b->model, &b->info);
    rvos_model_close(&b->model);
    f.closed_mb = used_mb();
    print(b, argv, streams, ms, &f);
    free(ms);
    return f.failed != 0;
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

static void options(struct bench *b, int argc, char **argv)
{
    const char *log = getenv("RVOS_BENCH_LOG");

    for (int i = 0; i < argc; i++) {
        b->host = b->host || !strcmp(argv[i], "host");
        if (!strncmp(argv[i], "batch=", 6))
            b->batch = atoi(argv[i] + 6);
        if (!strncmp(argv[i], "wait=", 5))
            b->wait_us = atoi(argv[i] + 5);
        if (!strncmp(argv[i], "parity=", 7))
            b->parity.frames = atoi(argv[i] + 7);
        if (!strncmp(argv[i], "warm=", 5))
            b->warm = atoi(argv[i] + 5);
        if (!strncmp(argv[i], "size=", 5))
            sscanf(argv[i] + 5, "%dx%d", &b->width, &b->height);
    }
    b->log = log ? fopen(log, "w") : NULL;
    if (b->log) /* also of a run that is cut off */
        setvbuf(b->log, NULL, _IOLBF, 0);
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof(*b));
    int count = 0, ret;

    if (!b)
        return 1;
    b->began = now();
    b->warm = 50;
    pthread_mutex_init(&b->lock, NULL);
    if (cudaGetDeviceCount(&count) != cudaSuccess || !count) {
        fprintf(stderr, "skipped: no GPU\n");
        free(b);
        return 77;
    }
    if (argc == 6 && !strcmp(argv[1], "--serve")) {
        options(b, 0, NULL);
        ret = serve(b, argv + 2);
    } else if (argc >= 7) {
        options(b, argc - 7, argv + 7);
        ret = measure(b, argv + 1);
    } else {
        fprintf(stderr, "usage: see the head of bench.c\n");
        ret = 2;
    }
    rvos_model_close(&b->model);
    rvos_device_close(&b->device);
    if (b->log)
        fclose(b->log);
    parity_free(&b->parity);
    pthread_mutex_destroy(&b->lock);
    free(b);
    return ret;
}
