/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* still.h - which pixels of a video differ from the picture that stands still: what moves
 * before a camera that does not.
 *
 * The picture is the network's input at half its size. The still picture is a slow mean
 * of it. Nothing is allocated after rv_still_create. Only one thread at a time may use
 * it. */
#ifndef RV_STILL_H
#define RV_STILL_H

#include <stddef.h>
#include <stdint.h>

#include "type.h"

struct rv_still;

/* `width` and `height` are the network size. Returns 0, or -1 if memory runs out. */
int rv_still_create(struct rv_still **out, int width, int height);
void rv_still_destroy(struct rv_still **still);
/* Starts a new video. */
void rv_still_reset(struct rv_still *still);

/* Values of a picture: (height + 1) / 2 rows of (width + 1) / 2 pixels of 3 channels. */
size_t rv_still_values(const struct rv_still *still);

/* Takes the picture of a frame, in units of the network's input, as RV_F32, RV_F16 or
 * RV_BF16. Returns a map at network size, rows without gaps: 1 where the frame differs,
 * else 0. It is valid until the next call. NULL: nothing stands still, since more than
 * half of the picture differs, or this is the first one. */
const uint8_t *rv_still_update(struct rv_still *still, const void *picture,
                               enum rv_type type);

#endif
