/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvoswords.h"

#include "gstrvoscuda.h"

static void append_words(GString *text, const GValue *value)
{
    g_autofree gchar *word = NULL;

    if (GST_VALUE_HOLDS_LIST(value)) {
        for (guint i = 0; i < gst_value_list_get_size(value); i++) {
            g_string_append(text, i ? ", " : "{ ");
            append_words(text, gst_value_list_get_value(value, i));
        }
        g_string_append(text, " }");
        return;
    }
    word = gst_value_serialize(value);
    g_string_append(text, word);
}

/* Describes caps in short, with the parts that may be the reason for refusing them:
 * "video/x-raw(memory:X), format=Y, interlace-mode=alternate". */
static void describe_one(GString *text, const GstStructure *s, GstCapsFeatures *features)
{
    const gchar *mode = gst_structure_get_string(s, "interlace-mode");
    const GValue *format = gst_structure_get_value(s, "format");

    g_string_append(text, gst_structure_get_name(s));
    if (features &&
        !gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY)) {
        g_autofree gchar *name = gst_caps_features_to_string(features);

        g_string_append_printf(text, "(%s)", name);
    }
    if (format) {
        g_string_append(text, ", format=");
        append_words(text, format);
    }
    if (g_strcmp0(mode, "alternate") == 0)
        g_string_append(text, ", interlace-mode=alternate");
}

static gchar *describe(const GstCaps *caps)
{
    GString *text = g_string_new(NULL);
    guint n = gst_caps_get_size(caps);

    for (guint i = 0; i < MIN(n, 3); i++) {
        g_string_append(text, i ? " or " : "");
        describe_one(text, gst_caps_get_structure(caps, i),
                     gst_caps_get_features(caps, i));
    }
    g_string_append(text, n > 3 ? " ..." : "");
    return g_string_free(text, FALSE);
}

/* The elements that convert these caps to accepted ones. */
static const gchar *remedy(const GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    GstCapsFeatures *features = gst_caps_get_features(caps, 0);

    if (!gst_structure_has_name(s, "video/x-raw"))
        return "a decoder and videoconvert";
    if (gst_caps_features_contains(features, GST_RVOS_CUDA_MEMORY))
        return "cudadownload and videoconvert";
    if (gst_caps_features_contains(features, "memory:GLMemory"))
        return "gldownload and videoconvert";
    if (gst_caps_features_contains(features, "format:Interlaced"))
        return "deinterlace and videoconvert";
    if (!gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY))
        return "an element that gives system memory and videoconvert";
    return "videoconvert";
}

/* Words for caps that are refused for their width or height alone, else NULL. */
static gchar *wrong_size(const GstCaps *caps, const GstCaps *taken)
{
    g_autoptr(GstCaps) sized = gst_caps_copy(caps);
    GstStructure *s = gst_caps_get_structure(sized, 0);
    gint width = -1, height = -1;

    gst_structure_get(s, "width", G_TYPE_INT, &width, "height", G_TYPE_INT, &height,
                      NULL);
    gst_structure_remove_fields(s, "width", "height", NULL);
    return gst_caps_can_intersect(sized, taken)
               ? g_strdup_printf(
                     "rvosseg does not take frames of %dx%d pixels: width and "
                     "height must be 1 or more. Look at the caps that the "
                     "source sets.",
                     width, height)
               : NULL;
}

/* Words for raw video in system memory that does not say enough, else NULL. */
static gchar *incomplete(const GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    const gchar *mode = gst_structure_get_string(s, "interlace-mode");
    GstVideoInfo info;

    if (gst_video_info_from_caps(&info, caps))
        return NULL;
    if (g_strcmp0(mode, "alternate") == 0)
        return g_strdup("rvosseg does not take interlace-mode=alternate, and these caps "
                        "lack the feature format:Interlaced that belongs to it. Put "
                        "deinterlace before rvosseg, or correct the caps.");
    if (!gst_structure_has_field(s, "format"))
        return g_strdup("The caps have no format, so the pixels cannot be read: add one "
                        "to the caps that the source sets, such as format=RGB.");
    return g_strdup("rvosseg cannot read frames with these caps: look at the caps that "
                    "the source sets.");
}

