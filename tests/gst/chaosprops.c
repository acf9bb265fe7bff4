/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chaos.h"

#include <gst/video/video.h>

typedef struct {
    const gchar *name;
    const gchar *values[6]; /* the first is the plain one */
} Property;

/* At any time. */
static const Property properties[] = {
    {"attach-meta", {"roi+mask", "mask", "roi", "0"}},
    {"contour-width", {"2", "0", "64"}},
    {"detector-seeds", {"none", "boxes"}},
    {"enabled", {"true", "true", "true", "false"}},
    {"inference-interval", {"1", "2", "3"}},
    {"late-policy", {"reuse", "process", "drop"}},
    {"latency", {"-1", "0", "5000000", "9223372036854775807"}},
    {"lost-frames", {"5", "1", "7"}},
    {"max-gap", {"500000000", "0", "40000000", "18446744073709551615"}},
    {"max-inference-rate", {"0/1", "10/1", "1/2147483647"}},
    {"min-age", {"0", "2", "4294967295"}},
    {"min-object-size", {"0", "30"}},
    {"output", {"overlay", "mask", "none"}},
    {"overlay-alpha", {"0.5", "0", "1"}},
    {"overlay-text", {"0", "id", "label+id"}},
    {"palette", {"davis", "#ff0000,#00ff00,#0000ff"}},
    {"post-messages", {"changes", "none", "all"}},
    {"scene-cut", {"0", "detect", "key-unit", "detect+key-unit"}},
    {"threshold", {"0.5", "0", "1"}},
    /* Later than READY these are refused, with a warning. */
    {"batch-timeout", {"2000000", "0"}},
    {"objects", {"3", "1", "5"}},
};

/* In READY only. */
static const Property ready[] = {
    {"discovery-interval", {"3", "0", "1"}},
    {"mode", {"zero-shot", "one-shot", "auto"}},
    {"n-threads", {"1", "2", "3"}},
    {"objects", {"3", "1", "5"}},
    {"share-model", {"true", "true", "false"}},
    {"variant", {"spatio-temporal", "spatial", "temporal"}},
};

/* At any time too, of a bench whose frames have an alpha channel. */
static const Property alpha = {"output", {"alpha", "overlay"}};

static void set(ChaosBench *bench, const Property *property, guint value)
{
    gst_util_set_object_arg(G_OBJECT(bench->element), property->name,
                            property->values[value]);
}

static guint any_value(const Property *property, GRand *rand)
{
    guint n = 0;

    while (n < G_N_ELEMENTS(property->values) && property->values[n])
        n++;
    return (guint)g_rand_int_range(rand, 0, (gint32)n);
}

void chaos_set_ready(ChaosBench *bench, GRand *rand)
{
    for (guint i = 0; i < G_N_ELEMENTS(ready); i++)
        set(bench, &ready[i], any_value(&ready[i], rand));
}

void chaos_set_plain(ChaosBench *bench)
{
    for (guint i = 0; i < G_N_ELEMENTS(properties); i++)
        set(bench, &properties[i], 0);
    for (guint i = 0; i < G_N_ELEMENTS(ready); i++)
        set(bench, &ready[i], 0);
}

static void set_any(ChaosBench *bench, GRand *rand)
{
    guint i = (guint)g_rand_int_range(rand, 0, G_N_ELEMENTS(properties) + 1);
    const Property *property = &alpha;

    if (i < G_N_ELEMENTS(properties))
        property = &properties[i];
    else if (!bench->alpha)
        return;
    set(bench, property, any_value(property, rand));
}

/* All of them. */
static void get(ChaosBench *bench, G_GNUC_UNUSED GRand *rand)
{
    GObjectClass *klass = G_OBJECT_GET_CLASS(bench->element);
    guint n;
    GParamSpec **specs = g_object_class_list_properties(klass, &n);

    for (guint i = 0; i < n; i++) {
        GValue value = G_VALUE_INIT;

        g_value_init(&value, specs[i]->value_type);
        g_object_get_property(G_OBJECT(bench->element), specs[i]->name, &value);
        g_value_unset(&value);
    }
    g_free(specs);
}

/* ---- signals ----------------------------------------------------------------------- */

static void set_mask(ChaosBench *bench, GRand *rand)
{
    guint width = (guint)g_rand_int_range(rand, 1, 100);
    guint height = (guint)g_rand_int_range(rand, 2, 100);
    GstStructure *options = NULL;
    GstVideoInfo info;
    GstSample *sample;
    GstBuffer *buffer;
    gboolean good;
    GstCaps *caps;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, width, height);
    caps = gst_video_info_to_caps(&info);
    buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
    gst_buffer_memset(buffer, 0, 0, (gsize)-1);
    gst_buffer_memset(buffer, 0, (guint8)g_rand_int_range(rand, 0, 5),
                      GST_VIDEO_INFO_SIZE(&info) / 2);
    if (g_rand_int_range(rand, 0, 4) == 0)
        GST_BUFFER_PTS(buffer) = (guint64)g_rand_int(rand) * GST_USECOND;
    if (g_rand_boolean(rand))
        options = gst_structure_new("options", "replace", G_TYPE_BOOLEAN,
                                    g_rand_boolean(rand), NULL);
    sample = gst_sample_new(buffer, caps, NULL, options);
    g_signal_emit_by_name(bench->element, "set-mask", sample, &good);
    gst_sample_unref(sample);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
}

static void drop_object(ChaosBench *bench, GRand *rand)
{
    gboolean good;

    g_signal_emit_by_name(bench->element, "drop-object",
                          (guint)g_rand_int_range(rand, 0, 6), &good);
}

static void reset(ChaosBench *bench, G_GNUC_UNUSED GRand *rand)
{
    g_signal_emit_by_name(bench->element, "reset");
}

/* ---- events ------------------------------------------------------------------------ */

static gint64 any_number(GRand *rand)
{
    guint64 bits = (guint64)g_rand_int(rand) << 32 | g_rand_int(rand);

    return (gint64)(bits >> g_rand_int_range(rand, 0, 64));
}

static void send_qos(ChaosBench *bench, GRand *rand)
{
    GstPad *pad = gst_element_get_static_pad(bench->element, "src");
    GstEvent *event = gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1.0, 0, 0);

    gst_structure_set(gst_event_writable_structure(event), "diff", G_TYPE_INT64,
                      any_number(rand), "timestamp", G_TYPE_UINT64,
                      (guint64)any_number(rand), NULL);
    gst_pad_send_event(pad, event);
    gst_object_unref(pad);
}

const ChaosAction chaos_settings[] = {
    {"set", 45, set_any},
    {"get", 10, get},
    {"set-mask", 15, set_mask},
    {"drop", 10, drop_object},
    {"reset", 7, reset},
    {"qos", 8, send_qos},
    {NULL},
};
