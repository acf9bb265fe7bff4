/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.c - compares the outputs of a frame with the rule of rvos.h, computed from the
 * half-size logits in double: labels, alpha, objects, thresholds, sizes.
 *
 *     output BACKEND MODEL_DIR */
#include "../unit/images.h"
#include "fixture.h"

#define N 4
#define W NET_W
#define H NET_H

/* Bilinear, corners aligned: sample i of `out` along an axis of `in`. */
static double place(int i, int in, int out)
{
    return out > 1 ? (double)i * (in - 1) / (out - 1) : 0;
}

static double sample(const double *plane, int w, int h, double y, double x)
{
    int y0 = (int)floor(y), x0 = (int)floor(x), y1 = y0 + (y0 + 1 < h),
        x1 = x0 + (x0 + 1 < w);
    double fy = y - y0, fx = x - x0;

    return (1 - fy) * ((1 - fx) * plane[y0 * w + x0] + fx * plane[y0 * w + x1]) +
           fy * ((1 - fx) * plane[y1 * w + x0] + fx * plane[y1 * w + x1]);
}

/* Logits of all objects at network size. */
static double full[N][W * H];

static void read_full(rvos_stream *stream)
{
    static float half[N * PLANE];
    static double wide[PLANE];

    read_logits(stream, N, half);
    for (int n = 0; n < N; n++) {
        for (int i = 0; i < PLANE; i++)
            wide[i] = half[n * PLANE + i];
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                full[n][y * W + x] = sample(wide, HALF_W, HALF_H, place(y, HALF_H, H),
                                            place(x, HALF_W, W));
    }
}

struct want {
    int label;
    double best, margin; /* logit; its distance to the next label */
};

static struct want want_at(int y, int x, int h, int w, double level)
{
    struct want r = {0, -INFINITY, 0};
    double second = -INFINITY;

    for (int n = 0; n < N; n++) {
        double v = sample(full[n], W, H, place(y, H, h), place(x, W, w));

        if (v > r.best) {
            second = r.best;
            r.best = v;
            r.label = n + 1;
        } else if (v > second) {
            second = v;
        }
    }
    r.margin = fabs(r.best - level);
    if (r.best < level)
        r.label = 0;
    else if (r.best - second < r.margin)
        r.margin = r.best - second;
    return r;
}

static double logit(double p)
{
    return log(p / (1 - p));
}

struct view {
    rvos_labels labels;
    struct test_plane plane;
};

static struct view new_view(int w, int h, int step)
{
    struct view v = {.plane = test_plane_new(w * (step ? step : 1), h)};

    v.labels = test_plane_labels(&v.plane, step);
    return v;
}

static int get(const struct view *v, int y, int x)
{
    int step = v->labels.step ? v->labels.step : 1;

    return v->plane.data[y * v->labels.stride + x * step];
}

/* Box, area and presence follow from the labels; scores are probabilities. */
static void check_objects(rvos_stream *stream, const struct view *v, uint32_t hidden)
{
    for (int n = 1; n <= N; n++) {
        rvos_object o = object_of(stream, n), e = {.x = INT32_MAX, .y = INT32_MAX};
        int right = 0, bottom = 0;

        if (hidden >> (n - 1) & 1)
            continue;
        for (int y = 0; y < v->labels.height; y++)
            for (int x = 0; x < v->labels.width; x++)
                if (get(v, y, x) == n) {
                    e.area++;
                    e.x = x < e.x ? x : e.x;
                    e.y = y < e.y ? y : e.y;
                    right = x + 1 > right ? x + 1 : right;
                    bottom = y + 1 > bottom ? y + 1 : bottom;
                }
        CHECK(o.present == (e.area > 0) && o.area == e.area);
        if (o.present)
            CHECK(o.x == e.x && o.y == e.y && o.width == right - e.x &&
                  o.height == bottom - e.y && o.score >= 0 && o.score <= 1);
        else
            CHECK(!o.x && !o.y && !o.width && !o.height && o.score == 0);
    }
}

/* Runs a frame with labels and alpha, and compares each pixel that is not on an edge. */
static void compare(rvos_stream *stream, int t, struct view *labels, struct view *alpha,
                    rvos_output out)
{
    double level = out.threshold == 0 ? 0 : logit(out.threshold);
    int seen[N + 1] = {0}, w = labels->labels.width, h = labels->labels.height;

    out.labels = &labels->labels;
    out.alpha = &alpha->labels;
    if (!CHECK(process_frame(stream, t, &out) == 0))
        return;
    read_full(stream);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            struct want e = want_at(y, x, h, w, level);
            int shown = e.label && out.hidden >> (e.label - 1) & 1 ? 0 : e.label;

            seen[e.label]++;
            if (e.margin > 1e-3 && !test_note(CHECK(get(labels, y, x) == shown),
                                              "%dx%d, pixel %d,%d: %d, %d", w, h, x, y,
                                              get(labels, y, x), shown))
                return;
        }
    check_objects(stream, labels, out.hidden);
    CHECK(test_plane_gaps_kept(&labels->plane, labels->labels.step));
    CHECK(test_plane_gaps_kept(&alpha->plane, alpha->labels.step));
    if (w > 50 && h > 50)
        CHECK(seen[0] + seen[1] + seen[2] + seen[3] + seen[4] - seen[0] > w * h / 20);
}

