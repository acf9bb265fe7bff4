/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flushbench.h"

#include <string.h>

/* ---- the branch's view ------------------------------------------------------- */

static void see_event(Bench *bench, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        bench->flushed = TRUE;
        break;
    case GST_EVENT_FLUSH_STOP:
        if (!bench->flushed)
            bench->wrong = "FLUSH_STOP without FLUSH_START";
        bench->flushed = bench->segment = FALSE;
        break;
    case GST_EVENT_STREAM_START:
        bench->started = TRUE;
        break;
    case GST_EVENT_CAPS:
        if (!bench->started)
            bench->wrong = "CAPS before STREAM_START";
        bench->caps = TRUE;
        break;
    case GST_EVENT_SEGMENT:
        if (!bench->caps)
            bench->wrong = "SEGMENT before CAPS";
        bench->segment = TRUE;
        break;
    default:
        break;
    }
}

static GstPadProbeReturn see(G_GNUC_UNUSED GstPad *pad, GstPadProbeInfo *info,
                             gpointer user)
{
    Bench *bench = user;

    g_mutex_lock(&bench->lock);
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
        if (!bench->segment)
            bench->wrong = "a mask before SEGMENT";
        bench->masks++;
    } else if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM) {
        if (GST_QUERY_TYPE(GST_PAD_PROBE_INFO_QUERY(info)) == GST_QUERY_ALLOCATION &&
            !bench->segment)
            bench->wrong = "an ALLOCATION query before SEGMENT";
    } else {
        see_event(bench, GST_PAD_PROBE_INFO_EVENT(info));
    }
    g_mutex_unlock(&bench->lock);
    return GST_PAD_PROBE_OK;
}

guint bench_masks_seen(Bench *bench)
{
    guint masks;

    g_mutex_lock(&bench->lock);
    masks = bench->masks;
    g_mutex_unlock(&bench->lock);
    return masks;
}

static void forget_stream(Bench *bench)
{
    g_mutex_lock(&bench->lock);
    bench->started = bench->caps = bench->segment = FALSE;
    g_mutex_unlock(&bench->lock);
}

/* ---- steps of the application ------------------------------------------------ */

static void link_mask(Bench *bench)
{
    fail_unless(gst_pad_link(bench->mask, bench->branch) == GST_PAD_LINK_OK);
}

static void unlink_mask(Bench *bench)
{
    fail_unless(gst_pad_unlink(bench->mask, bench->branch));
}

static void release_mask(Bench *bench)
{
    gst_element_release_request_pad(bench->element, bench->mask);
    gst_clear_object(&bench->mask);
}

void bench_set_branch(Bench *bench, GstState state)
{
    fail_if(gst_element_set_state(bench->sink, state) == GST_STATE_CHANGE_FAILURE);
    fail_if(gst_element_set_state(bench->queue, state) == GST_STATE_CHANGE_FAILURE);
}

/* Sinks first, like a bin. */
static void cycle_states(Bench *bench)
{
    bench_set_branch(bench, GST_STATE_READY);
    gst_element_set_state(bench->element, GST_STATE_READY);
    fail_unless_equals_int(gst_element_set_state(bench->element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_SUCCESS);
    bench_set_branch(bench, GST_STATE_PAUSED);
    g_mutex_lock(&bench->lock);
    bench->flushed = FALSE;
    g_mutex_unlock(&bench->lock);
    forget_stream(bench);
    bench->fresh = TRUE;
}

static void restart_branch(Bench *bench)
{
    bench_set_branch(bench, GST_STATE_NULL);
    bench_set_branch(bench, GST_STATE_PAUSED);
    g_mutex_lock(&bench->lock);
    bench->flushed = FALSE;
    g_mutex_unlock(&bench->lock);
}

void bench_application_step(Bench *bench, gchar step)
{
    if (step == 'r') {
        bench->mask = gst_element_request_pad_simple(bench->element, "mask");
        fail_unless(bench->mask != NULL);
        forget_stream(bench); /* another pad sends all of its events */
    } else if (step == 'x' || step == 'u') {
        unlink_mask(bench);
    }
    if (step == 'r' || step == 'l')
        link_mask(bench);
    else if (step == 'x' || step == 'R')
        release_mask(bench);
    else if (step == 's')
        cycle_states(bench);
    else if (step == 'b')
        restart_branch(bench);
}

/* ---- steps of the stream ----------------------------------------------------- */

static void send_start(Bench *bench)
{
    gchar *id = g_strdup_printf("stream-%u", bench->streams++);

    gst_pad_push_event(bench->up, gst_event_new_stream_start(id));
    g_free(id);
}

static void send_caps(Bench *bench)
{
    GstCaps *caps =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "RGB", "width",
                            G_TYPE_INT, (gint)bench->width, "height", G_TYPE_INT,
                            RIG_HEIGHT, "framerate", GST_TYPE_FRACTION, 30, 1, NULL);

    gst_pad_push_event(bench->up, gst_event_new_caps(caps));
    gst_caps_unref(caps);
}

