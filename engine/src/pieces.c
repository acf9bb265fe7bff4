/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pieces.h"

#include <stdlib.h>
#include <string.h>

#include "rvos.h"

int rv_pieces_init(struct rv_pieces *p, int width, int height)
{
    size_t n = (size_t)width * height;

    *p = (struct rv_pieces){.width = width, .height = height};
    p->of = calloc(n, sizeof(*p->of));
    p->root = calloc(n, sizeof(*p->root));
    p->area = calloc(n, sizeof(*p->area));
    return p->of && p->root && p->area ? 0 : RVOS_ERR_MEMORY;
}

void rv_pieces_finish(struct rv_pieces *p)
{
    free(p->of);
    free(p->root);
    free(p->area);
    *p = (struct rv_pieces){0};
}

/* Union-find: a root points to itself, and each look-up shortens the path. */
static int root_of(int *root, int i)
{
    while (root[i] != i)
        i = root[i] = root[root[i]];
    return i;
}

static void join(int *root, int a, int b)
{
    a = root_of(root, a);
    b = root_of(root, b);
    if (a < b)
        root[b] = a;
    else
        root[a] = b;
}

static bool alike(uint8_t a, uint8_t b, bool by_label)
{
    return b && (!by_label || a == b);
}

/* Joins each pixel with its four neighbours that come before it. */
static void join_pixels(struct rv_pieces *p, const uint8_t *labels, bool by_label)
{
    for (int y = 0, i = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++, i++) {
            uint8_t l = labels[i];
            int up = i - p->width;

            if (!l)
                continue;
            p->root[i] = i;
            p->area[i] = 0;
            if (x && alike(l, labels[i - 1], by_label))
                join(p->root, i, i - 1);
            if (y && alike(l, labels[up], by_label))
                join(p->root, i, up);
            if (y && x && alike(l, labels[up - 1], by_label))
                join(p->root, i, up - 1);
            if (y && x + 1 < p->width && alike(l, labels[up + 1], by_label))
                join(p->root, i, up + 1);
        }
}

/* Enters a root among the RV_MAX_PIECES largest. `label` holds the root until the pieces
 * are in order. */
static void enter(struct rv_pieces *p, int area, int at, int roots[RV_MAX_PIECES + 1])
{
    int k;

    if (p->count == RV_MAX_PIECES && area <= p->piece[p->count].area)
        return;
    if (p->count < RV_MAX_PIECES)
        p->count++;
    for (k = p->count; k > 1 && p->piece[k - 1].area < area; k--) {
        p->piece[k].area = p->piece[k - 1].area;
        roots[k] = roots[k - 1];
    }
    p->piece[k].area = area;
    roots[k] = at;
}

static void include(struct rv_piece *piece, int x, int y)
{
    if (x < piece->x0)
        piece->x0 = x;
    if (y < piece->y0)
        piece->y0 = y;
    if (x >= piece->x1)
        piece->x1 = x + 1;
    if (y >= piece->y1)
        piece->y1 = y + 1;
}

void rv_pieces_find(struct rv_pieces *p, const uint8_t *labels, bool by_label, int least)
{
    int n = p->width * p->height, roots[RV_MAX_PIECES + 1] = {0};

    join_pixels(p, labels, by_label);
    for (int i = 0; i < n; i++)
        if (labels[i]) {
            p->root[i] = root_of(p->root, i);
            p->area[p->root[i]]++;
        }
    p->count = 0;
    for (int i = 0; i < n; i++)
        if (labels[i] && p->root[i] == i) {
            if (p->area[i] >= least)
                enter(p, p->area[i], i, roots);
            p->area[i] = 0; /* from here on area[root] is the piece's number */
        }
    for (int k = 1; k <= p->count; k++) {
        p->area[roots[k]] = k;
        p->piece[k].label = labels[roots[k]];
        p->piece[k].x0 = p->width;
        p->piece[k].y0 = p->height;
        p->piece[k].x1 = p->piece[k].y1 = 0;
    }
    for (int y = 0, i = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++, i++) {
            p->of[i] = labels[i] ? (uint8_t)p->area[p->root[i]] : 0;
            if (p->of[i])
                include(&p->piece[p->of[i]], x, y);
        }
}

void rv_overlaps(const uint8_t *a, const uint8_t *b, int pixels,
                 int table[RV_OVERLAP_LABELS][RV_OVERLAP_LABELS])
{
    memset(table, 0, sizeof(int) * RV_OVERLAP_LABELS * RV_OVERLAP_LABELS);
    for (int i = 0; i < pixels; i++)
        table[a[i]][b[i]]++;
}

/* One direction of a dilation with a box. Neighbours are `step` bytes apart. */
static void grow_line(const uint8_t *in, uint8_t *out, int n, int step, int radius)
{
    int last = -radius - 1; /* the last set pixel seen */

    for (int i = 0; i < n + radius; i++) {
        if (i < n && in[i * step])
            last = i;
        if (i >= radius)
            out[(i - radius) * step] = last >= i - 2 * radius;
    }
}

void rv_grow(const uint8_t *in, uint8_t *out, uint8_t *scratch, int width, int height,
             int radius)
{
    for (int y = 0; y < height; y++)
        grow_line(in + y * width, scratch + y * width, width, 1, radius);
    for (int x = 0; x < width; x++)
        grow_line(scratch + x, out + x, height, width, radius);
}
