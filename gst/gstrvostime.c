/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvostime.h"

#include <stdlib.h>
#include <string.h>

/* ---- arithmetic ------------------------------------------------------------------- */

GstClockTime gst_rvos_time_add(GstClockTime a, GstClockTime b)
{
    return b < GST_RVOS_TIME_MAX && a < GST_RVOS_TIME_MAX - b ? a + b : GST_RVOS_TIME_MAX;
}

GstClockTime gst_rvos_time_subtract(GstClockTime a, GstClockTime b)
{
    return a > b ? a - b : 0;
}

GstClockTime gst_rvos_time_shift(GstClockTime time, GstClockTimeDiff by)
{
    /* Uses unsigned arithmetic, because -G_MININT64 does not fit in GstClockTimeDiff. */
    return by < 0 ? gst_rvos_time_subtract(time, 0 - (GstClockTime)by)
                  : gst_rvos_time_add(time, (GstClockTime)by);
}

GstClockTime gst_rvos_time_distance(GstClockTime a, GstClockTime b)
{
    return a > b ? a - b : b - a;
}

GstClockTimeDiff gst_rvos_time_difference(GstClockTime from, GstClockTime to)
{
    GstClockTimeDiff distance =
        (GstClockTimeDiff)MIN(gst_rvos_time_distance(from, to), (GstClockTime)G_MAXINT64);

    return to < from ? -distance : distance;
}

/* ---- resets --------------------------------------------------------------------- */

const gchar *gst_rvos_reset_name(GstRvosReset reason)
{
    static const gchar *const names[] = {
        "none", "start",    "flush",     "stream-start", "caps",    "segment",
        "gap",  "backward", "scene-cut", "key-unit",     "request", "new-mask",
    };

    return names[reason];
}

void gst_rvos_timeline_clear(GstRvosTimeline *timeline)
{
    timeline->last = GST_CLOCK_TIME_NONE;
    timeline->length = 0;
    timeline->new_segment = FALSE;
}

GstRvosReset gst_rvos_timeline_check(const GstRvosTimeline *timeline, GstClockTime time,
                                     GstClockTime max_gap)
{
    GstClockTimeDiff step, back;

    if (!GST_CLOCK_TIME_IS_VALID(timeline->last) || !GST_CLOCK_TIME_IS_VALID(time))
        return GST_RVOS_RESET_NONE;
    step = gst_rvos_time_difference(timeline->last, time);
    if (timeline->backward)
        step = -step;
    back = -step;
    if (back > 0 && (GstClockTime)back > timeline->length &&
        (GstClockTime)back <= max_gap)
        return GST_RVOS_RESET_BACKWARD;
    /* The gap is the time from the end of the last frame to this one. */
    if (step > 0)
        step -= (GstClockTimeDiff)MIN((GstClockTime)step, timeline->length);
    /* Time stamps are rounded, so half a frame is no jump even if none is allowed. */
    if ((GstClockTime)ABS(step) <= MAX(max_gap, timeline->length / 2))
        return GST_RVOS_RESET_NONE;
    if (timeline->new_segment)
        return GST_RVOS_RESET_SEGMENT;
    return step < 0 ? GST_RVOS_RESET_BACKWARD : GST_RVOS_RESET_GAP;
}

void gst_rvos_timeline_advance(GstRvosTimeline *timeline, GstClockTime time,
                               GstClockTime length)
{
    timeline->new_segment = FALSE;
    if (!GST_CLOCK_TIME_IS_VALID(time))
        return;
    if (GST_CLOCK_TIME_IS_VALID(length) && length > 0)
        timeline->length = length;
    else if (GST_CLOCK_TIME_IS_VALID(timeline->last) && time > timeline->last)
        timeline->length = time - timeline->last;
    timeline->last = time;
}

/* ---- pace ------------------------------------------------------------------------ */

void gst_rvos_pace_clear(GstRvosPace *pace)
{
    pace->held = 0;
    pace->due = GST_CLOCK_TIME_NONE;
    pace->last_run = GST_CLOCK_TIME_NONE;
}

static GstClockTime period(const GstRvosSettings *rules)
{
    return gst_util_uint64_scale(GST_SECOND, (guint64)rules->rate_d,
                                 (guint64)rules->rate_n);
}

