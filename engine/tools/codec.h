/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec.h - writes pictures, for frames.c. They are read by engine/pictures. */
#ifndef RV_TOOLS_CODEC_H
#define RV_TOOLS_CODEC_H

#include <stdio.h>

#include "frames.h"

/* One channel: with the palette of DAVIS; three: RGB. Closes nothing. */
int png_encode(FILE *out, const struct picture *picture, const char *path,
               struct fault *fault);
#endif
