/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 0.008 /* share of the diagonal */

static size_t words_of(int width)
{
    return ((size_t)width + 63) / 64;
}

static int64_t count_word(uint64_t v)
{
    v = v - (v >> 1 & 0x5555555555555555u);
    v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int64_t)(v * 0x0101010101010101u >> 56);
}

static int64_t count_bits(const uint64_t *a, size_t words)
{
    int64_t n = 0;

    for (size_t i = 0; i < words; i++)
        n += count_word(a[i]);
    return n;
}

static int64_t count_both(const uint64_t *a, const uint64_t *b, size_t words)
{
    int64_t n = 0;

    for (size_t i = 0; i < words; i++)
        n += count_word(a[i] & b[i]);
    return n;
}

/* The allowed distance in pixels between contours: 0.008 of the diagonal, rounded up. */
static int contour_tolerance(int width, int height)
{
    return (int)ceil(TOLERANCE * sqrt((double)width * width + (double)height * height));
}

/* ---- planes ------------------------------------------------------------- */

/* Most of a picture is background, so skip eight background pixels at a time. */
static void fill_masks(struct outline *o, const uint8_t *labels)
{
    size_t row_words = words_of(o->width);

    for (int y = 0; y < o->height; y++) {
        const uint8_t *row = labels + (size_t)y * (size_t)o->width;
        uint64_t *to = o->mask + row_words * (size_t)y, eight;

        for (int x = 0; x < o->width; x++) {
            if (x + 8 <= o->width && (memcpy(&eight, row + x, sizeof eight), !eight))
                x += 7;
            else if (row[x] && row[x] <= o->count)
                to[o->words * (size_t)(row[x] - 1) + (size_t)x / 64] |= (uint64_t)1
                                                                        << x % 64;
        }
    }
}

/* The row shifted by one pixel to the left, so that each pixel meets its right
 * neighbour. */
static uint64_t shifted(const uint64_t *row, size_t i, size_t words)
{
    return row[i] >> 1 | (i + 1 < words ? row[i + 1] << 63 : 0);
}

static void find_edges(const uint64_t *mask, int width, int height, uint64_t *edge)
{
    size_t words = words_of(width);
    uint64_t last_column = (uint64_t)1 << (width - 1) % 64;

    for (int y = 0; y < height; y++) {
        const uint64_t *row = mask + words * (size_t)y;
        const uint64_t *below =
            y + 1 < height ? row + words : row; /* the last row meets itself: no edge */
        uint64_t *to = edge + words * (size_t)y;

        for (size_t i = 0; i < words; i++) {
            uint64_t right =
                (row[i] ^ shifted(row, i, words)) | (row[i] ^ shifted(below, i, words));

            if (i + 1 == words)
                right &= last_column - 1; /* the last pixel has no right neighbour */
            to[i] = right | (row[i] ^ below[i]);
        }
    }
}

/* Sets the two neighbours of each set pixel. Bits shifted out at either end would only
 * set pixels that are already set. */
static void widen(uint64_t *row, size_t words)
{
    uint64_t before = 0;

    for (size_t i = 0; i < words; i++) {
        uint64_t here = row[i], after = i + 1 < words ? row[i + 1] : 0;

        row[i] = here | here << 1 | here >> 1 | before >> 63 | after << 63;
        before = here;
    }
}

static void join(uint64_t *to, const uint64_t *row, size_t words)
{
    for (size_t i = 0; i < words; i++)
        to[i] |= row[i];
}

/* Dilation by the disk dx^2 + dy^2 <= r^2. From the disk's top row inwards, a row of
 * edges is widened step by step and combined with the rows dy above and below. */
