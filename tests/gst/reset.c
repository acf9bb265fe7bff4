/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests docs/element.md, "When the objects are forgotten": for each event, the effect on
 * the state and the message to the application. */
#include "rig.h"

static Rig *playing(void)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));

    rig_run(rig, 0, 3, BOXES(BOX(1)));
    assert_string(rig_resets(rig), "start");
    fail_unless_equals_uint64(rig_stat(rig, "resets"), 1);
    return rig;
}

/* Pushes frame n; the resets since the last frame must be `wanted`. */
static void expect(Rig *rig, guint n, const gchar *wanted)
{
    guint64 epoch = rig_stat(rig, "epoch"), resets = rig_stat(rig, "resets");
    guint new_resets = *wanted ? 1 : 0;

    gst_buffer_unref(rig_push(rig, n, BOXES(BOX(1))));
    assert_string(rig_resets(rig), wanted);
    fail_unless_equals_uint64(rig_stat(rig, "resets"), resets + new_resets);
    fail_unless_equals_uint64(rig_stat(rig, "epoch"), epoch + new_resets);
    fail_unless_equals_int(scripted_get().resets, (gint)(resets + new_resets));
}

static void push_segment(Rig *rig, gdouble rate, GstClockTime start)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = rate;
    segment.start = segment.time = start;
    segment.stop = 1000 * GST_SECOND;
    fail_unless(gst_harness_push_event(rig->h, gst_event_new_segment(&segment)));
}

static void push_stream_start(Rig *rig, const gchar *id, guint group)
{
    GstEvent *event = gst_event_new_stream_start(id);

    gst_event_set_group_id(event, group);
    fail_unless(gst_harness_push_event(rig->h, event));
}

