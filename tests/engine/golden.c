/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden.c - compares whole videos with the results of data/rvos_train/model.py or of the
 * original.
 *
 *     golden BACKEND [--frames N | --int16] MODEL_DIR CASE...
 *
 * A case is a .safetensors file, see tests/golden/README.md. Each is run twice on one
 * stream with a reset in between, and must give the same bits twice. With --int16
 * products are of integers, and bounds are wider. */
#include <string.h>

#include "cpu/winograd.h"
#include "rvos.h"
#include "safetensors.h"
#include "tensor.h"
#include "test.h"

#define INT16_LOGIT 5e-2 /* of random networks */
#define INT16_PROB 1e-2
#define INT16_LABELS 1e-2 /* share of those that may differ */

struct golden {
    const char *path;
    struct rv_st *file;
    int frames, objects, width, height; /* of the network */
    const struct rv_st_tensor *images, *half, *probs, *labels;
    uint8_t *pixels, *expected; /* bytes of images and labels */
    double tolerance_logit, tolerance_prob, tolerance_labels;
};

struct worst {
    double logit, prob;
    long labels, compared;
};

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    (void)opaque;
    if (level <= RVOS_LOG_WARNING)
        fprintf(stderr, "%s\n", line);
}

static const char *meta(const struct golden *g, const char *key)
{
    const char *text = rv_st_meta(g->file, key);

    return text ? text : "";
}

static bool open_case(struct golden *g, const char *path)
{
    char why[256] = "";

    *g = (struct golden){.path = path};
    if (!CHECK(rv_st_open(&g->file, path, why, sizeof(why)) == 0))
        return test_note(false, "%s", why);
    g->frames = atoi(meta(g, "case.frames"));
    g->objects = atoi(meta(g, "case.objects"));
    g->width = atoi(meta(g, "case.width"));
    g->height = atoi(meta(g, "case.height"));
    g->tolerance_logit = atof(meta(g, "case.tolerance_logit"));
    g->tolerance_prob = atof(meta(g, "case.tolerance_prob"));
    g->images = rv_st_find(g->file, "frames");
    g->half = rv_st_find(g->file, "logits_half");
    g->probs = rv_st_find(g->file, "probs");
    g->labels = rv_st_find(g->file, "labels");
    if (!CHECK(g->frames > 0 && g->objects > 0 && g->images && g->half &&
               g->tolerance_logit > 0))
        return false;
    g->pixels = tensor_bytes(g->file, g->images);
    g->expected = g->labels ? tensor_bytes(g->file, g->labels) : NULL;
    return true;
}

static rvos_variant variant_of(const struct golden *g)
{
    const char *v = meta(g, "case.variant");

    return !strcmp(v, "spatial")    ? RVOS_VARIANT_SPATIAL
           : !strcmp(v, "temporal") ? RVOS_VARIANT_TEMPORAL
                                    : RVOS_VARIANT_SPATIO_TEMPORAL;
}

static void show_seed(const struct golden *g, rvos_stream *stream, int t)
{
    char name[32];
    const struct rv_st_tensor *seed, *slots;
    uint8_t *mask, *shown;
    uint32_t bits = 0;

    snprintf(name, sizeof(name), "seed.%d", t);
    seed = rv_st_find(g->file, name);
    if (!seed)
        return;
    snprintf(name, sizeof(name), "slots.%d", t);
    slots = rv_st_find(g->file, name);
    if (!CHECK(slots))
        return;
    mask = tensor_bytes(g->file, seed);
    shown = tensor_bytes(g->file, slots);
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

/* Largest difference of a plane from its expected values; a NaN counts as infinite. */
static double difference(const struct golden *g, const struct rv_st_tensor *want,
                         int64_t plane, int64_t n, const float *got, float *buffer)
{
    double worst = 0;

    if (rv_st_read_f32(g->file, want, plane * n, n, buffer, NULL))
        return INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - buffer[i]);

        if (!(d <= worst))
            worst = isnan(d) ? INFINITY : d;
    }
    return worst;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void compare(const struct golden *g, rvos_stream *stream, int t, uint8_t *labels,
                    struct worst *w)
{
    int64_t n = (int64_t)g->width * g->height;
    float *got = malloc((size_t)n * sizeof(float)),
          *want = malloc((size_t)n * sizeof(float));
    int half_w, half_h;

    for (int i = 0; got && want && i < g->objects; i++) {
        int64_t plane = (int64_t)t * g->objects + i;
        double d;

        CHECK(rvos_stream_read_logits(stream, i + 1, got, &half_w, &half_h) == 0);
        if (!CHECK(half_w == g->half->dim[3] && half_h == g->half->dim[2]))
            break;
        d = difference(g, g->half, plane, (int64_t)half_w * half_h, got, want);
        w->logit = d > w->logit ? d : w->logit;
        if (g->probs) {
            CHECK(rvos_stream_read_mask(stream, i + 1, got) == 0);
            d = difference(g, g->probs, plane, n, got, want);
        } else { /* where the case has none: at half size, where `want` still is */
            d = 0;
            for (int k = 0; k < half_w * half_h; k++)
                d = fmax(d, fabs(sigmoid(got[k]) - sigmoid(want[k])));
        }
        w->prob = d > w->prob ? d : w->prob;
    }
    if (g->labels) {
        int64_t pixels = g->labels->dim[1] * g->labels->dim[2];
        const uint8_t *expected = g->expected + t * pixels;

        for (int64_t i = 0; i < pixels; i++)
            if (expected[i] != 255) {
                w->compared++;
                w->labels += labels[i] != expected[i];
            }
    }
    free(got);
    free(want);
}