static void dilate(const uint64_t *edge, int width, int height, int r, uint64_t *near,
                   uint64_t *wide)
{
    size_t words = words_of(width);
    uint64_t inside = width % 64 ? ((uint64_t)1 << width % 64) - 1 : ~(uint64_t)0;

    for (int y = 0; y < height; y++) {
        int reach = 0;

        if (!count_bits(edge + words * (size_t)y, words))
            continue;
        memcpy(wide, edge + words * (size_t)y, words * sizeof *wide);
        for (int dy = r; dy >= 0; dy--) {
            for (; (reach + 1) * (reach + 1) + dy * dy <= r * r; reach++)
                widen(wide, words);
            if (y >= dy)
                join(near + words * (size_t)(y - dy), wide, words);
            if (y + dy < height)
                join(near + words * (size_t)(y + dy), wide, words);
        }
    }
    for (int y = 0; y < height; y++)
        near[words * (size_t)(y + 1) - 1] &= inside;
}

int outline_make(struct outline *out, const uint8_t *labels, int width, int height,
                 int count)
{
    size_t row_words = words_of(width), all;

    memset(out, 0, sizeof *out);
    out->count = count;
    out->width = width;
    out->height = height;
    out->words = row_words * (size_t)height;
    all = out->words * (size_t)count;
    out->mask = calloc(3 * all + row_words, sizeof *out->mask);
    if (!out->mask)
        return -1;
    out->edge = out->mask + all;
    out->near = out->edge + all;
    if (!labels)
        return 0;
    fill_masks(out, labels);
    for (int i = 0; i < count; i++) {
        size_t at = out->words * (size_t)i;

        out->area[i] = count_bits(out->mask + at, out->words);
        if (!out->area[i])
            continue;
        find_edges(out->mask + at, width, height, out->edge + at);
        dilate(out->edge + at, width, height, contour_tolerance(width, height),
               out->near + at, out->near + all);
        out->edges[i] = count_bits(out->edge + at, out->words);
    }
    return 0;
}

void outline_free(struct outline *outline)
{
    free(outline->mask);
    memset(outline, 0, sizeof *outline);
}

/* ---- measures ----------------------------------------------------------- */

double region_similarity(const struct outline *truth, int a, const struct outline *guess,
                         int b)
{
    size_t words = truth->words;
    const uint64_t *t = truth->mask + words * (size_t)(a - 1);
    const uint64_t *g = guess->mask + words * (size_t)(b - 1);
    int64_t both = truth->area[a - 1] && guess->area[b - 1] ? count_both(t, g, words) : 0;
    int64_t either = truth->area[a - 1] + guess->area[b - 1] - both;

    return either ? (double)both / (double)either : 1.0;
}

double contour_accuracy(const struct outline *truth, int a, const struct outline *guess,
                        int b)
{
    size_t words = truth->words;
    size_t t = words * (size_t)(a - 1), g = words * (size_t)(b - 1);
    int64_t n_truth = truth->edges[a - 1];
    int64_t n_guess = guess->edges[b - 1];
    double precision, recall;

    if (!n_truth && !n_guess)
        return 1.0;
    if (!n_truth || !n_guess)
        return 0.0; /* precision or recall is 0 */
    precision =
        (double)count_both(guess->edge + g, truth->near + t, words) / (double)n_guess;
    recall =
        (double)count_both(truth->edge + t, guess->near + g, words) / (double)n_truth;
    return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0.0;
}

static double mean_of(const double *values, int first, int last)
{
    double sum = 0;

    for (int i = first; i <= last; i++)
        sum += values[i];
    return sum / (last - first + 1);
}

struct statistics statistics_of(const double *values, int n)
{
    struct statistics s = {.mean = mean_of(values, 0, n - 1)};
    int above = 0, quarter[5];

    for (int i = 0; i < n; i++)
        above += values[i] > 0.5;
    s.recall = (double)above / n;
    for (int j = 0; j < 5; j++)
        quarter[j] = (j * (n - 1) + 2) / 4; /* round(1 + j (n - 1) / 4) - 1, half up */
    s.decay =
        mean_of(values, quarter[0], quarter[1]) - mean_of(values, quarter[3], quarter[4]);
    return s;
}
