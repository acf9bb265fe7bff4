/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter.h"

#include <math.h>
#include <string.h>

#define VALUES (3 * 256)

static int taps_of(int in, int out)
{
    return 2 * (int)ceil(fmax(1, (double)in / out)) + 1;
}

static size_t axis_words(int in, int out)
{
    return (size_t)out * (2 + (size_t)taps_of(in, out));
}

static struct rv_taps axis_at(int in, int out, const int32_t *block)
{
    return (struct rv_taps){block, block + out, block + 2 * (ptrdiff_t)out,
                            taps_of(in, out)};
}

size_t rv_filter_words(struct rv_scaling s)
{
    return VALUES + axis_words(s.in_width, s.out_width) +
           axis_words(s.in_height, s.out_height);
}

struct rv_filter rv_filter_at(struct rv_scaling s, const int32_t *block)
{
    const int32_t *x = block + VALUES;

    return (struct rv_filter){
        .x = axis_at(s.in_width, s.out_width, x),
        .y = axis_at(s.in_height, s.out_height, x + axis_words(s.in_width, s.out_width)),
        .value = (const float *)(const void *)block,
    };
}

/* The filter is a triangle, widened by `scale` if it shrinks the image. */
static void fill_axis(int in, int out, int32_t *block)
{
    int taps = taps_of(in, out);
    int32_t *first = block, *count = first + out;
    double scale = (double)in / out, support = scale < 1 ? 1 : scale;

    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
        int32_t *coef = count + out + (ptrdiff_t)i * taps;
        int n = 0;

        from = from < 0 ? 0 : from;
        to = to > in ? in : to;
        for (int j = from; j < to; j++)
            sum += fmax(0, 1 - fabs((j - centre + 0.5) * (1 / support)));
        first[i] = from;
        for (int j = from; j < to; j++) {
            double weight = fmax(0, 1 - fabs((j - centre + 0.5) * (1 / support)));
            int32_t rounded = (int32_t)(0.5 + weight / sum * (1 << RV_TAPS_BITS));

            /* Drop leading zeroes, so that equal sizes have one tap. */
            if (n || rounded)
                coef[n++] = rounded;
            else
                first[i]++;
        }
        while (n > 1 && !coef[n - 1])
            n--;
        count[i] = n;
        memset(coef + n, 0, (size_t)(taps - n) * sizeof(*coef));
    }
}

void rv_filter_fill(struct rv_scaling s, int32_t *block)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f},
                       std[3] = {0.229f, 0.224f, 0.225f};
    float *value = (float *)(void *)block;
    int32_t *x = block + VALUES;

    for (int i = 0; i < VALUES; i++)
        value[i] = ((float)(i % 256) / 255.0f - mean[i / 256]) / std[i / 256];
    fill_axis(s.in_width, s.out_width, x);
    fill_axis(s.in_height, s.out_height, x + axis_words(s.in_width, s.out_width));
}
