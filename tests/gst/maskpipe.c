/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the request pad `mask` in pipelines: links, preroll, seeks, and a pad that is
 * requested and released while frames flow. */
#include "rig.h"

#define SOURCE                                                                           \
    "videotestsrc num-buffers=%d ! video/x-raw,format=RGB,width=64,height=48,"           \
    "framerate=30/1 ! rvosseg name=r engine=cpu "

static GstElement *pipeline(gint frames, const gchar *rest)
{
    gchar *text = g_strdup_printf(SOURCE "%s", frames, rest);
    GstElement *bin = rig_pipeline(text);

    g_free(text);
    return bin;
}

static void set_state(GstElement *bin, GstState state)
{
    fail_if(gst_element_set_state(bin, state) == GST_STATE_CHANGE_FAILURE);
    fail_unless_equals_int(gst_element_get_state(bin, NULL, NULL, 20 * GST_SECOND),
                           GST_STATE_CHANGE_SUCCESS);
}

static void end(GstElement *bin)
{
    gst_element_set_state(bin, GST_STATE_NULL);
    gst_object_unref(bin);
}

static void run_to_eos(gint frames, const gchar *rest)
{
    GstElement *bin = pipeline(frames, rest);

    gst_element_set_state(bin, GST_STATE_PLAYING);
    suite_wait_for_eos(bin, 20);
    end(bin);
}

SUITE_TEST(test_who_is_linked)
{
    run_to_eos(20, "r.src ! queue ! fakesink r.mask ! queue ! fakesink");
    run_to_eos(20, "r.src ! fakesink r.mask ! queue ! fakesink");
    run_to_eos(20, "r.src ! fakesink");
    run_to_eos(20, "r.mask ! fakesink"); /* src is not linked */
}
GST_END_TEST;

/* Without a queue on the mask's branch both sinks preroll in one thread, as with a tee. A
 * queue on the picture's branch does not help, because the mask is pushed first. */
SUITE_TEST(test_no_queue_does_not_preroll)
{
    static const gchar *const rest[] = {"r.src ! fakesink r.mask ! fakesink",
                                        "r.src ! queue ! fakesink r.mask ! fakesink"};

    for (guint i = 0; i < G_N_ELEMENTS(rest); i++) {
        GstElement *bin = pipeline(20, rest[i]);

        gst_element_set_state(bin, GST_STATE_PAUSED);
        fail_unless_equals_int(gst_element_get_state(bin, NULL, NULL, GST_SECOND / 5),
                               GST_STATE_CHANGE_ASYNC);
        end(bin);
    }
}
GST_END_TEST;

/* The branch's element goes to NULL without a release of the pad: the stream continues.
 */
SUITE_TEST(test_branch_goes_to_null)
{
    GstElement *bin = pipeline(-1, "r.src ! queue ! fakesink name=s sync=false "
                                   "r.mask ! queue name=q ! fakesink name=m async=false");
    GstElement *q = gst_bin_get_by_name(GST_BIN(bin), "q");
    GstElement *m = gst_bin_get_by_name(GST_BIN(bin), "m");
    GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");
    GstStructure *stats;
    guint64 before, after = 0;

    set_state(bin, GST_STATE_PLAYING);
    gst_element_set_locked_state(q, TRUE);
    gst_element_set_locked_state(m, TRUE);
    gst_element_set_state(m, GST_STATE_NULL);
    gst_element_set_state(q, GST_STATE_NULL);
    g_object_get(r, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "frames-in", &before);
    gst_structure_free(stats);
    for (guint i = 0; i < 200 && after < before + 20; i++) {
        g_usleep(10000);
        g_object_get(r, "stats", &stats, NULL);
        gst_structure_get_uint64(stats, "frames-in", &after);
        gst_structure_free(stats);
    }
    fail_unless(after >= before + 20, "the stream stopped");
    gst_object_unref(q);
    gst_object_unref(m);
    gst_object_unref(r);
    end(bin);
}
GST_END_TEST;

static void on_handoff(G_GNUC_UNUSED GstElement *sink, G_GNUC_UNUSED GstBuffer *buffer,
                       G_GNUC_UNUSED GstPad *pad, gpointer user)
{
    g_atomic_int_inc((gint *)user);
}

