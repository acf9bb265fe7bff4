/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boxes.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Detectors' boxes are not exact, so foreground counts up to this far outside a box. */
#define MARGIN 0.1f /* of the box's sides */
#define LITTLE 0.1  /* of the box's pixels */

struct area {
    int left, top, right, bottom; /* right and bottom are outside */
};

static int clip(float v, int most)
{
    return v <= 0 ? 0 : v >= (float)most ? most : (int)lrintf(v);
}

static struct area area_of(const rvos_box *box, float margin, int width, int height)
{
    float w = (float)width, h = (float)height;
    float x = box->width * margin, y = box->height * margin;

    return (struct area){
        .left = clip((box->x - x) * w, width),
        .top = clip((box->y - y) * h, height),
        .right = clip((box->x + box->width + x) * w, width),
        .bottom = clip((box->y + box->height + y) * h, height),
    };
}

/* Counts the pixels of an area that are foreground (if `found` is not NULL) and not
 * followed. If `bits` is not NULL, sets `bit` there. */
static int take(struct area a, const uint8_t *found, const uint8_t *followed, int width,
                uint32_t bit, uint32_t *bits)
{
    int n = 0;

    for (int y = a.top; y < a.bottom; y++)
        for (int x = a.left; x < a.right; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;

            if ((found && !found[i]) || (followed && followed[i]))
                continue;
            if (bits)
                bits[i] |= bit;
            n++;
        }
    return n;
}

int rv_box_object(const rvos_box *box, const uint8_t *found, const uint8_t *followed,
                  int width, int height, uint32_t bit, uint32_t *bits)
{
    struct area inside = area_of(box, 0, width, height);
    struct area around = area_of(box, MARGIN, width, height);
    double least = LITTLE * take(inside, NULL, NULL, width, bit, NULL);

    if (!(least > 0))
        return 0;
    if (take(around, found, followed, width, bit, NULL) >= least)
        return take(around, found, followed, width, bit, bits);
    if (take(around, found, NULL, width, bit, NULL) >= least)
        return take(around, found, NULL, width, bit, bits);
    return take(inside, NULL, NULL, width, bit, bits);
}
