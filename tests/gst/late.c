/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests late frames, which QOS events or the clock of a live source report. */
#include "rig.h"

/* All frames up to frame n are late from now on. */
static void late_until(Rig *rig, guint n)
{
    GstClockTime time = gst_util_uint64_scale(n, GST_SECOND, 30);

    fail_unless(gst_harness_push_upstream_event(
        rig->h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 0, time)));
}

static gboolean stale(GstBuffer *buffer, guint *age)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, "GstRvosSegMeta");
    gboolean stale_;

    fail_unless(meta != NULL);
    fail_unless(gst_structure_get(gst_custom_meta_get_structure(meta), "stale",
                                  G_TYPE_BOOLEAN, &stale_, "age", G_TYPE_UINT, age,
                                  NULL));
    return stale_;
}

SUITE_TEST(test_qos_is_off)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    gboolean qos;

    g_object_get(rig->element, "qos", &qos, NULL);
    fail_if(qos);
    gst_util_set_object_arg(G_OBJECT(rig->element), "late-policy", "drop");
    g_object_get(rig->element, "qos", &qos, NULL);
    fail_unless(qos);
    gst_util_set_object_arg(G_OBJECT(rig->element), "late-policy", "process");
    g_object_get(rig->element, "qos", &qos, NULL);
    fail_if(qos);
    rig_free(rig);
}
GST_END_TEST;

static void send_qos(Rig *rig, GstClockTimeDiff diff, GstClockTime time)
{
    GstEvent *event = gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 0, 0);

    /* gst_event_new_qos refuses values that a broken sink may still send. */
    gst_structure_set(gst_event_writable_structure(event), "diff", G_TYPE_INT64, diff,
                      "timestamp", G_TYPE_UINT64, time, NULL);
    fail_unless(gst_harness_push_upstream_event(rig->h, event));
}

/* Sums that overflow 64 bits are clamped. */
SUITE_TEST(test_qos_extremes)
{
    Rig *rig = rig_new(rig_element("max-gap", "18446744073709551615", NULL));
    GstClockTimeDiff jitter;
    GstMessage *message;

    rig_run(rig, 0, 1, NOTHING);
    send_qos(rig, G_MAXINT64, GST_CLOCK_TIME_NONE - 1);
    rig_run(rig, 1, 2, NOTHING);
    fail_unless_equals_uint64(rig_stat(rig, "reused-late"), 1);
    message = rig_pop(rig, GST_MESSAGE_QOS);
    fail_unless(message != NULL);
    gst_message_parse_qos_values(message, &jitter, NULL, NULL);
    fail_unless_equals_int64(jitter, G_MAXINT64);
    gst_message_unref(message);
    send_qos(rig, G_MININT64, (GstClockTime)G_MAXINT64 + 1);
    rig_run(rig, 2, 3, NOTHING);
    send_qos(rig, G_MININT64, 0);
    rig_run(rig, 3, 4, NOTHING);
    send_qos(rig, G_MAXINT64, (GstClockTime)G_MAXINT64);
    send_qos(rig, -1, 0);
    rig_run(rig, 4, 5, NOTHING);
    fail_unless_equals_uint64(rig_stat(rig, "reused-late"), 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_reuse)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer;
    GstMessage *message;
    guint age;

    buffer = rig_push(rig, 0, BOXES(BOX(1)));
    fail_if(stale(buffer, &age));
    gst_buffer_unref(buffer);
    late_until(rig, 2);
    for (guint n = 1; n <= 2; n++) {
        buffer = rig_push(rig, n, NOTHING);
        fail_unless(stale(buffer, &age));
        fail_unless_equals_int(age, n);
        /* The held mask is drawn although this frame has no object. */
        fail_unless_equals_int(rig_byte(rig, buffer, 4, 8), 128);
        gst_buffer_unref(buffer);
        message = rig_pop(rig, GST_MESSAGE_QOS);
        fail_unless(message != NULL);
        gst_message_unref(message);
    }
    fail_unless_equals_int(scripted_get().runs, 1);
    fail_unless_equals_uint64(rig_stat(rig, "reused-late"), 2);
    buffer = rig_push(rig, 3, NOTHING);
    fail_if(stale(buffer, &age));
    fail_unless_equals_int(age, 0);
    gst_buffer_unref(buffer);
    fail_unless_equals_int(scripted_get().runs, 2);
    /* The decoder upstream gets the QOS event, too. */
    fail_unless(gst_harness_upstream_events_received(rig->h) > 0);
    rig_free(rig);
}
GST_END_TEST;

