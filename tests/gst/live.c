/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests a live source on a machine that is too slow: the picture stays smooth. */
#include "rig.h"

typedef struct {
    guint frames, stale, without, oldest;
} Seen;

static void on_frame(G_GNUC_UNUSED GstElement *sink, GstBuffer *buffer,
                     G_GNUC_UNUSED GstPad *pad, gpointer user)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, "GstRvosSegMeta");
    Seen *seen = user;
    gboolean stale;
    guint age;

    seen->frames++;
    if (!meta ||
        !gst_structure_get(gst_custom_meta_get_structure(meta), "stale", G_TYPE_BOOLEAN,
                           &stale, "age", G_TYPE_UINT, &age, NULL)) {
        seen->without++;
        return;
    }
    seen->stale += stale;
    seen->oldest = MAX(seen->oldest, age);
    fail_unless_equals_int(stale, age > 0);
}

static Seen run(const gchar *policy, guint64 *inferred, guint64 *late)
{
    gchar *text =
        g_strdup_printf("videotestsrc is-live=true num-buffers=90 ! "
                        "video/x-raw,format=RGB,width=64,height=48,framerate=30/1 ! "
                        "rvosseg name=r engine=cpu late-policy=%s latency=0 ! "
                        "fakesink name=s sync=true qos=true signal-handoffs=true",
                        policy);
    GstElement *bin = rig_pipeline(text), *r, *s;
    GstStructure *stats;
    Seen seen = {0};

    r = gst_bin_get_by_name(GST_BIN(bin), "r");
    s = gst_bin_get_by_name(GST_BIN(bin), "s");
    g_signal_connect(s, "handoff", G_CALLBACK(on_frame), &seen);
    scripted_delay_us(100000); /* three frames long */
    gst_element_set_state(bin, GST_STATE_PLAYING);
    suite_wait_for_eos(bin, 30);
    g_object_get(r, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "inferred", inferred);
    gst_structure_get_uint64(stats, "reused-late", late);
    gst_structure_free(stats);
    gst_element_set_state(bin, GST_STATE_NULL);
    gst_object_unref(r);
    gst_object_unref(s);
    gst_object_unref(bin);
    g_free(text);
    return seen;
}

/* At least 99 % of the frames come out, each has the age of its mask, and the network
 * runs often enough. */
SUITE_TEST(test_reuse_stays_smooth)
{
    guint64 inferred, late;
    Seen seen = run("reuse", &inferred, &late);

    fail_unless_equals_int(seen.frames, 90);
    fail_unless_equals_int(seen.without, 0);
    fail_unless(seen.stale >= 30, "%u frames repeat a mask", seen.stale);
    fail_unless_equals_uint64(inferred + late, 90);
    fail_unless(inferred >= 6, "%u runs", (guint)inferred);
    fail_unless(seen.oldest <= 30);
}
GST_END_TEST;

/* late-policy=drop: the base class drops late frames. */
SUITE_TEST(test_drop_loses_frames)
{
    guint64 inferred, late;
    Seen seen = run("drop", &inferred, &late);

    fail_unless(seen.frames < 70, "%u frames", seen.frames);
    fail_unless_equals_uint64(late, 0);
}
GST_END_TEST;

SUITE_MAIN("live", 120, scripted_clear, NULL)
