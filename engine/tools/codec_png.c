/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* libpng reports errors with longjmp. Variables that must survive the jump are in this
 * struct, in the frame of a caller of the function that calls setjmp. */
struct coder {
    png_structp png;
    png_infop info;
    png_bytep *rows;
    char words[128];
};

static void on_error(png_structp png, png_const_charp words)
{
    struct coder *c = png_get_error_ptr(png);

    snprintf(c->words, sizeof c->words, "%s", words);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static int make_rows(struct coder *c, const struct picture *picture)
{
    size_t stride = (size_t)picture->width * (size_t)picture->channels;

    c->rows = malloc(sizeof *c->rows * (size_t)picture->height);
    if (!c->rows)
        return -1;
    for (int y = 0; y < picture->height; y++)
        c->rows[y] = picture->pixels + stride * (size_t)y;
    return 0;
}

static void davis_colours(png_color colour[256])
{
    for (int i = 0; i < 256; i++) {
        uint8_t rgb[3];

        davis_colour(i, rgb);
        colour[i] = (png_color){rgb[0], rgb[1], rgb[2]};
    }
}

static int guarded_write(struct coder *c, FILE *out, const struct picture *picture)
{
    png_color colour[256];
    bool indexed = picture->channels == 1;

    if (setjmp(png_jmpbuf(c->png)))
        return -1;
    png_init_io(c->png, out);
    png_set_IHDR(
        c->png, c->info, (png_uint_32)picture->width, (png_uint_32)picture->height, 8,
        indexed ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
        PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (indexed) {
        davis_colours(colour);
        png_set_PLTE(c->png, c->info, colour, 256);
        png_set_filter(c->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    }
    png_write_info(c->png, c->info);
    png_write_image(c->png, c->rows);
    png_write_end(c->png, c->info);
    return 0;
}

int png_encode(FILE *out, const struct picture *picture, const char *path,
               struct fault *fault)
{
    struct coder c = {.words = "out of memory"};
    int err = -1;

    c.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning);
    if (c.png)
        c.info = png_create_info_struct(c.png);
    if (c.info && !make_rows(&c, picture))
        err = guarded_write(&c, out, picture);
    if (err)
        err = fault_set(fault, TOOL_OUTPUT, path, "cannot be written: %s", c.words);
    free(c.rows);
    png_destroy_write_struct(&c.png, &c.info);
    return err;
}
