/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boxes.h - objects that are known by their boxes, as from a detector: which pixels of
 * such a box are the object. Label maps in, masks out; no network. */
#ifndef RV_BOXES_H
#define RV_BOXES_H

#include <stdint.h>

#include "rvos.h"

/* Adds `bit` to the pixels of the object in `box`, at network size: of the foreground in
 * `found` what lies in the box or close to it, and is none of `followed` (NULL: nothing
 * is followed). If little is left, followed objects count as well; if that is little,
 * too, the object is the whole box. Returns its pixels; 0: the box is off the frame. */
int rv_box_object(const rvos_box *box, const uint8_t *found, const uint8_t *followed,
                  int width, int height, uint32_t bit, uint32_t *bits);

#endif
