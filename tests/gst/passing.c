/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests what passes through unchanged: times, flags, other elements' metas, and pixels of
 * shared buffers. */
#include "rig.h"

#include <string.h>

SUITE_TEST(test_times_flags_metas)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstReferenceTimestampMeta *meta;
    GstCaps *caps = gst_caps_new_empty_simple("timestamp/x-test");
    GstBuffer *buffer, *mask;

    rig_add_mask(rig);
    for (guint n = 0; n < 300; n++) {
        buffer = rig_frame(rig, n, BOXES(BOX(1)));
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_MARKER);
        GST_BUFFER_OFFSET_END(buffer) = n + 1;
        gst_buffer_add_reference_timestamp_meta(buffer, caps, n, 1);
        gst_harness_push(rig->h, buffer);
        buffer = gst_harness_pull(rig->h);
        mask = gst_harness_pull(rig->mask);
        for (guint i = 0; i < 2; i++) {
            GstBuffer *b = i == 0 ? buffer : mask;

            fail_unless_equals_uint64(GST_BUFFER_PTS(b),
                                      gst_util_uint64_scale(n, GST_SECOND, 30));
            fail_unless_equals_uint64(GST_BUFFER_DTS(b), GST_BUFFER_PTS(b));
            fail_unless_equals_uint64(GST_BUFFER_PTS(b) + GST_BUFFER_DURATION(b),
                                      gst_util_uint64_scale(n + 1, GST_SECOND, 30));
            fail_unless_equals_uint64(GST_BUFFER_OFFSET(b), n);
            fail_unless_equals_uint64(GST_BUFFER_OFFSET_END(b), n + 1);
            fail_unless(GST_BUFFER_FLAG_IS_SET(b, GST_BUFFER_FLAG_MARKER));
        }
        meta = gst_buffer_get_reference_timestamp_meta(buffer, caps);
        fail_unless(meta && meta->timestamp == n);
        gst_buffer_unref(buffer);
        gst_buffer_unref(mask);
    }
    gst_caps_unref(caps);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_shared_input_stays)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *in = rig_frame(rig, 0, BOXES(BOX(1))), *out;

    gst_harness_push(rig->h, gst_buffer_ref(in));
    out = gst_harness_pull(rig->h);
    fail_unless(out != in);
    fail_unless_equals_int(rig_byte(rig, in, 4, 8), 1);
    fail_unless_equals_int(rig_byte(rig, out, 4, 8), 128);
    gst_buffer_unref(in);
    gst_buffer_unref(out);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_none_copies_no_pixels)
{
    Rig *rig = rig_new(rig_element("min-age", "0", "output", "none", NULL));
    GstBuffer *in = rig_frame(rig, 0, BOXES(BOX(1))), *out;

    gst_harness_push(rig->h, gst_buffer_ref(in)); /* as a tee would hand it out */
    out = gst_harness_pull(rig->h);
    fail_unless(gst_buffer_peek_memory(in, 0) == gst_buffer_peek_memory(out, 0));
    fail_unless(gst_buffer_get_custom_meta(out, "GstRvosSegMeta") != NULL);
    fail_unless(gst_buffer_get_custom_meta(in, "GstRvosSegMeta") == NULL);
    fail_unless_equals_int(rig_byte(rig, out, 4, 8), 1);
    fail_unless_equals_int(scripted_get().draws, 0);
    gst_buffer_unref(in);
    gst_buffer_unref(out);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_unmappable_frame)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstBuffer *buffer;

    for (guint i = 0; i < 2; i++) {
        gst_util_set_object_arg(G_OBJECT(rig->element), "output", i ? "none" : "overlay");
        buffer = gst_buffer_new_allocate(NULL, 100, NULL); /* too small */
        GST_BUFFER_PTS(buffer) = i * RIG_FRAME;
        fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
        gst_buffer_unref(gst_harness_pull(rig->h));
        fail_unless_equals_uint64(rig_stat(rig, "map-failures"), i + 1);
    }
    assert_string(rig_words(rig->bus, GST_MESSAGE_WARNING, GST_STREAM_ERROR,
                            GST_STREAM_ERROR_FORMAT),
                  "A frame cannot be read, and passes without a mask. It has 100 bytes, "
                  "and RGB of 64x48 has 9216, with rows padded to 4 bytes: the element "
                  "before rvosseg makes frames that do not match their caps.");
    fail_unless(rig_pop(rig, GST_MESSAGE_WARNING) == NULL); /* said once */
    rig_free(rig);
}
GST_END_TEST;

/* A frame with a GstVideoMeta of one plane, in one memory or in two. */
static GstBuffer *described(Rig *rig, GstVideoFormat format, guint width, guint height,
                            gint stride, gboolean two)
{
    GstBuffer *buffer = rig_frame(rig, 0, NOTHING);
    gsize offset[GST_VIDEO_MAX_PLANES] = {0}, size = gst_buffer_get_size(buffer);
    gint strides[GST_VIDEO_MAX_PLANES] = {stride};
    GstBuffer *parts = buffer;

    if (two) {
        parts = gst_buffer_copy_region(buffer, GST_BUFFER_COPY_ALL, 0, size / 2);
        parts = gst_buffer_append(
            parts,
            gst_buffer_copy_region(buffer, GST_BUFFER_COPY_MEMORY, size / 2, size / 2));
        gst_buffer_unref(buffer);
    }
    gst_buffer_add_video_meta_full(parts, GST_VIDEO_FRAME_FLAG_NONE, format, width,
                                   height, 1, offset, strides);
    return parts;
}

