/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* objects.h - the rules by which logits become labels, and labels objects. Each backend
 * has kernels of its own that apply them. */
#ifndef RV_PIXELS_OBJECTS_H
#define RV_PIXELS_OBJECTS_H

#include "clones.h"
#include "rvos.h"

/* Output i of `out` lies between inputs *at and *at + (*at + 1 < in), *frac of the way:
 * bilinear with aligned corners. Sides are at most 4096 and 32768: products fit. */
RV_RULE void rv_place(int i, int in, int out, int *at, float *frac)
{
    int p = out > 1 ? i * (in - 1) : 0, unit = out > 1 ? out - 1 : 1;

    *at = p / unit;
    *frac = (float)(p % unit) / (float)unit;
}

/* The object with the largest logit above this has the pixel: the greatest number below
 * the logit of `threshold`, a probability; 0: 0.5. */
float rv_label_level(float threshold);

/* Soft foreground is 255 times the largest probability: 0 for logits up to this. */
#define RV_ALPHA_LEVEL (-6.5f)

/* What one object has in some rows of the labels; zeroes: nothing. */
struct rv_stats {
    int64_t area;
    int x0, y0, x1, y1; /* box: x0 <= x < x1 */
};

void rv_stats_merge(struct rv_stats *all, const struct rv_stats *part);

/* From the sum of an object's probabilities over its `count` pixels at network size. */
double rv_mean_score(double sum, int64_t count);
/* Absent if it has less than `least` pixels. */
rvos_object rv_object_of(const struct rv_stats *stats, double score, int least);

/* Bytes from one label of a row to the next. */
static inline int rv_labels_step(const rvos_labels *labels)
{
    return labels->step ? labels->step : 1;
}

/* Rows of labels in host memory. */
void rv_labels_fill(const rvos_labels *labels, uint8_t value, int row0, int row1);
/* Turns the slots that have their bit in `drop` into background. */
void rv_labels_drop(const rvos_labels *labels, uint32_t drop, int row0, int row1);
/* Soft foreground into the alpha bytes of RGBA, BGRA, ARGB or ABGR; other formats:
 * nothing. */
void rv_set_alpha_rows(const rvos_image *image, const rvos_labels *alpha, int row0,
                       int row1);

#endif
