/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests refused formats: one message, its source and its words; and output=alpha without
 * an alpha channel. */
#include "line.h"

#include <string.h>

/* ---- messages ---------------------------------------------------------------------- */

static gchar *now(Rig *rig, GstMessageType type)
{
    return line_words(rig->bus, type, rig->element, 0);
}

static void offer(Rig *rig, const gchar *text)
{
    gst_harness_set_src_caps_str(rig->h, text);
}

#define GRAY16 "video/x-raw,format=GRAY16_LE,width=64,height=48,framerate=30/1"
#define RGB "video/x-raw,format=RGB,width=64,height=48,framerate=30/1"

SUITE_TEST(test_caps_event)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    for (guint i = 0; i < 2; i++) {
        offer(rig, GRAY16);
        EXPECT(now(rig, GST_MESSAGE_ERROR), "GRAY16_LE", "{ NV12, I420, RGBA, ",
               "put videoconvert before it");
        offer(rig, GRAY16); /* no second message */
        fail_unless(now(rig, GST_MESSAGE_ERROR) == NULL);
        offer(rig, "video/x-raw,format=RGB,width=0,height=48,framerate=30/1");
        EXPECT(now(rig, GST_MESSAGE_ERROR), "frames of 0x48 pixels", "1 or more");
        offer(rig, RGB);
        rig_run(rig, i, i + 1, NOTHING);
        fail_unless(now(rig, GST_MESSAGE_ERROR) == NULL);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_features)
{
    static const struct {
        const gchar *caps, *word;
    } cases[] = {
        {"video/x-raw(memory:GLMemory),format=RGBA,width=64,height=48,framerate=30/1",
         "gldownload and videoconvert"},
        {"video/x-raw(memory:CUDAMemory),format=RGBA,width=64,height=48,framerate=30/1",
         "cudadownload and videoconvert"},
        {"video/x-raw(memory:Other),format=RGBA,width=64,height=48,framerate=30/1",
         "system memory"},
        {"video/x-raw(format:Interlaced),format=RGBA,width=64,height=48,framerate=30/1,"
         "interlace-mode=alternate",
         "deinterlace"},
        {"video/x-h264,width=64,height=48,framerate=30/1", "a decoder"},
    };
    Rig *rig = rig_new(rig_element(NULL, NULL));

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gchar *text;

        offer(rig, cases[i].caps);
        text = now(rig, GST_MESSAGE_ERROR);
        EXPECT(text, cases[i].word, "videoconvert");
    }
    rig_free(rig);
}
GST_END_TEST;

/* Caps that match the template but do not say enough to read the frames. */
SUITE_TEST(test_incomplete)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    offer(rig, "video/x-raw,format=RGB,width=64,height=48,framerate=30/1,"
               "interlace-mode=alternate");
    EXPECT(now(rig, GST_MESSAGE_ERROR), "interlace-mode=alternate", "deinterlace");
    offer(rig, "video/x-raw,width=64,height=48,framerate=30/1");
    EXPECT(now(rig, GST_MESSAGE_ERROR), "no format");
    offer(rig, "video/x-raw,format=RGB,framerate=30/1");
    EXPECT(now(rig, GST_MESSAGE_ERROR), "look at the caps");
    offer(rig, "video/x-raw,format=RGB,width=64,height=48");
    rig_run(rig, 0, 1, NOTHING);
    fail_unless(now(rig, GST_MESSAGE_ERROR) == NULL);
    rig_free(rig);
}
GST_END_TEST;

/* Elements ask and then convert: no message. */
SUITE_TEST(test_questions)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstPad *sink = gst_element_get_static_pad(rig->element, "sink");
    GstCaps *caps = gst_caps_from_string(GRAY16), *result;

    fail_if(gst_pad_query_accept_caps(sink, caps));
    result = gst_pad_query_caps(sink, caps);
    fail_unless(gst_caps_is_empty(result));
    gst_caps_unref(result);
    rig_run(rig, 0, 1, NOTHING);
    gst_harness_push_event(rig->h, gst_event_new_eos());
    fail_unless(now(rig, GST_MESSAGE_ERROR) == NULL);
    fail_unless(now(rig, GST_MESSAGE_WARNING) == NULL);
    gst_caps_unref(caps);
    gst_object_unref(sink);
    rig_free(rig);
}
GST_END_TEST;

/* ---- pipelines -------------------------------------------------------------------- */

