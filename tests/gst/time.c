/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests when to reset and when to run, as pure functions of time. */
#include "gstrvostime.h"

#include "suite.h"

#define MS GST_MSECOND
#define MAX_GAP (500 * MS)

static GstRvosTimeline at(GstClockTime last, GstClockTime length)
{
    return (GstRvosTimeline){.last = last, .length = length};
}

SUITE_TEST(test_timeline)
{
    GstRvosTimeline t = at(1000 * MS, 40 * MS);

#define EXPECT(time, reason)                                                             \
    fail_unless_equals_int(gst_rvos_timeline_check(&t, (time), MAX_GAP),                 \
                           GST_RVOS_RESET_##reason)
    EXPECT(1040 * MS, NONE);
    EXPECT(1540 * MS, NONE); /* exactly max-gap is missing */
    EXPECT(1541 * MS, GAP);
    EXPECT(1000 * MS, NONE); /* the same frame again */
    EXPECT(960 * MS, NONE);  /* one frame back */
    EXPECT(959 * MS, BACKWARD);
    EXPECT(100 * MS, BACKWARD);
    EXPECT(GST_CLOCK_TIME_NONE, NONE);
    t.new_segment = TRUE;
    EXPECT(1541 * MS, SEGMENT);
    EXPECT(100 * MS, SEGMENT);
    EXPECT(1540 * MS, NONE);
    t = at(1000 * MS, 40 * MS);
    t.backward = TRUE;
    EXPECT(960 * MS, NONE);
    EXPECT(1041 * MS, BACKWARD);
    EXPECT(400 * MS, GAP);
    gst_rvos_timeline_clear(&t);
    EXPECT(9000 * MS, NONE);
#undef EXPECT
}
GST_END_TEST;

/* Times at the limits of 64 bits. */
SUITE_TEST(test_timeline_extremes)
{
    static const GstClockTime far[] = {G_MAXINT64, (GstClockTime)G_MAXINT64 + 1,
                                       (GstClockTime)G_MAXINT64 + 2, GST_RVOS_TIME_MAX};
    static const GstClockTime lengths[] = {0, 40 * MS, G_MAXINT64, GST_RVOS_TIME_MAX};

    for (guint i = 0; i < G_N_ELEMENTS(far); i++) {
        GstRvosTimeline t = at(0, 40 * MS);

        fail_unless_equals_int(gst_rvos_timeline_check(&t, far[i], MAX_GAP),
                               GST_RVOS_RESET_GAP);
        t.backward = TRUE;
        fail_unless_equals_int(gst_rvos_timeline_check(&t, far[i], MAX_GAP),
                               GST_RVOS_RESET_BACKWARD);
        t.last = far[i];
        fail_unless_equals_int(gst_rvos_timeline_check(&t, 0, MAX_GAP),
                               GST_RVOS_RESET_GAP);
        t.backward = FALSE;
        fail_unless_equals_int(gst_rvos_timeline_check(&t, 0, MAX_GAP),
                               GST_RVOS_RESET_BACKWARD);
    }
    /* A frame so long that no time is missing after it. */
    for (guint i = 2; i < G_N_ELEMENTS(lengths); i++) {
        GstRvosTimeline t = at(0, lengths[i]);

        fail_unless_equals_int(gst_rvos_timeline_check(&t, G_MAXINT64, MAX_GAP),
                               GST_RVOS_RESET_NONE);
    }
}
GST_END_TEST;

SUITE_TEST(test_arithmetic)
{
    const GstClockTime max = GST_RVOS_TIME_MAX;

    fail_unless_equals_uint64(gst_rvos_time_add(3, 4), 7);
    fail_unless_equals_uint64(gst_rvos_time_add(max - 4, 3), max - 1);
    fail_unless_equals_uint64(gst_rvos_time_add(max - 4, 4), max);
    fail_unless_equals_uint64(gst_rvos_time_add(max - 4, 5), max);
    fail_unless_equals_uint64(gst_rvos_time_add(0, G_MAXUINT64), max);
    fail_unless_equals_uint64(gst_rvos_time_add(G_MAXUINT64, G_MAXUINT64), max);
    fail_unless_equals_uint64(gst_rvos_time_subtract(7, 4), 3);
    fail_unless_equals_uint64(gst_rvos_time_subtract(4, 7), 0);
    fail_unless_equals_uint64(gst_rvos_time_shift(7, -4), 3);
    fail_unless_equals_uint64(gst_rvos_time_shift(7, 4), 11);
    fail_unless_equals_uint64(gst_rvos_time_shift(7, -8), 0);
    fail_unless_equals_uint64(gst_rvos_time_shift(0, G_MININT64), 0);
    fail_unless_equals_uint64(gst_rvos_time_shift(max, G_MININT64),
                              max - ((GstClockTime)G_MAXINT64 + 1));
    fail_unless_equals_uint64(gst_rvos_time_shift(max, G_MAXINT64), max);
    fail_unless_equals_uint64(gst_rvos_time_shift(1, G_MAXINT64),
                              (GstClockTime)G_MAXINT64 + 1);
    fail_unless_equals_uint64(gst_rvos_time_distance(max, 0), max);
    fail_unless_equals_uint64(gst_rvos_time_distance(0, max), max);
    fail_unless_equals_uint64(gst_rvos_time_distance(5, 5), 0);
    fail_unless_equals_int64(gst_rvos_time_difference(5, 9), 4);
    fail_unless_equals_int64(gst_rvos_time_difference(9, 5), -4);
    fail_unless_equals_int64(gst_rvos_time_difference(0, max), G_MAXINT64);
    fail_unless_equals_int64(gst_rvos_time_difference(max, 0), -G_MAXINT64);
}
GST_END_TEST;

/* Times at the end of the range: the pace still decides. */
SUITE_TEST(test_pace_extremes)
{
    const GstRvosSettings slow = {
        .inference_interval = 1, .rate_n = 1, .rate_d = G_MAXINT, .max_gap = G_MAXUINT64};
    const GstRvosSettings late = {.inference_interval = G_MAXUINT,
                                  .max_gap = G_MAXUINT64,
                                  .late_policy = GST_RVOS_SEG_LATE_POLICY_REUSE};
    GstRvosPace pace;

    gst_rvos_pace_clear(&pace);
    for (guint i = 0; i < 3; i++)
        gst_rvos_pace_ran(&pace, &slow, GST_RVOS_TIME_MAX - i, GST_RVOS_TIME_MAX);
    fail_unless_equals_uint64(pace.due, GST_RVOS_TIME_MAX);
    fail_unless_equals_int(
        gst_rvos_pace_decide(&pace, &slow, GST_RVOS_TIME_MAX - 1, 0, FALSE),
        GST_RVOS_PACE_HOLD);
    gst_rvos_pace_clear(&pace);
    pace.held = G_MAXUINT - 1;
    pace.last_run = 5;
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &late, 0, GST_RVOS_TIME_MAX, TRUE),
                           GST_RVOS_PACE_LATE);
}
GST_END_TEST;