/* 100 times: request, link, see a mask, unlink, release; the picture never stops. */
SUITE_TEST(test_come_and_go)
{
    GstElement *bin = pipeline(-1, "r.src ! queue ! fakesink sync=false");
    GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");

    set_state(bin, GST_STATE_PLAYING);
    for (guint i = 0; i < 100; i++) {
        GstElement *queue = gst_element_factory_make("queue", NULL);
        GstElement *sink = gst_element_factory_make("fakesink", NULL);
        GstPad *pad = gst_element_request_pad_simple(r, "mask");
        GstPad *qpad = gst_element_get_static_pad(queue, "sink");
        gint masks = 0;

        g_object_set(sink, "async", FALSE, "sync", FALSE, "signal-handoffs", TRUE, NULL);
        g_signal_connect(sink, "handoff", G_CALLBACK(on_handoff), &masks);
        gst_bin_add_many(GST_BIN(bin), queue, sink, NULL);
        fail_unless(gst_element_link(queue, sink));
        gst_element_sync_state_with_parent(sink);
        gst_element_sync_state_with_parent(queue);
        fail_unless(gst_pad_link(pad, qpad) == GST_PAD_LINK_OK);
        for (guint wait = 0; wait < 2000 && g_atomic_int_get(&masks) == 0; wait++)
            g_usleep(1000);
        fail_unless(g_atomic_int_get(&masks) > 0, "no mask in cycle %u", i);
        gst_pad_unlink(pad, qpad);
        gst_element_release_request_pad(r, pad);
        gst_object_unref(pad);
        gst_object_unref(qpad);
        gst_element_set_state(queue, GST_STATE_NULL);
        gst_element_set_state(sink, GST_STATE_NULL);
        gst_bin_remove_many(GST_BIN(bin), queue, sink, NULL);
    }
    gst_object_unref(r);
    end(bin);
}
GST_END_TEST;

/* Times on both sinks after many flushing seeks, none of which may hang. */
static void check_time(G_GNUC_UNUSED GstElement *sink, GstBuffer *buffer,
                       G_GNUC_UNUSED GstPad *pad, gpointer user)
{
    GstClockTime frame =
        gst_util_uint64_scale_round(GST_BUFFER_PTS(buffer), 30, GST_SECOND);

    if (GST_BUFFER_PTS(buffer) != gst_util_uint64_scale(frame, GST_SECOND, 30))
        g_atomic_int_inc((gint *)user);
}

SUITE_TEST(test_seek_storm)
{
    GstElement *bin =
        pipeline(1000000, "r.src ! queue ! fakesink name=s signal-handoffs=1 "
                          "r.mask ! queue ! fakesink name=m signal-handoffs=1");
    GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");
    gint wrong = 0;

    for (guint i = 0; i < 2; i++) {
        GstElement *sink = gst_bin_get_by_name(GST_BIN(bin), i ? "m" : "s");

        g_signal_connect(sink, "handoff", G_CALLBACK(check_time), &wrong);
        gst_object_unref(sink);
    }
    set_state(bin, GST_STATE_PLAYING);
    for (guint i = 0; i < 200; i++) {
        fail_unless(gst_element_seek_simple(bin, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                            (gint64)(i * 37 % 100) * GST_SECOND));
        if (i % 10 == 0)
            set_state(bin, GST_STATE_PLAYING); /* it prerolls again */
    }
    set_state(bin, GST_STATE_PLAYING);
    fail_unless_equals_int(wrong, 0);
    gst_object_unref(r);
    end(bin);
}
GST_END_TEST;

SUITE_TEST(test_two_sinks_seek_is_one_reset)
{
    GstElement *bin = pipeline(1000000, "r.src ! queue ! fakesink sync=true "
                                        "r.mask ! queue ! fakesink sync=true");
    GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");
    GstStructure *stats;
    guint64 resets;

    set_state(bin, GST_STATE_PAUSED);
    gst_element_seek_simple(bin, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 50 * GST_SECOND);
    set_state(bin, GST_STATE_PAUSED);
    g_object_get(r, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "resets", &resets);
    fail_unless_equals_uint64(resets, 2); /* the start, and the seek */
    fail_unless_equals_string(gst_structure_get_string(stats, "last-reset-reason"),
                              "flush");
    gst_structure_free(stats);
    gst_object_unref(r);
    end(bin);
}
GST_END_TEST;

/* A release while a push is blocked downstream must not wait for it. */
SUITE_TEST(test_release_while_blocked)
{
    GstElement *bin = pipeline(-1, "r.src ! queue ! fakesink sync=false async=false "
                                   "r.mask ! queue name=q max-size-buffers=1 ! "
                                   "fakesink name=m");
    GstElement *r = gst_bin_get_by_name(GST_BIN(bin), "r");
    GstElement *q = gst_bin_get_by_name(GST_BIN(bin), "q");
    GstPad *pad = gst_element_get_static_pad(r, "mask");
    gint64 begin;

    /* PAUSED: the mask's sink has its buffer, the queue is full, the push blocks. */
    set_state(bin, GST_STATE_PAUSED);
    g_usleep(50000);
    begin = g_get_monotonic_time();
    gst_element_release_request_pad(r, pad);
    fail_unless(g_get_monotonic_time() - begin < 5 * G_USEC_PER_SEC);
    gst_object_unref(pad);
    gst_object_unref(q);
    gst_object_unref(r);
    end(bin);
}
GST_END_TEST;

SUITE_MAIN("maskpipe", 120, scripted_clear, NULL)
