/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <ctype.h>
#include <string.h>

/* The next number of the header; comments run from # to the end of the line. */
static int header_number(FILE *in)
{
    int c = getc(in);
    int n = 0;

    while (isspace(c) || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(in);
        c = getc(in);
    }
    if (!isdigit(c))
        return -1;
    for (; isdigit(c); c = getc(in))
        if ((n = 10 * n + (c - '0')) > 65535)
            return -1;
    return n; /* the one blank after it has been read, as the format asks */
}

/* Rounded to 0..255. */
static int sample(FILE *in, int max)
{
    int v = getc(in);

    if (max > 255) {
        int low = getc(in);

        v = low == EOF ? EOF : v << 8 | low;
    }
    return v == EOF || v > max ? -1 : (255 * v + max / 2) / max;
}

static int read_pixels(struct picture *out, FILE *in, int channels, int max, bool index)
{
    size_t n = (size_t)out->width * (size_t)out->height;

    for (size_t i = 0; i < n; i++) {
        uint8_t *pixel = out->pixels + i * (size_t)out->channels;

        for (int k = 0; k < channels; k++) {
            int v = index ? getc(in) : sample(in, max);

            if (v < 0)
                return -1;
            pixel[k] = (uint8_t)v;
        }
        if (channels < out->channels)
            pixel[1] = pixel[2] = pixel[0];
    }
    return 0;
}

int pnm_decode(struct picture *out, FILE *in, const char *path, bool index,
               struct fault *fault)
{
    int channels = getc(in) == 'P' && getc(in) == '6' ? 3 : 1;
    int width = header_number(in), height = header_number(in), max = header_number(in);
    int err;

    memset(out, 0, sizeof *out);
    if (width <= 0 || height <= 0 || max <= 0)
        return fault_set(fault, TOOL_INPUT, path, "is a damaged PPM or PGM file");
    if (index && (channels == 3 || max > 255))
        return fault_set(fault, TOOL_INPUT, path,
                         "a mask must be a palette PNG or an 8-bit PGM (object "
                         "numbers), not %s",
                         channels == 3 ? "a colour picture" : "of 16 bits");
    err = picture_alloc(out, width, height, index ? 1 : 3, path, fault);
    if (err)
        return err;
    if (read_pixels(out, in, channels, max, index)) {
        picture_free(out);
        return fault_set(fault, TOOL_INPUT, path, "ends early: get it again");
    }
    return 0;
}
