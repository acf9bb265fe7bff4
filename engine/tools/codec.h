/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec.h - writes pictures, for frames.c. engine/pictures reads them. */
#ifndef RV_TOOLS_CODEC_H
#define RV_TOOLS_CODEC_H

#include <stdio.h>

#include "frames.h"

/* Writes one channel with the DAVIS palette, or three as RGB. Does not close `out`. */
int png_encode(FILE *out, const struct picture *picture, const char *path,
               struct fault *fault);
#endif
