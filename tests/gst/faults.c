/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lets each call of the element that can fail do so once: of librvos with every status,
 * and of GStreamer. There must be one error with the right domain, no crash, and after
 * NULL the same element must work.
 *
 * The GStreamer functions here override the library's own, and call these unless it is
 * their turn to fail. */
#include <dlfcn.h>
#include <gmodule.h>

#include "rig.h"

/* ---- calls of GStreamer ------------------------------------------------------------ */

static gint countdown; /* atomic; calls until the one that fails; 0: none fails */

static gboolean fails_now(void)
{
    return g_atomic_int_get(&countdown) > 0 && g_atomic_int_dec_and_test(&countdown);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

G_MODULE_EXPORT GstFlowReturn gst_buffer_pool_acquire_buffer(
    GstBufferPool *pool, GstBuffer **buffer, GstBufferPoolAcquireParams *params)
{
    if (fails_now())
        return GST_FLOW_ERROR;
    return NEXT(gst_buffer_pool_acquire_buffer)(pool, buffer, params);
}

G_MODULE_EXPORT gboolean gst_buffer_pool_set_active(GstBufferPool *pool, gboolean active)
{
    if (active && fails_now())
        return FALSE;
    return NEXT(gst_buffer_pool_set_active)(pool, active);
}

G_MODULE_EXPORT gboolean gst_buffer_pool_set_config(GstBufferPool *pool,
                                                    GstStructure *config)
{
    if (fails_now()) {
        gst_structure_free(config);
        return FALSE;
    }
    return NEXT(gst_buffer_pool_set_config)(pool, config);
}

G_MODULE_EXPORT gboolean gst_video_frame_map(GstVideoFrame *frame,
                                             const GstVideoInfo *info, GstBuffer *buffer,
                                             GstMapFlags flags)
{
    if (fails_now())
        return FALSE;
    return NEXT(gst_video_frame_map)(frame, info, buffer, flags);
}

G_MODULE_EXPORT GstBuffer *gst_buffer_copy_region(GstBuffer *buffer,
                                                  GstBufferCopyFlags flags, gsize offset,
                                                  gsize size)
{
    if (fails_now())
        return NULL;
    return NEXT(gst_buffer_copy_region)(buffer, flags, offset, size);
}

/* ---- a session --------------------------------------------------------------------- */

typedef struct {
    GstElement *element;
    GstBus *bus;
    GstPad *up, *down, *mask, *masks; /* `masks` is behind `mask` */
    GstSample *sample;                /* a mask of object 1 */
    gint frames;                      /* that came out */
} Session;

static GstFlowReturn swallow(GstPad *pad, G_GNUC_UNUSED GstObject *parent,
                             GstBuffer *buffer)
{
    Session *session = gst_pad_get_element_private(pad);

    session->frames++;
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
}

static GstPad *end_of(Session *session, GstPad *pad, gboolean counts)
{
    static GstStaticPadTemplate any =
        GST_STATIC_PAD_TEMPLATE("end", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
    static Session nobody;
    GstPad *end = gst_pad_new_from_static_template(&any, "end");

    gst_pad_set_element_private(end, counts ? session : &nobody);
    gst_pad_set_chain_function(end, swallow);
    gst_pad_set_active(end, TRUE);
    fail_unless(gst_pad_link(pad, end) == GST_PAD_LINK_OK);
    return end;
}

static void session_open(Session *session, const gchar *output)
{
    GstPad *sink, *src;

    *session = (Session){.element = gst_object_ref_sink(
                             rig_element("mode", "one-shot", "output", output, NULL))};
    session->bus = gst_bus_new();
    session->sample =
        rig_mask(RIG_WIDTH, RIG_HEIGHT, GST_CLOCK_TIME_NONE, FALSE, BOXES(BOX(1)));
    gst_element_set_bus(session->element, session->bus);
    sink = gst_element_get_static_pad(session->element, "sink");
    src = gst_element_get_static_pad(session->element, "src");
    session->mask = gst_element_request_pad_simple(session->element, "mask");
    session->up = gst_pad_new("up", GST_PAD_SRC);
    fail_unless(gst_pad_link(session->up, sink) == GST_PAD_LINK_OK);
    session->down = end_of(session, src, TRUE);
    session->masks = end_of(session, session->mask, FALSE);
    gst_object_unref(sink);
    gst_object_unref(src);
}

static void session_close(Session *session)
{
    gst_element_set_state(session->element, GST_STATE_NULL);
    gst_element_release_request_pad(session->element, session->mask);
    gst_object_unref(session->mask);
    gst_element_set_bus(session->element, NULL);
    gst_object_unref(session->element);
    gst_object_unref(session->bus);
    gst_sample_unref(session->sample);
    gst_object_unref(session->up);
    gst_object_unref(session->down);
    gst_object_unref(session->masks);
}

static GstFlowReturn push_frame(Session *session, GstClockTime time)
{
    GstBuffer *buffer =
        gst_buffer_new_allocate(NULL, (gsize)RIG_WIDTH * RIG_HEIGHT * 4, NULL);

    gst_buffer_memset(buffer, 0, 1, (gsize)-1);
    GST_BUFFER_PTS(buffer) = time;
    GST_BUFFER_DURATION(buffer) = RIG_FRAME;
    return gst_pad_push(session->up, buffer);
}

static gboolean begin_stream(Session *session)
{
    GstCaps *caps = gst_caps_new_simple(
        "video/x-raw", "format", G_TYPE_STRING, "RGBA", "width", G_TYPE_INT, RIG_WIDTH,
        "height", G_TYPE_INT, RIG_HEIGHT, "framerate", GST_TYPE_FRACTION, 30, 1, NULL);
    GstSegment segment;
    gboolean good;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(session->up, gst_event_new_stream_start("frames"));
    good = gst_pad_push_event(session->up, gst_event_new_caps(caps)) &&
           gst_pad_push_event(session->up, gst_event_new_segment(&segment));
    gst_caps_unref(caps);
    return good;
}

static GstFlowReturn play_frame(Session *session, guint n)
{
    gboolean good;

    if (n % 2 == 0)
        g_signal_emit_by_name(session->element, "set-mask", session->sample, &good);
    if (n == 2)
        g_signal_emit_by_name(session->element, "drop-object", 1, &good);
    return push_frame(session, n * RIG_FRAME);
}

/* Start, two masks, a drop, four frames, NULL. Like a source, it stops at an error. */
static void session_play(Session *session)
{
    session->frames = 0;
    gst_pad_set_active(session->up, TRUE);
    if (gst_element_set_state(session->element, GST_STATE_PAUSED) !=
            GST_STATE_CHANGE_FAILURE &&
        begin_stream(session))
        for (guint n = 0; n < 4 && play_frame(session, n) == GST_FLOW_OK; n++)
            ;
    gst_element_set_state(session->element, GST_STATE_NULL);
    gst_pad_set_active(session->up, FALSE);
}

/* Errors on the bus; the domain of the last. */
static guint count_errors(Session *session, GQuark *domain)
{
    GstMessage *message;
    GError *error;
    guint n = 0;

    while ((message = gst_bus_pop_filtered(session->bus, GST_MESSAGE_ERROR)) != NULL) {
        gst_message_parse_error(message, &error, NULL);
        *domain = error->domain;
        fail_unless(*error->message, "an error without words");
        g_error_free(error);
        gst_message_unref(message);
        n++;
    }
    return n;
}

/* The same element works, and nothing is still open. */
static void check_recovery(Session *session, const gchar *what, guint n)
{
    GQuark domain = 0;

    scripted_clear();
    g_atomic_int_set(&countdown, 0);
    session_play(session);
    fail_unless_equals_int(count_errors(session, &domain), 0);
    fail_unless(session->frames == 4, "%s, %u: then %d frames of 4", what, n,
                session->frames);
    fail_unless_equals_int(scripted_get().streams, 0);
    fail_unless_equals_int(scripted_get().models, 0);
    fail_unless_equals_int(scripted_get().devices, 0);
}

/* ---- tests ------------------------------------------------------------------------- */

static const gchar *const outputs[] = {"overlay", "alpha"};

static void expect_failure(const gchar *function, gint status, const gchar *output)
{
    Session session;
    GQuark domain = 0;
    guint errors;

    session_open(&session, output);
    scripted_fail(function, status);
    session_play(&session);
    errors = count_errors(&session, &domain);
    fail_unless(errors == 1, "%s with %d: %u errors", function, status, errors);
    if (status == RVOS_ERR_MEMORY)
        fail_unless(domain == GST_RESOURCE_ERROR, "%s: %s", function,
                    g_quark_to_string(domain));
    else
        fail_unless(domain == GST_RESOURCE_ERROR || domain == GST_LIBRARY_ERROR ||
                        domain == GST_STREAM_ERROR,
                    "%s with %d: %s", function, status, g_quark_to_string(domain));
    check_recovery(&session, function, (guint)-status);
    session_close(&session);
}

SUITE_TEST(test_every_status)
{
    static const gchar *const functions[] = {
        "rvos_device_open",    "rvos_model_load",     "rvos_stream_open",
        "rvos_stream_warm_up", "rvos_stream_prepare", "rvos_stream_seed",
        "rvos_stream_drop",    "rvos_stream_process", "rvos_draw"};

    for (guint i = 0; i < G_N_ELEMENTS(functions); i++)
        for (gint status = RVOS_ERR_DEVICE; status <= RVOS_ERR_ARGUMENT; status++)
            expect_failure(functions[i], status, "overlay");
    for (gint status = RVOS_ERR_DEVICE; status <= RVOS_ERR_ARGUMENT; status++)
        expect_failure("rvos_set_alpha", status, "alpha");
}
GST_END_TEST;

/* The n-th call fails, for each n. There is at most one error; without an error all
 * frames must come. */
SUITE_LOOP(test_every_call, G_N_ELEMENTS(outputs))
{
    guint n = 0, told = 0;
    gboolean reached = TRUE;

    while (reached) {
        Session session;
        GQuark domain = 0;
        guint errors;

        session_open(&session, outputs[__i__]);
        g_atomic_int_set(&countdown, (gint)++n);
        session_play(&session);
        reached = g_atomic_int_get(&countdown) == 0;
        errors = count_errors(&session, &domain);
        fail_unless(errors <= 1, "call %u: %u errors", n, errors);
        fail_unless(errors == 1 || session.frames == 4, "call %u: %d frames, no error", n,
                    session.frames);
        told += errors;
        check_recovery(&session, "call", n);
        session_close(&session);
    }
    fail_unless(n > 12 && told > 4, "%u calls, %u errors", n, told);
}
GST_END_TEST;

SUITE_MAIN("faults", 120, scripted_clear, NULL)
