/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvostrack.h - tracks objects over frames.
 *
 * The network has slots. Users want objects: when an object appears, is lost and comes
 * back, and an id that is never used twice. This module has no GstElement, no pixels and
 * no locks. Only the streaming thread uses it.
 */
#ifndef GST_RVOS_TRACK_H
#define GST_RVOS_TRACK_H

#include <gst/gst.h>
#include <rvos.h>

typedef struct {
    guint slot;
    guint64 tracking_id;
    GQuark label;                       /* the detector's label; 0: none */
    rvos_object seen;                   /* the object in the last segmented frame */
    guint64 age;                        /* segmented frames since it appeared */
    GstClockTime first_seen, last_seen; /* running times */
} GstRvosObject;

typedef struct {
    GstRvosObject object;
    guint32 serial;    /* rvos_object.serial; 0: none */
    guint run;         /* consecutive segmented frames with the object */
    guint empty;       /* consecutive segmented frames without it */
    gboolean appeared; /* the object was shown and announced */
    gboolean lost;     /* the object was announced as lost */
} GstRvosTrack;

typedef enum {
    GST_RVOS_TRACK_APPEARED,
    GST_RVOS_TRACK_LOST,
    GST_RVOS_TRACK_RECOVERED,
} GstRvosTrackChange;

typedef struct {
    GstRvosTrackChange change;
    GstRvosObject object;
} GstRvosTrackEvent;

typedef struct {
    guint64 epoch;       /* part of each id; grows at each reset, never falls */
    gboolean epoch_used; /* a reset has started this epoch */
    guint n_slots;
    guint frames;         /* segmented frames since the last reset */
    guint most_frames;    /* the largest `frames` since start */
    gboolean seen, shown; /* an object was seen, was shown, in any frame since start */
    GstRvosTrack track[RVOS_MAX_OBJECTS]; /* [i] is slot i + 1 */
    guint n_events; /* changes by drops and updates; the caller that reports them sets it
                       to 0 */
    GstRvosTrackEvent event[2 * RVOS_MAX_OBJECTS];
} GstRvosTracker;

void gst_rvos_tracker_init(GstRvosTracker *tracker);

/* Called at each start: clears what is counted per stream. Keeps the epoch. */
void gst_rvos_tracker_begin(GstRvosTracker *tracker);

/* Whether objects were seen since start, but none was shown because no run of frames was
 * as long as `min_age`. */
gboolean gst_rvos_tracker_too_short(const GstRvosTracker *tracker, guint min_age);

/* Forgets all objects and starts a new epoch. */
void gst_rvos_tracker_reset(GstRvosTracker *tracker, guint n_slots);

/* Forgets one object. If it was shown, it is lost, and a new epoch starts so that the
 * next object in its slot gets another id. */
void gst_rvos_tracker_drop(GstRvosTracker *tracker, guint slot);

/* The slots, as a bit mask, that the next frame must not show: objects that would be
 * younger than `min_age` segmented frames. */
guint32 gst_rvos_tracker_unshown(const GstRvosTracker *tracker, guint min_age);

/* Sets the detector's label of the object in a slot, now or when it appears. The object
 * keeps it. */
void gst_rvos_tracker_label(GstRvosTracker *tracker, guint slot, GQuark label);

/* Processes a segmented frame; `seen` has n_slots entries. Adds changes to `event`. If a
 * slot's serial changes, the old object is lost at once. */
void gst_rvos_tracker_update(GstRvosTracker *tracker, const rvos_object *seen,
                             guint min_age, guint lost_frames, GstClockTime time);

/* Whether the object is visible in frames with the last mask. */
gboolean gst_rvos_track_visible(const GstRvosTrack *track);
/* The slots that held an object in the last frame, as a bit mask. */
guint32 gst_rvos_tracker_occupied(const GstRvosTracker *tracker);
/* The number of objects that the last update announced. */
guint gst_rvos_tracker_news(const GstRvosTracker *tracker);
guint gst_rvos_tracker_alive(const GstRvosTracker *tracker);

/* The result of one frame. Buffers are borrowed and valid until the next call of the
 * segmenter. */
typedef struct {
    GstBuffer *mask;  /* GRAY8, frame size, in system or CUDA memory */
    GstBuffer *alpha; /* the soft foreground in the same form; NULL unless output=alpha */
    guint width, height;
    guint64 epoch;
    gboolean inferred; /* the network has run on this frame */
    gboolean late;     /* the network did not run, because the frame is late */
    gboolean stale;    /* the mask was made for an earlier frame */
    guint age;         /* number of frames since then */
    guint n;
    GstRvosObject object[RVOS_MAX_OBJECTS]; /* the visible objects */
    gboolean lost[RVOS_MAX_OBJECTS];        /* whether object[i] is lost */
} GstRvosResult;

#endif
