/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pnm.c - PBM, PGM and PPM, as text (P1 to P3) and as bytes (P4 to P6). */
#include "reader.h"

#include <string.h>

struct header {
    int bitmap, text, channels, max;
};

static int is_blank(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Reads the first character after blanks and comments, which run from # to the end of the
 * line. */
static int first_of_word(FILE *in)
{
    int c = getc(in);

    while (is_blank(c) || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(in);
        c = getc(in);
    }
    return c;
}

/* Reads a number and the one blank after it; -1: no number, or above 65535. */
static int next_number(FILE *in)
{
    int c = first_of_word(in), n = 0;

    if (!is_digit(c))
        return -1;
    for (; is_digit(c); c = getc(in))
        if ((n = 10 * n + (c - '0')) > 65535)
            return -1;
    return n;
}

static int next_sample(FILE *in, const struct header *h)
{
    int high;

    if (h->text && h->bitmap) {
        int c = first_of_word(in); /* bits need no blanks between them */

        return is_digit(c) && c <= '1' ? '1' - c : -1;
    }
    if (h->text)
        return next_number(in);
    high = getc(in);
    if (h->max < 256 || high == EOF)
        return high;
    return (int)((unsigned)high << 8 |
                 (unsigned)getc(in)); /* -1 at the end of the file */
}

/* Eight pixels per byte, rows of whole bytes; a set bit is black. */
static int read_bits(struct raw *raw, FILE *in, bool rgb)
{
    for (int y = 0; y < raw->height; y++) {
        uint8_t *row =
            raw->pixels + (size_t)y * (size_t)raw->width * (size_t)raw->channels;
        int byte = 0;

        for (int x = 0; x < raw->width; x++) {
            if (x % 8 == 0 && (byte = getc(in)) == EOF)
                return -1;
            memset(row + (size_t)x * (size_t)raw->channels,
                   (byte >> (7 - x % 8) & 1 ? 0 : 1) * (rgb ? 255 : 1),
                   (size_t)raw->channels);
        }
    }
    return 0;
}

static int read_samples(struct raw *raw, FILE *in, const struct header *h, bool rgb)
{
    size_t n = (size_t)raw->width * (size_t)raw->height;
    uint8_t *to = raw->pixels;

    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < h->channels; k++) {
            int v = next_sample(in, h);

            if (v < 0 || v > h->max)
                return -1;
            if (rgb) {
                memset(to, (255 * v + h->max / 2) / h->max, h->channels == 3 ? 1 : 3);
                to += h->channels == 3 ? 1 : 3;
            } else if (raw->bytes == 2) {
                memcpy(to, &(uint16_t){(uint16_t)v}, 2);
                to += 2;
            } else {
                *to++ = (uint8_t)v;
            }
        }
    return 0;
}

int pnm_decode(struct raw *raw, const struct source *source, bool rgb,
               struct pic_error *error)
{
    FILE *in = source->in;
    int kind = (getc(in), getc(in)) - '0', width, height;
    struct header h = {.bitmap = kind == 1 || kind == 4,
                       .text = kind <= 3,
                       .channels = kind == 3 || kind == 6 ? 3 : 1};

    width = next_number(in);
    height = next_number(in);
    h.max = h.bitmap ? 1 : next_number(in);
    if (width <= 0 || height <= 0 || h.max <= 0)
        return pic_fail(error, PIC_WRONG, "is a damaged PNM file: its head is wrong");
    raw->white = h.max > 255 ? (unsigned)h.max : 255;
    if (raw_alloc(raw, source, (size_t)width, (size_t)height, rgb ? 3 : h.channels,
                  h.max > 255 && !rgb ? 2 : 1, error))
        return -1;
    if (h.bitmap && !h.text ? read_bits(raw, in, rgb) : read_samples(raw, in, &h, rgb))
        return pic_fail(error, PIC_WRONG,
                        "is a damaged PNM file: it ends early, or has a value above %d",
                        h.max);
    return 0;
}
