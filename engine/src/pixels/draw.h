/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.h - draws labels as colour on an image in host memory, in plain C.
 *
 * Functions with row0 and row1 draw those rows only, so that threads can share an image.
 * The result does not depend on the cut. Scratch belongs to one thread at a time, is
 * aligned as by malloc, and need not be cleared. Callers have checked the views
 * (image.h). */
#ifndef RV_PIXELS_DRAW_H
#define RV_PIXELS_DRAW_H

#include <stddef.h>

#include "rvos.h"

size_t rv_draw_scratch(const rvos_image *image, const rvos_draw_params *params);

/* Draws on rows row0 to row1 (exclusive). If two rows share chroma (NV12, I420 and the
 * like), row0 must be even, and row1 too unless it is the last. params->palette must not
 * be NULL. An object's edge pixels have a pixel of another label within `contour` pixels
 * in x and in y (so corners are square); the frame's border is no edge. Labels above
 * RVOS_MAX_OBJECTS count as background. */
void rv_draw_rows(const rvos_image *image, const rvos_labels *labels,
                  const rvos_draw_params *params, int row0, int row1, void *scratch);
/* Draws on the whole image in the calling thread, with scratch of its own. */
int rv_draw_image(const rvos_image *image, const rvos_labels *labels,
                  const rvos_draw_params *params);

#endif