SUITE_TEST(test_timeline_advance)
{
    GstRvosTimeline t = {0};

    gst_rvos_timeline_clear(&t);
    t.new_segment = TRUE;
    gst_rvos_timeline_advance(&t, 100 * MS, GST_CLOCK_TIME_NONE);
    fail_if(t.new_segment);
    fail_unless_equals_uint64(t.length, 0);
    /* Without a duration the step is the length. */
    gst_rvos_timeline_advance(&t, 133 * MS, GST_CLOCK_TIME_NONE);
    fail_unless_equals_uint64(t.length, 33 * MS);
    gst_rvos_timeline_advance(&t, GST_CLOCK_TIME_NONE, 5 * MS);
    fail_unless_equals_uint64(t.last, 133 * MS);
    /* With max-gap 0, rounded time stamps are not a jump. */
    fail_unless_equals_int(gst_rvos_timeline_check(&t, 133 * MS + 33 * MS + 7, 0),
                           GST_RVOS_RESET_NONE);
    fail_unless_equals_int(gst_rvos_timeline_check(&t, 133 * MS + 66 * MS, 0),
                           GST_RVOS_RESET_GAP);
}
GST_END_TEST;

static guint runs_in(guint frames, const GstRvosSettings *rules)
{
    GstRvosPace pace;
    guint runs = 0;

    gst_rvos_pace_clear(&pace);
    for (guint i = 0; i < frames; i++) {
        GstClockTime time = gst_util_uint64_scale(i, GST_SECOND, 30);

        if (gst_rvos_pace_decide(&pace, rules, time, time, FALSE) == GST_RVOS_PACE_RUN ||
            i == 0) {
            gst_rvos_pace_ran(&pace, rules, time, time);
            runs++;
        } else {
            gst_rvos_pace_held(&pace);
        }
    }
    return runs;
}