static void check_alpha(const struct view *alpha)
{
    for (int y = 0; y < alpha->labels.height; y++)
        for (int x = 0; x < alpha->labels.width; x++) {
            struct want e =
                want_at(y, x, alpha->labels.height, alpha->labels.width, -1e9);

            if (!CHECK_NEAR(get(alpha, y, x), 255 / (1 + exp(-e.best)), 1))
                return;
        }
}

static void sizes(rvos_stream *stream)
{
    static const int size[][2] = {{W, H},   {1, 1},    {1, 9},   {7, 1},         {2, 2},
                                  {33, 50}, {101, 67}, {3, 200}, {W * 2, H * 2}, {W, H}};

    for (int i = 0; i < (int)(sizeof(size) / sizeof(size[0])); i++) {
        struct view labels = new_view(size[i][0], size[i][1], i % 4);
        struct view alpha = new_view(size[9 - i][0], size[9 - i][1], (i + 2) % 5);

        compare(stream, i, &labels, &alpha, (rvos_output){.threshold = 0});
        check_alpha(&alpha);
        free(labels.plane.data);
        free(alpha.plane.data);
    }
}

static void thresholds(rvos_stream *stream)
{
    static const float threshold[] = {0.5f, 0.1f, 0.9f, 1e-30f, 1, 0};

    for (int i = 0; i < 6; i++) {
        struct view labels = new_view(64, 48, 1), alpha = new_view(9, 9, 1);
        int background = 0;

        if (i != 4)
            compare(stream, i, &labels, &alpha, (rvos_output){.threshold = threshold[i]});
        else
            CHECK(process_frame(
                      stream, i,
                      &(rvos_output){.labels = &labels.labels, .threshold = 1}) == 0);
        for (int y = 0; y < 48; y++)
            for (int x = 0; x < 64; x++)
                background += get(&labels, y, x) == 0;
        if (i == 3)
            CHECK(background == 0);
        if (i == 4)
            CHECK(background == 64 * 48);
        free(labels.plane.data);
        free(alpha.plane.data);
    }
}

/* Hidden slots compete for pixels and are reported; too small ones are not. */
static void unshown(void)
{
    rvos_stream *a = open_stream(model, RVOS_TASK_ZERO_SHOT, N),
                *b = open_stream(model, RVOS_TASK_ZERO_SHOT, N);
    struct view all = new_view(80, 60, 1), some = new_view(80, 60, 1),
                alpha = new_view(80, 60, 1);

    for (int t = 0; t < 3; t++) {
        rvos_object x[N], y;
        int64_t least = 0;

        compare(a, t, &all, &alpha, (rvos_output){.threshold = 0.2f});
        for (int n = 0; n < N; n++) {
            x[n] = object_of(a, n + 1);
            if (x[n].area && (!least || x[n].area < least))
                least = x[n].area;
        }
        compare(b, t, &some, &alpha, (rvos_output){.threshold = 0.2f, .hidden = 5});
        for (int n = 0; n < N; n++) {
            y = object_of(b, n + 1);
            CHECK(same_object(&x[n], &y));
        }
        rvos_stream_reset(b);
        for (int k = 0; k <= t; k++)
            CHECK(process_frame(b, k,
                                &(rvos_output){.labels = &some.labels,
                                               .threshold = 0.2f,
                                               .min_object_size = (int)least + 1}) == 0);
        for (int i = 0; i < 80 * 60; i++) {
            int label = get(&all, i / 80, i % 80);

            if (!CHECK(get(&some, i / 80, i % 80) ==
                       (label && x[label - 1].area == least ? 0 : label)))
                break;
        }
        for (int n = 0; n < N; n++) {
            y = object_of(b, n + 1);
            CHECK(y.present == (x[n].area > least));
            CHECK(y.area == (x[n].area > least ? x[n].area : 0));
        }
        rvos_stream_reset(b);
        for (int k = 0; k <= t; k++)
            CHECK(process_frame(b, k, NULL) == 0);
    }
    close_both(&a, &b);
    free(all.plane.data);
    free(some.plane.data);
    free(alpha.plane.data);
}

