/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the request pad `mask`: the problems of a second source pad on a GstVideoFilter.
 * maskpipe.c tests whole pipelines. */
#include "rig.h"

#include <string.h>

SUITE_TEST(test_nobody_is_linked)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstPad *mask = gst_element_request_pad_simple(rig->element, "mask");
    GstPad *src = gst_element_get_static_pad(rig->element, "src");
    GstPad *peer = gst_pad_get_peer(src);

    fail_unless(gst_pad_unlink(src, peer));
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 0, NOTHING)),
                           GST_FLOW_NOT_LINKED);
    fail_unless(gst_pad_link(src, peer) == GST_PAD_LINK_OK);
    rig_run(rig, 1, 3, NOTHING);
    gst_element_release_request_pad(rig->element, mask);
    gst_object_unref(mask);
    gst_object_unref(peer);
    gst_object_unref(src);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_one_pad_only)
{
    GstElement *element = rig_element(NULL, NULL);
    GstPadTemplate *templ = gst_element_get_pad_template(element, "mask");

    for (guint i = 0; i < 2; i++) {
        GstPad *mask = gst_element_request_pad(element, templ, NULL, NULL);

        fail_unless(mask != NULL);
        fail_unless(gst_element_request_pad(element, templ, NULL, NULL) == NULL);
        gst_element_release_request_pad(element, mask);
        gst_object_unref(mask);
    }
    gst_object_unref(element);
}
GST_END_TEST;

SUITE_TEST(test_events)
{
    static const GstEventType order[] = {GST_EVENT_STREAM_START, GST_EVENT_CAPS,
                                         GST_EVENT_SEGMENT,      GST_EVENT_TAG,
                                         GST_EVENT_GAP,          GST_EVENT_EOS};
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstEvent *event, *start = gst_event_new_stream_start("upstream");
    const gchar *id;
    GstStreamFlags flags;
    guint group, seen = 0;

    gst_event_set_group_id(start, 77);
    gst_event_set_stream_flags(start, GST_STREAM_FLAG_SPARSE);
    gst_event_set_seqnum(start, 4321);
    gst_harness_push_event(rig->h, start);
    rig_add_mask(rig);
    rig_run(rig, 0, 1, NOTHING);
    gst_harness_push_event(
        rig->h, gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "a title", NULL)));
    gst_harness_push_event(rig->h, gst_event_new_gap(RIG_FRAME, RIG_FRAME));
    gst_harness_push_event(rig->h, gst_event_new_eos());
    while ((event = gst_harness_try_pull_event(rig->mask)) != NULL) {
        GstCaps *caps, *gray;

        if (seen < G_N_ELEMENTS(order) && GST_EVENT_TYPE(event) == order[seen])
            seen++;
        if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
            gst_event_parse_stream_start(event, &id);
            gst_event_parse_stream_flags(event, &flags);
            fail_unless_equals_string(id, "upstream/mask");
            fail_unless(gst_event_parse_group_id(event, &group) && group == 77);
            fail_unless_equals_int(flags, GST_STREAM_FLAG_SPARSE);
            fail_unless_equals_int(gst_event_get_seqnum(event), 4321);
        } else if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
            gst_event_parse_caps(event, &caps);
            gray = gst_caps_from_string(
                "video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1");
            fail_unless(gst_caps_is_equal(caps, gray));
            gst_caps_unref(gray);
        }
        gst_event_unref(event);
    }
    fail_unless_equals_int(seen, G_N_ELEMENTS(order));
    rig_free(rig);
}
GST_END_TEST;

/* The caps change between the request and the first buffer; then while running. */
SUITE_TEST(test_caps_change)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer;

    rig_add_mask(rig);
    for (guint i = 0; i < 3; i++) {
        gint width = 33 + 10 * (gint)i;
        GstCaps *caps;
        gint got;

        rig_set_caps(rig, "RGB", width, 31, "framerate=30/1");
        gst_buffer_unref(rig_push(rig, i, BOXES({1, 0, 0, 3, 3})));
        buffer = gst_harness_pull(rig->mask);
        fail_unless_equals_int(gst_buffer_get_video_meta(buffer)->width, width);
        caps = gst_pad_get_current_caps(rig->mask->sinkpad);
        fail_unless(
            gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &got));
        fail_unless_equals_int(got, width);
        gst_caps_unref(caps);
        gst_buffer_unref(buffer);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_pixel_is_slot)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstVideoFrame frame;
    GstVideoInfo info;
    GstBuffer *buffer;

    rig_add_mask(rig);
    gst_buffer_unref(rig_push(rig, 0, BOXES(BOX(1), BOX(4))));
    buffer = gst_harness_pull(rig->mask);
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, RIG_WIDTH, RIG_HEIGHT);
    fail_unless(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ));
    for (gint y = 0; y < RIG_HEIGHT; y++) {
        const guint8 *row = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) +
                            y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);

        for (gint x = 0; x < RIG_WIDTH; x++) {
            gint wanted = y >= 8 && y < 18 ? (x / 4 == 1 ? 1 : x / 4 == 4 ? 4 : 0) : 0;

            fail_unless_equals_int(row[x], wanted);
        }
    }
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

