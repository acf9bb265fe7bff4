/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskfiles.c - finds the mask file for a frame number.
 *
 * A folder is listed once, also for a pattern, so that a missing file does not cost a
 * system call per frame.
 */
#include "gstrvosseeds.h"

#include <string.h>

/* If a picture with a mask was not segmented (dropped as late, a gap), its mask may be
 * used for up to this many later pictures. */
#define CARRY 10

static gboolean not_found(GstRvosNotices *notices, const gchar *location,
                          const gchar *words, const gchar *debug)
{
    return GST_RVOS_EXPLAIN(notices, RESOURCE, NOT_FOUND, debug,
                            "init-mask-location \"%s\" %s.", location, words);
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

static void clear_file(gpointer file)
{
    g_free(((GstRvosMaskFile *)file)->path);
}

static GstRvosMaskFile *nth(const GstRvosMaskFiles *files, guint i)
{
    return &g_array_index(files->files, GstRvosMaskFile, i);
}

/* By number, then by name. No path stands for any. */
static gint compare(gconstpointer a, gconstpointer b)
{
    const GstRvosMaskFile *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->path && y->path ? strcmp(x->path, y->path) : 0;
}

static GstRvosMaskFile *find(const GstRvosMaskFiles *files, guint64 number)
{
    GstRvosMaskFile wanted = {.number = number};
    guint i;

    return g_array_binary_search(files->files, &wanted, compare, &i) ? nth(files, i)
                                                                     : NULL;
}

/* If two files have the same number, the first by name wins. */
static void sort(GstRvosMaskFiles *files)
{
    g_array_sort(files->files, compare);
    for (guint i = 1; i < files->files->len;)
        if (nth(files, i)->number == nth(files, i - 1)->number)
            g_array_remove_index(files->files, i);
        else
            i++;
}

/* If `pattern` is NULL, lists every number. */
static gboolean list(GstRvosMaskFiles *files, const gchar *location, const gchar *folder,
                     const struct mask_pattern *pattern, GstRvosNotices *notices)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    GstRvosMaskFile file = {0};
    const gchar *name;

    if (!dir)
        return not_found(notices, location, "is in a folder that cannot be listed",
                         error->message);
    files->files = g_array_new(FALSE, FALSE, sizeof(GstRvosMaskFile));
    g_array_set_clear_func(files->files, clear_file);
    while ((name = g_dir_read_name(dir)) != NULL)
        if (pattern ? mask_pattern_match(pattern, name, &file.number)
                    : match_number(name, &file.number)) {
            file.path = g_build_filename(folder, name, NULL);
            g_array_append_val(files->files, file);
        }
    sort(files);
    return files->files->len > 0 ||
           not_found(notices, location, "names no mask file", NULL);
}

static gboolean open_pattern(GstRvosMaskFiles *files, const gchar *location,
                             GstRvosNotices *notices)
{
    struct mask_pattern pattern;
    struct pic_error error;
    gboolean good;

    if (mask_pattern_parse(&pattern, location, &error))
        return GST_RVOS_ERROR(notices, RESOURCE, SETTINGS,
                              "init-mask-location \"%s\" %s.", location, error.words);
    good = list(files, location, pattern.folder, &pattern, notices);
    mask_pattern_free(&pattern);
    return good;
}

/* An existing path is used as it is. Only the last part of a path that does not exist can
 * be a pattern. */
static gboolean open_location(GstRvosMaskFiles *files, const gchar *location,
                              GstRvosNotices *notices)
{
    if (g_file_test(location, G_FILE_TEST_IS_DIR))
        return list(files, location, location, NULL, notices);
    if (!g_file_test(location, G_FILE_TEST_EXISTS) && strchr(location, '%'))
        return open_pattern(files, location, notices);
    return gst_rvos_mask_read_objects(location, &files->single, notices);
}

static gboolean all_above(GstRvosNotices *notices, const gchar *path,
                          const struct mask_facts *facts, guint n_slots)
{
    return GST_RVOS_ERROR(notices, RESOURCE, SETTINGS,
                          "The mask file \"%s\" holds the values %s, and there are %u "
                          "slots: none of its objects can be followed. Set objects=%d.",
                          path, facts->values, n_slots, facts->highest);
}

gboolean gst_rvos_mask_files_open(GstRvosMaskFiles *files, const gchar *location,
                                  guint n_slots, GstRvosNotices *notices)
{
    *files = (GstRvosMaskFiles){.first_time = GST_CLOCK_TIME_NONE};
    if (!location || !*location)
        return TRUE;
    files->location = g_strdup(location);
    if (!open_location(files, location, notices))
        return FALSE;
    /* The number of slots may be known before the model is opened. */
    if (files->single.picture.pixels && n_slots > 0 &&
        gst_rvos_mask_slots(&files->single, n_slots) == 0)
        return all_above(notices, location, &files->single.facts, n_slots);
    if (files->files)
        gst_rvos_numbers_open(&files->numbers, nth(files, files->files->len - 1)->number);
    return TRUE;
}

void gst_rvos_mask_files_close(GstRvosMaskFiles *files)
{
    gst_rvos_numbers_close(&files->numbers);
    g_clear_pointer(&files->files, g_array_unref);
    g_clear_pointer(&files->location, g_free);
    gst_rvos_mask_clear(&files->single);
    *files = (GstRvosMaskFiles){.first_time = GST_CLOCK_TIME_NONE};
}

/* ---- unused files ------------------------------------------------------------ */

#define NAMED 3 /* files named in a message */

/* Paths of the first unused files, for messages, to be freed; NULL: all were used. */
static gchar *unused_names(const GstRvosMaskFiles *files, guint *count)
{
    GString *names = g_string_new(NULL);

    *count = 0;
    for (guint i = 0; i < files->files->len; i++)
        if (!nth(files, i)->used && (*count)++ < NAMED)
            g_string_append_printf(names, "%s\"%s\"", *count > 1 ? ", " : "",
                                   nth(files, i)->path);
    if (*count > NAMED)
        g_string_append_printf(names, " and %u more", *count - NAMED);
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
        "it has shown, or starts again.",
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
    file = find(files, files->number);
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

/* ---- applying masks --------------------------------------------------------------- */

static gboolean show(GstRvosSeeds *seeds, const GstRvosMask *mask, const gchar *path,
                     guint32 *taken)
{
    switch (gst_rvos_seeds_show(seeds, mask, G_MAXUINT32, taken)) {
    case GST_RVOS_FAILED:
        return FALSE;
    case GST_RVOS_ABOVE:
        return all_above(seeds->notices, path, &mask->facts, seeds->n_slots);
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
    g_auto(GstRvosMask) mask = {0};

    if (files->single.picture.pixels)
        return !is_first_frame(files, stream_time, duration) ||
               show(seeds, &files->single, files->location, taken);
    if (!file)
        return TRUE;
    files->due = NULL;
    file->used = TRUE;
    return gst_rvos_mask_read(file->path, &mask, seeds->notices) &&
           show(seeds, &mask, file->path, taken);
}

void gst_rvos_mask_files_end(GstRvosMaskFiles *files, const GstRvosSeeds *seeds,
                             gboolean given_only)
{
    g_autofree gchar *names = NULL;
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
}