/* The mean probability over an object's pixels, by the same rule at network size. */
static void scores_and_masks(rvos_stream *stream)
{
    struct view labels = new_view(31, 17, 1);
    static float mask[W * H];

    CHECK(process_frame(stream, 0, &(rvos_output){.labels = &labels.labels}) == 0);
    read_full(stream);
    for (int n = 0; n < N; n++) {
        double sum = 0, worst = 0;
        int count = 0;
        rvos_object o;

        CHECK(rvos_stream_read_mask(stream, n + 1, mask) == 0);
        for (int i = 0; i < W * H; i++) {
            double p = 1 / (1 + exp(-full[n][i])), d = fabs(mask[i] - p);

            worst = d > worst ? d : worst;
            if (want_at(i / W, i % W, H, W, 0).label == n + 1) {
                sum += p;
                count++;
            }
        }
        CHECK_NEAR(worst, 0, 1e-5);
        o = object_of(stream, n + 1);
        if (o.present && count > 20) /* edge pixels may differ */
            CHECK_NEAR(o.score, sum / count, 1.5 / count);
    }
    /* Objects are those of the last frame that had labels. */
    for (int n = 1; n <= N; n++) {
        rvos_object before = object_of(stream, n), after;

        CHECK(process_frame(stream, n, n % 2 ? NULL : &(rvos_output){0}) == 0);
        after = object_of(stream, n);
        CHECK(same_object(&before, &after));
    }
    free(labels.plane.data);
}

static void bad_outputs(rvos_stream *stream, bool cuda)
{
    static uint8_t bytes[64 * 64];
    rvos_labels good = {.width = 16, .height = 16, .data = bytes, .stride = 16};
    rvos_labels bad[8];
    rvos_output out[4] = {{.threshold = -0.1f},
                          {.threshold = 1.1f},
                          {.threshold = NAN},
                          {.min_object_size = -1}};
    int errors = log_.errors;
    int64_t frames = info_of(stream).frames;

    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].width = 0;
    bad[1].height = -3;
    bad[2].data = NULL;
    bad[3].stride = 15;
    bad[4].step = -1;
    bad[5].step = 2; /* and the stride of step 1 */
    bad[6].width = 1 << 30;
    bad[7].memory = RVOS_MEMORY_CUDA; /* which CUDA's backend takes */
    log_.quiet = true;
    for (int i = 0; i < (cuda ? 7 : 8); i++) {
        int status = i == 7 ? RVOS_ERR_UNSUPPORTED : RVOS_ERR_ARGUMENT;

        CHECK(process_frame(stream, 0, &(rvos_output){.labels = &bad[i]}) == status);
        CHECK(process_frame(stream, 0, &(rvos_output){.alpha = &bad[i]}) == status);
    }
    for (int i = 0; i < 4; i++)
        CHECK(process_frame(stream, 0, &out[i]) == RVOS_ERR_ARGUMENT);
    CHECK(log_.errors == errors + (cuda ? 18 : 20));
    CHECK(info_of(stream).frames == frames); /* none of them was run */
    CHECK(rvos_labels_slots(NULL, NULL) == 0);
    for (int i = 0; i < 8; i++) /* a view that is not valid holds nothing */
        CHECK(rvos_labels_slots(&bad[i], NULL) == 0);
    log_.quiet = false;
    log_.errors = errors;
}

static void label_slots(void)
{
    static uint8_t bytes[5 * 23];
    rvos_labels l = {.width = 7, .height = 5, .data = bytes, .stride = 23, .step = 3};
    int highest = -1;

    memset(bytes, 9, sizeof(bytes)); /* in the gaps */
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 7; x++)
            bytes[y * 23 + x * 3] = 0;
    CHECK(rvos_labels_slots(&l, &highest) == 0 && highest == 0);
    bytes[0] = 255;
    bytes[23 + 3] = 1;
    bytes[2 * 23 + 18] = 32;
    bytes[4 * 23 + 18] = 3;
    CHECK(rvos_labels_slots(&l, &highest) == 0x80000005u && highest == 32);
    bytes[4 * 23] = 200;
    CHECK(rvos_labels_slots(&l, &highest) == 0x80000005u && highest == 200);
}

int main(int argc, char **argv)
{
    int status = begin(argc, argv, 3);
    rvos_stream *stream;

    if (status)
        return status;
    stream = open_stream(model, RVOS_TASK_ZERO_SHOT, N);
    sizes(stream);
    thresholds(stream);
    scores_and_masks(stream);
    unshown();
    bad_outputs(stream, !strcmp(backend, "cuda"));
    label_slots();
    rvos_stream_close(&stream);
    return end();
}
