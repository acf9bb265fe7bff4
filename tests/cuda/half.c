/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* half.c - compares fp16 with the golden cases: probabilities and masks.
 *
 *     cuda-half [--frames N] MODEL_DIR CASE...
 *
 * The bars are those of docs/numerics.md, "Tolerances": of the trained model where the
 * case's model has an absolute path or is named after it, else of random networks. */
#include <string.h>

#include "rvos.h"
#include "safetensors.h"
#include "../tensor.h"
#include "../test.h"

struct totals {
    double worst, sum;
    long count, overlap[RVOS_MAX_OBJECTS], either[RVOS_MAX_OBJECTS];
};

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level <= RVOS_LOG_WARNING)
        fprintf(stderr, "%s\n", line);
}

static const char *meta(struct rv_st *file, const char *key)
{
    const char *text = rv_st_meta(file, key);

    return text ? text : "";
}

static void show_seed(struct rv_st *file, rvos_stream *stream, int t)
{
    char name[32];
    const struct rv_st_tensor *seed, *slots;
    uint8_t *mask, *shown;
    uint32_t bits = 0;

    snprintf(name, sizeof(name), "seed.%d", t);
    seed = rv_st_find(file, name);
    snprintf(name, sizeof(name), "slots.%d", t);
    slots = rv_st_find(file, name);
    if (!seed || !slots)
        return;
    mask = tensor_bytes(file, seed);
    shown = tensor_bytes(file, slots);
    for (int i = 0; i < slots->count; i++)
        bits |= (uint32_t)(shown[i] != 0) << i;
    CHECK(rvos_stream_seed(stream,
                           &(rvos_labels){.data = mask,
                                          .width = (int)seed->dim[1],
                                          .height = (int)seed->dim[0],
                                          .stride = seed->dim[1]},
                           bits) == 0);
    free(mask);
    free(shown);
}

static void compare(const struct rv_st *file, const struct rv_st_tensor *half,
                    rvos_stream *stream, int t, struct totals *all)
{
    int64_t objects = half->dim[1], n = half->dim[2] * half->dim[3];
    float *got = malloc((size_t)n * sizeof(float)),
          *want = malloc((size_t)n * sizeof(float));

    for (int i = 0; got && want && i < objects; i++) {
        int w = 0, h = 0;

        CHECK(rvos_stream_read_logits(stream, i + 1, got, &w, &h) == 0);
        CHECK((int64_t)w * h == n);
        CHECK(!rv_st_read_f32(file, half, (t * objects + i) * n, n, want, NULL));
        for (int64_t j = 0; j < n; j++) {
            double d =
                fabs(1 / (1 + exp(-(double)got[j])) - 1 / (1 + exp(-(double)want[j])));

            if (!(d <= all->worst))
                all->worst = isnan(d) ? INFINITY : d;
            all->sum += d;
            all->count++;
            all->overlap[i] += got[j] > 0 && want[j] > 0;
            all->either[i] += got[j] > 0 || want[j] > 0;
        }
    }
    free(got);
    free(want);
}

static void run_frames(struct rv_st *file, rvos_stream *stream, int frames,
                       struct totals *all)
{
    const struct rv_st_tensor *images = rv_st_find(file, "frames"),
                              *half = rv_st_find(file, "logits_half");
    uint8_t *pixels;
    int h, w;

    if (!CHECK(images && half))
        return;
    pixels = tensor_bytes(file, images);
    h = (int)images->dim[1];
    w = (int)images->dim[2];
    for (int t = 0; t < frames; t++) {
        rvos_image image = {.format = RVOS_RGB,
                            .width = w,
                            .height = h,
                            .plane = {pixels + (size_t)t * h * w * 3},
                            .stride = {3 * (ptrdiff_t)w}};

        show_seed(file, stream, t);
        CHECK(rvos_stream_process(stream, &image, NULL) == 0);
        compare(file, half, stream, t, all);
    }
    free(pixels);
}

static void judge(const char *path, bool trained, const struct totals *all)
{
    double worst = 1;

    for (int i = 0; i < RVOS_MAX_OBJECTS; i++)
        if (all->either[i] >= 100) {
            double iou = (double)all->overlap[i] / (double)all->either[i];

            worst = iou < worst ? iou : worst;
        }
    printf("%s: probability off by at most %.4f, %.2e in the mean; worst object's IoU "
           "%.4f\n",
           path, all->worst, all->sum / (double)all->count, worst);
    CHECK(all->worst <= (trained ? 0.02 : 0.1));
    CHECK(all->sum / (double)all->count <= 3e-3);
    CHECK(worst >= (trained ? 0.995 : 0.98));
}

static void run_case(rvos_device *device, const char *models, const char *path, int most)
{
    struct rv_st *file = NULL;
    struct totals all = {0};
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    const char *name;
    char why[256] = "", model_path[1024];
    int frames;

    if (!CHECK(rv_st_open(&file, path, why, sizeof(why)) == 0))
        return;
    name = meta(file, "case.model");
    frames = atoi(meta(file, "case.frames"));
    snprintf(model_path, sizeof(model_path), "%s/%s", name[0] == '/' ? "" : models, name);
    CHECK(rvos_model_load(&model, device, model_path,
                          &(rvos_model_params){.width = atoi(meta(file, "case.width")),
                                               .height = atoi(meta(file, "case.height")),
                                               .precision = RVOS_PRECISION_FP16}) == 0);
    CHECK(
        rvos_stream_open(&stream, model,
                         &(rvos_stream_params){
                             .task = strcmp(meta(file, "case.task"), "one-shot")
                                         ? RVOS_TASK_ZERO_SHOT
                                         : RVOS_TASK_ONE_SHOT,
                             .variant = !strcmp(meta(file, "case.variant"), "spatial")
                                            ? RVOS_VARIANT_SPATIAL
                                        : !strcmp(meta(file, "case.variant"), "temporal")
                                            ? RVOS_VARIANT_TEMPORAL
                                            : RVOS_VARIANT_SPATIO_TEMPORAL,
                             .objects = atoi(meta(file, "case.objects")),
                             .all_slots = atoi(meta(file, "case.all_slots"))}) == 0);
    if (stream)
        run_frames(file, stream, most && most < frames ? most : frames, &all);
    judge(path, name[0] == '/' || strstr(name, "rvos-resnet18"), &all);
    rvos_stream_close(&stream);
    rvos_model_close(&model);
    rv_st_close(&file);
}

int main(int argc, char **argv)
{
    rvos_device *device;
    int at = 1, most = 0;

    if (argc > 2 && !strcmp(argv[1], "--frames")) {
        most = atoi(argv[2]);
        at = 3;
    }
    if (argc < at + 2)
        return test_skip("usage: cuda-half [--frames N] MODEL_DIR CASE...");
    if (!CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = "cuda",
                                                               .log = on_log}) == 0))
        return test_done();
    for (int i = at + 1; i < argc; i++)
        run_case(device, argv[at], argv[i], most);
    rvos_device_close(&device);
    return test_done();
}