gchar *gst_rvos_words_refused(const GstCaps *caps, const GstCaps *taken)
{
    g_autofree gchar *offered = describe(caps), *formats = describe(taken);
    gchar *words =
        gst_caps_can_intersect(caps, taken) ? incomplete(caps) : wrong_size(caps, taken);

    return words ? words
                 : g_strdup_printf(
                       "rvosseg does not take %s. It takes %s: put %s before it.",
                       offered, formats, remedy(caps));
}

/* ---- the element behind ----------------------------------------------------------- */

/* What can be converted, and by which element; NULL: the scaler that suits. */
static const struct {
    const gchar *element, *fields[3];
} converters[] = {
    {"videoconvert", {"format", "colorimetry", "chroma-site"}},
    {NULL, {"width", "height", "pixel-aspect-ratio"}},
    {"videorate", {"framerate", "max-framerate"}},
    {"deinterlace or interlace", {"interlace-mode", "field-order"}},
};

/* Whether the element behind takes the caps if these converters (bits) come first. */
static gboolean convert(const GstCaps *caps, const GstCaps *behind, guint set)
{
    g_autoptr(GstCaps) any = gst_caps_copy(caps);

    for (guint n = 0; n < gst_caps_get_size(any); n++)
        for (guint i = 0; i < G_N_ELEMENTS(converters) * 3; i++)
            if (set & 1u << i / 3 && converters[i / 3].fields[i % 3])
                gst_structure_remove_field(gst_caps_get_structure(any, n),
                                           converters[i / 3].fields[i % 3]);
    return gst_caps_can_intersect(any, behind);
}

/* The converters that are needed; 0: none help. It is the first if the caps would do,
 * because then output=alpha takes only some of their formats. */
static guint find_converters(const GstCaps *caps, const GstCaps *behind)
{
    guint set = (1u << G_N_ELEMENTS(converters)) - 1;

    if (!convert(caps, behind, set))
        return 0;
    for (guint i = 0; i < G_N_ELEMENTS(converters); i++)
        if (convert(caps, behind, set & ~(1u << i)))
            set &= ~(1u << i);
    return set ? set : 1;
}

/* Adds the fields that these converters change, but for the format. */
static void append_fields(GString *text, const GstStructure *s, guint set)
{
    for (guint i = 3; i < G_N_ELEMENTS(converters) * 3; i++) {
        const gchar *field = converters[i / 3].fields[i % 3];
        const GValue *value = field ? gst_structure_get_value(s, field) : NULL;

        if (!(set & 1u << i / 3) || !value)
            continue;
        g_string_append_printf(text, ", %s=", field);
        append_words(text, value);
    }
}

gchar *gst_rvos_words_for(const GstCaps *caps, const GstCaps *behind, const gchar *scaler,
                          gchar **missing)
{
    guint set = find_converters(caps, behind);
    GString *names = g_string_new(set == 0 ? "an element that converts it" : NULL);
    GString *text = g_string_new(NULL);
    g_autoptr(GstCaps) first = gst_caps_copy_nth(caps, 0);
    GstStructure *s = gst_caps_get_structure(first, 0);

    if (set != 0 && !(set & 1)) /* a source may offer a long list of formats */
        gst_structure_remove_field(s, "format");
    for (guint i = 0; i < G_N_ELEMENTS(converters); i++)
        if (set & 1u << i)
            g_string_append_printf(names, "%s%s", names->len > 0 ? " ! " : "",
                                   converters[i].element ? converters[i].element
                                                         : scaler);
    *missing = g_string_free(names, FALSE);
    describe_one(text, s, gst_caps_get_features(first, 0));
    append_fields(text, s, set);
    return g_string_free(text, FALSE);
}