static const struct {
    GstVideoFormat format;
    guint width, height;
    gint stride;
    gboolean two;
    const gchar *word; /* NULL: a good frame */
} metas[] = {
    {GST_VIDEO_FORMAT_RGB, 64, 48, 192, FALSE, NULL},
    {GST_VIDEO_FORMAT_RGB, 64, 48, 1 << 26, FALSE, "do not lie in its memory"},
    {GST_VIDEO_FORMAT_RGB, 64, 48, 193, FALSE, "do not lie in its memory"},
    {GST_VIDEO_FORMAT_RGB, 64, 48, -192, FALSE, "do not lie in its memory"},
    {GST_VIDEO_FORMAT_RGB, 64, 48, 191, FALSE, "do not lie in its memory"},
    {GST_VIDEO_FORMAT_RGB, 64, 48, 0, FALSE, "do not lie in its memory"},
    {GST_VIDEO_FORMAT_RGB, 64, 48, 192, TRUE, "do not lie in its memory"},
    {GST_VIDEO_FORMAT_BGR, 64, 48, 192, FALSE, "says BGR of 64x48, and its caps say RGB"},
    {GST_VIDEO_FORMAT_RGB, 32, 48, 192, FALSE, "says RGB of 32x48, and its caps say RGB"},
};

/* Frames whose GstVideoMeta does not fit their caps or their memory. */
SUITE_LOOP(test_wrong_meta, G_N_ELEMENTS(metas))
{
    for (guint i = 0; i < 2; i++) { /* auto mode looks at the pixels twice */
        Rig *rig =
            rig_new(rig_element("mode", i ? "auto" : "zero-shot", "min-age", "0", NULL));
        gchar *text;

        gst_harness_push(rig->h, described(rig, metas[__i__].format, metas[__i__].width,
                                           metas[__i__].height, metas[__i__].stride,
                                           metas[__i__].two));
        gst_buffer_unref(gst_harness_pull(rig->h));
        fail_unless_equals_uint64(rig_stat(rig, "map-failures"),
                                  metas[__i__].word != NULL);
        text = rig_words(rig->bus, GST_MESSAGE_WARNING, GST_STREAM_ERROR,
                         GST_STREAM_ERROR_FORMAT);
        if (metas[__i__].word)
            fail_unless(text && strstr(text, metas[__i__].word), "%s", text);
        else
            fail_unless(text == NULL);
        g_free(text);
        rig_free(rig);
    }
}
GST_END_TEST;

SUITE_TEST(test_frames_without_time)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));

    for (guint n = 0; n < 3; n++) {
        GstBuffer *buffer = rig_frame(rig, n, BOXES(BOX(1)));

        GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
        GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
        GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
        fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
    }
    fail_unless_equals_int(scripted_get().runs, 3);
    assert_string(rig_resets(rig), "start");
    rig_free(rig);
}
GST_END_TEST;

static guint too_short_words(Rig *rig, gchar **text)
{
    gchar *words;
    guint n = 0;

    while ((words = rig_words(rig->bus, GST_MESSAGE_WARNING, 0, 0)) != NULL) {
        g_free(*text);
        *text = words;
        n += strstr(words, "min-age=0") != NULL;
    }
    return n;
}

/* Objects that are not shown because the stream ends before they are min-age frames old.
 */
SUITE_TEST(test_too_short_for_min_age)
{
    static const struct {
        const gchar *min_age, *mode;
        guint frames;
        gboolean objects, told;
    } cases[] = {
        {"2", "zero-shot", 1, TRUE, TRUE},   {"2", "zero-shot", 2, TRUE, FALSE},
        {"2", "zero-shot", 1, FALSE, FALSE}, {"0", "zero-shot", 1, TRUE, FALSE},
        {"1", "zero-shot", 1, TRUE, FALSE},  {"5", "zero-shot", 4, TRUE, TRUE},
        {"2", "one-shot", 1, TRUE, FALSE},   {"2", "zero-shot", 0, TRUE, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig *rig = rig_new(
            rig_element("min-age", cases[i].min_age, "mode", cases[i].mode, NULL));
        gchar *text = NULL;

        rig_run(rig, 0, cases[i].frames, cases[i].objects ? BOXES(BOX(1)) : NOTHING);
        gst_harness_push_event(rig->h, gst_event_new_eos());
        fail_unless_equals_int(too_short_words(rig, &text), cases[i].told);
        g_free(text);
        rig_free(rig);
    }
}
GST_END_TEST;

/* In a slide show each reset ends a stream that was too short. */
SUITE_TEST(test_slide_show)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    gchar *text = NULL;

    for (guint n = 0; n < 4; n++) {
        g_signal_emit_by_name(rig->element, "reset");
        rig_run(rig, n, n + 1, BOXES(BOX(1)));
    }
    for (guint i = 0; i < 2; i++) { /* said once */
        gst_harness_push_event(rig->h, gst_event_new_eos());
        gst_harness_push_event(rig->h, gst_event_new_flush_start());
        gst_harness_push_event(rig->h, gst_event_new_flush_stop(TRUE));
        fail_unless_equals_int(too_short_words(rig, &text), i == 0);
    }
    fail_unless(strstr(text, "min-age=2") != NULL);
    g_free(text);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("passing", 0, scripted_clear, NULL)
