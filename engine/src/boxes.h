/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boxes.h - which pixels of a detector's box are the object. Reads label maps and writes
 * masks; knows no network. */
#ifndef RV_BOXES_H
#define RV_BOXES_H

#include <stdint.h>

#include "rvos.h"

/* Sets `bit` in the pixels of the object in `box`, at network size. The object is the
 * foreground in `found` that lies in the box or close to it and is not in `followed`
 * (NULL: nothing is followed). If that is little, pixels in `followed` count as well. If
 * that is still little, the object is the whole box. Returns its number of pixels; 0: the
 * box is outside the frame. */
int rv_box_object(const rvos_box *box, const uint8_t *found, const uint8_t *followed,
                  int width, int height, uint32_t bit, uint32_t *bits);

#endif
