/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exif.c - the orientation of a picture. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

struct tiff {
    const uint8_t *data;
    size_t size;
    bool little;
};

/* An unsigned number of 2 or 4 bytes; 0 beyond the end. */
static uint32_t number(const struct tiff *t, size_t at, int bytes)
{
    uint32_t n = 0;

    if (at > t->size || t->size - at < (size_t)bytes)
        return 0;
    for (int i = 0; i < bytes; i++)
        n |= (uint32_t)t->data[at + (size_t)i] << 8 * (t->little ? i : bytes - 1 - i);
    return n;
}

int exif_orientation(const uint8_t *data, size_t size)
{
    struct tiff t = {data, size, size >= 8 && data[0] == 'I'};
    size_t at, entries;

    if (size < 8 || (memcmp(data, "II", 2) != 0 && memcmp(data, "MM", 2) != 0) ||
        number(&t, 2, 2) != 42)
        return 1;
    at = number(&t, 4, 4);
    entries = number(&t, at, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t entry = at + 2 + 12 * i;

        if (entry > size || size - entry < 12)
            break;
        if (number(&t, entry, 2) == 0x0112 && number(&t, entry + 2, 2) == 3) {
            uint32_t value = number(&t, entry + 8, 2);

            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    }
    return 1;
}

/* The stored index of pixel (x, y) of the upright picture. */
static size_t stored(int orientation, size_t x, size_t y, size_t width, size_t height)
{
    size_t column = orientation >= 5 ? y : x, row = orientation >= 5 ? x : y;

    if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        column = width - 1 - column;
    if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        row = height - 1 - row;
    return row * width + column;
}

int picture_turn(struct picture *picture, int orientation, struct pic_error *error)
{
    size_t w = (size_t)picture->width, h = (size_t)picture->height;
    size_t n = (size_t)picture->channels;
    struct picture out;
    uint8_t *to;
    bool side = orientation >= 5;

    if (orientation <= 1 || orientation > 8)
        return 0;
    if (pic_alloc(&out, side ? picture->height : picture->width,
                  side ? picture->width : picture->height, picture->channels, error))
        return -1;
    to = out.pixels;
    for (size_t y = 0; y < (size_t)out.height; y++)
        for (size_t x = 0; x < (size_t)out.width; x++, to += n)
            memcpy(to, picture->pixels + n * stored(orientation, x, y, w, h), n);
    picture_free(picture);
    *picture = out;
    return 0;
}