SUITE_TEST(test_flush)
{
    Rig *rig = playing();

    gst_harness_push_event(rig->h, gst_event_new_flush_start());
    gst_harness_push_event(rig->h, gst_event_new_flush_stop(TRUE));
    push_segment(rig, 1, 0);
    expect(rig, 0, "flush");
    expect(rig, 1, "");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_stream_start)
{
    Rig *rig = playing();

    push_stream_start(rig, "a", 1);
    expect(rig, 3, "stream-start"); /* the harness had its own */
    push_stream_start(rig, "a", 1);
    push_segment(rig, 1, 0);
    expect(rig, 4, "");
    push_stream_start(rig, "a", 2);
    push_segment(rig, 1, 0);
    expect(rig, 5, "stream-start");
    push_stream_start(rig, "b", 2);
    push_segment(rig, 1, 0);
    expect(rig, 6, "stream-start");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_caps)
{
    Rig *rig = playing();

    rig_set_caps(rig, "RGB", RIG_WIDTH, RIG_HEIGHT, "framerate=25/1");
    expect(rig, 3, "");
    rig_set_caps(rig, "BGRx", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1");
    expect(rig, 4, "");
    rig_set_caps(rig, "RGB", RIG_WIDTH + 1, RIG_HEIGHT, "framerate=30/1");
    expect(rig, 5, "caps");
    rig_set_caps(rig, "RGB", RIG_WIDTH + 1, RIG_HEIGHT - 1, "framerate=30/1");
    expect(rig, 6, "caps");
    rig_set_caps(rig, "RGB", RIG_WIDTH + 1, RIG_HEIGHT - 1,
                 "framerate=30/1,pixel-aspect-ratio=4/3");
    expect(rig, 7, "caps");
    rig_set_caps(rig, "I420", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1,colorimetry=bt709");
    expect(rig, 8, "caps");
    rig_set_caps(rig, "I420", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1,colorimetry=bt601");
    expect(rig, 9, "caps");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_segment)
{
    Rig *rig = playing();

    push_segment(rig, 1, 0); /* goes on where it was */
    expect(rig, 3, "");
    push_segment(rig, 1, 0);
    expect(rig, 100, "segment"); /* 3 s further on */
    push_segment(rig, 1, 0);
    expect(rig, 20, "segment");
    push_segment(rig, -1, 0);
    expect(rig, 19, "segment");
    expect(rig, 18, "");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_jumps)
{
    Rig *rig = playing();
    GstBuffer *buffer;

    expect(rig, 18, ""); /* 15 frames are missing: half a second */
    expect(rig, 35, "gap");
    expect(rig, 34, ""); /* back by one frame */
    expect(rig, 32, "backward");
    expect(rig, 33, "");
    expect(rig, 0, "backward"); /* also further than max-gap */
    buffer = rig_frame(rig, 3, NOTHING);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push(rig->h, buffer);
    assert_string(rig_resets(rig), "");
    buffer = rig_frame(rig, 30, NOTHING);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push(rig->h, buffer);
    assert_string(rig_resets(rig), "gap");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_max_gap_is_a_property)
{
    Rig *rig = playing();

    g_object_set(rig->element, "max-gap", 3 * GST_SECOND, NULL);
    expect(rig, 60, "");
    g_object_set(rig->element, "max-gap", (guint64)0, NULL);
    expect(rig, 61, "");
    expect(rig, 63, "gap");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_gap_event)
{
    Rig *rig = playing();

    gst_harness_push_event(rig->h, gst_event_new_gap(3 * RIG_FRAME, RIG_FRAME));
    expect(rig, 4, "");
    gst_harness_push_event(rig->h, gst_event_new_gap(5 * RIG_FRAME, 501 * GST_MSECOND));
    expect(rig, 21, "gap");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_eos_keeps)
{
    Rig *rig = playing();

    gst_harness_push_event(rig->h, gst_event_new_eos());
    assert_string(rig_resets(rig), "");
    fail_unless_equals_uint64(rig_stat(rig, "resets"), 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_request)
{
    Rig *rig = playing();

    g_signal_emit_by_name(rig->element, "reset");
    g_signal_emit_by_name(rig->element, "reset");
    fail_unless_equals_uint64(rig_stat(rig, "resets"), 1);
    expect(rig, 3, "request");
    expect(rig, 4, "");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_pause)
{
    Rig *rig = playing();

    gst_harness_set_live(rig->h, FALSE);
    gst_element_set_state(rig->element, GST_STATE_PAUSED);
    gst_harness_set_time(rig->h, 10 * GST_SECOND);
    gst_element_set_state(rig->element, GST_STATE_PLAYING);
    expect(rig, 3, ""); /* as in a file */
    gst_harness_set_live(rig->h, TRUE);
    gst_element_set_state(rig->element, GST_STATE_PAUSED);
    gst_harness_set_time(rig->h, 10 * GST_SECOND + 500 * GST_MSECOND);
    gst_element_set_state(rig->element, GST_STATE_PLAYING);
    expect(rig, 4, "");
    gst_element_set_state(rig->element, GST_STATE_PAUSED);
    gst_harness_set_time(rig->h, 12 * GST_SECOND);
    gst_element_set_state(rig->element, GST_STATE_PLAYING);
    expect(rig, 5, "gap");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_disabled)
{
    Rig *rig = playing();

    g_object_set(rig->element, "enabled", FALSE, NULL);
    rig_run(rig, 3, 10, NOTHING);
    g_object_set(rig->element, "enabled", TRUE, NULL);
    expect(rig, 10, "");
    g_object_set(rig->element, "enabled", FALSE, NULL);
    rig_run(rig, 11, 40, NOTHING);
    g_object_set(rig->element, "enabled", TRUE, NULL);
    expect(rig, 40, "gap");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_skipped_frames_keep)
{
    Rig *rig = playing();

    /* A second of frames that are not segmented: by interval, and flagged as gaps. */
    g_object_set(rig->element, "inference-interval", 31, NULL);
    rig_run(rig, 3, 33, NOTHING);
    g_object_set(rig->element, "inference-interval", 1, NULL);
    expect(rig, 33, "");
    for (guint n = 34; n < 64; n++) {
        GstBuffer *buffer = rig_frame(rig, n, NOTHING);

        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
        gst_harness_push(rig->h, buffer);
    }
    expect(rig, 64, "");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_start_and_stop)
{
    Rig *rig = playing();
    guint64 epoch = rig_stat(rig, "epoch");

    gst_element_set_state(rig->element, GST_STATE_NULL);
    gst_element_set_state(rig->element, GST_STATE_PLAYING);
    push_stream_start(rig, "a", 1);
    rig_set_caps(rig, "RGB", RIG_WIDTH, RIG_HEIGHT, "framerate=30/1");
    push_segment(rig, 1, 0);
    rig_run(rig, 0, 1, BOXES(BOX(1)));
    assert_string(rig_resets(rig), "start");
    fail_unless_equals_uint64(rig_stat(rig, "epoch"), epoch + 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_key_unit)
{
    Rig *rig = playing();

    gst_harness_push_event(rig->h,
                           gst_video_event_new_downstream_force_key_unit(
                               3 * RIG_FRAME, 3 * RIG_FRAME, 3 * RIG_FRAME, TRUE, 0));
    expect(rig, 3, "");
    gst_util_set_object_arg(G_OBJECT(rig->element), "scene-cut", "key-unit");
    gst_harness_push_event(rig->h,
                           gst_video_event_new_downstream_force_key_unit(
                               4 * RIG_FRAME, 4 * RIG_FRAME, 4 * RIG_FRAME, TRUE, 0));
    expect(rig, 4, "key-unit");
    rig_free(rig);
}
GST_END_TEST;

/* A picture of one grey value; below 33 it would be an object. */
static void push_grey(Rig *rig, guint n, guint8 grey)
{
    GstBuffer *buffer = rig_frame(rig, n, NOTHING);

    gst_buffer_memset(buffer, 0, grey, gst_buffer_get_size(buffer));
    fail_unless_equals_int(gst_harness_push(rig->h, buffer), GST_FLOW_OK);
}

SUITE_TEST(test_scene_cut)
{
    Rig *rig = playing();
    guint n = 3;

    for (guint i = 0; i < 4; i++)
        push_grey(rig, n++, i % 2 ? 60 : 180); /* not asked for */
    assert_string(rig_resets(rig), "");
    gst_util_set_object_arg(G_OBJECT(rig->element), "scene-cut", "detect");
    for (guint i = 0; i < 20; i++)
        push_grey(rig, n++, (guint8)(100 + i % 3));
    assert_string(rig_resets(rig), "");
    push_grey(rig, n++, 160);
    assert_string(rig_resets(rig), "scene-cut");
    for (guint i = 0; i < 5; i++)
        push_grey(rig, n++, (guint8)(160 + i));
    assert_string(rig_resets(rig), "");
    /* A fade is not a cut: it changes as much, but slowly. */
    for (guint i = 0; i < 12; i++)
        push_grey(rig, n++, (guint8)(164 - 8 * i));
    assert_string(rig_resets(rig), "");
    /* Flashing counts as cuts at first, then as usual for this stream. */
    for (guint i = 0; i < 4; i++)
        push_grey(rig, n++, i % 2 ? 60 : 120);
    g_free(rig_resets(rig));
    for (guint i = 0; i < 20; i++)
        push_grey(rig, n++, i % 2 ? 60 : 120);
    assert_string(rig_resets(rig), "");
    rig_free(rig);
}
GST_END_TEST;

/* Frames of two fields are compared, too. */
SUITE_TEST(test_scene_cut_interlaced)
{
    static const gchar *modes[] = {"interleaved", "mixed", "fields"};

    for (guint m = 0; m < G_N_ELEMENTS(modes); m++) {
        Rig *rig = playing();
        gchar *extra = g_strdup_printf("framerate=30/1,interlace-mode=%s", modes[m]);
        guint n = 3;

        gst_util_set_object_arg(G_OBJECT(rig->element), "scene-cut", "detect");
        rig_set_caps(rig, "RGB", RIG_WIDTH, RIG_HEIGHT, extra);
        for (guint i = 0; i < 3; i++)
            push_grey(rig, n++, 100);
        g_free(rig_resets(rig));
        push_grey(rig, n++, 160);
        assert_string(rig_resets(rig), "scene-cut");
        g_free(extra);
        rig_free(rig);
    }
}
GST_END_TEST;

/* A chain of events is one reset, with the first one's reason. */
SUITE_TEST(test_one_reset_for_many_reasons)
{
    Rig *rig = playing();

    gst_harness_push_event(rig->h, gst_event_new_flush_start());
    gst_harness_push_event(rig->h, gst_event_new_flush_stop(TRUE));
    push_stream_start(rig, "x", 9);
    rig_set_caps(rig, "RGB", 32, 32, "framerate=30/1");
    push_segment(rig, 1, 0);
    g_signal_emit_by_name(rig->element, "reset");
    expect(rig, 900, "flush");
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_messages_can_be_off)
{
    Rig *rig = rig_new(rig_element("post-messages", "none", NULL));

    rig_run(rig, 0, 3, BOXES(BOX(1)));
    fail_unless(rig_pop(rig, GST_MESSAGE_ELEMENT) == NULL);
    fail_unless_equals_uint64(rig_stat(rig, "resets"), 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("reset", 0, scripted_clear, NULL)