static void send_segment(Bench *bench)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(bench->up, gst_event_new_segment(&segment));
}

static gpointer push_frame(gpointer user)
{
    Bench *bench = user;
    guint n = bench->frames++;
    GstBuffer *buffer =
        gst_buffer_new_allocate(NULL, (gsize)bench->width * RIG_HEIGHT * 3, NULL);

    gst_buffer_memset(buffer, 0, RIG_BACKGROUND, (gsize)-1);
    GST_BUFFER_PTS(buffer) = n * RIG_FRAME;
    GST_BUFFER_DURATION(buffer) = RIG_FRAME;
    gst_pad_push(bench->up, buffer);
    g_atomic_int_set(&bench->pushing, FALSE);
    return NULL;
}

static void start_frame(Bench *bench)
{
    g_atomic_int_set(&bench->pushing, TRUE);
    bench->frame = g_thread_new("frame", push_frame, bench);
}

/* A frame may wait in a prerolled branch until the next flush. */
static void give_time(Bench *bench)
{
    for (guint i = 0; i < 20 && g_atomic_int_get(&bench->pushing); i++)
        g_usleep(1000);
}

static void wait_until_held(Bench *bench)
{
    for (guint i = 0; i < 200 && g_atomic_int_get(&bench->pushing); i++) {
        if (scripted_get().waiting > 0 || g_atomic_int_get(&bench->held))
            return;
        g_usleep(100);
    }
}

/* A probe of the element's sink pad. */
static GstPadProbeReturn wait_at_sink(G_GNUC_UNUSED GstPad *pad,
                                      G_GNUC_UNUSED GstPadProbeInfo *info, gpointer user)
{
    Bench *bench = user;

    while (g_atomic_int_get(&bench->hold)) {
        g_atomic_int_set(&bench->held, TRUE);
        g_usleep(100);
    }
    g_atomic_int_set(&bench->held, FALSE);
    return GST_PAD_PROBE_OK;
}

/* A serialised event waits for the current frame, as it would upstream. */
void bench_join_frame(Bench *bench)
{
    if (bench->frame)
        g_thread_join(bench->frame);
    bench->frame = NULL;
}

static void begin_if_fresh(Bench *bench)
{
    if (!bench->fresh)
        return;
    bench->fresh = FALSE;
    send_start(bench);
    send_caps(bench);
    send_segment(bench);
}

static void serialised_step(Bench *bench, gchar step)
{
    bench_join_frame(bench);
    if (step == 'f')
        gst_pad_push_event(bench->up, gst_event_new_flush_stop(TRUE));
    begin_if_fresh(bench);
    if (step == 'T')
        send_start(bench);
    else if (step == 'S')
        send_segment(bench);
    else if (step == 'g')
        gst_pad_push_event(bench->up, gst_event_new_gap(0, RIG_FRAME));
    else if (step == 'E')
        gst_pad_push_event(bench->up, gst_event_new_eos());
    else if (step == 'H')
        scripted_hold(true);
    else if (step == 'h')
        g_atomic_int_set(&bench->hold, TRUE);
    if (step == 'C')
        bench->width += 4; /* rows without padding */
    if (step == 'C' || step == 'T')
        send_caps(bench);
    if (strchr("HhB", step))
        start_frame(bench);
    if (step == 'B')
        give_time(bench);
    else if (step == 'H' || step == 'h')
        wait_until_held(bench);
}

