/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskfiles.c - which mask file belongs to which frame number.
 *
 * A folder, a pattern's too, is listed once: a missing file must not cost a system call
 * a frame.
 */
#include "gstrvosseg.h"

#include <string.h>

#define GST_CAT_DEFAULT gst_rvos_seg_debug

static gboolean settings_error(GstRvosFailure *failure, const gchar *location,
                               const gchar *words)
{
    gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, NULL,
                         "init-mask-location \"%s\" %s.", location, words);
    return FALSE;
}

static gboolean not_found(GstRvosFailure *failure, const gchar *location,
                          const gchar *words)
{
    gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, NULL,
                         "init-mask-location \"%s\" %s.", location, words);
    return FALSE;
}

/* "%d", "%5d" or "%05d": its length, and how many digits are asked for; 0: it is no
 * integer conversion. */
static gsize parse_conversion(const gchar *p, guint *digits, gboolean *zeros)
{
    const gchar *start = p++;

    *zeros = *p == '0';
    *digits = 0;
    while (g_ascii_isdigit(*p) && *digits < 100)
        *digits = *digits * 10 + (guint)(*p++ - '0');
    if ((*p != 'd' && *p != 'i' && *p != 'u') || *digits > 20)
        return 0;
    return (gsize)(p + 1 - start);
}

/* A file-name pattern, cut at its one conversion; %% is a per cent sign. The pattern is
 * never given to printf: it comes from the user. */
typedef struct {
    GString *prefix, *suffix;
    guint digits;
    gboolean zeros;
} Pattern;

static gboolean parse_pattern(const gchar *name, Pattern *pattern)
{
    guint conversions = 0;

    pattern->prefix = g_string_new(NULL);
    pattern->suffix = g_string_new(NULL);
    for (const gchar *p = name; *p;) {
        GString *part = conversions ? pattern->suffix : pattern->prefix;
        gsize length;

        if (p[0] != '%') {
            g_string_append_c(part, *p++);
        } else if (p[1] == '%') {
            g_string_append_c(part, '%');
            p += 2;
        } else {
            length = parse_conversion(p, &pattern->digits, &pattern->zeros);
            if (length == 0 || conversions++ > 0)
                return FALSE;
            p += length;
        }
    }
    return conversions == 1;
}

static void clear_pattern(Pattern *pattern)
{
    g_string_free(pattern->prefix, TRUE);
    g_string_free(pattern->suffix, TRUE);
}

static gboolean match(const Pattern *pattern, const gchar *name, guint64 *number)
{
    gsize length = strlen(name);
    gchar *digits, *again;
    gboolean same;

    if (length <= pattern->prefix->len + pattern->suffix->len ||
        !g_str_has_prefix(name, pattern->prefix->str) ||
        !g_str_has_suffix(name, pattern->suffix->str))
        return FALSE;
    digits = g_strndup(name + pattern->prefix->len,
                       length - pattern->prefix->len - pattern->suffix->len);
    *number = g_ascii_strtoull(digits, NULL, 10); /* skips white space, as %5d makes */
    again = pattern->zeros
                ? g_strdup_printf("%0*" G_GUINT64_FORMAT, (int)pattern->digits, *number)
                : g_strdup_printf("%*" G_GUINT64_FORMAT, (int)pattern->digits, *number);
    same = strcmp(digits, again) == 0;
    g_free(again);
    g_free(digits);
    return same;
}

/* In a folder: any PNG or PGM whose name is a number, leading zeros or not. */
static gboolean match_number(const gchar *name, guint64 *number)
{
    gchar *end;

    if (!g_ascii_isdigit(name[0]))
        return FALSE;
    *number = g_ascii_strtoull(name, &end, 10);
    return g_ascii_strcasecmp(end, ".png") == 0 || g_ascii_strcasecmp(end, ".pgm") == 0;
}

/* `pattern` NULL: every number. */
static gboolean list(GstRvosSeeds *seeds, const gchar *location, const gchar *folder,
                     const Pattern *pattern, GstRvosFailure *failure)
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
    seeds->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (pattern ? match(pattern, name, &number) : match_number(name, &number))
            g_hash_table_replace(seeds->files, g_memdup2(&number, sizeof(number)),
                                 g_build_filename(folder, name, NULL));
    }
    g_dir_close(dir);
    if (g_hash_table_size(seeds->files) > 0)
        return TRUE;
    return not_found(failure, location, "names no mask file");
}

static gboolean open_pattern(GstRvosSeeds *seeds, const gchar *location,
                             GstRvosFailure *failure)
{
    gchar *folder = g_path_get_dirname(location);
    gchar *name = g_path_get_basename(location);
    Pattern pattern;
    gboolean good;

    good = parse_pattern(name, &pattern) && !strchr(folder, '%');
    if (!good)
        settings_error(failure, location,
                       "is no pattern: exactly one %d or %05d in the file's name is "
                       "wanted, and %% for a per cent sign");
    else
        good = list(seeds, location, folder, &pattern, failure);
    clear_pattern(&pattern);
    g_free(name);
    g_free(folder);
    return good;
}

gboolean gst_rvos_mask_files_open(GstRvosSeeds *seeds, const gchar *location,
                                  GstRvosFailure *failure)
{
    if (strchr(location, '%'))
        return open_pattern(seeds, location, failure);
    if (g_file_test(location, G_FILE_TEST_IS_DIR))
        return list(seeds, location, location, NULL, failure);
    return gst_rvos_image_read(location, &seeds->single, failure);
}
