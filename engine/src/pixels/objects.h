/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* objects.h - the rules that turn logits into labels and labels into objects. Each
 * backend has kernels of its own that apply them. */
#ifndef RV_PIXELS_OBJECTS_H
#define RV_PIXELS_OBJECTS_H

#include "clones.h"
#include "rvos.h"

/* Bilinear interpolation with aligned corners: output i of `out` lies between inputs *at
 * and *at + (*at + 1 < in), at the fraction *frac. `in` is at most 4096 and `out` 32768,
 * so products fit in 32 bits. */
RV_RULE void rv_bilinear_at(int i, int in, int out, int *at, float *frac)
{
    int p = out > 1 ? i * (in - 1) : 0, unit = out > 1 ? out - 1 : 1;

    *at = p / unit;
    *frac = (float)(p % unit) / (float)unit;
}

/* The largest float below the logit of `threshold` (0: 0.5). A pixel belongs to the
 * object with the largest logit if that is above this level. */
float rv_label_level(float threshold);

/* Soft foreground is 255 times the largest probability. It rounds to 0 for logits up to
 * this. */
#define RV_ALPHA_LEVEL (-6.5f)

/* One object's pixels in some rows of the labels; zeroes: none. */
struct rv_stats {
    int64_t area;
    int x0, y0, x1, y1; /* box: x0 <= x < x1 */
};

void rv_stats_merge(struct rv_stats *all, const struct rv_stats *part);

/* The mean score from the sum of an object's probabilities over its `count` pixels at
 * network size. */
double rv_mean_score(double sum, int64_t count);
/* An object with fewer than `least` pixels is absent. */
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
/* Copies soft foreground into the alpha bytes of RGBA, BGRA, ARGB or ABGR. Does nothing
 * for other formats. */
void rv_set_alpha_rows(const rvos_image *image, const rvos_labels *alpha, int row0,
                       int row1);

#endif