/* All frames; the last frame's labels stay in `labels`. */
static void run(const struct golden *g, rvos_stream *stream, uint8_t *labels,
                struct worst *w)
{
    int h = (int)g->images->dim[1], width = (int)g->images->dim[2];

    for (int t = 0; t < g->frames; t++) {
        rvos_image image = {.format = RVOS_RGB,
                            .width = width,
                            .height = h,
                            .stride = {3 * (ptrdiff_t)width}};
        rvos_labels out = {.width = width, .height = h, .data = labels, .stride = width};

        image.plane[0] = g->pixels + (size_t)t * h * width * 3;
        show_seed(g, stream, t);
        CHECK(rvos_stream_process(stream, &image, &(rvos_output){.labels = &out}) == 0);
        compare(g, stream, t, labels, w);
    }
}

static void check_worst(const struct golden *g, const struct worst *w)
{
    const char *name = strrchr(g->path, '/');
    double labels = g->tolerance_labels * (double)w->compared;

    test_note(CHECK(w->logit <= g->tolerance_logit), "%s: logits", g->path);
    test_note(CHECK(w->prob <= g->tolerance_prob), "%s: probabilities", g->path);
    test_note(CHECK((double)w->labels <= labels), "%s: %ld labels differ", g->path,
              w->labels);
    printf("%-34s logit %.2e (<= %.0e)  probability %.2e (<= %.0e)  labels %ld of %ld\n",
           name ? name + 1 : g->path, w->logit, g->tolerance_logit, w->prob,
           g->tolerance_prob, w->labels, w->compared);
}

static void run_case(rvos_device *device, const char *models, const char *path, int most,
                     rvos_precision precision)
{
    struct golden g;
    struct worst first = {0}, again = {0};
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    const char *name;
    char file[1024];
    uint8_t *labels = NULL, *labels_again = NULL;
    size_t size = 0;

    if (!open_case(&g, path))
        goto out;
    g.frames = most && most < g.frames ? most : g.frames;
    if (precision == RVOS_PRECISION_INT16) {
        g.tolerance_logit = INT16_LOGIT;
        g.tolerance_prob = INT16_PROB;
        g.tolerance_labels = INT16_LABELS;
    }
    size = (size_t)(g.images->dim[1] * g.images->dim[2]);
    name = meta(&g, "case.model");
    snprintf(file, sizeof(file), "%s/%s", name[0] == '/' ? "" : models, name);
    CHECK(rvos_model_load(&model, device, file,
                          &(rvos_model_params){.width = g.width,
                                               .height = g.height,
                                               .precision = precision}) == 0);
    CHECK(rvos_model_precision(model) == precision);
    CHECK(rvos_stream_open(
              &stream, model,
              &(rvos_stream_params){.task = strcmp(meta(&g, "case.task"), "one-shot")
                                                ? RVOS_TASK_ZERO_SHOT
                                                : RVOS_TASK_ONE_SHOT,
                                    .variant = variant_of(&g),
                                    .objects = g.objects,
                                    .all_slots = atoi(meta(&g, "case.all_slots"))}) == 0);
    labels = calloc(1, size);
    labels_again = calloc(1, size);
    if (!stream || !labels || !labels_again)
        goto out;
    run(&g, stream, labels, &first);
    rvos_stream_reset(stream);
    run(&g, stream, labels_again, &again);
    check_worst(&g, &first);
    test_note(CHECK(first.logit == again.logit && first.prob == again.prob &&
                    !memcmp(labels, labels_again, size)),
              "%s: the second run differs from the first", path);
out:
    free(g.pixels);
    free(g.expected);
    free(labels);
    free(labels_again);
    rvos_stream_close(&stream);
    rvos_model_close(&model);
    rv_st_close(&g.file);
}

int main(int argc, char **argv)
{
    rvos_precision precision = RVOS_PRECISION_FP32;
    rvos_device *device;
    int at = 2, most = 0;

    if (argc > 3 && !strcmp(argv[2], "--frames")) {
        most = atoi(argv[3]);
        at = 4;
    } else if (argc > 2 && !strcmp(argv[2], "--int16")) {
        precision = RVOS_PRECISION_INT16;
        at = 3;
        if (!rv_winograd_int16())
            return test_skip("int16 is not to be had here");
    }
    if (argc < at + 2)
        return test_skip("usage: golden BACKEND [--frames N] MODEL_DIR CASE...");
    if (!CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = argv[1],
                                                               .log = on_log}) == 0))
        return test_done();
    for (int i = at + 1; i < argc; i++)
        run_case(device, argv[at], argv[i], most, precision);
    rvos_device_close(&device);
    return test_done();
}
