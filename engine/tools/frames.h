/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.h - folders of frames, and pictures in files. */
#ifndef RV_TOOLS_FRAMES_H
#define RV_TOOLS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pictures.h>

#include "fault.h"

/* Sets the fault of a file from an error of pictures.h. Returns its tool_exit. */
int picture_fault(const struct pic_error *error, const char *path, struct fault *fault);

/* Allocates the pixels without clearing them; `path` is for the message. */
int picture_alloc(struct picture *picture, int width, int height, int channels,
                  const char *path, struct fault *fault);

/* Reads any PNG, JPEG, PPM or PGM as RGB, turned by its EXIF orientation (pictures.h). */
int picture_read(struct picture *out, const char *path, struct fault *fault);

/* How to read a mask file's values (the rule: pictures.h). "Ignore" becomes
 * background. */
enum mask_kind {
    MASK_INDEX,  /* published data sets: a value is a number, 255 always "ignore" */
    MASK_SLOTS,  /* from users: a single object may have any value */
    MASK_GUESS,  /* results of a method: as MASK_SLOTS, with numbers above 32 */
    MASK_BINARY, /* DAVIS-2016: any value but 0 is object 1 */
};

/* Reads a picture of object numbers. If it is not one, the message says what to do. */
int mask_read(struct picture *out, const char *path, enum mask_kind kind,
              struct fault *fault);

/* The same, but "ignore" stays MASK_IGNORE. `facts` may be NULL. */
int mask_read_raw(struct picture *out, const char *path, enum mask_kind kind,
                  struct mask_facts *facts, struct fault *fault);

/* Writes a palette PNG in the DAVIS colours, the whole file or nothing (output.h). */
int mask_write(const char *path, const uint8_t *labels, int width, int height,
               struct fault *fault);

/* Whether a file name has a picture's extension. */
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

/* Lists the pictures of a folder in natural order: 9.png comes before 10.png. Refuses two
 * pictures with one stem, because their results would overwrite each other. */
int frames_list(struct frame_list *out, const char *folder, struct fault *fault);
void frames_free(struct frame_list *list);

/* The index of the frame of this stem, or -1. */
int frames_find(const struct frame_list *list, const char *stem);

#endif
