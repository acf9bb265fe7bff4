/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics.h - region similarity J and contour accuracy F, as DAVIS defines them.
 *
 * Masks are bit planes: a row is a run of 64-bit words, bit x % 64 of word x / 64
 * is pixel x, bits beyond the width are 0. */
#ifndef RV_TOOLS_METRICS_H
#define RV_TOOLS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define OUTLINE_MAX 256

/* The masks of objects 1..count of one picture, with their contours. */
struct outline {
    int count, width, height;
    size_t words;   /* of one plane */
    uint64_t *mask; /* count planes each: */
    uint64_t *edge; /* pixels that differ from a neighbour at the right or below */
    uint64_t *near; /* all pixels within the tolerance of an edge */
    int64_t area[OUTLINE_MAX], edges[OUTLINE_MAX]; /* pixels set in mask and edge */
};

/* Labels above count belong to no object. If labels is NULL, all masks are empty. Returns
 * 0, or -1 if memory runs out. */
int outline_make(struct outline *out, const uint8_t *labels, int width, int height,
                 int count);
void outline_free(struct outline *outline);

/* Object a of one picture against object b of another of the same size, both counted from
 * 1. Two empty masks give 1. */
double region_similarity(const struct outline *truth, int a, const struct outline *guess,
                         int b);
double contour_accuracy(const struct outline *truth, int a, const struct outline *guess,
                        int b);

/* Statistics of an object's values over its scored frames. */
struct statistics {
    double mean;
    double recall; /* share of frames above 0.5 */
    double decay;  /* mean of the first quarter minus mean of the last quarter */
};

/* n must be at least 1. */
struct statistics statistics_of(const double *values, int n);

#endif
