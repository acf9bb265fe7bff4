/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* half.c - compares fp16 with the golden cases: probabilities and masks.
 *
 *     cuda-half [--frames N] MODEL_DIR CASE...
 *
 * The bars are those of docs/numerics.md, "Tolerances": of the trained model where the
 * case's model has an absolute path or is named after it, else of random networks. */
#include "../golden_case.h"

struct totals {
    double worst, sum;
    long count, overlap[RVOS_MAX_OBJECTS], either[RVOS_MAX_OBJECTS];
};

static void compare(const struct golden *g, rvos_stream *stream, int t,
                    struct totals *all)
{
    int64_t objects = g->half->dim[1], n = g->half->dim[2] * g->half->dim[3];
    float *got = malloc((size_t)n * sizeof(float)),
          *want = malloc((size_t)n * sizeof(float));

    for (int i = 0; got && want && i < objects; i++) {
        int w = 0, h = 0;

        CHECK(rvos_stream_read_logits(stream, i + 1, got, &w, &h) == 0);
        CHECK((int64_t)w * h == n);
        CHECK(!rv_st_read_f32(g->file, g->half, (t * objects + i) * n, n, want, NULL));
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
    struct totals all = {0};
    struct golden g;
    rvos_model *model;
    rvos_stream *stream;
    const char *name;

    if (!golden_open(&g, path, most))
        return;
    name = golden_meta(&g, "case.model");
    model = golden_model(&g, device, models, RVOS_PRECISION_FP16);
    stream = golden_stream(&g, model);
    for (int t = 0; t < g.frames && stream; t++) {
        golden_frame(&g, stream, t, NULL);
        compare(&g, stream, t, &all);
    }
    judge(path, name[0] == '/' || strstr(name, "rvos-resnet18"), &all);
    rvos_stream_close(&stream);
    rvos_model_close(&model);
    golden_close(&g);
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
                                                               .log = print_warnings}) ==
               0))
        return test_done();
    for (int i = at + 1; i < argc; i++)
        run_case(device, argv[at], argv[i], most);
    rvos_device_close(&device);
    return test_done();
}
