/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pictures.h - the one reader of pictures and masks: for the tools, the element and the
 * tests. It knows no GLib, no GStreamer and nothing of librvos.
 *
 * Files come from anywhere. Only regular files are opened, so no call waits for ever.
 * Sizes are compared with the limits below before memory is taken, and a lack of memory
 * is an error like any other. Errors are words without a path that go on from a file's
 * name: "FILE: " or "The mask file "FILE" ".
 */
#ifndef RV_PICTURES_H
#define RV_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limits of all readers. */
#define PICTURE_MAX_SIDE 16384
#define PICTURE_MAX_PIXELS ((size_t)1 << 27)
#define PICTURE_MAX_BYTES ((size_t)1 << 29) /* of decoded pixels, and of a decoder */

/* The highest object number that can be followed (RVOS_MAX_OBJECTS of rvos.h). */
#define MASK_MAX_SLOT 32
/* The highest number that a mask of one byte a pixel can hold beside MASK_IGNORE. */
#define MASK_MAX_NUMBER 254
#define MASK_IGNORE 255

/* 8 bits a channel, rows without gaps. */
struct picture {
    int width, height;
    int channels;    /* 1: grey or object numbers; 3: RGB */
    uint8_t *pixels; /* malloc */
};

enum pic_status {
    PIC_OK,
    PIC_NOT_FOUND,
    PIC_NOT_READ, /* no permission, no regular file, a broken disk */
    PIC_WRONG,    /* it can be read, and is not what is wanted */
    PIC_NO_MEMORY,
};

struct pic_error {
    enum pic_status status;
    char words[400];
};

void picture_free(struct picture *picture);

/* Allocates the pixels, uncleared. 0, or -1. */
int pic_alloc(struct picture *picture, int width, int height, int channels,
              struct pic_error *error);

/* Any PNG, JPEG or PNM as RGB; alpha is dropped, 16 bits are rounded to 8. The picture
 * is turned as its EXIF orientation says. Known by content, not by name. 0, or -1. */
int pic_read(struct picture *out, const char *path, struct pic_error *error);

/* ---- masks --------------------------------------------------------------- */

/* What the values of a mask mean. The rule, for values of one channel:
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
    MASK_EMPTY,   /* no value but 0, or none but "ignore" */
    MASK_NUMBERS, /* values are object numbers */
    MASK_ONE,     /* one object, object 1, whatever its value */
    MASK_SOFT,    /* one object with soft edges */
    MASK_UNCLEAR,
};

struct mask_rules {
    unsigned single;  /* see rule 1 */
    unsigned highest; /* see rule 3; at most MASK_MAX_NUMBER */
    bool published;   /* numbers as data sets define them: 255 is always "ignore", any
                         other value is a number; rules 1 and 2 are left out */
};

/* For masks that users give: numbers of slots. */
#define MASK_RULES_SLOTS ((struct mask_rules){MASK_MAX_SLOT, MASK_MAX_SLOT, false})

/* What a mask was found to be. */
struct mask_facts {
    enum mask_meaning meaning;
    unsigned value;   /* MASK_ONE: of the object's pixels */
    int highest;      /* object number in the result; 0: no object */
    bool has[256];    /* has[n]: some pixel of the result is n */
    char values[160]; /* of the file, in words: "0, 3 and 255" */
};

/* The rule as a function of how many pixels have each of the values 0..white. `soft` says
 * whether the values between lie along edges; it is only asked where the rest allows it.
 */
enum mask_meaning mask_rule(const uint32_t *count, unsigned white,
                            const struct mask_rules *rules, bool (*soft)(void *),
                            void *context, unsigned *value);

/* A mask from a file: PNG (palette, grey of 1 to 16 bits, with alpha, RGB, RGBA) or PNM.
 * The result has object numbers, 0 and MASK_IGNORE. Turned as its EXIF orientation says.
 * A mask that shows no object is no error: see facts. 0, or -1. */
int pic_read_mask(struct picture *out, const char *path, const struct mask_rules *rules,
                  struct mask_facts *facts, struct pic_error *error);

/* The same of pixels in memory, one byte each, rows `stride` bytes apart. */
int pic_mask_from_gray(struct picture *out, const uint8_t *data, ptrdiff_t stride,
                       int width, int height, const struct mask_rules *rules,
                       struct mask_facts *facts, struct pic_error *error);

/* Words for a mask that shows no object: what it holds and what is wanted. */
void mask_say_empty(const struct mask_facts *facts, struct pic_error *error);

/* Bytes from the start of one row to the next of a plane of one byte a pixel in a buffer
 * of `size` bytes that says nothing of its layout: `padded`, the usual one, where that
 * fits; `width` if the buffer has exactly width x height bytes; 0 if it is too small. */
size_t mask_stride(size_t size, int width, int height, size_t padded);

/* The shape of a mask beside that of the frames that it is for. */
enum mask_shape {
    MASK_SHAPE_SAME,   /* the same or another size of the same shape */
    MASK_SHAPE_TURNED, /* as if it or the frames lay on their side */
    MASK_SHAPE_OTHER,
};

/* Pixels of the frames are par_n wide and par_d high. A mask of the shape that is stored
 * and one of the shape that is shown are both right. */
enum mask_shape mask_shape_of(int width, int height, int frame_width, int frame_height,
                              int par_n, int par_d);

/* The colours of PASCAL VOC and DAVIS: the bits of the number, three at a time, are the
 * top bits of red, green and blue. */
void davis_colour(int number, uint8_t rgb[3]);

/* ---- names of numbered masks --------------------------------------------- */

/* A file-name pattern such as "m%05d.png", cut at its one conversion. "%%" is a per cent
 * sign. It is never given to printf, as it comes from users. */
struct mask_pattern {
    char *folder, *prefix, *suffix; /* malloc */
    unsigned digits;
    bool zeros;
};

/* Reads a path that does not exist as a pattern: its last part has one %d, %5d or %05d.
 * 0, or -1. */
int mask_pattern_parse(struct mask_pattern *pattern, const char *path,
                       struct pic_error *error);
void mask_pattern_free(struct mask_pattern *pattern);

/* Whether a file of the folder has a name of the pattern, and its number. */
bool mask_pattern_match(const struct mask_pattern *pattern, const char *name,
                        uint64_t *number);

#endif
