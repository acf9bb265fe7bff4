/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests which frames are segmented: interval, rate, and frames that always are. */
#include "rig.h"

static guint gaps_on_mask(Rig *rig)
{
    GstEvent *event;
    guint gaps = 0;

    while ((event = gst_harness_try_pull_event(rig->mask)) != NULL) {
        gaps += GST_EVENT_TYPE(event) == GST_EVENT_GAP;
        gst_event_unref(event);
    }
    return gaps;
}

SUITE_TEST(test_interval)
{
    Rig *rig = rig_new(rig_element("inference-interval", "4", "min-age", "0", NULL));
    GstBuffer *buffer;

    rig_run(rig, 0, 1, BOXES(BOX(1)));
    /* The held mask is drawn although the object has gone. */
    buffer = rig_push(rig, 1, NOTHING);
    fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 128);
    gst_buffer_unref(buffer);
    rig_run(rig, 2, 12, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 3);
    fail_unless_equals_uint64(rig_stat(rig, "inferred"), 3);
    fail_unless_equals_uint64(rig_stat(rig, "reused-interval"), 9);
    /* The first frame after a reset always runs. */
    g_signal_emit_by_name(rig->element, "reset");
    rig_run(rig, 13, 14, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 4);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_rate)
{
    Rig *rig = rig_new(rig_element("max-inference-rate", "7/2", NULL));

    rig_run(rig, 0, 300, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 35);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_enabled)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *in, *out;

    rig_add_mask(rig);
    rig_run(rig, 0, 1, BOXES(BOX(1)));
    g_object_set(rig->element, "enabled", FALSE, NULL);
    gaps_on_mask(rig);
    in = gst_buffer_ref(rig_frame(rig, 1, BOXES(BOX(1))));
    gst_harness_push(rig->h, in);
    out = gst_harness_pull(rig->h);
    fail_unless(out == in); /* not even the struct is copied */
    fail_unless_equals_int(rig_byte(rig, out, 4, 8), 1);
    fail_unless(gst_buffer_get_custom_meta(out, "GstRvosSegMeta") == NULL);
    fail_unless_equals_int(scripted_get().runs, 1);
    fail_unless_equals_int(gaps_on_mask(rig), 1);
    gst_buffer_unref(out);
    gst_buffer_unref(in);
    g_object_set(rig->element, "enabled", TRUE, NULL);
    rig_run(rig, 2, 3, BOXES(BOX(1)));
    fail_unless_equals_int(scripted_get().runs, 2);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_gap_event_goes_to_both_pads)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstEvent *event;
    gboolean found = FALSE;

    rig_add_mask(rig);
    rig_run(rig, 0, 1, NOTHING);
    gst_harness_push_event(rig->h, gst_event_new_gap(RIG_FRAME, RIG_FRAME));
    fail_unless_equals_int(gaps_on_mask(rig), 1);
    while ((event = gst_harness_try_pull_event(rig->h)) != NULL) {
        found |= GST_EVENT_TYPE(event) == GST_EVENT_GAP;
        gst_event_unref(event);
    }
    fail_unless(found);
    fail_unless_equals_uint64(rig_stat(rig, "gaps"), 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_gap_buffer_is_not_segmented)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstBuffer *in, *out;

    rig_add_mask(rig);
    rig_run(rig, 0, 1, NOTHING);
    for (guint shared = 0; shared < 2; shared++) {
        gaps_on_mask(rig);
        in = rig_frame(rig, 1 + shared, BOXES(BOX(1)));
        GST_BUFFER_FLAG_SET(in, GST_BUFFER_FLAG_GAP);
        if (shared) /* the base class copies the struct, and may drop the flag */
            gst_buffer_ref(in);
        gst_harness_push(rig->h, in);
        out = gst_harness_pull(rig->h);
        fail_unless(GST_BUFFER_FLAG_IS_SET(out, GST_BUFFER_FLAG_GAP));
        fail_unless_equals_int(rig_byte(rig, out, 4, 8), 1);
        gst_buffer_unref(out);
        if (shared)
            gst_buffer_unref(in);
        fail_unless_equals_int(scripted_get().runs, 1);
        fail_unless_equals_int(gaps_on_mask(rig), 1);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("pace", 0, scripted_clear, NULL)
