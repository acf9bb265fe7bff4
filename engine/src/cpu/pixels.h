/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pixels.h - converts the caller's pixels to the network's input and logits to labels, in
 * plain C on host memory.
 *
 * Functions with row0 and row1 do those rows only, so that threads can share an image.
 * The result does not depend on the cut. Scratch belongs to one thread at a time, is
 * aligned as by malloc, and need not be cleared. Only the two create functions allocate.
 * Callers have checked the views (image.h). */
#ifndef RV_CPU_PIXELS_H
#define RV_CPU_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../pixels/objects.h"

/* ---- resize.c: frame -> network ----------------------------------------- */

/* Tables for frames of one size; read-only, so threads share them. NULL: out of
 * memory. */
struct rv_resize;
struct rv_resize *rv_resize_create(int frame_width, int frame_height, int width,
                                   int height);
void rv_resize_destroy(struct rv_resize *resize); /* accepts NULL */
size_t rv_resize_scratch(const struct rv_resize *resize);

/* Rows row0 to row1 of the network's input, row1 - row0 by width by 3 floats, to out:
 * Pillow's antialiased BILINEAR to the bit, then normalised. The frame may have any
 * format. Formats with luma become 8-bit RGB first; all pixels of a chroma sample get its
 * value, without interpolation. */
void rv_resize_rows(const struct rv_resize *resize, const rvos_image *frame, int row0,
                    int row1, float *out, void *scratch);

/* ---- labels.c: network -> labels ---------------------------------------- */

/* Makes tables from logits of width x height to labels of out_width x out_height. */
struct rv_upsample;
struct rv_upsample *rv_upsample_create(int width, int height, int out_width,
                                       int out_height);
void rv_upsample_destroy(struct rv_upsample *up);
size_t rv_upsample_scratch(const struct rv_upsample *up, int objects);

/* Writes rows of labels by the rule in rvos.h. `logits` are n planes of height x width;
 * threshold is a probability, 0: 0.5. Adds to stats[n]. Slots whose bit is in `unshown`
 * compete and are counted, but are written as background. */
void rv_labels_rows(const struct rv_upsample *up, const float *logits, int n,
                    uint32_t unshown, float threshold, const rvos_labels *out, int row0,
                    int row1, struct rv_stats *stats, void *scratch);

/* Writes rows of soft foreground: 255 times the largest probability of the slots not in
 * `drop`. */
void rv_alpha_rows(const struct rv_upsample *up, const float *logits, int n,
                   uint32_t drop, const rvos_labels *out, int row0, int row1,
                   void *scratch);

struct rv_scores {
    double score[RVOS_MAX_OBJECTS]; /* sum of probabilities over each object's pixels */
    int64_t count[RVOS_MAX_OBJECTS];
};

/* Adds each object's pixels in these rows of the logits, by the same rule, to `all`.
 * Writes the labels, in rows of `width` bytes, unless `labels` is NULL. */
void rv_scores(const float *logits, int n, int width, int height, float threshold,
               int row0, int row1, struct rv_scores *all, uint8_t *labels);

#endif
