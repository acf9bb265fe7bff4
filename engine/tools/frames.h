/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.h - folders of frames, and pictures in files. */
#ifndef RV_TOOLS_FRAMES_H
#define RV_TOOLS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

#define PICTURE_MAX_SIDE 16384

/* 8 bits a channel, rows without gaps. */
struct picture {
    int width, height;
    int channels; /* 1: grey or index; 3: RGB */
    uint8_t *pixels;
};

void picture_free(struct picture *picture);

/* Allocates the pixels, uncleared; `path` is for the message. */
int picture_alloc(struct picture *picture, int width, int height, int channels,
                  const char *path, struct fault *fault);

/* Any PNG (palette, grey, RGB, alpha dropped, 16 bits rounded to 8), JPEG, PPM
 * or PGM, as RGB. Known by content, not by name. */
int picture_read(struct picture *out, const char *path, struct fault *fault);

/* How a mask file's values are taken. */
enum mask_kind {
    MASK_INDEX,  /* value is object; 255, "ignore", becomes background */
    MASK_BINARY, /* DAVIS-2016: any other than 0 is object 1 */
    MASK_RAW,    /* as they are, 255 too */
};

/* A picture of object numbers: palette or grey PNG of up to 8 bits, or PGM.
 * Everything else is refused with words on what to do. */
int mask_read(struct picture *out, const char *path, enum mask_kind kind,
              struct fault *fault);

/* Palette PNG in the colours of DAVIS, whole or not at all; see output.h. */
int mask_write(const char *path, const uint8_t *labels, int width, int height,
               struct fault *fault);

/* The same for RGB. */
int picture_write(const char *path, const struct picture *picture, struct fault *fault);

/* Whether a file has a name of a picture. */
bool picture_is_named(const char *name);

/* ---- folders ------------------------------------------------------------ */

struct frame_file {
    char *path;
    char *stem; /* the name without folder and extension */
};

struct frame_list {
    struct frame_file *file;
    int count;
};

/* The pictures of a folder, in natural order: 9.png comes before 10.png. Two
 * pictures of one stem are refused: their results would overwrite each other. */
int frames_list(struct frame_list *out, const char *folder, struct fault *fault);
void frames_free(struct frame_list *list);

/* The index of the frame of this stem, or -1. */
int frames_find(const struct frame_list *list, const char *stem);

#endif
