/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvostime.h - decides when to reset and when to run, and measures time.
 *
 * Contains arithmetic on times that never overflows, and small modules without GStreamer
 * objects, pixels or locks. Only the streaming thread uses them.
 */
#ifndef GST_RVOS_TIME_H
#define GST_RVOS_TIME_H

#include "gstrvosprops.h"

/* ---- arithmetic -------------------------------------------------------------------- */

/* Times in events, queries, segments and properties can have any 64-bit value, so all
 * code must add and subtract them with these functions. Results are clamped to 0 and
 * GST_RVOS_TIME_MAX. Callers must check for GST_CLOCK_TIME_NONE, which counts as a large
 * number here. */
#define GST_RVOS_TIME_MAX (GST_CLOCK_TIME_NONE - 1)

GstClockTime gst_rvos_time_add(GstClockTime a, GstClockTime b);
/* 0 if b is later than a. */
GstClockTime gst_rvos_time_subtract(GstClockTime a, GstClockTime b);
GstClockTime gst_rvos_time_shift(GstClockTime time, GstClockTimeDiff by);
GstClockTime gst_rvos_time_distance(GstClockTime a, GstClockTime b);
/* to - from, clamped to -G_MAXINT64 and G_MAXINT64, so that it can be negated. */
GstClockTimeDiff gst_rvos_time_difference(GstClockTime from, GstClockTime to);

/* The times of a frame; each may be NONE. */
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

/* The position of the state in the stream. */
typedef struct {
    GstClockTime last;    /* stream time of the last frame; NONE: none since a reset */
    GstClockTime length;  /* duration of that frame; 0: unknown */
    gboolean new_segment; /* a new segment has started since */
    gboolean backward;    /* the stream plays backward */
} GstRvosTimeline;

void gst_rvos_timeline_clear(GstRvosTimeline *timeline);

/* The reason why a frame at this stream time must reset the state; NONE: it continues. */
GstRvosReset gst_rvos_timeline_check(const GstRvosTimeline *timeline, GstClockTime time,
                                     GstClockTime max_gap);

/* Called for each frame, segmented or not. */
void gst_rvos_timeline_advance(GstRvosTimeline *timeline, GstClockTime time,
                               GstClockTime length);

/* ---- which frames are segmented (docs/element.md) ---------------------------------- */

typedef enum {
    GST_RVOS_PACE_RUN,
    GST_RVOS_PACE_HOLD, /* because of interval or rate */
    GST_RVOS_PACE_LATE,
} GstRvosPaceVerdict;

typedef struct {
    guint held;            /* frames since the last run */
    GstClockTime due;      /* stream time from which the rate allows a run; NONE: any */
    GstClockTime last_run; /* running time; NONE: none since the reset */
} GstRvosPace;

void gst_rvos_pace_clear(GstRvosPace *pace);

/* The settings are the rules. `late`: the frame is already too late. */
GstRvosPaceVerdict gst_rvos_pace_decide(const GstRvosPace *pace,
                                        const GstRvosSettings *rules,
                                        GstClockTime stream_time,
                                        GstClockTime running_time, gboolean late);
void gst_rvos_pace_ran(GstRvosPace *pace, const GstRvosSettings *rules,
                       GstClockTime stream_time, GstClockTime running_time);
void gst_rvos_pace_held(GstRvosPace *pace);

/* ---- how long a frame takes ------------------------------------------------------ */

#define GST_RVOS_METER_SAMPLES 128

typedef struct {
    GstClockTime sample[GST_RVOS_METER_SAMPLES]; /* ring buffer of the last times */
    guint64 count;
    GstClockTime last, sum, max, p95;
} GstRvosMeter;

void gst_rvos_meter_add(GstRvosMeter *meter, GstClockTime duration);

/* The latency reported to the pipeline. It follows the meter slowly, because each change
 * makes the whole pipeline query its latency again. */
typedef struct {
    GstClockTime floor; /* the warm-up's time, in whole ms */
    GstClockTime reported;
    guint below; /* consecutive measurements well below `reported` */
} GstRvosLatency;

void gst_rvos_latency_start(GstRvosLatency *latency, GstClockTime warm_up);

/* TRUE: `reported` has changed. */
gboolean gst_rvos_latency_update(GstRvosLatency *latency, GstClockTime p95);

#endif
