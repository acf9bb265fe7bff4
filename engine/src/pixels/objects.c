/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "objects.h"

#include <math.h>
#include <string.h>

#include "color.h"

float rv_label_level(float threshold)
{
    double p = threshold == 0 ? 0.5 : threshold;
    double logit = p >= 1 ? INFINITY : p > 0 ? log(p / (1 - p)) : -INFINITY;

    return nextafterf((float)logit, -INFINITY);
}

void rv_stats_merge(struct rv_stats *all, const struct rv_stats *part)
{
    if (!part->area)
        return;
    if (!all->area) {
        *all = *part;
        return;
    }
    all->area += part->area;
    all->x0 = part->x0 < all->x0 ? part->x0 : all->x0;
    all->y0 = part->y0 < all->y0 ? part->y0 : all->y0;
    all->x1 = part->x1 > all->x1 ? part->x1 : all->x1;
    all->y1 = part->y1 > all->y1 ? part->y1 : all->y1;
}

double rv_mean_score(double sum, int64_t count)
{
    return count ? sum / (double)count : 0;
}

rvos_object rv_object_of(const struct rv_stats *s, double score, int least)
{
    if (!s->area || s->area < least)
        return (rvos_object){0};
    return (rvos_object){.present = true,
                         .x = s->x0,
                         .y = s->y0,
                         .width = s->x1 - s->x0,
                         .height = s->y1 - s->y0,
                         .area = s->area,
                         .score = score};
}

void rv_labels_drop(const rvos_labels *labels, uint32_t drop, int row0, int row1)
{
    uint8_t keep[256];
    int step = rv_labels_step(labels);

    if (!drop)
        return;
    for (int i = 0; i < 256; i++)
        keep[i] = (uint8_t)(i > 0 && i <= 32 && drop >> (i - 1) & 1 ? 0 : i);
    for (int y = row0; y < row1; y++) {
        uint8_t *row = labels->data + y * labels->stride;

        for (int x = 0; x < labels->width; x++)
            row[(ptrdiff_t)x * step] = keep[row[(ptrdiff_t)x * step]];
    }
}

void rv_labels_fill(const rvos_labels *labels, uint8_t value, int row0, int row1)
{
    int step = rv_labels_step(labels);

    for (int y = row0; y < row1; y++) {
        uint8_t *row = labels->data + y * labels->stride;

        if (step == 1)
            memset(row, value, (size_t)labels->width);
        else
            for (int x = 0; x < labels->width; x++)
                row[(ptrdiff_t)x * step] = value;
    }
}

void rv_set_alpha_rows(const rvos_image *image, const rvos_labels *alpha, int row0,
                       int row1)
{
    int step = rv_labels_step(alpha), at;

    if (image->format < RVOS_RGBA || image->format > RVOS_ABGR)
        return;
    at = rv_packing_of(image->format).alpha;
    for (int y = row0; y < row1; y++) {
        const uint8_t *from = alpha->data + y * alpha->stride;
        uint8_t *to = (uint8_t *)image->plane[0] + y * image->stride[0] + at;

        for (int x = 0; x < image->width; x++)
            to[4 * (ptrdiff_t)x] = from[(ptrdiff_t)x * step];
    }
}