/* With a sink that neither waits nor reports, such as a network sink, the clock decides.
 */
static void late_by_clock(gboolean live, guint64 expected)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    gst_harness_set_live(rig->h, live);
    gst_harness_use_testclock(rig->h);
    gst_harness_query_latency(rig->h);
    rig_run(rig, 0, 1, NOTHING);
    fail_unless(gst_harness_set_time(rig->h, 10 * GST_SECOND));
    rig_run(rig, 1, 5, NOTHING);
    fail_unless_equals_uint64(rig_stat(rig, "reused-late"), expected);
    fail_unless_equals_uint64(rig_stat(rig, "inferred"), 5 - expected);
    rig_free(rig);
}

SUITE_TEST(test_live_without_reports)
{
    late_by_clock(TRUE, 4);
    late_by_clock(FALSE, 0);
}
GST_END_TEST;

/* ---- the pad `mask` alone ---------------------------------------------------------- */

static void unlink_src(Rig *rig)
{
    fail_unless(gst_pad_unlink(GST_PAD_PEER(rig->h->sinkpad), rig->h->sinkpad));
}

static void push_masks(Rig *rig, guint from, guint to)
{
    for (guint n = from; n < to; n++)
        fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, n, NOTHING)),
                               GST_FLOW_OK);
}

/* Frames of a live source arrive after the latency of what is upstream. They are not
 * late: the LATENCY event says so, also if it comes by `mask` only. */
SUITE_TEST(test_latency_by_mask)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    rig_add_mask(rig);
    unlink_src(rig);
    gst_harness_set_live(rig->h, TRUE);
    gst_harness_use_testclock(rig->h);
    gst_harness_query_latency(rig->mask);
    fail_unless(gst_harness_push_upstream_event(
        rig->mask, gst_event_new_latency(2 * GST_SECOND + RIG_FRAME)));
    for (guint n = 0; n < 10; n++) {
        fail_unless(gst_harness_set_time(rig->h, 2 * GST_SECOND + n * RIG_FRAME));
        push_masks(rig, n, n + 1);
    }
    fail_unless_equals_uint64(rig_stat(rig, "reused-late"), 0);
    fail_unless_equals_int(scripted_get().runs, 10);
    rig_free(rig);
}
GST_END_TEST;

/* Without `src`, the sink of the masks is the one that knows which frames are late. */
SUITE_TEST(test_qos_by_mask)
{
    static const gchar *const policies[] = {"reuse", "drop"};
    static const gchar *const counts[] = {"reused-late", "dropped-late"};

    for (guint i = 0; i < G_N_ELEMENTS(policies); i++) {
        Rig *rig = rig_new(rig_element("late-policy", policies[i], NULL));
        guint before;

        rig_add_mask(rig);
        unlink_src(rig);
        push_masks(rig, 0, 1);
        before = gst_harness_upstream_events_received(rig->h);
        gst_harness_push_upstream_event(
            rig->mask, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 0, 3 * RIG_FRAME));
        fail_unless_equals_int(gst_harness_upstream_events_received(rig->h), before);
        push_masks(rig, 1, 6);
        fail_unless(rig_stat(rig, counts[i]) >= 2);
        rig_free(rig);
    }
}
GST_END_TEST;

/* ---- a stream that is always late -------------------------------------------------- */

