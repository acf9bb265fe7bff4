/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosimage.c - index masks from files.
 *
 * By libpng and not by pngdec, which turns a palette into colours and loses what counts:
 * the index.
 */
#include "gstrvosseeds.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>
#include <png.h>

GST_DEBUG_CATEGORY_EXTERN(gst_rvos_seg_debug);
#define GST_CAT_DEFAULT gst_rvos_seg_debug

#define MAX_SIDE 16384 /* of a mask: a sane bound for a damaged header */

typedef struct {
    const gchar *path;
    GstRvosFailure *failure;
} Context;

static gboolean bad(const Context *context, const gchar *words, const gchar *debug)
{
    gst_rvos_failure_set(context->failure, GST_RESOURCE_ERROR,
                         GST_RESOURCE_ERROR_SETTINGS, debug, "The mask file \"%s\" %s.",
                         context->path, words);
    return FALSE;
}

/* ---- PNG ------------------------------------------------------------------------ */

static void on_png_error(png_structp png, png_const_charp words)
{
    bad(png_get_error_ptr(png), "is a damaged PNG", words);
    longjmp(png_jmpbuf(png), 1);
}

static void on_png_warning(png_structp png, png_const_charp words)
{
    (void)png;
    GST_DEBUG("%s", words);
}

static gboolean read_header(png_structp png, png_infop info, const Context *context,
                            GstRvosMaskImage *image)
{
    png_byte type;

    png_read_info(png, info);
    type = png_get_color_type(png, info);
    if (type != PNG_COLOR_TYPE_PALETTE && type != PNG_COLOR_TYPE_GRAY)
        return bad(context,
                   "has colours: a palette or grey index image is wanted, whose pixel "
                   "values are the object numbers",
                   NULL);
    if (png_get_bit_depth(png, info) > 8)
        return bad(context, "has 16 bits a pixel: an 8-bit index image is wanted", NULL);
    png_set_packing(png); /* 1, 2 and 4 bits a pixel: one index a byte, not scaled */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    image->width = png_get_image_width(png, info);
    image->height = png_get_image_height(png, info);
    return TRUE;
}

/* The rows are made by the caller's frame, as setjmp forgets what its own has changed. */
static gboolean decode(png_structp png, png_infop info, FILE *file,
                       const Context *context, GstRvosMaskImage *image, png_bytep **rows)
{
    if (setjmp(png_jmpbuf(png)))
        return FALSE;
    png_set_user_limits(png, MAX_SIDE, MAX_SIDE);
    png_init_io(png, file);
    if (!read_header(png, info, context, image))
        return FALSE;
    image->pixels = g_malloc0((gsize)image->width * image->height);
    *rows = g_new(png_bytep, image->height);
    for (guint y = 0; y < image->height; y++)
        (*rows)[y] = image->pixels + (gsize)y * image->width;
    png_read_image(png, *rows);
    png_read_end(png, NULL);
    return TRUE;
}

static gboolean read_png(FILE *file, Context *context, GstRvosMaskImage *image)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, context, on_png_error,
                                             on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    png_bytep *rows = NULL;
    gboolean good = FALSE;

    if (info)
        good = decode(png, info, file, context, image, &rows);
    else
        bad(context, "cannot be decoded", "libpng has no memory");
    png_destroy_read_struct(png ? &png : NULL, info ? &info : NULL, NULL);
    g_free(rows);
    return good;
}

/* ---- PGM ------------------------------------------------------------------------ */

/* A number of the header, after white space and comments; -1: none. */
static gint read_number(FILE *file)
{
    gint c, value = 0, digits = 0;

    do {
        c = fgetc(file);
        while (c == '#') {
            while (c != '\n' && c != EOF)
                c = fgetc(file);
            c = fgetc(file);
        }
    } while (c != EOF && g_ascii_isspace(c));
    for (; c != EOF && g_ascii_isdigit(c) && digits < 7; digits++, c = fgetc(file))
        value = value * 10 + (c - '0');
    return digits > 0 && g_ascii_isspace(c) ? value : -1;
}

static gboolean read_pgm(FILE *file, Context *context, GstRvosMaskImage *image)
{
    gint width, height, maximum;
    gsize size;

    if (fseek(file, 2, SEEK_SET) != 0)
        return bad(context, "cannot be read", NULL);
    width = read_number(file);
    height = read_number(file);
    maximum = read_number(file);
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || maximum < 1 ||
        maximum > 255)
        return bad(context, "is no 8-bit PGM", NULL);
    image->width = (guint)width;
    image->height = (guint)height;
    size = (gsize)width * (gsize)height;
    image->pixels = g_malloc0(size);
    if (fread(image->pixels, 1, size, file) != size)
        return bad(context, "is cut short", NULL);
    return TRUE;
}

/* ---- either ------------------------------------------------------------------------ */

gboolean gst_rvos_image_read(const gchar *path, GstRvosMaskImage *image,
                             GstRvosFailure *failure)
{
    Context context = {path, failure};
    guint8 magic[8] = {0};
    FILE *file = g_fopen(path, "rb");
    gboolean good;

    *image = (GstRvosMaskImage){0};
    if (!file) {
        gint error = errno;

        gst_rvos_failure_set(failure, GST_RESOURCE_ERROR,
                             error == ENOENT ? GST_RESOURCE_ERROR_NOT_FOUND
                                             : GST_RESOURCE_ERROR_OPEN_READ,
                             g_strerror(error), "The mask file \"%s\" %s.", path,
                             error == ENOENT ? "does not exist" : "cannot be read");
        return FALSE;
    }
    if (fread(magic, 1, sizeof(magic), file) == sizeof(magic) &&
        png_sig_cmp(magic, 0, sizeof(magic)) == 0) {
        rewind(file);
        good = read_png(file, &context, image);
    } else if (memcmp(magic, "P5", 2) == 0 && g_ascii_isspace(magic[2])) {
        good = read_pgm(file, &context, image);
    } else {
        good = bad(&context, "is neither PNG nor PGM (P5)", NULL);
    }
    fclose(file);
    if (!good)
        g_clear_pointer(&image->pixels, g_free);
    return good;
}
