/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvostime.h - when to reset, when to run, and how long it takes.
 *
 * Sums and differences of times that never overflow, and three little machines without
 * GStreamer objects, pixels or locks; the streaming thread owns them.
 */
#ifndef GST_RVOS_TIME_H
#define GST_RVOS_TIME_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* ---- arithmetic -------------------------------------------------------------------- */

/* Times of events, queries, segments and properties can be any 64 bits. Nothing else may
 * add or subtract them. Results stop at 0 and at GST_RVOS_TIME_MAX. Whether a time is
 * GST_CLOCK_TIME_NONE is the caller's question: here that is a large number. */
#define GST_RVOS_TIME_MAX (GST_CLOCK_TIME_NONE - 1)

GstClockTime gst_rvos_time_add(GstClockTime a, GstClockTime b);
/* 0 if b is later than a. */
GstClockTime gst_rvos_time_subtract(GstClockTime a, GstClockTime b);
GstClockTime gst_rvos_time_shift(GstClockTime time, GstClockTimeDiff by);
GstClockTime gst_rvos_time_distance(GstClockTime a, GstClockTime b);
/* to - from, between -G_MAXINT64 and G_MAXINT64: it can be negated. */
GstClockTimeDiff gst_rvos_time_difference(GstClockTime from, GstClockTime to);

/* When a frame is; each may be NONE. */
typedef struct {
    GstClockTime timestamp, stream_time, running_time, duration;
} GstRvosTimes;

/* ---- resets (docs/element.md, "When the objects are forgotten") ------------------- */

/* Why the recurrent state was cleared. */
typedef enum {
    GST_RVOS_RESET_NONE,
    GST_RVOS_RESET_START,
    GST_RVOS_RESET_FLUSH,
    GST_RVOS_RESET_STREAM_START,
    GST_RVOS_RESET_CAPS,
    GST_RVOS_RESET_SEGMENT,
    GST_RVOS_RESET_GAP,
    GST_RVOS_RESET_BACKWARD,
    GST_RVOS_RESET_SCENE_CUT,
    GST_RVOS_RESET_KEY_UNIT,
    GST_RVOS_RESET_REQUEST,
    GST_RVOS_RESET_NEW_MASK,
} GstRvosReset;

const gchar *gst_rvos_reset_name(GstRvosReset reason);

/* Where in the stream the state is. */
typedef struct {
    GstClockTime last;    /* stream time of the last frame; NONE: none since a reset */
    GstClockTime length;  /* of that frame; 0: unknown */
    gboolean new_segment; /* one has begun since */
    gboolean backward;    /* it plays backward */
} GstRvosTimeline;

void gst_rvos_timeline_clear(GstRvosTimeline *timeline);

/* Whether a frame at this stream time goes on with the state, and why not. */
GstRvosReset gst_rvos_timeline_check(const GstRvosTimeline *timeline, GstClockTime time,
                                     GstClockTime max_gap);

/* The state has seen a frame, be it segmented or not. */
void gst_rvos_timeline_advance(GstRvosTimeline *timeline, GstClockTime time,
                               GstClockTime length);

/* ---- which frames are segmented: section 9 --------------------------------------- */

typedef enum {
    GST_RVOS_PACE_RUN,
    GST_RVOS_PACE_HOLD, /* by interval or rate */
    GST_RVOS_PACE_LATE,
} GstRvosPaceVerdict;

typedef struct {
    guint held;            /* frames since the last run */
    GstClockTime due;      /* stream time from which the rate allows a run; NONE: any */
    GstClockTime last_run; /* running time; NONE: none since the reset */
} GstRvosPace;

typedef struct {
    guint interval;
    gint rate_n, rate_d; /* rate_n 0: no limit */
    GstClockTime max_gap;
    gboolean reuse_late;
} GstRvosPaceRules;

void gst_rvos_pace_clear(GstRvosPace *pace);

/* `late`: the frame misses its time anyway. */
GstRvosPaceVerdict gst_rvos_pace_decide(const GstRvosPace *pace,
                                        const GstRvosPaceRules *rules,
                                        GstClockTime stream_time,
                                        GstClockTime running_time, gboolean late);
void gst_rvos_pace_ran(GstRvosPace *pace, const GstRvosPaceRules *rules,
                       GstClockTime stream_time, GstClockTime running_time);
void gst_rvos_pace_held(GstRvosPace *pace);

/* ---- how long a frame takes ------------------------------------------------------ */

#define GST_RVOS_METER_SAMPLES 128

typedef struct {
    GstClockTime sample[GST_RVOS_METER_SAMPLES]; /* a ring of the last ones */
    guint64 count;
    GstClockTime last, sum, max, p95;
} GstRvosMeter;

void gst_rvos_meter_clear(GstRvosMeter *meter);
void gst_rvos_meter_add(GstRvosMeter *meter, GstClockTime duration);

/* The latency told to the pipeline. It follows the meter with some reluctance, as each
 * change makes the whole pipeline ask again. */
typedef struct {
    GstClockTime floor; /* the warm-up's time, in whole ms */
    GstClockTime reported;
    guint below; /* measurements in a row that are well below it */
} GstRvosLatency;

void gst_rvos_latency_start(GstRvosLatency *latency, GstClockTime warm_up);

/* TRUE: `reported` has changed. */
gboolean gst_rvos_latency_update(GstRvosLatency *latency, GstClockTime p95);

G_END_DECLS
#endif
