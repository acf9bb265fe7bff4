/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pictures.h - reads pictures and masks for the tools, the element and the tests. It uses
 * neither GLib, GStreamer nor librvos.
 *
 * Files are not trusted. Only regular files are opened, so no call blocks for ever. Sizes
 * are compared with the limits below before memory is allocated. Running out of memory is
 * an ordinary error. Error texts contain no path; they continue after a file's name:
 * "FILE: " or "The mask file "FILE" ".
 */
#ifndef RV_PICTURES_H
#define RV_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limits of all readers. */
#define PICTURE_MAX_SIDE 16384
#define PICTURE_MAX_PIXELS ((size_t)1 << 27)
#define PICTURE_MAX_BYTES ((size_t)1 << 29) /* for decoded pixels, and for a decoder */

/* The highest object number that can be followed (RVOS_MAX_OBJECTS of rvos.h). */
#define MASK_MAX_SLOT 32
/* The highest number in a mask of one byte per pixel; 255 is MASK_IGNORE. */
#define MASK_MAX_NUMBER 254
#define MASK_IGNORE 255

/* 8 bits per channel, rows without gaps. */
struct picture {
    int width, height;
    int channels;    /* 1: grey or object numbers; 3: RGB */
    uint8_t *pixels; /* malloc */
};

enum pic_status {
    PIC_OK,
    PIC_NOT_FOUND,
    PIC_NOT_READ, /* no permission, not a regular file, a disk error */
    PIC_WRONG,    /* readable, but not what was expected */
    PIC_NO_MEMORY,
};

struct pic_error {
    enum pic_status status;
    char words[400];
};

void picture_free(struct picture *picture);

/* Allocates the pixels without clearing them. Returns 0 or -1. */
int pic_alloc(struct picture *picture, int width, int height, int channels,
              struct pic_error *error);

/* Reads any PNG, JPEG or PNM as RGB. Alpha is dropped and 16 bits are rounded to 8. The
 * picture is turned by its EXIF orientation. The format is found by content, not by name.
 * Returns 0 or -1. */
int pic_read(struct picture *out, const char *path, struct pic_error *error);

/* ---- masks --------------------------------------------------------------- */

/* The meaning of a mask's values. The rule, for values of one channel:
 *
 * 1. One value beside 0: up to `single` it is that object's number; above (white, say)
 *    the mask shows object 1, if there is background, too.
 * 2. Nearly black and white, with the values between along its edges: a drawing with
 *    soft edges. It shows object 1 where it is at least half white.
 * 3. Values up to `highest`: object numbers. The largest value of the format (255) beside
 *    them means "ignore".
 * 4. Anything else is not clear, and refused.
 */
enum mask_meaning {
    MASK_EMPTY,   /* only 0, or only "ignore" */
    MASK_NUMBERS, /* values are object numbers */
    MASK_ONE,     /* one object, object 1, with any value */
    MASK_SOFT,    /* one object with soft edges */
    MASK_UNCLEAR,
};

struct mask_rules {
    unsigned single;  /* highest single object number, rule 1 */
    unsigned highest; /* highest object number, rule 3; at most MASK_MAX_NUMBER */
    bool published;   /* numbers of published data sets: 255 is always "ignore", any other
                         value is a number; rules 1 and 2 do not apply */
};

/* For masks from users: slot numbers. */
#define MASK_RULES_SLOTS ((struct mask_rules){MASK_MAX_SLOT, MASK_MAX_SLOT, false})

/* The result of reading a mask. */
struct mask_facts {
    enum mask_meaning meaning;
    unsigned value;   /* MASK_ONE: value of the object's pixels */
    int highest;      /* highest object number in the result; 0: no object */
    bool has[256];    /* has[n]: some pixel of the result is n */
    char values[160]; /* values in the file, in words: "0, 3 and 255" */
};

/* The rule. `count` has the number of pixels with each value 0..white. `soft` says
 * whether the values between lie along edges; it is called only if the rest allows it.
 */
enum mask_meaning mask_rule(const uint32_t *count, unsigned white,
                            const struct mask_rules *rules, bool (*soft)(void *),
                            void *context, unsigned *value);

/* Reads a mask from a file: PNG (palette, grey of 1 to 16 bits, with alpha, RGB, RGBA) or
 * PNM. The result has object numbers, 0 and MASK_IGNORE. It is turned by its EXIF
 * orientation. A mask without an object is not an error; see `facts`. Returns 0 or -1. */
int pic_read_mask(struct picture *out, const char *path, const struct mask_rules *rules,
                  struct mask_facts *facts, struct pic_error *error);

/* The same for pixels in memory, one byte each, rows `stride` bytes apart. */
int pic_mask_from_gray(struct picture *out, const uint8_t *data, ptrdiff_t stride,
                       int width, int height, const struct mask_rules *rules,
                       struct mask_facts *facts, struct pic_error *error);

/* Writes the error text for a mask without an object: what it contains and what is
 * expected. */
void mask_say_empty(const struct mask_facts *facts, struct pic_error *error);

/* The stride of a plane of one byte per pixel in a buffer of `size` bytes without layout
 * information: `padded`, the usual one, if that fits; `width` if the buffer has exactly
 * width x height bytes; 0 if it is too small. */
size_t mask_stride(size_t size, int width, int height, size_t padded);

/* A mask's shape compared with the shape of its frames. */
enum mask_shape {
    MASK_SHAPE_SAME,   /* the same or another size of the same shape */
    MASK_SHAPE_TURNED, /* one of them is rotated by 90 degrees */
    MASK_SHAPE_OTHER,
};

/* The pixel aspect ratio of the frames is par_n / par_d. A mask may have the stored or
 * the displayed shape. */
enum mask_shape mask_shape_of(int width, int height, int frame_width, int frame_height,
                              int par_n, int par_d);

/* The colours of PASCAL VOC and DAVIS: the bits of the number, three at a time, are the
 * top bits of red, green and blue. */
void davis_colour(int number, uint8_t rgb[3]);

/* ---- names of numbered masks --------------------------------------------- */

/* A file-name pattern such as "m%05d.png", split at its one conversion. "%%" is a per
 * cent sign. It comes from users, so it is never passed to printf. */
struct mask_pattern {
    char *folder, *prefix, *suffix; /* malloc */
    unsigned digits;
    bool zeros;
};

/* Parses the path of a missing file as a pattern: its last part has one %d, %5d or %05d.
 * Returns 0 or -1. */
int mask_pattern_parse(struct mask_pattern *pattern, const char *path,
                       struct pic_error *error);
void mask_pattern_free(struct mask_pattern *pattern);

/* Whether a file name in the folder matches the pattern, and its number. */
bool mask_pattern_match(const struct mask_pattern *pattern, const char *name,
                        uint64_t *number);

#endif
