/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine_server.c - the engine's side of compare.py: one frame of a file of raw RGB
 * frames of the network's size per line "run" on the standard input, its milliseconds
 * on the standard output; the same protocol as pytorch_peer.py --serve.
 *
 *     engine-server MODEL FRAMES.rgb BACKEND fp32|bf16 OBJECTS THREADS [LOGITS.f32]
 *
 * With LOGITS the half-size logits of all frames are written there instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rvos.h"

struct server {
    rvos_device *device;
    rvos_model *model;
    rvos_stream *stream;
    rvos_model_info info;
    int objects, frames;
    uint8_t *pixels, *labels;
};

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level <= RVOS_LOG_WARNING)
        fprintf(stderr, "%s\n", line);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int open_all(struct server *s, char **argv)
{
    rvos_device_params device = {
        .backend = argv[3], .threads = atoi(argv[6]), .log = on_log};
    rvos_model_params model = {
        .precision = strcmp(argv[4], "bf16") ? RVOS_PRECISION_FP32 : RVOS_PRECISION_BF16};
    rvos_stream_params stream = {.objects = s->objects = atoi(argv[5])};
    FILE *f = fopen(argv[2], "rb");
    size_t frame, size;

    if (!f || rvos_device_open(&s->device, &device) ||
        rvos_model_load(&s->model, s->device, argv[1], &model) ||
        rvos_stream_open(&s->stream, s->model, &stream))
        return -1;
    rvos_model_get_info(s->model, &s->info);
    frame = (size_t)s->info.width * s->info.height;
    fseek(f, 0, SEEK_END);
    size = (size_t)ftell(f);
    rewind(f);
    s->frames = (int)(size / (3 * frame));
    s->pixels = malloc(size);
    s->labels = malloc(frame);
    size = s->pixels && s->labels ? fread(s->pixels, 3 * frame, (size_t)s->frames, f) : 0;
    fclose(f);
    return size && (int)size == s->frames ? 0 : -1;
}

static double run(struct server *s, int turn)
{
    int w = s->info.width, h = s->info.height;
    rvos_image image = {
        .format = RVOS_RGB, .width = w, .height = h, .stride = {3 * (ptrdiff_t)w}};
    rvos_labels labels = {.width = w, .height = h, .data = s->labels, .stride = w};
    double begin = now_ms();

    image.plane[0] = s->pixels + (size_t)(turn % s->frames) * w * h * 3;
    if (rvos_stream_process(s->stream, &image, &(rvos_output){.labels = &labels}))
        exit(1);
    return now_ms() - begin;
}

static int write_logits(struct server *s, const char *path)
{
    FILE *f = fopen(path, "wb");
    int w, h, ret = f ? 0 : 1;
    float *plane;

    rvos_stream_read_logits(s->stream, 1, NULL, &w, &h);
    plane = malloc((size_t)w * h * sizeof(float));
    for (int t = 0; t < s->frames && !ret; t++) {
        run(s, t);
        for (int i = 1; i <= s->objects && !ret; i++)
            ret = rvos_stream_read_logits(s->stream, i, plane, NULL, NULL) ||
                  fwrite(plane, sizeof(float), (size_t)w * h, f) != (size_t)w * h;
    }
    free(plane);
    return (f && fclose(f)) || ret;
}

int main(int argc, char **argv)
{
    struct server s = {0};
    rvos_device_info device;
    char line[64];

    if (argc < 7 || open_all(&s, argv)) {
        fprintf(stderr, "usage: engine-server MODEL FRAMES.rgb BACKEND fp32|bf16 OBJECTS "
                        "THREADS [LOGITS.f32]\n");
        return 1;
    }
    if (argc > 7)
        return write_logits(&s, argv[7]);
    for (int t = 0; t < 3; t++)
        run(&s, 0);
    rvos_stream_reset(s.stream);
    rvos_device_get_info(s.device, &device);
    printf("ready %s, %s, %d threads\n", device.library, device.isa, device.threads);
    fflush(stdout);
    for (int turn = 0; fgets(line, sizeof(line), stdin) && strncmp(line, "quit", 4);) {
        printf("%.3f\n", run(&s, turn++));
        fflush(stdout);
    }
    return 0;
}