/* A write into a mask that the frame's meta also holds must not change the meta's mask.
 */
SUITE_TEST(test_masks_are_not_shared_for_writing)
{
    Rig *rig = rig_new(rig_element("min-age", "0", "inference-interval", "2", NULL));
    GstBuffer *mask;
    guint8 byte;

    rig_add_mask(rig);
    gst_buffer_unref(rig_push(rig, 0, BOXES({1, 0, 0, 3, 3})));
    mask = gst_buffer_make_writable(gst_harness_pull(rig->mask));
    gst_buffer_memset(mask, 0, 99, RIG_WIDTH);
    gst_buffer_unref(mask);
    gst_buffer_unref(rig_push(rig, 1, NOTHING)); /* holds it */
    mask = gst_harness_pull(rig->mask);
    gst_buffer_extract(mask, 0, &byte, 1);
    fail_unless_equals_int(byte, 1);
    gst_buffer_unref(mask);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_upstream_events)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstEvent *event;
    guint before;

    rig_add_mask(rig);
    rig_run(rig, 0, 1, NOTHING);
    while ((event = gst_harness_try_pull_upstream_event(rig->h)) != NULL)
        gst_event_unref(event);
    before = gst_harness_upstream_events_received(rig->h);
    /* These two are swallowed. */
    gst_harness_push_upstream_event(
        rig->mask, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1, 0, 9 * GST_SECOND));
    gst_harness_push_upstream_event(rig->mask, gst_event_new_reconfigure());
    fail_unless_equals_int(gst_harness_upstream_events_received(rig->h), before);
    rig_run(rig, 1, 2, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 2); /* nothing is late */
    gst_harness_push_upstream_event(
        rig->mask, gst_event_new_navigation(gst_structure_new_empty("x")));
    fail_unless_equals_int(gst_harness_upstream_events_received(rig->h), before + 1);
    rig_free(rig);
}
GST_END_TEST;

/* The same SEEK comes from two sinks. */
SUITE_TEST(test_one_seek)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstEvent *seek = gst_event_new_seek(1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                        GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, 0);
    guint before;

    rig_add_mask(rig);
    rig_run(rig, 0, 1, NOTHING);
    before = gst_harness_upstream_events_received(rig->h);
    fail_unless(gst_harness_push_upstream_event(rig->h, gst_event_ref(seek)));
    fail_unless(gst_harness_push_upstream_event(rig->mask, gst_event_ref(seek)));
    fail_unless(gst_harness_push_upstream_event(rig->h, gst_event_ref(seek)));
    fail_unless_equals_int(gst_harness_upstream_events_received(rig->h), before + 1);
    gst_event_unref(seek);
    fail_unless(gst_harness_push_upstream_event(
        rig->mask, gst_event_new_seek(1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                      GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, 0)));
    fail_unless_equals_int(gst_harness_upstream_events_received(rig->h), before + 2);
    rig_free(rig);
}
GST_END_TEST;

static GstFlowReturn flow;
static GstFlowReturn chain_flow(G_GNUC_UNUSED GstPad *pad,
                                G_GNUC_UNUSED GstObject *parent, GstBuffer *buffer)
{
    gst_buffer_unref(buffer);
    return flow;
}

/* The mask branch's flow returns, and the result that upstream gets. */
SUITE_TEST(test_flow)
{
    static const GstFlowReturn cases[][2] = {
        {GST_FLOW_OK, GST_FLOW_OK},       {GST_FLOW_NOT_LINKED, GST_FLOW_OK},
        {GST_FLOW_EOS, GST_FLOW_OK},      {GST_FLOW_FLUSHING, GST_FLOW_OK},
        {GST_FLOW_ERROR, GST_FLOW_ERROR},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Rig *rig = rig_new(rig_element(NULL, NULL));

        rig_add_mask(rig);
        gst_pad_set_chain_function(rig->mask->sinkpad, chain_flow);
        flow = cases[i][0];
        fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 0, NOTHING)),
                               cases[i][1]);
        /* The picture comes out in any case. */
        fail_unless_equals_int(gst_harness_buffers_received(rig->h), 1);
        rig_free(rig);
    }
}
GST_END_TEST;

SUITE_MAIN("maskpad", 120, scripted_clear, NULL)
