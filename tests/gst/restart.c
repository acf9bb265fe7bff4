/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Goes 20 times from NULL to PLAYING to NULL: nothing must be left over. */
#include "rig.h"

static GstElement *two_elements(void)
{
    return rig_pipeline(
        "videotestsrc num-buffers=30 ! video/x-raw,format=I420,width=64,height=48 ! "
        "tee name=t t. ! queue ! rvosseg name=a engine=cpu ! fakesink sync=false "
        "t. ! queue ! rvosseg name=b engine=cpu output=none b.src ! queue ! "
        "fakesink sync=false b.mask ! queue ! fakesink sync=false");
}

SUITE_TEST(test_20_times)
{
    GstElement *bin = two_elements();

    for (gint i = 0; i < 20; i++) {
        fail_if(gst_element_set_state(bin, GST_STATE_PLAYING) ==
                GST_STATE_CHANGE_FAILURE);
        suite_wait_for_eos(bin, 20);
        fail_unless_equals_int(scripted_get().models, 1);
        fail_unless_equals_int(scripted_get().streams, 2);
        fail_unless_equals_int(gst_element_set_state(bin, GST_STATE_NULL),
                               GST_STATE_CHANGE_SUCCESS);
        fail_unless_equals_int(scripted_get().models, 0);
        fail_unless_equals_int(scripted_get().devices, 0);
        fail_unless_equals_int(scripted_get().streams, 0);
        fail_unless_equals_int(scripted_get().loads, i + 1);
    }
    gst_object_unref(bin);
}
GST_END_TEST;

/* Stopped in the middle, at once, or before it has begun. */
SUITE_TEST(test_stopped_any_time)
{
    GstElement *bin = two_elements();

    for (gulong wait = 0; wait < 20; wait++) {
        gst_element_set_state(bin, GST_STATE_PLAYING);
        g_usleep(wait * 500);
        fail_unless_equals_int(gst_element_set_state(bin, GST_STATE_NULL),
                               GST_STATE_CHANGE_SUCCESS);
        fail_unless_equals_int(scripted_get().streams, 0);
    }
    gst_object_unref(bin);
}
GST_END_TEST;

/* Stopping deactivates `src` first. A SEGMENT of a seek that comes then is no error. */
SUITE_TEST(test_event_while_stopping)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstPad *src = gst_element_get_static_pad(rig->element, "src");
    GstSegment segment;

    rig_run(rig, 0, 1, NOTHING);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = 1;
    gst_pad_set_active(src, FALSE);
    gst_harness_push_event(rig->h, gst_event_new_segment(&segment));
    fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, 1, NOTHING)),
                           GST_FLOW_FLUSHING);
    gst_object_unref(src);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("restart", 120, scripted_clear, NULL)
