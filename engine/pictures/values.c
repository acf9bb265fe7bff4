/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* values.c - converts a file's pixels to one value per pixel. */
#include "reader.h"

#include <string.h>

static void put(struct raw *raw, size_t at, unsigned value)
{
    if (raw->bytes == 1)
        raw->pixels[at] = (uint8_t)value;
    else
        memcpy(raw->pixels + 2 * at, &(uint16_t){(uint16_t)value}, 2);
}

static size_t n_pixels(const struct raw *raw)
{
    return (size_t)raw->width * (size_t)raw->height;
}

/* Pixels that are more than half transparent become background; otherwise alpha is
 * ignored. */
static void drop_alpha(struct raw *raw)
{
    size_t n = n_pixels(raw), channels = (size_t)raw->channels;

    for (size_t i = 0, to = 0; i < n; i++) {
        bool visible = 2 * raw_sample(raw, channels * i + channels - 1) >= raw->white;

        for (size_t k = 0; k + 1 < channels; k++)
            put(raw, to++, visible ? raw_sample(raw, channels * i + k) : 0);
    }
    raw->channels--;
}

static bool is_gray(const struct raw *raw)
{
    size_t n = n_pixels(raw);

    for (size_t i = 0; i < n; i++)
        if (raw_sample(raw, 3 * i) != raw_sample(raw, 3 * i + 1) ||
            raw_sample(raw, 3 * i) != raw_sample(raw, 3 * i + 2))
            return false;
    return true;
}

static void keep_first_channel(struct raw *raw)
{
    size_t n = n_pixels(raw), channels = (size_t)raw->channels;

    for (size_t i = 0; i < n; i++)
        put(raw, i, raw_sample(raw, channels * i));
    raw->channels = 1;
}

void davis_colour(int number, uint8_t rgb[3])
{
    unsigned value[3] = {0};

    for (int bit = 0; bit < 8; bit++)
        for (int k = 0; k < 3; k++)
            if (3 * bit + k < 8)
                value[k] |= (unsigned)(number >> (3 * bit + k) & 1) << (7 - bit);
    for (int k = 0; k < 3; k++)
        rgb[k] = (uint8_t)value[k];
}

/* The number of a colour in the DAVIS palette, or -1. */
static int davis_number(uint32_t colour)
{
    for (int i = 0; i <= MASK_MAX_SLOT + 1; i++) {
        int number = i > MASK_MAX_SLOT ? MASK_IGNORE : i;
        uint8_t rgb[3];

        davis_colour(number, rgb);
        if (colour == ((uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2]))
            return number;
    }
    return -1;
}

static int refuse_colours(uint32_t colour, struct pic_error *error)
{
    return pic_fail(
        error, PIC_WRONG,
        "has colours (such as #%06x), and shows no object numbers: a mask is a "
        "palette or grey PNG or a PGM of object numbers, or has one colour on "
        "black, or exactly the colours of the DAVIS palette",
        colour);
}

/* One unknown colour on black is one object; several are ambiguous. */
static int name_colours(struct raw *raw, struct pic_error *error)
{
    size_t n = n_pixels(raw);
    unsigned shift = raw->bytes == 2 ? 8 : 0;
    uint32_t last = 0, foreign = 0;
    int number = 0;
    bool black = false, others = false;

    for (size_t i = 0; i < n; i++) {
        uint32_t colour = 0;

        for (size_t k = 0; k < 3; k++)
            colour = colour << 8 | (raw_sample(raw, 3 * i + k) >> shift & 255);
        if (colour != last) {
            last = colour;
            number = davis_number(colour);
            if (number < 0 && foreign && colour != foreign)
                return refuse_colours(colour, error);
            if (number < 0) {
                foreign = colour;
                number = 1;
            } else if (number > 0) {
                others = true;
            }
        }
        black = black || number == 0;
        raw->pixels[i] = (uint8_t)number;
    }
    if (foreign && (others || !black))
        return refuse_colours(foreign, error);
    raw->channels = raw->bytes = 1;
    raw->white = 255;
    return 0;
}

/* A black and white picture with a palette may have white as its first entry. Then its
 * grey values count, not the indices. */
static void look_at_palette(struct raw *raw)
{
    size_t n = n_pixels(raw);
    bool used[256] = {false}, black = false;

    for (size_t i = 0; i < n; i++)
        used[raw->pixels[i]] = true;
    for (int i = 0; i < 256; i++) {
        const uint8_t *c = raw->colour[i];

        if (used[i] && (c[0] != c[1] || c[0] != c[2]))
            return;
        black = black || (used[i] && c[0] == 0);
    }
    if (!used[0] || raw->colour[0][0] == 0 || !black)
        return;
    for (size_t i = 0; i < n; i++)
        raw->pixels[i] = raw->colour[raw->pixels[i]][0];
}

int raw_to_values(struct raw *raw, struct pic_error *error)
{
    if (raw->palette)
        look_at_palette(raw);
    if (raw->channels == 2 || raw->channels == 4)
        drop_alpha(raw);
    if (raw->channels == 1)
        return 0;
    if (!is_gray(raw))
        return name_colours(raw, error);
    keep_first_channel(raw);
    return 0;
}
