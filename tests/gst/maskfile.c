/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "maskfile.h"

#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>

gchar *folder(const gchar *name)
{
    gchar *path = g_build_filename(g_getenv("RVOSSEG_TEST_DIR"), name, NULL);
    GDir *dir;

    g_mkdir(path, 0700);
    dir = g_dir_open(path, 0, NULL);
    for (const gchar *entry; (entry = g_dir_read_name(dir)) != NULL;) {
        gchar *old = g_build_filename(path, entry, NULL);

        g_unlink(old);
        g_free(old);
    }
    g_dir_close(dir);
    return path;
}

void write_png(const gchar *path, int type, int depth, guint width, guint height,
               const RigBox *boxes)
{
    guint channels = type == RGB ? 3 : depth == 16 ? 2 : 1; /* bytes a pixel */
    guint8 *row = g_malloc0(width * channels);
    png_color palette[16] = {{0, 0, 0}, {128, 0, 0}, {0, 128, 0}};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    FILE *file = fopen(path, "wb");

    fail_unless(file != NULL);
    png_init_io(png, file);
    png_set_IHDR(png, info, width, height, depth, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PALETTE)
        png_set_PLTE(png, info, palette, depth < 4 ? 1 << depth : 16);
    png_write_info(png, info);
    png_set_packing(png);
    for (guint y = 0; y < height; y++) {
        memset(row, 0, width * channels);
        for (const RigBox *b = boxes; b->slot; b++)
            for (guint x = b->x; y >= b->y && y < b->y + b->height && x < b->x + b->width;
                 x++) {
                memset(row + x * channels, (int)b->slot, channels);
                if (type == RGB) /* a colour of its own */
                    row[x * channels + 1] = (guint8)(200 - 40 * b->slot);
            }
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
    g_free(row);
}

void write_pgm(const gchar *path, const RigBox *box)
{
    FILE *file = fopen(path, "wb");

    fprintf(file, "P5\n# a comment\n%d %d\n255\n", RIG_WIDTH, RIG_HEIGHT);
    for (guint y = 0; y < RIG_HEIGHT; y++)
        for (guint x = 0; x < RIG_WIDTH; x++)
            fputc(x >= box->x && x < box->x + box->width && y >= box->y &&
                          y < box->y + box->height
                      ? (int)box->slot
                      : 0,
                  file);
    fclose(file);
}

Rig *rig_one_shot(const gchar *location)
{
    return rig_new(rig_element("mode", "one-shot", "init-mask-location",
                               location ? location : "", NULL));
}

void rig_expect_warning(Rig *rig, const gchar *part)
{
    gchar *words = rig_words(rig->bus, GST_MESSAGE_WARNING, 0, 0);

    fail_unless(part ? words && strstr(words, part) != NULL : words == NULL,
                "\"%s\" is not in \"%s\"", part ? part : "nothing", words);
    g_free(words);
}

gchar *write_values(const gchar *dir, const gchar *name, const gchar *values, guint n)
{
    gchar *path = g_build_filename(dir, name, NULL);
    guint rows = MAX(3 * n / 4, 1);
    gchar *head = g_strdup_printf("P5 %u %u 255\n", n, rows);
    GString *file = g_string_new(head);

    for (guint y = 0; y < rows; y++)
        g_string_append_len(file, values, n);
    fail_unless(g_file_set_contents(path, file->str, (gssize)file->len, NULL));
    g_string_free(file, TRUE);
    g_free(head);
    return path;
}