void bench_stream_step(Bench *bench, gchar step)
{
    if (step == 'F' || step == 'f')
        bench->flush = step == 'F';
    if (step == 'F') {
        gst_pad_push_event(bench->up, gst_event_new_flush_start());
    } else if (step == 'G') {
        scripted_hold(false);
        g_atomic_int_set(&bench->hold, FALSE);
        give_time(bench);
    } else {
        serialised_step(bench, step);
    }
}

/* ---- lifetime -------------------------------------------------------------- */

static GstFlowReturn swallow(G_GNUC_UNUSED GstPad *pad, G_GNUC_UNUSED GstObject *parent,
                             GstBuffer *buffer)
{
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
}

static void link_ends(Bench *bench)
{
    static GstStaticPadTemplate any = GST_STATIC_PAD_TEMPLATE(
        "down", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
    GstPad *sink = gst_element_get_static_pad(bench->element, "sink");
    GstPad *src = gst_element_get_static_pad(bench->element, "src");

    bench->up = gst_pad_new("up", GST_PAD_SRC);
    bench->down = gst_pad_new_from_static_template(&any, "down");
    gst_pad_set_chain_function(bench->down, swallow);
    gst_pad_add_probe(sink, GST_PAD_PROBE_TYPE_BUFFER, wait_at_sink, bench, NULL);
    gst_pad_set_active(bench->up, TRUE);
    gst_pad_set_active(bench->down, TRUE);
    fail_unless(gst_pad_link(bench->up, sink) == GST_PAD_LINK_OK);
    fail_unless(gst_pad_link(src, bench->down) == GST_PAD_LINK_OK);
    gst_object_unref(sink);
    gst_object_unref(src);
}

Bench *bench_new(void)
{
    Bench *bench = g_new0(Bench, 1);

    g_mutex_init(&bench->lock);
    bench->width = RIG_WIDTH;
    bench->fresh = TRUE;
    bench->element = gst_object_ref_sink(rig_element(NULL, NULL));
    bench->queue = gst_object_ref_sink(gst_element_factory_make("queue", NULL));
    bench->sink = gst_object_ref_sink(gst_element_factory_make("fakesink", NULL));
    g_object_set(bench->queue, "max-size-buffers", 1, NULL);
    fail_unless(gst_element_link(bench->queue, bench->sink));
    bench->branch = gst_element_get_static_pad(bench->queue, "sink");
    gst_pad_add_probe(bench->branch,
                      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                          GST_PAD_PROBE_TYPE_EVENT_FLUSH |
                          GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
                      see, bench, NULL);
    link_ends(bench);
    fail_unless_equals_int(gst_element_set_state(bench->element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_SUCCESS);
    bench_set_branch(bench, GST_STATE_PAUSED);
    bench_application_step(bench, 'r');
    bench_stream_step(bench, 'B');
    bench_join_frame(bench);
    fail_unless_equals_int(gst_element_get_state(bench->sink, NULL, NULL, 5 * GST_SECOND),
                           GST_STATE_CHANGE_SUCCESS);
    bench_stream_step(bench, 'B');
    return bench;
}

void bench_free(Bench *bench)
{
    bench_set_branch(bench, GST_STATE_NULL);
    gst_element_set_state(bench->element, GST_STATE_NULL);
    bench_join_frame(bench);
    if (bench->mask)
        release_mask(bench);
    gst_object_unref(bench->element);
    gst_object_unref(bench->branch);
    gst_object_unref(bench->queue);
    gst_object_unref(bench->sink);
    gst_pad_set_active(bench->up, FALSE);
    gst_object_unref(bench->up);
    gst_object_unref(bench->down);
    g_mutex_clear(&bench->lock);
    g_free(bench);
}