SUITE_TEST(test_always_late_still_advances)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    rig_run(rig, 0, 1, NOTHING);
    late_until(rig, 1000);
    rig_run(rig, 1, 91, NOTHING); /* 3 s; max-gap is half a second */
    fail_unless_equals_int(scripted_get().runs, 1 + 5);
    fail_unless_equals_uint64(rig_stat(rig, "resets"), 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_slowness_is_said_once)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstMessage *message;

    rig_run(rig, 0, 1, NOTHING);
    late_until(rig, 1000);
    rig_run(rig, 1, 100, NOTHING);
    message = rig_pop(rig, GST_MESSAGE_WARNING);
    fail_unless(message != NULL);
    gst_message_unref(message);
    fail_unless(rig_pop(rig, GST_MESSAGE_WARNING) == NULL);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_process)
{
    Rig *rig = rig_new(rig_element("late-policy", "process", NULL));

    late_until(rig, 1000);
    rig_run(rig, 0, 10, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 10);
    fail_unless_equals_uint64(rig_stat(rig, "reused-late"), 0);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_drop)
{
    Rig *rig = rig_new(rig_element("late-policy", "drop", NULL));
    GstEvent *event;
    guint gaps = 0;

    rig_add_mask(rig);
    rig_run(rig, 0, 1, NOTHING);
    late_until(rig, 3);
    for (guint n = 1; n < 6; n++)
        fail_unless_equals_int(gst_harness_push(rig->h, rig_frame(rig, n, NOTHING)),
                               GST_FLOW_OK);
    fail_unless_equals_int(gst_harness_buffers_received(rig->h), 3); /* 0, 4, 5 */
    fail_unless_equals_uint64(rig_stat(rig, "dropped-late"), 3);
    while ((event = gst_harness_try_pull_event(rig->mask)) != NULL) {
        gaps += GST_EVENT_TYPE(event) == GST_EVENT_GAP;
        gst_event_unref(event);
    }
    fail_unless_equals_int(gaps, 3);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_flush_forgets_lateness)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));

    rig_run(rig, 0, 1, NOTHING);
    late_until(rig, 1000);
    rig_run(rig, 1, 2, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 1);
    suite_flush(rig->h);
    rig_run(rig, 2, 6, NOTHING);
    fail_unless_equals_int(scripted_get().runs, 5);
    rig_free(rig);
}
GST_END_TEST;

/* ---- frames that look for objects ------------------------------------------------- */

/* A live source of 30 fps and a sink that reports, on a clock that stands still but for
 * what the network takes. */
typedef struct {
    Rig *rig;
    GstClockTime now, cost; /* of a frame that follows objects */
    guint runs;
} Machine;

/* Auto mode begins with 16 frames of one decoder. Then each 15th frame looks for objects,
 * and so does the next one if it must confirm something: here always. Such a frame may
 * take 1.8 times as long. */
static void run_network(void *user)
{
    Machine *machine = user;
    guint n = machine->runs++;

    if (n >= 16 && n % 15 < 2)
        machine->now += machine->cost * 18 / 10;
    else
        machine->now += machine->cost;
}

/* What a sink with sync=true says of a frame that has come. */
static void report(Machine *machine, GstClockTime time)
{
    GstClockTime latency = rig_stat(machine->rig, "latency-ns");
    GstClockTimeDiff diff = GST_CLOCK_DIFF(time + latency, machine->now);

    fail_unless(gst_harness_push_upstream_event(
        machine->rig->h,
        gst_event_new_qos(diff > 0 ? GST_QOS_TYPE_UNDERFLOW : GST_QOS_TYPE_OVERFLOW, 1.0,
                          MAX(diff, -(GstClockTimeDiff)time), time)));
}

/* Frames of 20 s that went on with an old mask. The warm-up runs both decoders, so that
 * it takes as long as a look for objects. */
static guint64 late_frames(GstClockTime cost)
{
    Machine machine = {.cost = cost};
    guint64 late;

    scripted_delay_us((guint)(cost * 18 / 10 / GST_USECOND));
    machine.rig = rig_new(rig_element("mode", "auto", "min-age", "0", NULL));
    scripted_delay_us(0);
    gst_harness_set_live(machine.rig->h, TRUE);
    gst_harness_use_testclock(machine.rig->h);
    gst_harness_query_latency(machine.rig->h);
    scripted_at_run(run_network, &machine);
    for (guint n = 0; n < 600; n++) {
        GstClockTime time = gst_util_uint64_scale(n, GST_SECOND, 30);

        machine.now = MAX(machine.now, time);
        fail_unless(gst_harness_set_time(machine.rig->h, machine.now));
        rig_run(machine.rig, n, n + 1, BOXES(BOX(1)));
        report(&machine, time);
    }
    late = rig_stat(machine.rig, "reused-late");
    fail_unless_equals_uint64(late + machine.runs, 600);
    rig_free(machine.rig);
    return late;
}

/* Where a source is kept up with on average, looking for objects makes no frame miss its
 * network run: the latency that is told covers the dearest frame. */
SUITE_TEST(test_discovery_is_not_late)
{
    fail_unless_equals_uint64(late_frames(18 * GST_MSECOND), 0);
    fail_unless_equals_uint64(late_frames(25 * GST_MSECOND), 0);
    fail_unless_equals_uint64(late_frames(30 * GST_MSECOND), 0);
    fail_unless(late_frames(40 * GST_MSECOND) > 0); /* one-shot would be late, too */
}
GST_END_TEST;

SUITE_MAIN("late", 0, scripted_clear, NULL)
