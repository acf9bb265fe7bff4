/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskfiles.c - finds the mask file for a frame number.
 *
 * A folder is listed once, also for a pattern, so that a missing file does not cost a
 * system call per frame.
 */
#include "gstrvosmaskfiles.h"

#include <string.h>

/* If a picture with a mask was not segmented (dropped as late, a gap), its mask may be
 * used for up to this many later pictures. */
#define CARRY 10

static gboolean not_found(GstRvosFailure *failure, const gchar *location,
                          const gchar *words)
{
    GST_RVOS_FAILURE_SET(failure, RESOURCE, NOT_FOUND, NULL,
                         "init-mask-location \"%s\" %s.", location, words);
    return FALSE;
}

/* Matches any PNG or PGM whose name is a number, with or without leading zeros. */
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

/* If two files have the same number, the first by name wins.
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

/* If `pattern` is NULL, lists every number. */
static gboolean list(GstRvosMaskFiles *files, const gchar *location, const gchar *folder,
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
    files->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_file);
    while ((name = g_dir_read_name(dir)) != NULL)
        if (pattern ? mask_pattern_match(pattern, name, &number)
                    : match_number(name, &number))
            add(files->files, number, folder, name);
    g_dir_close(dir);
    if (g_hash_table_size(files->files) > 0)
        return TRUE;
    return not_found(failure, location, "names no mask file");
}

static gboolean open_pattern(GstRvosMaskFiles *files, const gchar *location,
                             GstRvosFailure *failure)
{
    struct mask_pattern pattern;
    struct pic_error error;
    gboolean good;

    if (mask_pattern_parse(&pattern, location, &error)) {
        GST_RVOS_FAILURE_SET(failure, RESOURCE, SETTINGS, NULL,
                             "init-mask-location \"%s\" %s.", location, error.words);
        return FALSE;
    }
    good = list(files, location, pattern.folder, &pattern, failure);
    mask_pattern_free(&pattern);
    return good;
}

/* An existing path is used as it is. Only the last part of a path that does not exist can
 * be a pattern. */
static gboolean open_location(GstRvosMaskFiles *files, const gchar *location,
                              GstRvosFailure *failure)
{
    if (g_file_test(location, G_FILE_TEST_IS_DIR))
        return list(files, location, location, NULL, failure);
    if (!g_file_test(location, G_FILE_TEST_EXISTS) && strchr(location, '%'))
        return open_pattern(files, location, failure);
    return gst_rvos_mask_read_objects(location, &files->single, failure);
}

static gboolean all_above(GstRvosFailure *failure, const gchar *path,
                          const struct mask_facts *facts, guint n_slots)
{
    GST_RVOS_FAILURE_SET(failure, RESOURCE, SETTINGS, NULL,
                         "The mask file \"%s\" holds the values %s, and there are %u "
                         "slots: none of its objects can be followed. Set objects=%d.",
                         path, facts->values, n_slots, facts->highest);
    return FALSE;
}

/* Checks the mask against the number of slots, if it is known before the model is
 * opened. */
static gboolean check_slots(const GstRvosMaskFiles *files, guint n_slots,
                            GstRvosFailure *failure)
{
    const struct mask_facts *facts = &files->single.facts;

    if (!files->single.picture.pixels || n_slots == 0)
        return TRUE;
    for (guint slot = 1; slot <= n_slots; slot++)
        if (facts->has[slot])
            return TRUE;
    return all_above(failure, files->location, facts, n_slots);
}

static guint64 last_number(const GstRvosMaskFiles *files)
{
    GHashTableIter iter;
    gpointer value;
    guint64 last = 0;

    g_hash_table_iter_init(&iter, files->files);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        last = MAX(last, ((GstRvosMaskFile *)value)->number);
    return last;
}

gboolean gst_rvos_mask_files_open(GstRvosMaskFiles *files, const gchar *location,
                                  guint n_slots, GstRvosFailure *failure)
{
    *files = (GstRvosMaskFiles){.first_time = GST_CLOCK_TIME_NONE};
    if (!location || !*location)
        return TRUE;
    files->location = g_strdup(location);
    if (!open_location(files, location, failure) || !check_slots(files, n_slots, failure))
        return FALSE;
    if (files->files)
        gst_rvos_numbers_open(&files->numbers, last_number(files));
    return TRUE;
}

void gst_rvos_mask_files_close(GstRvosMaskFiles *files)
{
    gst_rvos_numbers_close(&files->numbers);
    g_clear_pointer(&files->files, g_hash_table_unref);
    g_clear_pointer(&files->location, g_free);
    gst_rvos_mask_clear(&files->single);
    *files = (GstRvosMaskFiles){.first_time = GST_CLOCK_TIME_NONE};
}

/* ---- unused files ------------------------------------------------------------ */

#define NAMED 3 /* files named in a message */

static gint by_number(gconstpointer a, gconstpointer b)
{
    const GstRvosMaskFile *x = *(GstRvosMaskFile *const *)a;
    const GstRvosMaskFile *y = *(GstRvosMaskFile *const *)b;

    return (x->number > y->number) - (x->number < y->number);
}

/* Paths of the first unused files, for messages, to be freed; NULL: all were used. */
static gchar *unused_names(const GstRvosMaskFiles *files, guint *count)
{
    GPtrArray *unused = g_ptr_array_new();
    GString *names = g_string_new(NULL);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, files->files);
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

