/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* labels.c - compares labels, statistics, alpha and scores with the rule in rvos.h,
 * applied in double to every pixel and object. A pixel may have either label if its best
 * two logits, or its best logit and the threshold, are equal within float32 precision. */
#include "../../engine/src/cpu/pixels.h"

#include "images.h"

enum { MOST = RVOS_MAX_OBJECTS };

struct scene {
    int n, w, h;
    float *logits;
};

/* Each object is a cone at its own place, so that objects meet and overlap. */
static struct scene scene_new(int n, int w, int h, uint64_t *seed)
{
    struct scene s = {n, w, h, malloc(sizeof(float) * n * w * h)};

    if (!s.logits)
        exit(1);
    for (int k = 0; k < n; k++) {
        float x0 = test_random_float(seed, 0, (float)w), noise = k % 3 ? 1 : 0.01f;
        float y0 = test_random_float(seed, 0, (float)h), slope = 30.0f / (float)(w + h);
        float top = test_random_float(seed, -2, 6);

        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                s.logits[(k * h + y) * w + x] =
                    top - slope * hypotf((float)x - x0, (float)y - y0) +
                    test_random_float(seed, -noise, noise);
    }
    return s;
}

static double tap(int i, int in, int out, int *first)
{
    double place = out > 1 ? (double)i * (in - 1) / (out - 1) : 0;

    *first = (int)place;
    /* The exact integer; rounding would give a value just below it. */
    if (out > 1)
        *first = (int)((int64_t)i * (in - 1) / (out - 1));
    return place - *first;
}

