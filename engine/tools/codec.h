/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec.h - one file format each, for frames.c. */
#ifndef RV_TOOLS_CODEC_H
#define RV_TOOLS_CODEC_H

#include <stdbool.h>
#include <stdio.h>

#include "frames.h"

/* `in` stands at the start of a file whose first bytes were of the format. With
 * `index`, values come unscaled as one channel and colours are refused; without,
 * three channels. */
int png_decode(struct picture *out, FILE *in, const char *path, bool index,
               struct fault *fault);
int jpeg_decode(struct picture *out, FILE *in, const char *path, struct fault *fault);
int pnm_decode(struct picture *out, FILE *in, const char *path, bool index,
               struct fault *fault);

/* One channel: with the palette of DAVIS; three: RGB. Closes nothing. */
int png_encode(FILE *out, const struct picture *picture, const char *path,
               struct fault *fault);

/* RGB to a JPEG in memory, to be freed. */
int jpeg_encode(unsigned char **out, unsigned long *size, const struct picture *picture,
                int quality);

#endif
