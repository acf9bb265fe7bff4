/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* assign.h - the result step of the published evaluation: it assigns the network's
 * overlapping masks to annotated objects, and orders them for painting. Only for
 * comparison with published numbers. The element and the tools otherwise use the engine's
 * labels. */
#ifndef RV_TOOLS_ASSIGN_H
#define RV_TOOLS_ASSIGN_H

#include "seeds.h"

/* -- hungarian.c -- */
#define HUNGARIAN_MAX 64

/* Finds the cheapest pairing of rows and columns. column_of[row] is -1 for a row without
 * a column (if there are more rows than columns). cost is rows x columns, each side up to
 * HUNGARIAN_MAX; every cost is finite. */
void hungarian(const double *cost, int rows, int columns, int *column_of);

/* -- assign.c -- */
/* Binary masks of all slots, one after another. */
struct mask_stack {
    int count, width, height;
    uint8_t *pixels; /* 0 or 1 */
};

struct assign_pair {
    int label, instance; /* instance -1: more labels than masks */
    double cost;         /* 1 - J, at the frame where it was chosen */
};

struct assign {
    struct assign_pair pair[HUNGARIAN_MAX]; /* in painting order */
    int count;
};

/* Chooses masks for the labels `ids` of `annotation` from the masks that no earlier label
 * has. Masks are scaled to the annotation by nearest neighbour. The cost of a pair is 1 -
 * J, where J of two empty masks is 1. */
int assign_choose(struct assign *assign, const struct picture *annotation,
                  const struct id_set *ids, const struct mask_stack *masks,
                  struct fault *fault);

/* Paints the label image in order of falling cost, so that the best mask is on top. */
void assign_paint(const struct assign *assign, const struct mask_stack *masks,
                  struct picture *out);

/* The index in a row of `in` pixels that nearest neighbour takes for dst. */
static inline int nearest(int dst, int in, int out)
{
    return (int)((2 * (int64_t)dst + 1) * in / (2 * (int64_t)out));
}

#endif
