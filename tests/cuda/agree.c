/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agree.c - compares fp16 with exact fp32 on the same GPU, over a video of real frames.
 *
 *     cuda-agree MODEL FRAMES.rgb      raw RGB of the model's own size
 *
 * Bars: masks' IoU 0.99 in the mean and 0.97 in the worst frame, labels 99.5 %. */
#include <string.h>

#include "../log.h"
#include "rvos.h"

struct side {
    rvos_model *model;
    rvos_stream *stream;
    uint8_t *labels;
};

static bool open_side(struct side *s, rvos_device *device, const char *path,
                      rvos_precision precision, rvos_model_info *info)
{
    if (rvos_model_load(&s->model, device, path,
                        &(rvos_model_params){.precision = precision}) ||
        rvos_stream_open(&s->stream, s->model, NULL))
        return false;
    rvos_model_get_info(s->model, info);
    s->labels = malloc((size_t)info->width * info->height);
    return s->labels != NULL;
}

static int run(struct side *s, uint8_t *rgb, int w, int h)
{
    rvos_image image = {.format = RVOS_RGB,
                        .width = w,
                        .height = h,
                        .plane = {rgb},
                        .stride = {3 * (ptrdiff_t)w}};
    rvos_labels labels = {.width = w, .height = h, .data = s->labels, .stride = w};

    return rvos_stream_process(s->stream, &image, &(rvos_output){.labels = &labels});
}

/* IoU of all masks of a frame together, object by object. */
static double frame_iou(const uint8_t *a, const uint8_t *b, size_t n, long *same)
{
    long both = 0, either = 0;

    for (size_t i = 0; i < n; i++) {
        *same += a[i] == b[i];
        both += a[i] && a[i] == b[i];
        either += a[i] == b[i] ? a[i] != 0 : (a[i] != 0) + (b[i] != 0);
    }
    return either ? (double)both / (double)either : 1;
}

int main(int argc, char **argv)
{
    struct side exact = {0}, half = {0};
    rvos_device *device = NULL;
    rvos_model_info info;
    double sum = 0, worst = 1;
    long same = 0, frames = 0;
    size_t n;
    uint8_t *rgb;
    FILE *f;

    if (argc < 3 || !(f = fopen(argv[2], "rb")))
        return test_skip("usage: cuda-agree MODEL FRAMES.rgb");
    if (!CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = "cuda",
                                                               .log = print_warnings}) ==
               0) ||
        !CHECK(open_side(&exact, device, argv[1], RVOS_PRECISION_FP32, &info)) ||
        !CHECK(open_side(&half, device, argv[1], RVOS_PRECISION_FP16, &info)))
        return test_done();
    n = (size_t)info.width * info.height;
    rgb = malloc(3 * n);
    while (rgb && fread(rgb, 3 * n, 1, f) == 1) {
        double iou;

        CHECK(run(&exact, rgb, info.width, info.height) == 0);
        CHECK(run(&half, rgb, info.width, info.height) == 0);
        iou = frame_iou(exact.labels, half.labels, n, &same);
        sum += iou;
        worst = iou < worst ? iou : worst;
        frames++;
    }
    fclose(f);
    printf(
        "%ld frames: IoU %.4f in the mean, %.4f in the worst; %.3f %% of labels agree\n",
        frames, sum / (double)frames, worst,
        100.0 * (double)same / ((double)frames * (double)n));
    CHECK(frames >= 60 && sum / (double)frames >= 0.99 && worst >= 0.97);
    CHECK((double)same >= 0.995 * (double)frames * (double)n);
    free(rgb);
    free(exact.labels);
    free(half.labels);
    rvos_stream_close(&exact.stream);
    rvos_stream_close(&half.stream);
    rvos_model_close(&exact.model);
    rvos_model_close(&half.model);
    rvos_device_close(&device);
    return test_done();
}