/* ---- files by picture ------------------------------------------- */

static void say_unknown(GstRvosMaskFiles *files, GstRvosNotices *notices)
{
    guint unused = 0;

    g_free(unused_names(files, &unused));
    if (files->unknown_said || unused == 0)
        return;
    files->unknown_said = TRUE;
    gst_rvos_notices_say(
        notices, GST_RVOS_NOTICE_WARNING, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
        "the frame rate is not constant, or not known",
        "After this seek the number of a picture is not known, so masks that are named "
        "by number (\"%s\") are not used until the stream comes back to a picture that "
        "it "
        "has shown, or starts again.",
        files->location);
}

void gst_rvos_mask_files_picture(GstRvosMaskFiles *files, GstClockTime stream_time,
                                 gboolean backward, const GstVideoInfo *info,
                                 GstRvosNotices *notices)
{
    GstRvosMaskFile *file;

    files->pictures++;
    if (!files->files)
        return;
    files->numbers.backward = backward;
    files->number =
        gst_rvos_numbers_picture(&files->numbers, stream_time, info->fps_n, info->fps_d);
    if (files->number == GST_RVOS_NUMBER_UNKNOWN) {
        files->due = NULL;
        say_unknown(files, notices);
        return;
    }
    file = g_hash_table_lookup(files->files, &files->number);
    if (file)
        files->due = file;
    else if (files->due && (files->number < files->due->number ||
                            files->number - files->due->number > CARRY))
        files->due = NULL;
}

void gst_rvos_mask_files_jump(GstRvosMaskFiles *files)
{
    if (files->pictures > 0)
        files->sought = TRUE;
    files->due = NULL;
    if (files->files)
        gst_rvos_numbers_jump(&files->numbers);
}

gboolean gst_rvos_mask_files_wait(const GstRvosMaskFiles *files)
{
    if (!files->files)
        return FALSE;
    return files->pictures == 0 || (files->number != GST_RVOS_NUMBER_UNKNOWN &&
                                    files->number < files->numbers.last_wanted);
}

/* ---- applying masks
 * ------------------------------------------------------------------ */

static gboolean show(GstRvosSeeds *seeds, const GstRvosMask *mask, const gchar *path,
                     guint32 *taken)
{
    GstRvosFailure failure = {0};

    switch (gst_rvos_seeds_show(seeds, mask, G_MAXUINT32, taken)) {
    case GST_RVOS_FAILED:
        return FALSE;
    case GST_RVOS_ABOVE:
        all_above(&failure, path, &mask->facts, seeds->n_slots);
        gst_rvos_notices_fail(seeds->notices, &failure);
        return FALSE;
    default:
        return TRUE;
    }
}

/* A single file belongs to the first frame, and to the same stream time when it comes
 * again, as in a loop. */
static gboolean is_first_frame(GstRvosMaskFiles *files, GstClockTime time,
                               GstClockTime duration)
{
    if (!files->first_seen) {
        files->first_seen = TRUE;
        files->first_time = time;
        return TRUE;
    }
    if (!GST_CLOCK_TIME_IS_VALID(time) || !GST_CLOCK_TIME_IS_VALID(files->first_time))
        return FALSE;
    if (!GST_CLOCK_TIME_IS_VALID(duration))
        duration = 0;
    return gst_rvos_time_distance(time, files->first_time) <= duration / 2;
}

gboolean gst_rvos_mask_files_apply(GstRvosMaskFiles *files, GstRvosSeeds *seeds,
                                   GstClockTime stream_time, GstClockTime duration,
                                   guint32 *taken)
{
    GstRvosMaskFile *file = files->due;
    GstRvosFailure failure = {0};
    GstRvosMask mask;
    gboolean good;

    if (files->single.picture.pixels)
        return !is_first_frame(files, stream_time, duration) ||
               show(seeds, &files->single, files->location, taken);
    if (!file)
        return TRUE;
    files->due = NULL;
    file->used = TRUE;
    if (!gst_rvos_mask_read(file->path, &mask, &failure)) {
        gst_rvos_notices_fail(seeds->notices, &failure);
        return FALSE;
    }
    good = show(seeds, &mask, file->path, taken);
    gst_rvos_mask_clear(&mask);
    return good;
}

void gst_rvos_mask_files_end(GstRvosMaskFiles *files, const GstRvosSeeds *seeds,
                             gboolean given_only)
{
    gchar *names;
    guint unused = 0;

    if (!files->files || files->pictures == 0)
        return;
    names = unused_names(files, &unused);
    if (!seeds->ever && !files->sought && given_only) {
        GST_RVOS_ERROR(
            seeds->notices, STREAM, FAILED,
            "No object was followed: %u masks of \"%s\" belong to no picture of this "
            "stream, and no other shows an object. It had %" G_GUINT64_FORMAT
            " pictures, numbered from 0. %s",
            unused, files->location, files->pictures, names ? names : "");
    } else if (unused > 0) {
        GST_RVOS_WARN(seeds->notices, STREAM, FAILED,
                      "%u masks belong to no picture that was segmented: %s. There were "
                      "%" G_GUINT64_FORMAT " pictures, numbered from 0.",
                      unused, names, files->pictures);
    }
    g_free(names);
}
