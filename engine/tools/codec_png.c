/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <rvos.h>

/* libpng reports by longjmp: what must outlive the jump is in here, and in the
 * frame of a caller of the function that calls setjmp. */
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

static int refuse_index(struct coder *c, const char *path, struct fault *fault)
{
    int type = png_get_color_type(c->png, c->info);

    if (png_get_bit_depth(c->png, c->info) == 16)
        return fault_set(fault, TOOL_INPUT, path,
                         "a mask holds object numbers in 8 bits, not 16: convert it "
                         "to a palette PNG");
    if (type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY)
        return fault_set(fault, TOOL_INPUT, path,
                         "a mask must be a palette PNG (object numbers); this one is "
                         "%s: convert it, one number a colour",
                         type == PNG_COLOR_TYPE_GRAY_ALPHA ? "grey with alpha" : "RGB");
    return 0;
}

static void want_rgb(struct coder *c)
{
    int type = png_get_color_type(c->png, c->info);

    png_set_expand(c->png);   /* palette to RGB, grey to 8 bits */
    png_set_scale_16(c->png); /* rounded, not cut */
    png_set_strip_alpha(c->png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA)
        png_set_gray_to_rgb(c->png);
}

static int read_head(struct coder *c, FILE *in, const char *path, bool index,
                     struct picture *out, struct fault *fault)
{
    int err;

    png_set_user_limits(c->png, PICTURE_MAX_SIDE, PICTURE_MAX_SIDE);
    png_init_io(c->png, in);
    png_read_info(c->png, c->info);
    err = index ? refuse_index(c, path, fault) : 0;
    if (err)
        return err;
    if (index)
        png_set_packing(c->png); /* 1, 2, 4 bits: the numbers, not scaled */
    else
        want_rgb(c);
    png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    return picture_alloc(out, (int)png_get_image_width(c->png, c->info),
                         (int)png_get_image_height(c->png, c->info),
                         png_get_channels(c->png, c->info), path, fault);
}

static int guarded_read(struct coder *c, FILE *in, const char *path, bool index,
                        struct picture *out, struct fault *fault)
{
    int err;

    if (setjmp(png_jmpbuf(c->png)))
        return fault_set(fault, TOOL_INPUT, path,
                         "is a damaged PNG file (%s): get it again", c->words);
    err = read_head(c, in, path, index, out, fault);
    if (err)
        return err;
    if (make_rows(c, out))
        return fault_set(fault, TOOL_INPUT, path, "out of memory");
    png_read_image(c->png, c->rows);
    png_read_end(c->png, NULL);
    return 0;
}

int png_decode(struct picture *out, FILE *in, const char *path, bool index,
               struct fault *fault)
{
    struct coder c = {.words = ""};
    int err;

    memset(out, 0, sizeof *out);
    c.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning);
    if (c.png)
        c.info = png_create_info_struct(c.png);
    if (c.info)
        err = guarded_read(&c, in, path, index, out, fault);
    else
        err = fault_set(fault, TOOL_INPUT, path, "out of memory");
    free(c.rows);
    png_destroy_read_struct(&c.png, &c.info, NULL);
    if (err)
        picture_free(out);
    return err;
}

/* The colour map of PASCAL VOC and DAVIS: the bits of the number, three at a
 * time, are the top bits of red, green and blue. */
static void davis_colours(png_color colour[256])
{
    for (int i = 0; i < 256; i++) {
        unsigned rgb[3] = {0};

        for (int bit = 0; bit < 8; bit++)
            for (int k = 0; k < 3; k++)
                if (3 * bit + k < 8)
                    rgb[k] |= (unsigned)(i >> (3 * bit + k) & 1) << (7 - bit);
        colour[i] = (png_color){(png_byte)rgb[0], (png_byte)rgb[1], (png_byte)rgb[2]};
    }
    for (int i = 0; i <= RVOS_MAX_OBJECTS; i++) {
        const uint8_t *rgb = rvos_davis_palette.rgb[i];

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