/* Elements between rvosseg and the sender of the caps do not matter. */
SUITE_TEST(test_from_afar)
{
    static const gchar *const between[] = {"identity",          "queue",
                                           "queue ! identity",  "tee",
                                           "identity ! queue",  "queue ! queue",
                                           "( queue )",         "( identity ! queue )",
                                           "capsfilter",        "valve drop=false",
                                           "queue ! videorate", NULL};

    for (guint i = 0; between[i]; i++) {
        gchar *launch = g_strdup_printf(
            "appsrc name=a format=time ! %s ! rvosseg name=r ! fakesink", between[i]);
        Line line = line_new(launch);

        GST_INFO("%s", launch);
        gst_element_set_state(line.bin, GST_STATE_PLAYING);
        line_push(&line, "GRAY16_LE", 1);
        EXPECT(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 10 * GST_SECOND),
               "GRAY16_LE", "I420", "videoconvert");
        line_free(&line);
        g_free(launch);
    }
}
GST_END_TEST;

/* A source that asks first sends no caps at all. */
SUITE_TEST(test_source_that_asks)
{
    Line line = line_new("videotestsrc ! capsfilter name=c ! rvosseg name=r ! fakesink");

    line_set_caps(&line, "c", "video/x-raw,format=GRAY16_LE");
    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    EXPECT(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 10 * GST_SECOND), "GRAY16_LE",
           "I420", "videoconvert before");
    line_free(&line);
}
GST_END_TEST;

/* videoconvert asks, too, and finds something. */
SUITE_TEST(test_converted)
{
    Line line = line_new("appsrc name=a format=time ! queue ! videoconvert ! "
                         "rvosseg name=r ! fakesink async=false");
    GstElement *src = gst_bin_get_by_name(GST_BIN(line.bin), "a");
    GstMessage *message;
    GstFlowReturn flow;

    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    line_push(&line, "GRAY16_LE", 3);
    g_signal_emit_by_name(src, "end-of-stream", &flow);
    message = gst_bus_timed_pop_filtered(line.bus, 10 * GST_SECOND,
                                         GST_MESSAGE_EOS | GST_MESSAGE_ERROR |
                                             GST_MESSAGE_WARNING);
    fail_unless(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS);
    gst_message_unref(message);
    gst_object_unref(src);
    line_free(&line);
}
GST_END_TEST;

/* ---- output=alpha ----------------------------------------------------------------- */

static gint output_of(GstElement *element)
{
    gint output;

    g_object_get(element, "output", &output, NULL);
    return output;
}

/* If one side cannot, property and frames stay as they are. */
SUITE_TEST(test_alpha_refused)
{
    static const gchar *const launches[] = {
        "videotestsrc ! video/x-raw,format=I420 ! rvosseg name=r ! fakesink name=s",
        "videotestsrc ! videoconvert ! rvosseg name=r ! video/x-raw,format=I420 ! "
        "fakesink name=s",
        "videotestsrc ! queue ! video/x-raw,format=RGB ! queue ! rvosseg name=r ! "
        "fakesink name=s",
    };

    for (guint i = 0; i < G_N_ELEMENTS(launches); i++) {
        Line line = line_new(launches[i]);
        GstElement *sink = gst_bin_get_by_name(GST_BIN(line.bin), "s");
        GstStructure *stats;
        guint64 before, after = 0;

        gst_element_set_state(line.bin, GST_STATE_PLAYING);
        gst_element_get_state(line.bin, NULL, NULL, 10 * GST_SECOND);
        gst_util_set_object_arg(G_OBJECT(line.r), "output", "alpha");
        EXPECT(line_words(line.bus, GST_MESSAGE_WARNING, line.r, 0), "output=alpha",
               "RGBA, BGRA, ARGB or ABGR", "videoconvert before and behind");
        fail_unless_equals_int(output_of(line.r), 0);
        g_object_get(sink, "stats", &stats, NULL);
        fail_unless(gst_structure_get_uint64(stats, "rendered", &before));
        gst_structure_free(stats);
        for (guint n = 0; n < 1000 && after < before + 20; n++) {
            g_usleep(10000);
            g_object_get(sink, "stats", &stats, NULL);
            gst_structure_get_uint64(stats, "rendered", &after);
            gst_structure_free(stats);
        }
        fail_unless(after >= before + 20, "no more frames");
        fail_unless(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 0) == NULL);
        gst_object_unref(sink);
        line_free(&line);
    }
}
GST_END_TEST;

static guint8 last_byte(GstElement *sink)
{
    GstSample *sample;
    guint8 byte;

    g_object_get(sink, "last-sample", &sample, NULL);
    fail_unless(sample != NULL);
    gst_buffer_extract(gst_sample_get_buffer(sample), 0, &byte, 1);
    gst_sample_unref(sample);
    return byte;
}

/* Set before the start, frames without an alpha channel pass unchanged, with a warning.
 */
