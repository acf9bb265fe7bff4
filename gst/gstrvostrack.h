/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvostrack.h - which objects there are, over frames.
 *
 * The network knows slots. Users want objects: when one appears, is lost, comes
 * back, and an id that is never used twice. Pure book-keeping: no GstElement, no
 * pixels, no locks; the streaming thread owns it.
 */
#ifndef GST_RVOS_TRACK_H
#define GST_RVOS_TRACK_H

#include <gst/gst.h>
#include <rvos.h>

G_BEGIN_DECLS

typedef struct {
    guint slot;
    guint64 tracking_id;
    GQuark label;                       /* of the detector; 0: none */
    rvos_object seen;                   /* in the last segmented frame */
    guint64 age;                        /* segmented frames since it appeared */
    GstClockTime first_seen, last_seen; /* running times */
} GstRvosObject;

typedef struct {
    GstRvosObject object;
    guint32 serial;    /* rvos_object.serial; 0: the stream has none, or not yet */
    guint run;         /* segmented frames in a row that it is there; capped */
    guint empty;       /* ... that it is not */
    gboolean appeared; /* it was shown and announced */
    gboolean lost;     /* it was, and has been announced as lost */
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
    guint64 epoch;       /* part of each id; grows at each reset, never goes back */
    gboolean epoch_used; /* a reset has opened this epoch */
    guint n_slots;
    guint frames, most;   /* segmented since the last reset; the most of all resets */
    gboolean seen, shown; /* any object, in any frame since the start */
    GstRvosTrack track[RVOS_MAX_OBJECTS]; /* of slot i + 1 */
    guint n_events; /* what drops and updates changed; whoever reports it clears it */
    GstRvosTrackEvent event[2 * RVOS_MAX_OBJECTS];
} GstRvosTracker;

void gst_rvos_tracker_init(GstRvosTracker *tracker);

/* At each start: what is known of whole streams. The epoch stays. */
void gst_rvos_tracker_begin(GstRvosTracker *tracker);

/* Objects were seen since the start, but none was ever shown, since no run of frames was
 * as long as `min_age`. */
gboolean gst_rvos_tracker_too_short(const GstRvosTracker *tracker, guint min_age);

/* Forgets all objects and opens a new epoch. */
void gst_rvos_tracker_reset(GstRvosTracker *tracker, guint n_slots);

/* Forgets one object. If it had been shown, it is lost, and the next object in its
 * slot gets another id: hence a new epoch. */
void gst_rvos_tracker_drop(GstRvosTracker *tracker, guint slot);

/* The slots that the coming frame must not show, as a bit mask: objects younger than
 * `min_age` segmented frames, should they be in that frame. */
guint32 gst_rvos_tracker_unshown(const GstRvosTracker *tracker, guint min_age);

/* What a detector calls the object of a slot, now or when it appears; stays with it. */
void gst_rvos_tracker_label(GstRvosTracker *tracker, guint slot, GQuark label);

/* Takes in a segmented frame: `seen` has n_slots entries. Adds to `event`. Where the
 * stream says by another serial that a slot has got another object or none, the old one
 * is lost at once. */
void gst_rvos_tracker_update(GstRvosTracker *tracker, const rvos_object *seen,
                             guint min_age, guint lost_frames, GstClockTime time);

/* It is on show in the frames that carry the last mask. */
gboolean gst_rvos_track_visible(const GstRvosTrack *track);
/* Slots that hold an object, as far as the last frame told: a bit mask. */
guint32 gst_rvos_tracker_occupied(const GstRvosTracker *tracker);
/* Objects that the last update has announced. */
guint gst_rvos_tracker_news(const GstRvosTracker *tracker);
guint gst_rvos_tracker_alive(const GstRvosTracker *tracker);

G_END_DECLS
#endif
