/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the LATENCY query on both pads, and the messages that ask for a new query. */
#include "rig.h"

#define MS GST_MSECOND

static void ask(GstHarness *h, gboolean *live, GstClockTime *min, GstClockTime *max)
{
    GstQuery *query = gst_query_new_latency();

    fail_unless(gst_pad_peer_query(h->sinkpad, query));
    gst_query_parse_latency(query, live, min, max);
    gst_query_unref(query);
}

static GstClockTime min_of(GstHarness *h)
{
    GstClockTime min, max;
    gboolean live;

    ask(h, &live, &min, &max);
    return min;
}

SUITE_TEST(test_both_pads)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstClockTime min, max, ours = rig_stat(rig, "latency-ns");
    gboolean live;

    rig_add_mask(rig);
    gst_harness_set_upstream_latency(rig->h, 40 * MS);
    for (guint i = 0; i < 2; i++) {
        GstHarness *h = i == 0 ? rig->h : rig->mask;

        gst_harness_set_live(rig->h, TRUE);
        ask(h, &live, &min, &max);
        fail_unless(live);
        fail_unless_equals_uint64(min, 40 * MS + ours);
        gst_harness_set_live(rig->h, FALSE);
        ask(h, &live, &min, &max);
        fail_if(live);
        fail_unless_equals_uint64(min, 40 * MS + ours);
    }
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_maximum)
{
    Rig *rig = rig_new(rig_element("latency", "5000000", NULL));
    GstQuery *query = gst_query_new_latency();
    GstClockTime min, max;

    /* The harness says "no maximum", which stays. */
    fail_unless(gst_pad_peer_query(rig->h->sinkpad, query));
    gst_query_parse_latency(query, NULL, &min, &max);
    fail_unless_equals_uint64(min, 5 * MS);
    fail_unless_equals_uint64(max, GST_CLOCK_TIME_NONE);
    gst_query_unref(query);
    rig_free(rig);
}
GST_END_TEST;

/* Latencies whose sum overflows. */
SUITE_TEST(test_extremes)
{
    Rig *rig = rig_new(rig_element("latency", "9223372036854775807", NULL));

    gst_harness_set_upstream_latency(rig->h, GST_CLOCK_TIME_NONE - 1);
    fail_unless_equals_uint64(min_of(rig->h), GST_CLOCK_TIME_NONE - 1);
    gst_harness_set_upstream_latency(rig->h, G_MAXINT64);
    fail_unless_equals_uint64(min_of(rig->h), GST_CLOCK_TIME_NONE - 1);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_property)
{
    Rig *rig = rig_new(rig_element("latency", "0", NULL));
    GstMessage *message;

    fail_unless_equals_uint64(min_of(rig->h), 0);
    g_object_set(rig->element, "latency", (gint64)7 * MS, NULL);
    message = rig_pop(rig, GST_MESSAGE_LATENCY);
    fail_unless(message != NULL);
    gst_message_unref(message);
    fail_unless_equals_uint64(min_of(rig->h), 7 * MS);
    g_object_set(rig->element, "latency", (gint64)-1, NULL);
    fail_unless_equals_uint64(min_of(rig->h), rig_stat(rig, "latency-ns"));
    rig_free(rig);
}
GST_END_TEST;

/* The warm-up gives the time of a frame before the first one. */
SUITE_TEST(test_warm_up)
{
    Rig *rig;

    scripted_delay_us(20000);
    rig = rig_new(rig_element(NULL, NULL));
    fail_unless_equals_int(scripted_get().warm_ups, 2);
    fail_unless(rig_stat(rig, "latency-ns") >= 20 * MS);
    fail_unless_equals_uint64(rig_stat(rig, "latency-ns") % MS, 0);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_slower_than_told)
{
    Rig *rig = rig_new(rig_element(NULL, NULL));
    GstClockTime slower;
    GstMessage *message;

    rig_run(rig, 0, 1, NOTHING);
    while ((message = rig_pop(rig, GST_MESSAGE_LATENCY)) != NULL)
        gst_message_unref(message);
    slower = 2 * rig_stat(rig, "latency-ns") + 20 * MS;
    scripted_delay_us((guint)(slower / GST_USECOND));
    rig_run(rig, 1, 2, NOTHING);
    message = rig_pop(rig, GST_MESSAGE_LATENCY);
    fail_unless(message != NULL);
    gst_message_unref(message);
    fail_unless(min_of(rig->h) >= slower);
    rig_free(rig);
}
GST_END_TEST;

SUITE_MAIN("latency", 0, scripted_clear, NULL)
