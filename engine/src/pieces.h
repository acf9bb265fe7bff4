/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pieces.h - connected pieces of a label map, and the overlaps of two maps. */
#ifndef RV_PIECES_H
#define RV_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#define RV_MAX_PIECES 63

struct rv_piece {
    int area;           /* pixels */
    int x0, y0, x1, y1; /* box; x1 and y1 are exclusive */
    uint8_t label;      /* of its first pixel */
};

/* Pieces 1 to count, the largest first. */
struct rv_pieces {
    int width, height;
    int count;
    uint8_t *of; /* the piece of each pixel; 0: none */
    struct rv_piece piece[RV_MAX_PIECES + 1];
    int *root, *area; /* scratch of rv_pieces_find */
};

/* Allocates all memory. Returns 0 or RVOS_ERR_MEMORY; call rv_pieces_finish in both
 * cases. */
int rv_pieces_init(struct rv_pieces *p, int width, int height);
void rv_pieces_finish(struct rv_pieces *p);
/* Finds the pieces of at least `least` pixels. Neighbours (8-connected) belong together
 * if both are not 0 and, with `by_label`, have the same label. */
void rv_pieces_find(struct rv_pieces *p, const uint8_t *labels, bool by_label, int least);

#define RV_OVERLAP_LABELS 64 /* rv_overlaps counts labels 0 to 63 */

/* table[i][j] = number of pixels with label i in `a` and label j in `b`. Callers must not
 * pass larger labels. */
void rv_overlaps(const uint8_t *a, const uint8_t *b, int pixels,
                 int table[RV_OVERLAP_LABELS][RV_OVERLAP_LABELS]);
/* Dilation: `out` is 1 where a nonzero pixel of `in` is within `radius` in x and in y,
 * else 0. `scratch` has as many bytes as the map. */
void rv_grow(const uint8_t *in, uint8_t *out, uint8_t *scratch, int width, int height,
             int radius);

#endif
