/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* labels.c - turns the logits of all objects into label rows of any size.
 *
 * Most objects cover a small part of a frame. So each band first finds the columns that
 * could win, per object and row of logits. Interpolation never exceeds its four taps, so
 * other columns are skipped. A row of logits is interpolated in x once and kept for the
 * output rows next to it. Each output row then needs one pass that interpolates in y and
 * compares. */
#include "pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "mathf.h"

struct rv_upsample {
    struct rv_axis x, y;
    /* [i]: first output column at or after input column i; in + 1 entries. */
    int *first_x;
};

/* Columns from <= x < to. */
struct span {
    int from, to;
};

static struct span join(struct span a, struct span b)
{
    if (a.from >= a.to)
        return b;
    if (b.from >= b.to)
        return a;
    return (struct span){a.from < b.from ? a.from : b.from, a.to > b.to ? a.to : b.to};
}

struct rv_upsample *rv_upsample_create(int width, int height, int out_width,
                                       int out_height)
{
    struct rv_upsample *up = calloc(1, sizeof(*up));

    if (!up)
        return NULL;
    up->first_x = malloc(((size_t)width + 1) * sizeof(*up->first_x));
    if (!up->first_x || rv_axis_init(&up->x, width, out_width) ||
        rv_axis_init(&up->y, height, out_height)) {
        rv_upsample_destroy(up);
        return NULL;
    }
    for (int i = 0, x = 0; i <= width; i++) {
        while (x < out_width && up->x.at[x] < i)
            x++;
        up->first_x[i] = x;
    }
    return up;
}

void rv_upsample_destroy(struct rv_upsample *up)
{
    if (!up)
        return;
    rv_axis_finish(&up->x);
    rv_axis_finish(&up->y);
    free(up->first_x);
    free(up);
}

/* ---- scratch ---------------------------------------------------------------- */

/* The work of one thread on one band, in the caller's scratch. */
struct work {
    float *best;     /* of an output row */
    int32_t *label;  /* of an output row */
    float *row;      /* [object][2]: rows of logits interpolated in x, row y in y % 2 */
    int *kept;       /* [object][2]: the row that is kept there; -1: none */
    struct span *at; /* [object][logit rows of the band]: columns that could win */
    int y0;          /* first logit row of the band */
    int rows;
};

static size_t line_of(const struct rv_upsample *up)
{
    return ((size_t)up->x.out + 15) / 16 * 16;
}

size_t rv_upsample_scratch(const struct rv_upsample *up, int objects)
{
    return line_of(up) * (sizeof(float) + sizeof(int32_t) + 2 * sizeof(float) * objects) +
           (size_t)objects * (2 * sizeof(int) + up->y.in * sizeof(struct span));
}

static struct work lay_out(const struct rv_upsample *up, int n, int row0, int row1,
                           void *scratch)
{
    struct work w;
    int last = up->y.at[row1 - 1] + 1;

    w.y0 = up->y.at[row0];
    w.rows = (last < up->y.in ? last : up->y.in - 1) - w.y0 + 1;
    w.best = scratch;
    w.row = w.best + line_of(up);
    w.label = (int32_t *)(void *)(w.row + 2 * line_of(up) * n);
    w.kept = (int *)(w.label + line_of(up));
    w.at = (struct span *)(void *)(w.kept + 2 * n);
    for (int i = 0; i < 2 * n; i++)
        w.kept[i] = -1;
    return w;
}

/* ---- loops ------------------------------------------------------------------ */

RV_CLONES
static struct span columns_above(const float *row, int n, float level)
{
    int32_t from = n, to = 0;

    for (int32_t x = 0; x < n; x++) {
        int32_t low = row[x] >= level ? x : n, high = row[x] >= level ? x + 1 : 0;

        from = low < from ? low : from;
        to = high > to ? high : to;
    }
    return (struct span){from, to};
}

RV_CLONES
static void stretch(const float *restrict in, const int *restrict at,
                    const float *restrict frac, int last, struct span s,
                    float *restrict out)
{
    for (int x = s.from; x < s.to; x++) {
        int i = at[x], j = i < last ? i + 1 : last;

        out[x] = (1.0f - frac[x]) * in[i] + frac[x] * in[j];
    }
}

