/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader.h - the decoders behind pictures.h, one per file format. */
#ifndef RV_PICTURES_READER_H
#define RV_PICTURES_READER_H

#include <stdio.h>
#include <string.h>

#include "pictures.h"

/* The output of a decoder. */
struct raw {
    int width, height;
    int channels;   /* 1: grey or palette index; 2: with alpha; 3: RGB; 4: RGBA */
    int bytes;      /* per sample: 1, or 2 in native byte order */
    unsigned white; /* the largest value of a sample, at least 255 */
    bool palette;
    uint8_t colour[256][3]; /* of the palette */
    int orientation;        /* EXIF orientation: 1 (upright) to 8 */
    uint8_t *pixels;        /* malloc, rows without gaps */
};

static inline unsigned raw_sample(const struct raw *raw, size_t at)
{
    uint16_t wide;

    if (raw->bytes == 1)
        return raw->pixels[at];
    memcpy(&wide, raw->pixels + 2 * at, 2);
    return wide;
}

/* An open file, and a limit that tests may set lower. */
struct source {
    FILE *in;
    size_t max_pixels;
};

enum pic_kind { PIC_UNKNOWN, PIC_PNG, PIC_JPEG, PIC_PNM };

/* Sets the error; returns -1, or 0 for PIC_OK. */
int pic_fail(struct pic_error *error, enum pic_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Opens a regular file. */
int source_open(struct source *source, const char *path, struct pic_error *error);
enum pic_kind source_kind(struct source *source);

/* Checks a picture with `pixel` bytes per pixel against the limits. Returns 0 or -1. */
int source_check(const struct source *source, size_t width, size_t height, size_t pixel,
                 struct pic_error *error);

/* The same, then allocates. */
int raw_alloc(struct raw *raw, const struct source *source, size_t width, size_t height,
              int channels, int bytes, struct pic_error *error);

/* `rgb`: convert to three channels of 8 bits; else keep values as they are. */
int png_decode(struct raw *raw, const struct source *source, bool rgb,
               struct pic_error *error);
int pnm_decode(struct raw *raw, const struct source *source, bool rgb,
               struct pic_error *error);
int jpeg_decode(struct raw *raw, const struct source *source, struct pic_error *error);

/* pic_read and pic_read_mask for an open file. */
int source_read(struct picture *out, struct source *source, struct pic_error *error);
int source_read_mask(struct picture *out, struct source *source,
                     const struct mask_rules *rules, struct mask_facts *facts,
                     struct pic_error *error);

/* The orientation in an EXIF block; 1 if there is none. */
int exif_orientation(const uint8_t *data, size_t size);

/* Turns a picture so that it stands upright. */
int picture_turn(struct picture *picture, int orientation, struct pic_error *error);

/* Reduces to one channel. Colours become the numbers of the DAVIS palette, or 1 if there
 * is one colour on black. */
int raw_to_values(struct raw *raw, struct pic_error *error);

#endif
