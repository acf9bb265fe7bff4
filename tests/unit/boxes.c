/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boxes.c - tests which pixels of a box become its object. */
#include <string.h>

#include "../test.h"
#include "boxes.h"

#define W 40
#define H 20

static uint8_t found[W * H], followed[W * H];
static uint32_t bits[W * H];

static void fill(uint8_t *map, int x, int y, int w, int h, int value)
{
    for (int i = y; i < y + h; i++)
        memset(map + i * W + x, value, (size_t)w);
}

static void clear(void)
{
    memset(found, 0, sizeof(found));
    memset(followed, 0, sizeof(followed));
    for (int i = 0; i < W * H; i++)
        bits[i] = 1; /* pixels of another slot, which must stay */
}

/* The pixels with bit 4 must be this rectangle, and their number the returned one. */
static void expect(int got, int x, int y, int w, int h)
{
    int wrong = 0;

    for (int i = 0; i < W * H; i++) {
        int inside = i % W >= x && i % W < x + w && i / W >= y && i / W < y + h;

        wrong += bits[i] != (inside ? 5u : 1u);
    }
    test_note(CHECK(wrong == 0 && got == w * h), "%d pixels, %d wrong", got, wrong);
}

static int object(rvos_box box)
{
    return rv_box_object(&box, found, followed, W, H, 4, bits);
}

int main(void)
{
    /* 10x10 pixels at (10, 5), and one pixel of margin. */
    const rvos_box box = {0.25f, 0.25f, 0.25f, 0.5f};

    clear(); /* foreground inside, and a little outside: the box is inexact */
    fill(found, 9, 6, 7, 6, 3);
    expect(object(box), 9, 6, 7, 6);
    clear(); /* farther out is another object */
    fill(found, 0, 4, 40, 5, 1);
    expect(object(box), 9, 4, 12, 5);
    clear(); /* pixels of a followed object are not taken */
    fill(found, 10, 5, 10, 10, 1);
    fill(followed, 10, 5, 4, 10, 2);
    expect(object(box), 14, 5, 6, 10);
    clear(); /* but if they are all of it, the box wins */
    fill(found, 10, 5, 10, 10, 1);
    fill(followed, 0, 0, 40, 20, 2);
    expect(object(box), 10, 5, 10, 10);
    clear(); /* too little foreground: take the box */
    fill(found, 10, 5, 3, 3, 1);
    expect(object(box), 10, 5, 10, 10);
    clear(); /* nothing is followed */
    fill(found, 10, 5, 5, 5, 1);
    expect(rv_box_object(&box, found, NULL, W, H, 4, bits), 10, 5, 5, 5);
    clear(); /* partly off the frame, and off altogether */
    expect(object((rvos_box){-0.25f, -1, 0.5f, 1.5f}), 0, 0, 10, 10);
    clear();
    expect(object((rvos_box){1.5f, 0, 1, 1}), 0, 0, 0, 0);
    expect(object((rvos_box){0.5f, 0.5f, 0, 0}), 0, 0, 0, 0);
    expect(object((rvos_box){0.5f, 0.5f, -0.3f, 0.2f}), 0, 0, 0, 0);
    expect(object((rvos_box){-1e30f, -1e30f, 1e30f, 1e30f}), 0, 0, 0, 0);
    return test_done();
}
