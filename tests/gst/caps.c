/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests which caps are accepted, how they reach the engine, and output=alpha. pixels.c
 * compares pixels of all formats on the real engine. */
#include "rig.h"

static const struct {
    const gchar *name;
    rvos_format format;
} formats[] = {
    {"NV12", RVOS_NV12},         {"I420", RVOS_I420},         {"RGBA", RVOS_RGBA},
    {"BGRA", RVOS_BGRA},         {"RGBx", RVOS_RGBX},         {"BGRx", RVOS_BGRX},
    {"ARGB", RVOS_ARGB},         {"ABGR", RVOS_ABGR},         {"xRGB", RVOS_XRGB},
    {"xBGR", RVOS_XBGR},         {"RGB", RVOS_RGB},           {"BGR", RVOS_BGR},
    {"YV12", RVOS_I420},         {"NV21", RVOS_NV21},         {"Y42B", RVOS_Y42B},
    {"Y444", RVOS_Y444},         {"YUY2", RVOS_YUY2},         {"UYVY", RVOS_UYVY},
    {"GRAY8", RVOS_GRAY8},       {"I420_10LE", RVOS_I420_10}, {"I422_10LE", RVOS_Y42B_10},
    {"Y444_10LE", RVOS_Y444_10}, {"P010_10LE", RVOS_P010},
};

SUITE_TEST(test_formats_reach_the_engine)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstVideoInfo info;

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        rig_set_caps(rig, formats[i].name, 33, 21, "framerate=30/1");
        rig_run(rig, i, i + 1, NOTHING);
        info = rig->info;
        fail_unless_equals_int(scripted_get().image.format, (gint)formats[i].format);
        fail_unless_equals_int(scripted_get().image.width, 33);
        fail_unless_equals_int(scripted_get().image.height, 21);
        for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(&info); p++)
            fail_unless_equals_int(scripted_get().image.stride[p],
                                   GST_VIDEO_INFO_PLANE_STRIDE(&info, p));
    }
    rig_free(rig);
}
GST_END_TEST;

/* Strides and offsets of the meta override those of the caps. */
SUITE_TEST(test_padding)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 10000, NULL);
    gsize offset[4] = {500, 4000, 6000};
    gint stride[4] = {100, 60, 70};
    GstVideoFrame frame;

    rig_set_caps(rig, "I420", 33, 21, "framerate=30/1");
    gst_buffer_memset(buffer, 0, RIG_BACKGROUND, 10000);
    gst_buffer_add_video_meta_full(buffer, 0, GST_VIDEO_FORMAT_I420, 33, 21, 3, offset,
                                   stride);
    fail_unless(gst_video_frame_map(&frame, &rig->info, buffer, GST_MAP_WRITE));
    ((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0))[20 * 100 + 32] = 3;
    gst_video_frame_unmap(&frame);
    GST_BUFFER_PTS(buffer) = 0;
    gst_harness_push(rig->h, buffer);
    for (guint p = 0; p < 3; p++)
        fail_unless_equals_int(scripted_get().image.stride[p], stride[p]);
    assert_string(rig_objects(rig), "appeared:3");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_colorimetry)
{
    static const struct {
        const gchar *name;
        rvos_matrix matrix;
        gboolean full;
        gint height;
    } cases[] = {
        {"bt601", RVOS_MATRIX_BT601, FALSE, 48},
        {"bt709", RVOS_MATRIX_BT709, FALSE, 48},
        {"bt2020", RVOS_MATRIX_BT2020, FALSE, 48},
        {"1:4:0:0", RVOS_MATRIX_BT601, TRUE, 48}, /* full range, as JPEG */
        {"1:3:5:1", RVOS_MATRIX_BT709, TRUE, 48},
        {NULL, RVOS_MATRIX_BT601, FALSE, 48}, /* GStreamer's default by size */
        {NULL, RVOS_MATRIX_BT709, FALSE, 720},
    };
    Rig *rig = rig_new(rig_element(NULL, NULL));

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gchar *extra = cases[i].name ? g_strdup_printf("framerate=30/1,colorimetry=%s",
                                                       cases[i].name)
                                     : g_strdup("framerate=30/1");

        rig_set_caps(rig, "NV12", 64, cases[i].height, extra);
        rig_run(rig, i, i + 1, NOTHING);
        fail_unless_equals_int(scripted_get().colorimetry.matrix, cases[i].matrix);
        fail_unless_equals_int(scripted_get().colorimetry.full_range, cases[i].full);
        g_free(extra);
    }
    rig_free(rig);
}
GST_END_TEST;

static gboolean accepts(Rig *rig, const gchar *text)
{
    GstCaps *caps = gst_caps_from_string(text);
    GstPad *sink = gst_element_get_static_pad(rig->element, "sink");
    gboolean accepted = gst_pad_query_accept_caps(sink, caps);

    gst_object_unref(sink);
    gst_caps_unref(caps);
    return accepted;
}