/* If (1 - frac) a + frac b is above the best so far, stores it and `id`. */
RV_CLONES
static void compete(const float *restrict a, const float *restrict b, float frac,
                    int32_t id, struct span s, float *restrict best,
                    int32_t *restrict label)
{
    float rest = 1.0f - frac;

    for (int x = s.from; x < s.to; x++) {
        float v = rest * a[x] + frac * b[x];

        label[x] = v > best[x] ? id : label[x];
        best[x] = v > best[x] ? v : best[x];
    }
}

RV_CLONES
static void compete_same(const float *restrict a, int32_t id, struct span s,
                         float *restrict best, int32_t *restrict label)
{
    for (int x = s.from; x < s.to; x++) {
        label[x] = a[x] > best[x] ? id : label[x];
        best[x] = a[x] > best[x] ? a[x] : best[x];
    }
}

RV_CLONES
static int count_of(const int32_t *label, struct span s, int32_t id)
{
    int n = 0;

    for (int x = s.from; x < s.to; x++)
        n += label[x] == id;
    return n;
}

RV_CLONES
static void soften(float *best, struct span s)
{
    for (int x = s.from; x < s.to; x++)
        best[x] = 255.0f * rv_sigmoidf(best[x]) + 0.5f;
}

/* ---- one output row --------------------------------------------------------- */

/* The output columns that read one of these input columns. */
static struct span columns_out(const struct rv_upsample *up, struct span s)
{
    if (s.from >= s.to)
        return (struct span){0, 0};
    return (struct span){up->first_x[s.from ? s.from - 1 : 0], up->first_x[s.to]};
}

/* Row y of an object's plane, interpolated to the output's width. */
static const float *stretched(const struct rv_upsample *up, struct work *w,
                              const float *plane, int object, int y)
{
    const float *in = plane + (size_t)y * up->x.in;
    float *out = w->row + (2 * (size_t)object + y % 2) * line_of(up);
    int *kept = &w->kept[2 * object + y % 2];
    struct span *at = &w->at[(size_t)object * w->rows], s;
    int i = y - w->y0;

    if (up->x.in == up->x.out)
        return in;
    if (*kept == y)
        return out;
    /* The row will be read together with the row above and the row below. */
    s = join(at[i], join(at[i ? i - 1 : i], at[i + 1 < w->rows ? i + 1 : i]));
    stretch(in, up->x.at, up->x.frac, up->x.in - 1, columns_out(up, s), out);
    *kept = y;
    return out;
}

/* Finds each pixel's best logit above `level` and its object's number, 0 if there is
 * none. The result is valid in the columns returned; all other pixels have none. */
static struct span best_of_row(const struct rv_upsample *up, struct work *w,
                               const float *logits, int n, int row, float level,
                               struct span *column)
{
    int y = up->y.at[row], i = y - w->y0, next = i + 1 < w->rows ? i + 1 : i;
    size_t plane = (size_t)up->x.in * up->y.in;
    float frac = up->y.frac[row];
    struct span all = {0, 0};

    for (int k = 0; k < n; k++) {
        struct span *at = &w->at[(size_t)k * w->rows];

        column[k] = columns_out(up, frac > 0 ? join(at[i], at[next]) : at[i]);
        all = join(all, column[k]);
    }
    for (int x = all.from; x < all.to; x++) {
        w->best[x] = level;
        w->label[x] = 0;
    }
    for (int k = 0; k < n; k++) {
        const float *a, *b, *from = logits + (size_t)k * plane;

        if (column[k].from >= column[k].to)
            continue;
        a = stretched(up, w, from, k, y);
        if (frac > 0) {
            b = stretched(up, w, from, k, y + (next > i));
            compete(a, b, frac, k + 1, column[k], w->best, w->label);
        } else {
            compete_same(a, k + 1, column[k], w->best, w->label);
        }
    }
    return all;
}

/* Uses a slightly lower level, so that rounding in the interpolation loses no pixel. */
static void find_columns(const struct rv_upsample *up, struct work *w,
                         const float *logits, int n, uint32_t skip, float level)
{
    size_t plane = (size_t)up->x.in * up->y.in;
    float slack = 1e-5f * (1 + fabsf(level));

    for (int k = 0; k < n; k++)
        for (int i = 0; i < w->rows; i++) {
            const float *row = logits + k * plane + (size_t)(w->y0 + i) * up->x.in;
            struct span none = {0, 0};

            w->at[(size_t)k * w->rows + i] =
                skip >> k & 1 ? none : columns_above(row, up->x.in, level - slack);
        }
}