SUITE_TEST(test_alpha_before_start)
{
    static const gchar *const launches[] = {
        "appsrc name=a format=time ! rvosseg name=r ! fakesink name=s",
        "appsrc name=a format=time ! queue ! identity ! rvosseg name=r ! fakesink name=s",
        ("appsrc name=a format=time ! videoconvert ! video/x-raw,format=I420 ! "
         "rvosseg name=r ! fakesink name=s"),
    };

    for (guint i = 0; i < G_N_ELEMENTS(launches); i++) {
        Line line = line_new(launches[i]);
        GstElement *sink = gst_bin_get_by_name(GST_BIN(line.bin), "s");

        gst_util_set_object_arg(G_OBJECT(line.r), "output", "alpha");
        gst_element_set_state(line.bin, GST_STATE_PLAYING);
        line_push(&line, "I420", 3);
        EXPECT(line_words(line.bus, GST_MESSAGE_WARNING, line.r, 10 * GST_SECOND),
               "output=alpha", "RGBA, BGRA, ARGB or ABGR", "videoconvert");
        fail_unless_equals_int(
            gst_element_get_state(line.bin, NULL, NULL, 10 * GST_SECOND),
            GST_STATE_CHANGE_SUCCESS);
        fail_unless_equals_int(last_byte(sink), RIG_BACKGROUND);
        fail_unless(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 0) == NULL);
        fail_unless(line_words(line.bus, GST_MESSAGE_WARNING, line.r, 0) == NULL);
        gst_object_unref(sink);
        line_free(&line);
    }
}
GST_END_TEST;

/* An element that names more formats than it can convert to: its failure comes first. */
SUITE_TEST(test_alpha_promised)
{
    Line line = line_new("videotestsrc ! video/x-raw,format=YUY2 ! deinterlace ! "
                         "rvosseg name=r ! fakesink");
    GstMessage *message;
    gboolean found = FALSE;

    gst_util_set_object_arg(G_OBJECT(line.r), "output", "alpha");
    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    while (!found && (message = gst_bus_timed_pop_filtered(
                          line.bus, 10 * GST_SECOND, GST_MESSAGE_WARNING)) != NULL) {
        GError *error;

        gst_message_parse_warning(message, &error, NULL);
        found = GST_MESSAGE_SRC(message) == GST_OBJECT(line.r) &&
                strstr(error->message, "output=alpha") != NULL;
        g_error_free(error);
        gst_message_unref(message);
    }
    fail_unless(found, "no word of output=alpha");
    line_free(&line);
}
GST_END_TEST;

/* As from an appsrc whose property caps was forgotten. */
SUITE_TEST(test_frames_without_caps)
{
    Line line = line_new("fakesrc sizetype=fixed ! rvosseg name=r ! fakesink");

    gst_element_set_state(line.bin, GST_STATE_PLAYING);
    EXPECT(line_words(line.bus, GST_MESSAGE_ERROR, line.r, 10 * GST_SECOND),
           "before its caps", "appsrc");
    line_free(&line);
}
GST_END_TEST;

static gboolean any_caps(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstCaps *filter, *any = gst_caps_new_any();

    if (GST_QUERY_TYPE(query) != GST_QUERY_CAPS) {
        gst_caps_unref(any);
        return gst_pad_query_default(pad, parent, query);
    }
    gst_query_parse_caps(query, &filter);
    gst_query_set_caps_result(query, filter ? filter : any);
    gst_caps_unref(any);
    return TRUE;
}

/* Upstream accepts an alpha channel but does not switch: frames are drawn as before.
 * After more frames than queues can hold, a warning says so. */
SUITE_TEST(test_alpha_never_comes)
{
    Rig *rig = rig_new(rig_element("min-age", "0", "palette", "#010203", NULL));
    GstBuffer *buffer;
    gchar *text = NULL;
    guint n = 0;

    gst_pad_set_query_function(rig->h->srcpad, any_caps);
    rig_run(rig, n, 1, BOXES(BOX(1)));
    gst_util_set_object_arg(G_OBJECT(rig->element), "output", "alpha");
    fail_unless(now(rig, GST_MESSAGE_WARNING) == NULL);
    fail_unless_equals_int(output_of(rig->element), 2);
    for (n = 1; n <= 400; n++) {
        guint draws = scripted_get().draws;

        buffer = rig_push(rig, n, BOXES(BOX(1)));
        gst_buffer_unref(buffer);
        fail_unless_equals_int(scripted_get().draws, draws + 1);
    }
    fail_unless_equals_int(scripted_get().alphas, 0);
    text = now(rig, GST_MESSAGE_WARNING);
    EXPECT(text, "output=alpha", "RGBA", "videoconvert");
    fail_unless(now(rig, GST_MESSAGE_WARNING) == NULL);
    rig_set_caps(rig, "RGBA", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1"); /* at last */
    rig_run(rig, n, n + 1, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().alphas, 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("negotiation", 0, scripted_clear, NULL)
