/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvostrack.h"

#define SLOT_BITS 8 /* slot bits in a tracking-id; the rest is the epoch */

void gst_rvos_tracker_init(GstRvosTracker *tracker)
{
    *tracker = (GstRvosTracker){.epoch = 1};
}

void gst_rvos_tracker_begin(GstRvosTracker *tracker)
{
    tracker->frames = tracker->most_frames = 0;
    tracker->seen = tracker->shown = FALSE;
}

gboolean gst_rvos_tracker_too_short(const GstRvosTracker *tracker, guint min_age)
{
    return tracker->seen && !tracker->shown && tracker->most_frames < min_age;
}

static void forget(GstRvosTracker *tracker, guint i)
{
    tracker->track[i] = (GstRvosTrack){.object = {.slot = i + 1}};
}

void gst_rvos_tracker_reset(GstRvosTracker *tracker, guint n_slots)
{
    if (tracker->epoch_used)
        tracker->epoch++;
    tracker->epoch_used = TRUE;
    tracker->n_slots = MIN(n_slots, RVOS_MAX_OBJECTS);
    tracker->n_events = 0;
    tracker->frames = 0;
    for (guint i = 0; i < RVOS_MAX_OBJECTS; i++)
        forget(tracker, i);
}

static void add_event(GstRvosTracker *tracker, const GstRvosTrack *track,
                      GstRvosTrackChange change)
{
    GstRvosTrackEvent *event;

    /* Applications queue drops, which may outnumber the slots. Losing a message is then
     * harmless. */
    if (tracker->n_events == G_N_ELEMENTS(tracker->event))
        return;
    event = &tracker->event[tracker->n_events++];
    event->change = change;
    event->object = track->object;
}

static void end_object(GstRvosTracker *tracker, GstRvosTrack *track)
{
    if (track->appeared && !track->lost)
        add_event(tracker, track, GST_RVOS_TRACK_LOST);
    if (track->appeared)
        tracker->epoch++;
    forget(tracker, track->object.slot - 1);
}

void gst_rvos_tracker_drop(GstRvosTracker *tracker, guint slot)
{
    end_object(tracker, &tracker->track[slot - 1]);
}

void gst_rvos_tracker_label(GstRvosTracker *tracker, guint slot, GQuark label)
{
    if (label)
        tracker->track[slot - 1].object.label = label;
}

guint32 gst_rvos_tracker_unshown(const GstRvosTracker *tracker, guint min_age)
{
    guint32 unshown = 0;

    for (guint i = 0; i < tracker->n_slots; i++) {
        const GstRvosTrack *track = &tracker->track[i];

        if (!track->appeared && track->run + 1 < min_age)
            unshown |= 1u << i;
    }
    return unshown;
}

static void update_present(GstRvosTracker *tracker, GstRvosTrack *track, guint min_age,
                           GstClockTime time)
{
    track->empty = 0;
    if (track->run < G_MAXUINT)
        track->run++;
    track->object.last_seen = time;
    if (track->lost) {
        track->lost = FALSE;
        add_event(tracker, track, GST_RVOS_TRACK_RECOVERED);
    } else if (!track->appeared && track->run >= min_age) {
        track->appeared = TRUE;
        track->object.tracking_id = tracker->epoch << SLOT_BITS | track->object.slot;
        track->object.first_seen = time;
        add_event(tracker, track, GST_RVOS_TRACK_APPEARED);
    }
}

static void update_absent(GstRvosTracker *tracker, GstRvosTrack *track, guint lost_frames)
{
    track->run = 0;
    if (track->empty < G_MAXUINT)
        track->empty++;
    if (track->appeared && !track->lost && track->empty >= lost_frames) {
        track->lost = TRUE;
        add_event(tracker, track, GST_RVOS_TRACK_LOST);
    }
}

void gst_rvos_tracker_update(GstRvosTracker *tracker, const rvos_object *seen,
                             guint min_age, guint lost_frames, GstClockTime time)
{
    tracker->frames++;
    tracker->most_frames = MAX(tracker->most_frames, tracker->frames);
    for (guint i = 0; i < tracker->n_slots; i++) {
        GstRvosTrack *track = &tracker->track[i];

        if (track->serial && track->serial != seen[i].serial)
            end_object(tracker, track);
        track->serial = seen[i].serial;
        track->object.seen = seen[i];
        if (track->appeared)
            track->object.age++;
        if (seen[i].present)
            update_present(tracker, track, min_age, time);
        else
            update_absent(tracker, track, lost_frames);
        tracker->seen |= seen[i].present;
        tracker->shown |= track->appeared;
    }
}

gboolean gst_rvos_track_visible(const GstRvosTrack *track)
{
    return track->appeared && track->object.seen.present;
}

guint32 gst_rvos_tracker_occupied(const GstRvosTracker *tracker)
{
    guint32 slots = 0;

    for (guint i = 0; i < tracker->n_slots; i++)
        if (tracker->track[i].serial || tracker->track[i].object.seen.present)
            slots |= 1u << i;
    return slots;
}

guint gst_rvos_tracker_news(const GstRvosTracker *tracker)
{
    guint n = 0;

    for (guint i = 0; i < tracker->n_events; i++)
        n += tracker->event[i].change == GST_RVOS_TRACK_APPEARED;
    return n;
}

guint gst_rvos_tracker_alive(const GstRvosTracker *tracker)
{
    guint n = 0;

    for (guint i = 0; i < tracker->n_slots; i++)
        n += tracker->track[i].appeared && !tracker->track[i].lost;
    return n;
}