static gboolean rate_allows(const GstRvosPace *pace, const GstRvosSettings *rules,
                            GstClockTime time)
{
    if (rules->rate_n == 0 || !GST_CLOCK_TIME_IS_VALID(pace->due) ||
        !GST_CLOCK_TIME_IS_VALID(time))
        return TRUE;
    /* A step back without a reset must not stop the network until the old time is reached
     * again. */
    return time >= pace->due || pace->due - time > 2 * period(rules);
}

GstRvosPaceVerdict gst_rvos_pace_decide(const GstRvosPace *pace,
                                        const GstRvosSettings *rules,
                                        GstClockTime stream_time,
                                        GstClockTime running_time, gboolean late)
{
    if (pace->held + 1 < rules->inference_interval ||
        !rate_allows(pace, rules, stream_time))
        return GST_RVOS_PACE_HOLD;
    if (!late || rules->late_policy != GST_RVOS_SEG_LATE_POLICY_REUSE)
        return GST_RVOS_PACE_RUN;
    /* A stream that is always late must still advance from time to time. */
    if (!GST_CLOCK_TIME_IS_VALID(running_time) ||
        !GST_CLOCK_TIME_IS_VALID(pace->last_run) ||
        running_time > gst_rvos_time_add(pace->last_run, rules->max_gap))
        return GST_RVOS_PACE_RUN;
    return GST_RVOS_PACE_LATE;
}

void gst_rvos_pace_ran(GstRvosPace *pace, const GstRvosSettings *rules,
                       GstClockTime stream_time, GstClockTime running_time)
{
    pace->held = 0;
    pace->last_run = running_time;
    if (rules->rate_n == 0 || !GST_CLOCK_TIME_IS_VALID(stream_time)) {
        pace->due = GST_CLOCK_TIME_NONE;
        return;
    }
    /* Runs follow a grid, so that the average meets the rate with any frame times. A grid
     * that is far behind starts again. */
    if (GST_CLOCK_TIME_IS_VALID(pace->due) && stream_time >= pace->due &&
        stream_time - pace->due < period(rules))
        pace->due = gst_rvos_time_add(pace->due, period(rules));
    else
        pace->due = gst_rvos_time_add(stream_time, period(rules));
}

void gst_rvos_pace_held(GstRvosPace *pace)
{
    if (pace->held < G_MAXUINT - 1)
        pace->held++;
}

/* ---- meter ----------------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
    const GstClockTime *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

void gst_rvos_meter_add(GstRvosMeter *meter, GstClockTime duration)
{
    GstClockTime sorted[GST_RVOS_METER_SAMPLES];
    guint n;

    meter->sample[meter->count++ % GST_RVOS_METER_SAMPLES] = duration;
    meter->last = duration;
    meter->sum = gst_rvos_time_add(meter->sum, duration);
    meter->max = MAX(meter->max, duration);
    n = (guint)MIN(meter->count, GST_RVOS_METER_SAMPLES);
    memcpy(sorted, meter->sample, n * sizeof(sorted[0]));
    qsort(sorted, n, sizeof(sorted[0]), compare_times);
    meter->p95 = sorted[(n * 95 - 1) / 100];
}

/* ---- latency --------------------------------------------------------------------- */

#define PATIENCE 100 /* measurements before the latency is lowered */

static GstClockTime whole_ms(GstClockTime time)
{
    return gst_rvos_time_add(time, GST_MSECOND - 1) / GST_MSECOND * GST_MSECOND;
}

void gst_rvos_latency_start(GstRvosLatency *latency, GstClockTime warm_up)
{
    latency->floor = whole_ms(warm_up);
    latency->reported = latency->floor;
    latency->below = 0;
}

gboolean gst_rvos_latency_update(GstRvosLatency *latency, GstClockTime p95)
{
    GstClockTime now = MAX(whole_ms(p95), latency->floor);

    latency->below = now * 4 < latency->reported * 3 ? latency->below + 1 : 0;
    if (now * 4 <= latency->reported * 5 && latency->below < PATIENCE)
        return FALSE;
    latency->reported = now;
    latency->below = 0;
    return TRUE;
}
