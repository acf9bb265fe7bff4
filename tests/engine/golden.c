/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* golden.c - compares whole videos with the results of data/rvos_train/model.py or of the
 * original.
 *
 *     golden BACKEND [--frames N | --int16 | --int8] MODEL_DIR CASE...
 *
 * A case is a .safetensors file, see tests/golden/README.md. Each is run twice on one
 * stream with a reset in between, and must give the same bits twice. With --int16 and
 * --int8 products are of integers, and bounds are wider. */
#include "cpu/integers.h"
#include "golden_case.h"

struct bounds {
    double logit, prob, labels;
};

/* Of random networks: the largest differences, and the share of labels that differ. */
static const struct bounds int16_bounds = {5e-2, 1e-2, 1e-2},
                           int8_bounds = {1e-1, 3e-2, 3e-2};

struct worst {
    double logit, prob;
    long labels, compared;
};

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
    for (int t = 0; t < g->frames; t++) {
        golden_frame(g, stream, t, labels);
        compare(g, stream, t, labels, w);
    }
}

static void check_worst(const struct golden *g, const struct worst *w, struct bounds most)
{
    const char *name = strrchr(g->path, '/');
    double labels = most.labels * (double)w->compared;

    test_note(CHECK(w->logit <= most.logit), "%s: logits", g->path);
    test_note(CHECK(w->prob <= most.prob), "%s: probabilities", g->path);
    test_note(CHECK((double)w->labels <= labels), "%s: %ld labels differ", g->path,
              w->labels);
    printf("%-34s logit %.2e (<= %.0e)  probability %.2e (<= %.0e)  labels %ld of %ld\n",
           name ? name + 1 : g->path, w->logit, most.logit, w->prob, most.prob, w->labels,
           w->compared);
}

static void run_case(rvos_device *device, const char *models, const char *path, int most,
                     rvos_precision precision)
{
    struct bounds bounds = precision == RVOS_PRECISION_INT8 ? int8_bounds : int16_bounds;
    struct golden g;
    struct worst first = {0}, again = {0};
    rvos_model *model = NULL;
    rvos_stream *stream = NULL;
    uint8_t *labels = NULL, *labels_again = NULL;
    size_t size;

    if (!golden_open(&g, path, most))
        goto out;
    if (precision == RVOS_PRECISION_FP32)
        bounds = (struct bounds){atof(golden_meta(&g, "case.tolerance_logit")),
                                 atof(golden_meta(&g, "case.tolerance_prob")), 0};
    CHECK(bounds.logit > 0);
    model = golden_model(&g, device, models, precision);
    CHECK(rvos_model_precision(model) == precision);
    stream = golden_stream(&g, model);
    size = (size_t)(g.images->dim[1] * g.images->dim[2]);
    labels = calloc(1, size);
    labels_again = calloc(1, size);
    if (!stream || !labels || !labels_again)
        goto out;
    run(&g, stream, labels, &first);
    rvos_stream_reset(stream);
    run(&g, stream, labels_again, &again);
    check_worst(&g, &first, bounds);
    test_note(CHECK(first.logit == again.logit && first.prob == again.prob &&
                    !memcmp(labels, labels_again, size)),
              "%s: the second run differs from the first", path);
out:
    free(labels);
    free(labels_again);
    rvos_stream_close(&stream);
    rvos_model_close(&model);
    golden_close(&g);
}

int main(int argc, char **argv)
{
    rvos_precision precision = RVOS_PRECISION_FP32;
    rvos_device *device;
    int at = 2, most = 0;

    if (argc > 3 && !strcmp(argv[2], "--frames")) {
        most = atoi(argv[3]);
        at = 4;
    } else if (argc > 2 && !strncmp(argv[2], "--int", 5)) {
        int bits = atoi(argv[2] + 5);

        precision = bits == 8 ? RVOS_PRECISION_INT8 : RVOS_PRECISION_INT16;
        at = 3;
        if (!rv_integers(bits))
            return test_skip("this processor is not faster with these integers");
    }
    if (argc < at + 2)
        return test_skip("usage: golden BACKEND [--frames N] MODEL_DIR CASE...");
    if (!CHECK(rvos_device_open(&device, &(rvos_device_params){.backend = argv[1],
                                                               .log = print_warnings}) ==
               0))
        return test_done();
    for (int i = at + 1; i < argc; i++)
        run_case(device, argv[at], argv[i], most, precision);
    rvos_device_close(&device);
    return test_done();
}
