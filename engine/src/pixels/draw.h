/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.h - labels as colour on a picture: plain C on host memory.
 *
 * Functions that take row0 and row1 do those rows alone, so that threads can share an
 * image; the result does not depend on how it is cut. Scratch belongs to one thread at
 * a time, is aligned as malloc's, and need not be cleared. Callers have checked the views
 * (image.h). */
#ifndef RV_PIXELS_DRAW_H
#define RV_PIXELS_DRAW_H

#include <stddef.h>

#include "rvos.h"

size_t rv_draw_scratch(const rvos_image *image, const rvos_draw_params *params);

/* Draws on rows row0 to row1; where two rows share chroma (NV12, I420 and the like) row0
 * must be even, and row1 too unless it is the last. params->palette is not NULL. An
 * object's edge pixels are those that have a pixel of another label within `contour`
 * pixels of them, in x and in y each (so that corners are square); beyond the frame there
 * is none. Labels above RVOS_MAX_OBJECTS count as background. */
void rv_draw_rows(const rvos_image *image, const rvos_labels *labels,
                  const rvos_draw_params *params, int row0, int row1, void *scratch);
/* The whole image, by the calling thread, with scratch of its own. */
int rv_draw_image(const rvos_image *image, const rvos_labels *labels,
                  const rvos_draw_params *params);

#endif