/* ---- labels ----------------------------------------------------------------- */

static void count(const int32_t *label, const struct span *column, int n, int y,
                  struct rv_stats *stats)
{
    for (int k = 0; k < n; k++) {
        struct span s = column[k];
        int area = s.from < s.to ? count_of(label, s, k + 1) : 0;

        if (!area)
            continue;
        while (label[s.from] != k + 1)
            s.from++;
        while (label[s.to - 1] != k + 1)
            s.to--;
        rv_stats_merge(&stats[k], &(struct rv_stats){area, s.from, y, s.to, y + 1});
    }
}

static void write_labels(const int32_t *label, struct span s, uint32_t unshown,
                         uint8_t *to, int width, int step)
{
    if (step == 1) {
        memset(to, 0, (size_t)s.from);
        for (int x = s.from; x < s.to; x++)
            to[x] = (uint8_t)label[x];
        memset(to + s.to, 0, (size_t)(width - s.to));
    } else {
        for (int x = 0; x < width; x++)
            to[(ptrdiff_t)x * step] = x >= s.from && x < s.to ? (uint8_t)label[x] : 0;
    }
    for (int x = s.from; unshown && x < s.to; x++)
        if (label[x] && unshown >> (label[x] - 1) & 1)
            to[(ptrdiff_t)x * step] = 0;
}

void rv_labels_rows(const struct rv_upsample *up, const float *logits, int n,
                    uint32_t unshown, float threshold, const rvos_labels *out, int row0,
                    int row1, struct rv_stats *stats, void *scratch)
{
    float level = rv_label_level(threshold);
    struct span column[RVOS_MAX_OBJECTS];
    struct work w;

    if (row0 >= row1)
        return;
    w = lay_out(up, n, row0, row1, scratch);
    find_columns(up, &w, logits, n, 0, level);
    for (int y = row0; y < row1; y++) {
        struct span s = best_of_row(up, &w, logits, n, y, level, column);

        count(w.label, column, n, y, stats);
        write_labels(w.label, s, unshown, out->data + y * out->stride, out->width,
                     rv_labels_step(out));
    }
}

void rv_alpha_rows(const struct rv_upsample *up, const float *logits, int n,
                   uint32_t drop, const rvos_labels *out, int row0, int row1,
                   void *scratch)
{
    struct span column[RVOS_MAX_OBJECTS];
    int step = rv_labels_step(out);
    struct work w;

    if (row0 >= row1)
        return;
    w = lay_out(up, n, row0, row1, scratch);
    find_columns(up, &w, logits, n, drop, RV_ALPHA_LEVEL);
    for (int y = row0; y < row1; y++) {
        struct span s = best_of_row(up, &w, logits, n, y, RV_ALPHA_LEVEL, column);
        uint8_t *to = out->data + y * out->stride;

        soften(w.best, s);
        for (int x = 0; x < out->width; x++)
            to[(ptrdiff_t)x * step] = x >= s.from && x < s.to ? (uint8_t)w.best[x] : 0;
    }
}

/* Works on pieces of a row, which fit on the stack. */
void rv_scores(const float *logits, int n, int width, int height, float threshold,
               int row0, int row1, struct rv_scores *all, uint8_t *labels)
{
    enum { PIECE = 256 };
    size_t plane = (size_t)width * height, end = (size_t)row1 * width;
    float level = rv_label_level(threshold), best[PIECE];
    int32_t label[PIECE];

    for (size_t at = (size_t)row0 * width; at < end; at += PIECE) {
        struct span s = {0, end - at < PIECE ? (int)(end - at) : PIECE};

        for (int x = 0; x < s.to; x++) {
            best[x] = level;
            label[x] = 0;
        }
        for (int k = 0; k < n; k++)
            compete_same(logits + (size_t)k * plane + at, k + 1, s, best, label);
        for (int x = 0; x < s.to; x++)
            if (label[x]) {
                all->score[label[x] - 1] += rv_sigmoidf(best[x]);
                all->count[label[x] - 1]++;
            }
        for (int x = 0; labels && x < s.to; x++)
            labels[at + x] = (uint8_t)label[x];
    }
}