/* The format that the element prefers of these; to be freed. */
static gchar *asked(Rig *rig, const gchar *text)
{
    GstCaps *filter = gst_caps_from_string(text);
    GstPad *sink = gst_element_get_static_pad(rig->element, "sink");
    GstCaps *caps = gst_pad_query_caps(sink, filter);
    gchar *format =
        g_strdup(gst_structure_get_string(gst_caps_get_structure(caps, 0), "format"));

    gst_object_unref(sink);
    gst_caps_unref(caps);
    gst_caps_unref(filter);
    return format;
}

SUITE_TEST(test_accept_caps)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    fail_unless(accepts(rig, "video/x-raw,format=NV12,width=1,height=1,framerate=0/1"));
    fail_unless(accepts(rig, "video/x-raw,format=RGBA,width=9,height=9,framerate=30/1,"
                             "interlace-mode=interleaved,pixel-aspect-ratio=4/3"));
    fail_if(accepts(rig, "video/x-raw,format=GRAY16_LE,width=9,height=9,framerate=30/1"));
    fail_if(accepts(rig, "video/x-raw(memory:GLMemory),format=RGBA,width=9,height=9,"
                         "framerate=30/1"));
    rig_free(rig);
    rig = rig_new(rig_element("output", "alpha", NULL));
    fail_unless(accepts(rig, "video/x-raw,format=ABGR,width=9,height=9,framerate=30/1"));
    /* A neighbour with a choice is asked for an alpha channel. */
    assert_string(asked(rig, "video/x-raw,format={NV12,ABGR,RGB}"), "ABGR");
    assert_string(asked(rig, "video/x-raw,format=NV12"), "NV12");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_smallest_frame)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        rig_set_caps(rig, formats[i].name, 1, 1, "framerate=30/1");
        rig_run(rig, i, i + 1, BOXES({1, 0, 0, 1, 1}));
    }
    fail_unless_equals_int(scripted_get().runs, G_N_ELEMENTS(formats));
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_alpha)
{
    Rig *rig = rig_new(
        rig_element("min-age", "0", "output", "alpha", "inference-interval", "2", NULL));
    GstBuffer *buffer;
    guint8 byte;

    rig_set_caps(rig, "RGBA", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1");
    for (guint n = 0; n < 2; n++) { /* the second one holds the matte */
        buffer = rig_push(rig, n, n == 0 ? BOXES({1, 5, 0, 1, 1}) : NOTHING);
        gst_buffer_extract(buffer, 5 * 4 + 3, &byte, 1);
        fail_unless_equals_int(byte, 255);
        gst_buffer_extract(buffer, 6 * 4 + 3, &byte, 1);
        fail_unless_equals_int(byte, 0);
        gst_buffer_extract(buffer, 6 * 4, &byte, 1); /* colours stay */
        fail_unless_equals_int(byte, RIG_BACKGROUND);
        gst_buffer_unref(buffer);
    }
    fail_unless_equals_int(scripted_get().runs, 1);
    fail_unless_equals_int(scripted_get().draws, 0);
    rig_free(rig);
}
GST_END_TEST;

/* While playing, upstream is asked for an alpha channel, and switches to it. Frames that
 * come before the switch give no warning. */
SUITE_TEST(test_alpha_while_playing)
{
    static const gchar *const launches[] = {
        "videotestsrc ! videoconvert ! rvosseg name=r ! fakesink sync=true",
        "videotestsrc ! rvosseg name=r ! fakesink sync=true",
        "videotestsrc ! video/x-raw,format=I420 ! queue ! videoconvert ! queue "
        "max-size-buffers=2 ! "
        "identity ! "
        "rvosseg name=r ! queue ! videoconvert ! video/x-raw,format=I420 ! fakesink "
        "sync=true",
    };

    for (guint l = 0; l < G_N_ELEMENTS(launches); l++) {
        GstElement *bin = rig_pipeline(launches[l]);
        GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");
        GstPad *src = gst_element_get_static_pad(r, "src");
        GstBus *bus = gst_element_get_bus(bin);
        gboolean alpha = FALSE;

        g_object_set(r, "engine", 1, NULL);
        gst_element_set_state(bin, GST_STATE_PLAYING);
        fail_unless_equals_int(gst_element_get_state(bin, NULL, NULL, 20 * GST_SECOND),
                               GST_STATE_CHANGE_SUCCESS);
        gst_util_set_object_arg(G_OBJECT(r), "output", "alpha");
        for (guint i = 0; i < 500 && !alpha; i++) {
            GstCaps *caps = gst_pad_get_current_caps(src);
            GstVideoInfo info;

            fail_unless(gst_video_info_from_caps(&info, caps));
            alpha = GST_VIDEO_INFO_HAS_ALPHA(&info);
            gst_caps_unref(caps);
            g_usleep(10000);
        }
        fail_unless(alpha, "the format has no alpha");
        fail_unless(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING) ==
                    NULL);
        gst_element_set_state(bin, GST_STATE_NULL);
        gst_object_unref(bus);
        gst_object_unref(src);
        gst_object_unref(r);
        gst_object_unref(bin);
    }
}
GST_END_TEST;

SUITE_MAIN("caps", 0, scripted_clear, NULL)
