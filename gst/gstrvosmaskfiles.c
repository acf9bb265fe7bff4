/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskfiles.c - which mask file belongs to which frame number.
 *
 * A folder, a pattern's too, is listed once: a missing file must not cost a system call
 * a frame.
 */
#include "gstrvosseg.h"

#include <string.h>

#define GST_CAT_DEFAULT gst_rvos_seg_debug

static gboolean not_found(GstRvosFailure *failure, const gchar *location,
                          const gchar *words)
{
    gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, NULL,
                         "init-mask-location \"%s\" %s.", location, words);
    return FALSE;
}

/* In a folder: any PNG or PGM whose name is a number, leading zeros or not. */
static gboolean match_number(const gchar *name, guint64 *number)
{
    gchar *end;

    if (!g_ascii_isdigit(name[0]))
        return FALSE;
    *number = g_ascii_strtoull(name, &end, 10);
    return *number != G_MAXUINT64 &&
           (g_ascii_strcasecmp(end, ".png") == 0 || g_ascii_strcasecmp(end, ".pgm") == 0);
}

static void free_file(gpointer data)
{
    GstRvosMaskFile *file = data;

    g_free(file->path);
    g_free(file);
}

/* Of two files with one number the first by name counts, so that it is always the same.
 */
static void add(GHashTable *files, guint64 number, const gchar *folder, const gchar *name)
{
    GstRvosMaskFile *file = g_new0(GstRvosMaskFile, 1), *old;

    file->number = number;
    file->path = g_build_filename(folder, name, NULL);
    old = g_hash_table_lookup(files, &number);
    if (old && strcmp(old->path, file->path) <= 0)
        free_file(file);
    else
        g_hash_table_replace(files, &file->number, file);
}

/* `pattern` NULL: every number. */
static gboolean list(GstRvosSeeds *seeds, const gchar *location, const gchar *folder,
                     const struct mask_pattern *pattern, GstRvosFailure *failure)
{
    GError *error = NULL;
    GDir *dir = g_dir_open(folder, 0, &error);
    const gchar *name;
    guint64 number;

    if (!dir) {
        not_found(failure, location, "is in a folder that cannot be listed");
        failure->debug = g_strdup(error->message);
        g_error_free(error);
        return FALSE;
    }
    seeds->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_file);
    while ((name = g_dir_read_name(dir)) != NULL)
        if (pattern ? mask_pattern_match(pattern, name, &number)
                    : match_number(name, &number))
            add(seeds->files, number, folder, name);
    g_dir_close(dir);
    if (g_hash_table_size(seeds->files) > 0)
        return TRUE;
    return not_found(failure, location, "names no mask file");
}

static gboolean open_pattern(GstRvosSeeds *seeds, const gchar *location,
                             GstRvosFailure *failure)
{
    struct mask_pattern pattern;
    struct pic_error error;
    gboolean good;

    if (mask_pattern_parse(&pattern, location, &error)) {
        gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                             NULL, "init-mask-location \"%s\" %s.", location,
                             error.words);
        return FALSE;
    }
    good = list(seeds, location, pattern.folder, &pattern, failure);
    mask_pattern_free(&pattern);
    return good;
}

/* A path that exists is that path. Only the last part of one that does not exist can be a
 * pattern. */
gboolean gst_rvos_mask_files_open(GstRvosSeeds *seeds, const gchar *location,
                                  GstRvosFailure *failure)
{
    if (g_file_test(location, G_FILE_TEST_IS_DIR))
        return list(seeds, location, location, NULL, failure);
    if (!g_file_test(location, G_FILE_TEST_EXISTS) && strchr(location, '%'))
        return open_pattern(seeds, location, failure);
    return gst_rvos_mask_read_objects(location, &seeds->single, failure);
}

/* ---- what was left over ------------------------------------------------------------ */

#define NAMED 3 /* in a message */

static gint by_number(gconstpointer a, gconstpointer b)
{
    const GstRvosMaskFile *x = *(GstRvosMaskFile *const *)a;
    const GstRvosMaskFile *y = *(GstRvosMaskFile *const *)b;

    return (x->number > y->number) - (x->number < y->number);
}

gchar *gst_rvos_mask_files_unused(const GstRvosSeeds *seeds, guint *count)
{
    GPtrArray *unused = g_ptr_array_new();
    GString *names = g_string_new(NULL);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, seeds->files);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (!((GstRvosMaskFile *)value)->used)
            g_ptr_array_add(unused, value);
    g_ptr_array_sort(unused, by_number);
    *count = unused->len;
    for (guint i = 0; i < unused->len && i < NAMED; i++)
        g_string_append_printf(names, "%s\"%s\"", i ? ", " : "",
                               ((GstRvosMaskFile *)unused->pdata[i])->path);
    if (unused->len > NAMED)
        g_string_append_printf(names, " and %u more", unused->len - NAMED);
    g_ptr_array_free(unused, TRUE);
    return g_string_free(names, *count == 0);
}
