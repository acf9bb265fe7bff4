/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* png.c - decodes PNG with libpng. GStreamer's pngdec converts a palette to colours and
 * loses the index. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>

/* Limits for chunks that we do not use: bytes of each, and number. */
#define MAX_CHUNK_BYTES (1 << 20)
#define MAX_CHUNKS 64

/* libpng reports errors with longjmp. Variables that must survive the jump are in this
 * struct, in the frame of the caller of the function that calls setjmp. */
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

static void want_rgb(struct coder *c)
{
    int type = png_get_color_type(c->png, c->info);

    png_set_expand(c->png);   /* palette to RGB, grey to 8 bits */
    png_set_scale_16(c->png); /* rounds to 8 bits */
    png_set_strip_alpha(c->png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA)
        png_set_gray_to_rgb(c->png);
}

static void want_values(struct coder *c, struct raw *raw)
{
    static const uint16_t one = 1;
    int depth = png_get_bit_depth(c->png, c->info), n = 0;
    png_colorp colour = NULL;

    raw->palette = png_get_color_type(c->png, c->info) == PNG_COLOR_TYPE_PALETTE;
    raw->white = depth == 16 ? 65535 : 255;
    png_set_packing(c->png); /* 1, 2, 4 bits: keep the numbers, do not scale */
    if (depth == 16 && *(const uint8_t *)&one)
        png_set_swap(c->png);
    if (raw->palette && png_get_PLTE(c->png, c->info, &colour, &n))
        for (int i = 0; i < n && i < 256; i++) {
            raw->colour[i][0] = colour[i].red;
            raw->colour[i][1] = colour[i].green;
            raw->colour[i][2] = colour[i].blue;
        }
}

static int read_head(struct coder *c, struct raw *raw, const struct source *source,
                     bool rgb, struct pic_error *error)
{
    png_set_user_limits(c->png, 0x7fffffff,
                        0x7fffffff); /* our own limits are checked below */
    png_set_chunk_malloc_max(c->png, MAX_CHUNK_BYTES);
    png_set_chunk_cache_max(c->png, MAX_CHUNKS);
    png_init_io(c->png, source->in);
    png_read_info(c->png, c->info);
    /* Check before libpng allocates its rows. */
    if (source_check(source, png_get_image_width(c->png, c->info),
                     png_get_image_height(c->png, c->info), 1, error))
        return -1;
    raw->white = 255;
    if (rgb)
        want_rgb(c);
    else
        want_values(c, raw);
    png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    return raw_alloc(raw, source, png_get_image_width(c->png, c->info),
                     png_get_image_height(c->png, c->info),
                     png_get_channels(c->png, c->info),
                     png_get_bit_depth(c->png, c->info) == 16 ? 2 : 1, error);
}

static void find_orientation(struct coder *c, struct raw *raw)
{
#ifdef PNG_eXIf_SUPPORTED
    png_bytep exif = NULL;
    png_uint_32 size = 0;

    if (png_get_eXIf_1(c->png, c->info, &size, &exif) && exif)
        raw->orientation = exif_orientation(exif, size);
#endif
    (void)c;
    (void)raw;
}

static int guarded_read(struct coder *c, struct raw *raw, const struct source *source,
                        bool rgb, struct pic_error *error)
{
    size_t stride;

    if (setjmp(png_jmpbuf(c->png)))
        return pic_fail(error, PIC_WRONG, "is a damaged PNG file (%s): get it again",
                        c->words);
    if (read_head(c, raw, source, rgb, error))
        return -1;
    stride = png_get_rowbytes(c->png, c->info);
    if (stride != (size_t)raw->width * (size_t)raw->channels * (size_t)raw->bytes)
        return pic_fail(error, PIC_WRONG, "is a damaged PNG file: get it again");
    c->rows = malloc(sizeof *c->rows * (size_t)raw->height);
    if (!c->rows)
        return pic_fail(error, PIC_NO_MEMORY, "needs more memory than there is");
    for (int y = 0; y < raw->height; y++)
        c->rows[y] = raw->pixels + stride * (size_t)y;
    png_read_image(c->png, c->rows);
    png_read_end(c->png, c->info);
    find_orientation(c, raw);
    return 0;
}

int png_decode(struct raw *raw, const struct source *source, bool rgb,
               struct pic_error *error)
{
    struct coder c = {.words = ""};
    int err = -1;

    c.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &c, on_error, on_warning);
    if (c.png)
        c.info = png_create_info_struct(c.png);
    if (c.info)
        err = guarded_read(&c, raw, source, rgb, error);
    else
        pic_fail(error, PIC_NO_MEMORY, "needs more memory than there is");
    free(c.rows);
    png_destroy_read_struct(&c.png, &c.info, NULL);
    return err;
}
