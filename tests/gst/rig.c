/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

#include <string.h>

gchar *rig_model(const gchar *tasks)
{
    const gchar *folder = g_getenv("RVOSSEG_TEST_DIR");
    gchar *name = g_strdup_printf("%s.script", tasks);
    gchar *path;

    g_strdelimit(name, " ", '+');
    path = g_build_filename(folder ? folder : g_get_tmp_dir(), name, NULL);
    /* Never rewrite the file, because other tests may be reading it. */
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        fail_unless(g_file_set_contents(path, tasks, -1, NULL));
    g_free(name);
    return path;
}

GstElement *rig_element(const gchar *property, ...)
{
    GstElement *element = gst_element_factory_make("rvosseg", NULL);
    gchar *model = rig_model("zero-shot one-shot");
    va_list args;

    fail_unless(element != NULL);
    g_object_set(element, "model", model, NULL);
    gst_util_set_object_arg(G_OBJECT(element), "engine", "cpu");
    gst_util_set_object_arg(G_OBJECT(element), "mode", "zero-shot");
    g_free(model);
    va_start(args, property);
    for (; property; property = va_arg(args, const gchar *))
        gst_util_set_object_arg(G_OBJECT(element), property, va_arg(args, const gchar *));
    va_end(args);
    return element;
}

Rig *rig_new(GstElement *element)
{
    Rig *rig = g_new0(Rig, 1);

    rig->element = element;
    rig->bus = gst_bus_new();
    gst_element_set_bus(element, rig->bus);
    rig->h = gst_harness_new_with_element(element, "sink", "src");
    rig_set_caps(rig, "RGB", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1");
    return rig;
}

void rig_add_mask(Rig *rig)
{
    rig->mask = gst_harness_new_with_element(rig->element, NULL, "mask");
}

void rig_free(Rig *rig)
{
    gst_element_set_bus(rig->element, NULL);
    if (rig->mask)
        gst_harness_teardown(rig->mask);
    gst_harness_teardown(rig->h);
    gst_object_unref(rig->element);
    gst_bus_set_flushing(rig->bus, TRUE);
    gst_object_unref(rig->bus);
    g_free(rig);
}

static gboolean answer_with_plain_pool(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstBufferPool *pool;

    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION)
        return gst_pad_query_default(pad, parent, query);
    pool = gst_buffer_pool_new();
    gst_query_add_allocation_pool(query, pool, RIG_WIDTH * RIG_HEIGHT, 0, 0);
    gst_object_unref(pool);
    return TRUE;
}

void rig_offer_plain_pool(Rig *rig)
{
    gst_pad_set_query_function(rig->mask->sinkpad, answer_with_plain_pool);
}

void rig_set_caps(Rig *rig, const gchar *format, gint width, gint height,
                  const gchar *extra)
{
    gchar *text = g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,%s", format,
                                  width, height, extra);
    GstCaps *caps = gst_caps_from_string(text);

    fail_unless(gst_video_info_from_caps(&rig->info, caps));
    gst_harness_set_src_caps(rig->h, caps);
    g_free(text);
}

static void paint(GstVideoFrame *frame, const RigBox *boxes)
{
    guint8 *pixels = GST_VIDEO_FRAME_PLANE_DATA(frame, 0);
    gint stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0);
    gint step = GST_VIDEO_FRAME_COMP_PSTRIDE(frame, 0);

    for (; boxes->slot; boxes++)
        for (guint y = boxes->y; y < boxes->y + boxes->height; y++)
            for (guint x = boxes->x; x < boxes->x + boxes->width; x++)
                memset(pixels + (gint)y * stride + (gint)x * step, (int)boxes->slot, 1);
}

static GstBuffer *make_picture(const GstVideoInfo *info, guint8 background,
                               const RigBox *boxes)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    GstVideoFrame frame;

    gst_buffer_memset(buffer, 0, background, GST_VIDEO_INFO_SIZE(info));
    fail_unless(gst_video_frame_map(&frame, info, buffer, GST_MAP_WRITE));
    paint(&frame, boxes);
    gst_video_frame_unmap(&frame);
    return buffer;
}

GstBuffer *rig_frame(Rig *rig, guint n, const RigBox *boxes)
{
    GstBuffer *buffer = make_picture(&rig->info, RIG_BACKGROUND, boxes);

    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale(n, GST_SECOND, 30);
    GST_BUFFER_DTS(buffer) = GST_BUFFER_PTS(buffer);
    GST_BUFFER_DURATION(buffer) =
        gst_util_uint64_scale(n + 1, GST_SECOND, 30) - GST_BUFFER_PTS(buffer);
    GST_BUFFER_OFFSET(buffer) = n;
    return buffer;
}

GstBuffer *rig_push(Rig *rig, guint n, const RigBox *boxes)
{
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, n, boxes)),
                           GST_FLOW_OK);
    return gst_harness_pull(rig->h);
}

void rig_run(Rig *rig, guint from, guint to, const RigBox *boxes)
{
    for (guint n = from; n < to; n++)
        gst_buffer_unref(rig_push(rig, n, boxes));
}

guint8 rig_byte(Rig *rig, GstBuffer *buffer, guint x, guint y)
{
    GstVideoFrame frame;
    guint8 byte;

    /* Called for every pixel: fail_unless() would write to a file each time. */
    if (!gst_video_frame_map(&frame, &rig->info, buffer, GST_MAP_READ))
        fail("the frame cannot be mapped");
    byte = ((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(
        &frame, 0))[(gint)y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0) +
                    (gint)x * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, 0)];
    gst_video_frame_unmap(&frame);
    return byte;
}

