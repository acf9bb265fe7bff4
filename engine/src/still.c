/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "still.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "f16.h"

enum { CHANNELS = 3, PATIENCE = 30 /* frames after which what differs is the picture */ };

/* The network's input is in standard deviations, of 57 to 58 grey levels of 255. */
static const float difference = 0.5f; /* about 46 grey levels, in any channel */
static const float rate = 0.1f;       /* of the mean */

struct rv_still {
    int width, height; /* network size */
    int w, h;          /* of the picture */
    bool any;          /* `mean` is set */
    float *mean, *now; /* pictures */
    uint8_t *since;    /* frames for which a pixel has differed */
    uint8_t *map;
};

int rv_still_create(struct rv_still **out, int width, int height)
{
    struct rv_still *s = calloc(1, sizeof(*s));
    size_t n;

    *out = s;
    if (!s)
        return -1;
    s->width = width;
    s->height = height;
    s->w = (width + 1) / 2;
    s->h = (height + 1) / 2;
    n = (size_t)s->w * s->h;
    s->mean = malloc(n * CHANNELS * sizeof(*s->mean));
    s->now = malloc(n * CHANNELS * sizeof(*s->now));
    s->since = malloc(n);
    s->map = malloc((size_t)width * height);
    if (s->mean && s->now && s->since && s->map)
        return 0;
    rv_still_destroy(out);
    return -1;
}

void rv_still_destroy(struct rv_still **still)
{
    struct rv_still *s = *still;

    *still = NULL;
    if (!s)
        return;
    free(s->mean);
    free(s->now);
    free(s->since);
    free(s->map);
    free(s);
}

void rv_still_reset(struct rv_still *s)
{
    s->any = false;
}

size_t rv_still_values(const struct rv_still *s)
{
    return (size_t)s->w * s->h * CHANNELS;
}

static const float *to_floats(struct rv_still *s, const void *picture, enum rv_type type)
{
    const uint16_t *half = picture;

    if (type == RV_F32)
        return picture;
    for (size_t i = 0; i < rv_still_values(s); i++) {
        uint32_t bits = (uint32_t)half[i] << 16; /* a bfloat16 is the upper half */

        if (type == RV_F16)
            s->now[i] = rv_f16_value(half[i]);
        else
            memcpy(&s->now[i], &bits, sizeof(bits));
    }
    return s->now;
}

/* Compares a pixel with the mean, and lets the mean follow it. */
static bool differs(const float *now, float *mean, uint8_t *since)
{
    bool far = false;

    for (int c = 0; c < CHANNELS; c++)
        far = far || !(fabsf(now[c] - mean[c]) <= difference);
    if (far && ++*since < PATIENCE)
        return true;
    for (int c = 0; c < CHANNELS; c++)
        mean[c] = far ? now[c] : mean[c] + rate * (now[c] - mean[c]);
    *since = 0;
    return false;
}

const uint8_t *rv_still_update(struct rv_still *s, const void *picture, enum rv_type type)
{
    const float *now = to_floats(s, picture, type);
    int count = 0;

    if (s->any)
        for (int y = 0; y < s->h; y++)
            for (int x = 0; x < s->w; x++) {
                size_t i = (size_t)y * s->w + x;
                bool far =
                    differs(now + i * CHANNELS, s->mean + i * CHANNELS, &s->since[i]);

                count += far;
                s->map[2 * y * s->width + 2 * x] = far;
            }
    if (!s->any || count > s->w * s->h / 2) {
        memcpy(s->mean, now, rv_still_values(s) * sizeof(*now));
        memset(s->since, 0, (size_t)s->w * s->h);
        s->any = true;
        return NULL;
    }
    /* So far one of each four pixels is set: it now spreads to the others. */
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++)
            s->map[y * s->width + x] = s->map[(y - y % 2) * s->width + x - x % 2];
    return s->map;
}