static double logit_at(const struct scene *s, int k, int x, int y, int ow, int oh)
{
    int x0, y0;
    double fx = tap(x, s->w, ow, &x0), fy = tap(y, s->h, oh, &y0);
    int x1 = x0 + 1 < s->w ? x0 + 1 : x0, y1 = y0 + 1 < s->h ? y0 + 1 : y0;
    const float *p = s->logits + (size_t)k * s->w * s->h;

    return (1 - fy) * ((1 - fx) * p[y0 * s->w + x0] + fx * p[y0 * s->w + x1]) +
           fy * ((1 - fx) * p[y1 * s->w + x0] + fx * p[y1 * s->w + x1]);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Whether `label` is right at this pixel, within float32 precision. */
static bool label_fits(const struct scene *s, int label, int x, int y, int ow, int oh,
                       double level)
{
    const double slack = 2e-5;
    double best = -INFINITY, own;

    for (int k = 0; k < s->n; k++)
        best = fmax(best, logit_at(s, k, x, y, ow, oh));
    if (!label)
        return best < level + slack;
    if (label > s->n)
        return false;
    own = logit_at(s, label - 1, x, y, ow, oh);
    return own >= best - slack && own >= level - slack;
}

/* Runs bands with their own scratch memory, and merges them. */
static void run_labels(const struct scene *s, const rvos_labels *out, float threshold,
                       uint32_t hidden, int band, struct rv_stats *all)
{
    struct rv_upsample *up = rv_upsample_create(s->w, s->h, out->width, out->height);

    if (!CHECK(up != NULL))
        exit(1);
    memset(all, 0, MOST * sizeof(*all));
    for (int y = 0; y < out->height; y += band) {
        size_t size = rv_upsample_scratch(up, s->n);
        void *scratch = malloc(size);
        struct rv_stats part[MOST] = {{0}};

        memset(scratch, 0xff, size);
        rv_labels_rows(up, s->logits, s->n, hidden, threshold, out, y,
                       y + band < out->height ? y + band : out->height, part, scratch);
        for (int k = 0; k < s->n; k++)
            rv_stats_merge(&all[k], &part[k]);
        free(scratch);
    }
    rv_upsample_destroy(up);
}

static void check_stats(const rvos_labels *labels, int n, const struct rv_stats *got)
{
    int step = labels->step ? labels->step : 1;

    for (int k = 0; k < n; k++) {
        struct rv_stats want = {0, labels->width, labels->height, 0, 0};

        for (int y = 0; y < labels->height; y++)
            for (int x = 0; x < labels->width; x++)
                if (labels->data[y * labels->stride + x * step] == k + 1) {
                    want.area++;
                    want.x0 = x < want.x0 ? x : want.x0;
                    want.y0 = y < want.y0 ? y : want.y0;
                    want.x1 = x >= want.x1 ? x + 1 : want.x1;
                    want.y1 = y + 1;
                }
        CHECK(got[k].area == want.area);
        if (want.area)
            CHECK(got[k].x0 == want.x0 && got[k].x1 == want.x1 && got[k].y0 == want.y0 &&
                  got[k].y1 == want.y1);
    }
}

static void check_scene(const struct scene *s, int ow, int oh, int step, float threshold,
                        uint64_t *seed)
{
    int stride = step ? step : 1;
    double p = threshold ? threshold : 0.5, level = log(p / (1 - p));
    struct test_plane plane = test_plane_new(ow * stride, oh);
    rvos_labels out = test_plane_labels(&plane, step);
    struct rv_stats stats[MOST], again[MOST];
    uint8_t *copy = malloc(plane.size);
    bool good = true;

    run_labels(s, &out, threshold, 0, oh, stats);
    for (int y = 0; y < oh && good; y++)
        for (int x = 0; x < ow && good; x++) {
            int label = plane.data[y * plane.stride + x * stride];

            good = CHECK(label_fits(s, label, x, y, ow, oh, level));
            test_note(good, "%d objects, %dx%d to %dx%d: %d at %d,%d", s->n, s->w, s->h,
                      ow, oh, label, x, y);
        }
    CHECK(test_plane_gaps_kept(&plane, step));
    check_stats(&out, s->n, stats);
    memcpy(copy, plane.data, plane.size);
    run_labels(s, &out, threshold, 0, test_random_int(seed, 1, 9), again);
    CHECK(!memcmp(copy, plane.data, plane.size));
    CHECK(!memcmp(stats, again, sizeof(stats)));
    /* Hidden objects are counted and keep their pixels, but are not in the labels. */
    run_labels(s, &out, threshold, 5, 4, again);
    CHECK(!memcmp(stats, again, sizeof(stats)));
    out.data = copy;
    rv_labels_drop(&out, 5, 0, oh);
    CHECK(!memcmp(copy, plane.data, plane.size));
    free(copy);
    free(plane.data);
}

static void scenes(void)
{
    uint64_t seed = 1;

    for (int i = 0; i < 150; i++) {
        int w = test_random_int(&seed, 1, 40), h = test_random_int(&seed, 1, 40);
        struct scene s =
            scene_new(i % 11 ? test_random_int(&seed, 1, 9) : MOST, w, h, &seed);
        int ow = i % 4 ? test_random_int(&seed, 1, 120) : w;
        int oh = i % 6 ? test_random_int(&seed, 1, 120) : h;
        float threshold = i % 3 ? 0 : test_random_float(&seed, 0.01f, 0.99f);

        check_scene(&s, ow, oh, test_random_int(&seed, 0, 4), threshold, &seed);
        free(s.logits);
    }
    rv_upsample_destroy(NULL);
}

/* The lowest slot wins among equals; the threshold itself is enough; NaN never wins. */
static void ties(void)
{
    float logits[4][9] = {{-1, 0, 0, 0, 0, 0, 0, 0, 0}, {0}, {0}, {-1}};
    struct scene s = {4, 3, 3, logits[0]};
    struct test_plane plane = test_plane_new(5, 7);
    rvos_labels out = test_plane_labels(&plane, 0);
    struct rv_stats stats[MOST];

    run_labels(&s, &out, 0, 0, 2, stats);
    CHECK(stats[0].area + stats[1].area == 35 && !stats[2].area && !stats[3].area);
    CHECK(plane.data[0] == 2 && plane.data[4] == 1 && stats[1].x0 == 0);
    run_labels(&s, &out, 0.5001f, 0, 2, stats);
    CHECK(!stats[0].area && !plane.data[4]);
    run_labels(&s, &out, 1e-30f, 0, 2, stats); /* no background */
    CHECK(stats[0].area + stats[1].area == 35);
    for (int i = 0; i < 9; i++)
        logits[0][i] = NAN;
    run_labels(&s, &out, 0, 0, 7, stats);
    CHECK(!stats[0].area && stats[1].area == 35);
    run_labels(&s, &out, 1, 0, 7, stats);
    CHECK(!stats[1].area);
    free(plane.data);
}

static void alpha(void)
{
    uint64_t seed = 2;

    for (int i = 0; i < 60; i++) {
        int w = test_random_int(&seed, 1, 40), h = test_random_int(&seed, 1, 40);
        int ow = i % 4 ? test_random_int(&seed, 1, 90) : w,
            oh = test_random_int(&seed, 1, 90);
        int step = test_random_int(&seed, 0, 4), stride = step ? step : 1;
        struct scene s = scene_new(test_random_int(&seed, 1, 6), w, h, &seed);
        struct rv_upsample *up = rv_upsample_create(w, h, ow, oh);
        struct test_plane plane = test_plane_new(ow * stride, oh);
        rvos_labels out = test_plane_labels(&plane, step);
        void *scratch = malloc(rv_upsample_scratch(up, s.n));
        int cut = test_random_int(&seed, 0, oh);
        bool good = true;

        rv_alpha_rows(up, s.logits, s.n, 2, &out, cut, oh, scratch);
        rv_alpha_rows(up, s.logits, s.n, 2, &out, 0, cut, scratch);
        for (int y = 0; y < oh && good; y++)
            for (int x = 0; x < ow && good; x++) {
                double best = -INFINITY;

                for (int k = 0; k < s.n; k++)
                    if (k != 1) /* dropped */
                        best = fmax(best, logit_at(&s, k, x, y, ow, oh));
                good = CHECK_NEAR(plane.data[y * plane.stride + x * stride],
                                  255 * sigmoid(best), 0.502);
            }
        CHECK(test_plane_gaps_kept(&plane, step));
        rv_upsample_destroy(up);
        free(scratch);
        free(plane.data);
        free(s.logits);
    }
}

static void scores(void)
{
    uint64_t seed = 3;

    for (int i = 0; i < 40; i++) {
        int w = test_random_int(&seed, 1, 60), h = test_random_int(&seed, 1, 60);
        struct scene s = scene_new(test_random_int(&seed, 1, 9), w, h, &seed);
        double want[MOST] = {0};
        struct rv_scores got = {0};
        int64_t wanted[MOST] = {0};
        uint8_t *labels = malloc((size_t)w * h);
        int cut = test_random_int(&seed, 0, h);
        bool same = labels;

        rv_scores(s.logits, s.n, w, h, 0.6f, 0, cut, &got, labels);
        rv_scores(s.logits, s.n, w, h, 0.6f, cut, h, &got, labels);
        for (int at = 0; at < w * h; at++) {
            int best = 0;

            for (int k = 1; k < s.n; k++)
                if (s.logits[k * w * h + at] > s.logits[best * w * h + at])
                    best = k;
            if (sigmoid(s.logits[best * w * h + at]) >= 0.6) {
                want[best] += sigmoid(s.logits[best * w * h + at]);
                wanted[best]++;
                same = same && labels[at] == best + 1;
            } else {
                same = same && !labels[at];
            }
        }
        CHECK(same);
        for (int k = 0; k < MOST; k++) {
            CHECK(got.count[k] == wanted[k]);
            CHECK_NEAR(got.score[k], want[k], 3e-7 * (double)wanted[k]);
        }
        free(labels);
        free(s.logits);
    }
}

static void filling(void)
{
    struct test_plane plane = test_plane_new(3 * 4, 5);
    rvos_labels out = test_plane_labels(&plane, 4);

    rv_labels_fill(&out, 7, 1, 4);
    for (int y = 0; y < 5; y++)
        CHECK(plane.data[y * plane.stride + 8] == (y >= 1 && y < 4 ? 7 : MARK));
    CHECK(test_plane_gaps_kept(&plane, 4));
    out.width = 12;
    out.step = 0;
    rv_labels_fill(&out, 33, 0, 5);
    CHECK(plane.data[11] == 33 && test_plane_padding_kept(&plane));
    rv_labels_drop(&out, UINT32_MAX, 0, 5); /* 33 is not a slot */
    CHECK(plane.data[11] == 33);
    rv_labels_fill(&out, 32, 0, 5);
    rv_labels_drop(&out, UINT32_C(1) << 31, 0, 5);
    CHECK(plane.data[11] == 0 && test_plane_padding_kept(&plane));
    free(plane.data);
}

int main(void)
{
    scenes();
    ties();
    alpha();
    scores();
    filling();
    return test_done();
}