SUITE_TEST(test_pace)
{
    GstRvosSettings rules = {.inference_interval = 1, .rate_d = 1, .max_gap = MAX_GAP};

    fail_unless_equals_int(runs_in(300, &rules), 300);
    rules.inference_interval = 3;
    fail_unless_equals_int(runs_in(300, &rules), 100);
    rules.inference_interval = 1;
    rules.rate_n = 7;
    rules.rate_d = 2;
    fail_unless_equals_int(runs_in(300, &rules), 35); /* 10 s at 3.5 a second */
    rules.rate_n = 60;
    rules.rate_d = 1;
    fail_unless_equals_int(runs_in(300, &rules), 300);
    rules.inference_interval = 20;
    rules.rate_n = 10;
    fail_unless_equals_int(runs_in(300, &rules), 15); /* both must allow it */
}
GST_END_TEST;

SUITE_TEST(test_late)
{
    GstRvosSettings rules = {.inference_interval = 1,
                             .rate_d = 1,
                             .max_gap = MAX_GAP,
                             .late_policy = GST_RVOS_SEG_LATE_POLICY_REUSE};
    GstRvosPace pace;

    gst_rvos_pace_clear(&pace);
    /* Nothing has run yet: nothing to repeat. */
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 0, 0, TRUE),
                           GST_RVOS_PACE_RUN);
    gst_rvos_pace_ran(&pace, &rules, 0, 0);
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 40 * MS, 40 * MS, TRUE),
                           GST_RVOS_PACE_LATE);
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 40 * MS, 40 * MS, FALSE),
                           GST_RVOS_PACE_RUN);
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 500 * MS, 500 * MS, TRUE),
                           GST_RVOS_PACE_LATE);
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 501 * MS, 501 * MS, TRUE),
                           GST_RVOS_PACE_RUN);
    rules.late_policy = GST_RVOS_SEG_LATE_POLICY_PROCESS;
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 40 * MS, 40 * MS, TRUE),
                           GST_RVOS_PACE_RUN);
}
GST_END_TEST;

SUITE_TEST(test_rate_after_a_step_back)
{
    GstRvosSettings rules = {.inference_interval = 1, .rate_n = 1, .rate_d = 1};
    GstRvosPace pace;

    gst_rvos_pace_clear(&pace);
    gst_rvos_pace_ran(&pace, &rules, 100 * GST_SECOND, 0);
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 99900 * MS, 1, FALSE),
                           GST_RVOS_PACE_HOLD);
    fail_unless_equals_int(gst_rvos_pace_decide(&pace, &rules, 5 * GST_SECOND, 1, FALSE),
                           GST_RVOS_PACE_RUN);
}
GST_END_TEST;

SUITE_TEST(test_meter)
{
    GstRvosMeter meter = {0};

    for (guint i = 1; i <= 100; i++)
        gst_rvos_meter_add(&meter, i);
    fail_unless_equals_uint64(meter.p95, 95);
    fail_unless_equals_uint64(meter.max, 100);
    fail_unless_equals_uint64(meter.last, 100);
    fail_unless_equals_uint64(meter.sum, 5050);
    /* Old samples leave the ring, not the maximum. */
    for (guint i = 0; i < GST_RVOS_METER_SAMPLES; i++)
        gst_rvos_meter_add(&meter, 7);
    fail_unless_equals_uint64(meter.p95, 7);
    fail_unless_equals_uint64(meter.max, 100);
}
GST_END_TEST;

SUITE_TEST(test_latency)
{
    GstRvosLatency l;

    gst_rvos_latency_start(&l, 19 * MS + 1);
    fail_unless_equals_uint64(l.reported, 20 * MS);
    fail_if(gst_rvos_latency_update(&l, 25 * MS)); /* exactly 25 % */
    fail_unless(gst_rvos_latency_update(&l, 25 * MS + 1));
    fail_unless_equals_uint64(l.reported, 26 * MS);
    fail_unless(gst_rvos_latency_update(&l, 80 * MS));
    /* Lower again: only after 100 in a row, and never below the warm-up. */
    for (guint i = 0; i < 99; i++)
        fail_if(gst_rvos_latency_update(&l, 5 * MS));
    fail_if(gst_rvos_latency_update(&l, 70 * MS));
    for (guint i = 0; i < 99; i++)
        fail_if(gst_rvos_latency_update(&l, 5 * MS));
    fail_unless(gst_rvos_latency_update(&l, 5 * MS));
    fail_unless_equals_uint64(l.reported, 20 * MS);
}
GST_END_TEST;

SUITE_MAIN("time", 0, NULL, NULL)
