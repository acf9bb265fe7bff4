/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chaos.h"

#include <stdio.h>

#define LINE                                                                             \
    "videotestsrc pattern=%s ! capsfilter name=caps caps-change-mode=delayed ! queue "   \
    "max-size-buffers=3 ! "                                                              \
    "rvosseg name=r network-width=64 network-height=64 max-batch=%d ! "                  \
    "queue max-size-buffers=3 ! fakesink name=frames sync=false"

/* ---- a pipeline -------------------------------------------------------------------- */

/* While a pipeline stops, GStreamer's own elements take an event that comes after their
 * source pad was deactivated for an error, and the source posts it. */
static gboolean is_fault(ChaosBench *bench, GstMessage *message)
{
    return GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR &&
           (GST_MESSAGE_SRC(message) == GST_OBJECT(bench->element) ||
            !g_atomic_int_get(&bench->stopping));
}

static GstBusSyncReply on_message(G_GNUC_UNUSED GstBus *bus, GstMessage *message,
                                  gpointer user)
{
    ChaosBench *bench = user;
    gchar *details = NULL;
    GError *error = NULL;

    if (is_fault(bench, message)) {
        gst_message_parse_error(message, &error, &details);
        if (g_atomic_int_add(&bench->errors, 1) < 4)
            printf("stream %u: %s (%s)\n", bench->index, error->message,
                   details ? details : "");
        g_error_free(error);
        g_free(details);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static GstPadProbeReturn count(G_GNUC_UNUSED GstPad *pad,
                               G_GNUC_UNUSED GstPadProbeInfo *info, gpointer counter)
{
    g_atomic_int_inc((gint *)counter);
    return GST_PAD_PROBE_OK;
}

static void count_at(GstElement *sink, gint *counter)
{
    GstPad *pad = gst_element_get_static_pad(sink, "sink");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count, counter, NULL);
    gst_object_unref(pad);
}

static void set_caps(ChaosBench *bench, const gchar *format, gint width, gint height)
{
    GstCaps *caps = gst_caps_new_simple(
        "video/x-raw", "format", G_TYPE_STRING, format, "width", G_TYPE_INT, width,
        "height", G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION, 25, 1, NULL);

    g_object_set(bench->caps, "caps", caps, NULL);
    gst_caps_unref(caps);
}

/* The pipeline may be on its way to PLAYING in a thread of its own. It must not start
 * these elements again. */
static void end_branch(ChaosBench *bench)
{
    gst_element_set_locked_state(bench->sink, TRUE);
    gst_element_set_locked_state(bench->queue, TRUE);
    gst_element_set_state(bench->sink, GST_STATE_NULL);
    gst_element_set_state(bench->queue, GST_STATE_NULL);
    gst_bin_remove_many(GST_BIN(bench->pipe), bench->queue, bench->sink, NULL);
}

static void begin_branch(ChaosBench *bench)
{
    bench->queue = gst_element_factory_make("queue", NULL);
    bench->sink = gst_element_factory_make("fakesink", NULL);
    g_object_set(bench->queue, "max-size-buffers", 3, NULL);
    g_object_set(bench->sink, "sync", FALSE, "async", FALSE, NULL);
    gst_bin_add_many(GST_BIN(bench->pipe), bench->queue, bench->sink, NULL);
    gst_element_link(bench->queue, bench->sink);
    count_at(bench->sink, &bench->masks);
    gst_element_sync_state_with_parent(bench->sink);
    gst_element_sync_state_with_parent(bench->queue);
}

/* A branch that was at EOS when it was unlinked would refuse the next stream. Restarting
 * it instead could hang: a queue that is started while a FLUSH_START is in it waits for
 * data with its stream locked, and the FLUSH_START waits for that lock. */
static void renew_branch(ChaosBench *bench)
{
    end_branch(bench);
    begin_branch(bench);
}

ChaosBench *chaos_bench_new(guint index, GRand *rand, gboolean batch)
{
    static const gchar *const patterns[] = {"ball", "smpte", "snow"};
    ChaosBench *bench = g_new0(ChaosBench, 1);
    gchar *line = g_strdup_printf(
        LINE, patterns[g_rand_int_range(rand, 0, G_N_ELEMENTS(patterns))], batch ? 4 : 1);
    GstElement *frames;
    GstBus *bus;

    bench->index = index;
    bench->alpha = g_rand_boolean(rand);
    g_mutex_init(&bench->lock);
    bench->pipe = gst_parse_launch(line, NULL);
    g_free(line);
    if (!bench->pipe)
        g_error("the pipeline cannot be made");
    bench->element = gst_bin_get_by_name(GST_BIN(bench->pipe), "r");
    bench->caps = gst_bin_get_by_name(GST_BIN(bench->pipe), "caps");
    g_object_set(bench->element, "model", g_getenv("RVOSSEG_TEST_MODEL"), NULL);
    gst_util_set_object_arg(G_OBJECT(bench->element), "engine", "cpu");
    frames = gst_bin_get_by_name(GST_BIN(bench->pipe), "frames");
    count_at(frames, &bench->frames);
    gst_object_unref(frames);
    bus = gst_element_get_bus(bench->pipe);
    gst_bus_set_sync_handler(bus, on_message, bench, NULL);
    gst_object_unref(bus);
    set_caps(bench, "RGBA", 64, 48);
    chaos_set_plain(bench);
    chaos_set_ready(bench, rand);
    begin_branch(bench);
    gst_element_set_state(bench->pipe, GST_STATE_PLAYING);
    return bench;
}

/* ---- pads -------------------------------------------------------------------------- */

static void link_mask(ChaosBench *bench)
{
    GstPad *sink;

    if (bench->mask && !gst_pad_is_linked(bench->mask)) {
        renew_branch(bench);
        sink = gst_element_get_static_pad(bench->queue, "sink");
        gst_pad_link(bench->mask, sink);
        gst_object_unref(sink);
    }
}

static void unlink_mask(ChaosBench *bench)
{
    GstPad *sink = gst_element_get_static_pad(bench->queue, "sink");

    if (bench->mask && gst_pad_is_linked(bench->mask))
        gst_pad_unlink(bench->mask, sink);
    gst_object_unref(sink);
}

static void request(ChaosBench *bench)
{
    if (!bench->mask)
        bench->mask = gst_element_request_pad_simple(bench->element, "mask");
    link_mask(bench);
}

static void release(ChaosBench *bench)
{
    if (bench->mask)
        gst_element_release_request_pad(bench->element, bench->mask);
    gst_clear_object(&bench->mask);
}

static void do_locked(ChaosBench *bench, void (*act)(ChaosBench *))
{
    g_mutex_lock(&bench->lock);
    act(bench);
    g_mutex_unlock(&bench->lock);
}

static void do_request(ChaosBench *bench, G_GNUC_UNUSED GRand *rand)
{
    do_locked(bench, request);
}

/* Linked or not. */
static void do_release(ChaosBench *bench, GRand *rand)
{
    if (g_rand_boolean(rand))
        do_locked(bench, unlink_mask);
    do_locked(bench, release);
}

static void do_link(ChaosBench *bench, GRand *rand)
{
    do_locked(bench, g_rand_boolean(rand) ? link_mask : unlink_mask);
}

static void query(ChaosBench *bench, G_GNUC_UNUSED GRand *rand)
{
    GstQuery *latency = gst_query_new_latency();
    gint64 position;

    gst_element_query(bench->pipe, latency);
    gst_query_unref(latency);
    gst_element_query_position(bench->pipe, GST_FORMAT_TIME, &position);
    gst_bin_recalculate_latency(GST_BIN(bench->pipe));
}

const ChaosAction chaos_pads[] = {
    {"request", 40, do_request},
    {"release", 30, do_release},
    {"link", 15, do_link},
    {"query", 15, query},
    {NULL},
};

/* ---- the stream -------------------------------------------------------------------- */

static void seek(ChaosBench *bench, GRand *rand)
{
    gint64 start = g_rand_int_range(rand, 0, 5000) * (gint64)GST_MSECOND;

    gst_element_seek(bench->pipe, g_rand_int_range(rand, 0, 6) ? 1.0 : -1.0,
                     GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, start,
                     GST_SEEK_TYPE_SET, start + 60 * (gint64)GST_SECOND);
}

static void change_caps(ChaosBench *bench, GRand *rand)
{
    static const gchar *const any[] = {"RGB",  "I420", "NV12",  "RGBA",
                                       "BGRx", "YUY2", "GRAY8", "P010_10LE"};
    static const gchar *const with_alpha[] = {"RGBA", "BGRA"};
    static const gint sizes[][2] = {{64, 48}, {96, 64}, {33, 47}, {128, 96}};
    const gint *size = sizes[g_rand_int_range(rand, 0, G_N_ELEMENTS(sizes))];
    const gchar *format =
        bench->alpha ? with_alpha[g_rand_int_range(rand, 0, G_N_ELEMENTS(with_alpha))]
                     : any[g_rand_int_range(rand, 0, G_N_ELEMENTS(any))];

    set_caps(bench, format, size[0], size[1]);
}

static void change_state(ChaosBench *bench, GRand *rand)
{
    static const GstState states[] = {GST_STATE_PAUSED, GST_STATE_PAUSED, GST_STATE_READY,
                                      GST_STATE_NULL};
    GstState state = states[g_rand_int_range(rand, 0, G_N_ELEMENTS(states))];

    g_mutex_lock(&bench->lock);
    g_atomic_int_set(&bench->stopping, state <= GST_STATE_READY);
    gst_element_set_state(bench->pipe, state);
    g_atomic_int_set(&bench->stopping, FALSE);
    g_mutex_unlock(&bench->lock);
    g_usleep((gulong)g_rand_int_range(rand, 0, 30000));
    g_mutex_lock(&bench->lock);
    if (state <= GST_STATE_READY)
        chaos_set_ready(bench, rand);
    gst_element_set_state(bench->pipe, GST_STATE_PLAYING);
    g_mutex_unlock(&bench->lock);
}

const ChaosAction chaos_stream[] = {
    {"seek", 45, seek},
    {"caps", 25, change_caps},
    {"state", 30, change_state},
    {NULL},
};

/* ---- the end ----------------------------------------------------------------------- */

static gboolean comes(gint *counter)
{
    gint wanted = g_atomic_int_get(counter) + 3;

    for (guint i = 0; i < 3000 && g_atomic_int_get(counter) < wanted; i++)
        g_usleep(10000);
    return g_atomic_int_get(counter) >= wanted;
}

gboolean chaos_bench_lives(ChaosBench *bench)
{
    gboolean good;

    gst_element_set_state(bench->pipe, GST_STATE_NULL);
    chaos_set_plain(bench);
    set_caps(bench, "RGBA", 64, 48);
    request(bench);
    gst_element_set_state(bench->pipe, GST_STATE_PLAYING);
    good = comes(&bench->frames) && comes(&bench->masks);
    if (!good)
        printf("stream %u gives nothing any more\n", bench->index);
    return good && g_atomic_int_get(&bench->errors) == 0;
}

void chaos_bench_free(ChaosBench *bench)
{
    gst_element_set_state(bench->pipe, GST_STATE_NULL);
    release(bench);
    gst_object_unref(bench->element);
    gst_object_unref(bench->caps);
    gst_object_unref(bench->pipe);
    g_mutex_clear(&bench->lock);
    g_free(bench);
}