guint64 rig_stat(Rig *rig, const gchar *name)
{
    GstStructure *stats;
    const GValue *value;
    guint64 out;

    g_object_get(rig->element, "stats", &stats, NULL);
    value = gst_structure_get_value(stats, name);
    fail_unless(value != NULL, "no %s in stats", name);
    out =
        G_VALUE_HOLDS_UINT64(value) ? g_value_get_uint64(value) : g_value_get_uint(value);
    gst_structure_free(stats);
    return out;
}

GstStructure *rig_message(Rig *rig, const gchar *name)
{
    GstMessage *message;

    while ((message = gst_bus_pop_filtered(rig->bus, GST_MESSAGE_ELEMENT)) != NULL) {
        GstStructure *copy = NULL;

        if (gst_message_has_name(message, name))
            copy = gst_structure_copy(gst_message_get_structure(message));
        gst_message_unref(message);
        if (copy)
            return copy;
    }
    return NULL;
}

static void append(GString *text, const gchar *word)
{
    if (text->len > 0)
        g_string_append_c(text, ',');
    g_string_append(text, word);
}

gchar *rig_resets(Rig *rig)
{
    GString *text = g_string_new(NULL);
    GstStructure *s;

    while ((s = rig_message(rig, "rvosseg-reset")) != NULL) {
        append(text, gst_structure_get_string(s, "reason"));
        gst_structure_free(s);
    }
    return g_string_free(text, FALSE);
}

gchar *rig_objects(Rig *rig)
{
    GString *text = g_string_new(NULL);
    GstStructure *s;
    guint slot;

    while ((s = rig_message(rig, "rvosseg-object")) != NULL) {
        gchar *word;

        fail_unless(gst_structure_get_uint(s, "slot", &slot));
        word = g_strdup_printf("%s:%u", gst_structure_get_string(s, "event"), slot);
        append(text, word);
        g_free(word);
        gst_structure_free(s);
    }
    return g_string_free(text, FALSE);
}

GstMessage *rig_pop(Rig *rig, GstMessageType type)
{
    return gst_bus_pop_filtered(rig->bus, type);
}

/* Takes ownership of the message. */
static gchar *words_of(GstMessage *message, GQuark domain, gint code)
{
    GError *error;
    gchar *debug, *words;

    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        gst_message_parse_error(message, &error, &debug);
    else
        gst_message_parse_warning(message, &error, &debug);
    GST_INFO("%s (%s)", error->message, debug);
    fail_unless(domain == 0 || g_error_matches(error, domain, code), "%s %d: %s",
                g_quark_to_string(error->domain), error->code, error->message);
    words = g_strdup(error->message);
    g_error_free(error);
    g_free(debug);
    gst_message_unref(message);
    return words;
}

gchar *rig_words(GstBus *bus, GstMessageType type, GQuark domain, gint code)
{
    GstMessage *message = gst_bus_pop_filtered(bus, type);

    return message ? words_of(message, domain, code) : NULL;
}

void rig_expect_error(GstBus *bus, GQuark domain, gint code)
{
    GstMessage *message =
        gst_bus_timed_pop_filtered(bus, 5 * GST_SECOND, GST_MESSAGE_ERROR);

    fail_unless(message != NULL, "no error message");
    g_free(words_of(message, domain, code));
}

gchar *rig_refused(GstElement *element, GQuark domain, gint code)
{
    GstBus *bus = gst_bus_new();
    gchar *words;

    gst_element_set_bus(element, bus);
    fail_unless_equals_int(gst_element_set_state(element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_FAILURE);
    words = rig_words(bus, GST_MESSAGE_ERROR, domain, code);
    fail_unless(words != NULL);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
    return words;
}

GstSample *rig_mask(guint width, guint height, GstClockTime pts, gboolean replace,
                    const RigBox *boxes)
{
    GstStructure *options = NULL;
    GstVideoInfo info;
    GstBuffer *buffer;
    GstSample *sample;
    GstCaps *caps;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, width, height);
    caps = gst_video_info_to_caps(&info);
    buffer = make_picture(&info, 0, boxes);
    GST_BUFFER_PTS(buffer) = pts;
    if (replace)
        options = gst_structure_new("options", "replace", G_TYPE_BOOLEAN, TRUE, NULL);
    sample = gst_sample_new(buffer, caps, NULL, options);
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
    return sample;
}

gboolean rig_set_mask(Rig *rig, GstClockTime pts, gboolean replace, const RigBox *boxes)
{
    GstSample *sample = rig_mask(RIG_WIDTH, RIG_HEIGHT, pts, replace, boxes);
    gboolean good;

    g_signal_emit_by_name(rig->element, "set-mask", sample, &good);
    gst_sample_unref(sample);
    return good;
}

static void set_model(const GValue *item, gpointer model)
{
    g_object_set(g_value_get_object(item), "model", model, NULL);
}

GstElement *rig_pipeline(const gchar *launch)
{
    GError *error = NULL;
    GstElement *bin = gst_parse_launch(launch, &error);
    gchar *model = rig_model("zero-shot one-shot");
    GstIterator *all;

    fail_unless(error == NULL, "%s: %s", launch, error ? error->message : "");
    all = gst_bin_iterate_all_by_element_factory_name(GST_BIN(bin), "rvosseg");
    gst_iterator_foreach(all, set_model, model);
    gst_iterator_free(all);
    g_free(model);
    return bin;
}
