/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests objects and their ids over frames. */
#include "gstrvostrack.h"

#include "suite.h"

#define SLOTS 3

/* One segmented frame with the slots whose bits are in `present`. */
static void step(GstRvosTracker *t, guint present, guint min_age, guint lost_frames)
{
    rvos_object seen[SLOTS] = {0};

    for (guint i = 0; i < SLOTS; i++)
        seen[i].present = present & 1u << i;
    t->n_events = 0;
    gst_rvos_tracker_update(t, seen, min_age, lost_frames, 0);
}

static void expect(const GstRvosTracker *t, guint n, GstRvosTrackChange change,
                   guint slot)
{
    fail_unless_equals_int(t->n_events, n);
    if (n == 0)
        return;
    fail_unless_equals_int(t->event[0].change, change);
    fail_unless_equals_int(t->event[0].object.slot, slot);
}

SUITE_TEST(test_min_age)
{
    GstRvosTracker t;

    gst_rvos_tracker_init(&t);
    gst_rvos_tracker_reset(&t, SLOTS);
    fail_unless_equals_int(gst_rvos_tracker_unshown(&t, 3), 7);
    fail_unless_equals_int(gst_rvos_tracker_unshown(&t, 1), 0);
    fail_unless_equals_int(gst_rvos_tracker_unshown(&t, 0), 0);
    step(&t, 1, 3, 5);
    expect(&t, 0, 0, 0);
    step(&t, 1, 3, 5);
    expect(&t, 0, 0, 0);
    fail_if(gst_rvos_track_visible(&t.track[0]));
    /* The third frame shows it, and that is known before the frame is segmented. */
    fail_unless_equals_int(gst_rvos_tracker_unshown(&t, 3), 6);
    step(&t, 1, 3, 5);
    expect(&t, 1, GST_RVOS_TRACK_APPEARED, 1);
    fail_unless(gst_rvos_track_visible(&t.track[0]));
    fail_unless_equals_uint64(t.track[0].object.age, 0);
    step(&t, 1, 3, 5);
    fail_unless_equals_uint64(t.track[0].object.age, 1);
    /* A flicker starts the count again. */
    step(&t, 3, 3, 5);
    step(&t, 3, 3, 5);
    step(&t, 1, 3, 5);
    step(&t, 3, 3, 5);
    step(&t, 3, 3, 5);
    expect(&t, 0, 0, 0);
    step(&t, 3, 3, 5);
    expect(&t, 1, GST_RVOS_TRACK_APPEARED, 2);
}
GST_END_TEST;

SUITE_TEST(test_lost_and_recovered)
{
    GstRvosTracker t;
    guint64 id;

    gst_rvos_tracker_init(&t);
    gst_rvos_tracker_reset(&t, SLOTS);
    step(&t, 2, 0, 2);
    expect(&t, 1, GST_RVOS_TRACK_APPEARED, 2);
    id = t.track[1].object.tracking_id;
    fail_unless_equals_uint64(id, 1 << 8 | 2);
    step(&t, 0, 0, 2);
    expect(&t, 0, 0, 0);
    fail_if(gst_rvos_track_visible(&t.track[1]));
    fail_unless_equals_int(gst_rvos_tracker_alive(&t), 1);
    step(&t, 0, 0, 2);
    expect(&t, 1, GST_RVOS_TRACK_LOST, 2);
    fail_unless_equals_int(gst_rvos_tracker_alive(&t), 0);
    step(&t, 0, 0, 2);
    expect(&t, 0, 0, 0);
    step(&t, 2, 9, 2); /* at once, because it is known */
    expect(&t, 1, GST_RVOS_TRACK_RECOVERED, 2);
    fail_unless_equals_uint64(t.track[1].object.tracking_id, id);
    fail_unless_equals_int(gst_rvos_tracker_unshown(&t, 9), 5);
}
GST_END_TEST;

SUITE_TEST(test_ids_are_never_used_twice)
{
    GstRvosTracker t;
    guint64 last = 0;

    gst_rvos_tracker_init(&t);
    for (guint i = 0; i < 5; i++) {
        gst_rvos_tracker_reset(&t, SLOTS);
        step(&t, 1, 0, 1);
        fail_unless(t.track[0].object.tracking_id > last);
        last = t.track[0].object.tracking_id;
    }
    /* A dropped object is another one when its slot fills again. */
    step(&t, 3, 0, 1);
    t.n_events = 0;
    gst_rvos_tracker_drop(&t, 1);
    expect(&t, 1, GST_RVOS_TRACK_LOST, 1);
    fail_unless_equals_uint64(t.track[1].object.tracking_id >> 8, last >> 8);
    step(&t, 3, 0, 1);
    expect(&t, 1, GST_RVOS_TRACK_APPEARED, 1);
    fail_unless(t.track[0].object.tracking_id > last);
    /* Dropping an object that was never shown gives no message. */
    t.n_events = 0;
    gst_rvos_tracker_drop(&t, 3);
    expect(&t, 0, 0, 0);
}
GST_END_TEST;

/* The same slot with these serials, one frame each; 0: no object. */
static void serials(GstRvosTracker *t, guint32 serial)
{
    rvos_object seen[SLOTS] = {{.present = serial != 0, .serial = serial},
                               {.present = true, .serial = 77}};

    t->n_events = 0;
    gst_rvos_tracker_update(t, seen, 0, 5, 0);
}

SUITE_TEST(test_serials)
{
    GstRvosTracker t;
    guint64 id, other;

    gst_rvos_tracker_init(&t);
    gst_rvos_tracker_reset(&t, SLOTS);
    serials(&t, 5);
    fail_unless_equals_int(t.n_events, 2);
    fail_unless_equals_int(gst_rvos_tracker_news(&t), 2);
    fail_unless_equals_int(gst_rvos_tracker_occupied(&t), 3);
    id = t.track[0].object.tracking_id;
    other = t.track[1].object.tracking_id;
    serials(&t, 5);
    expect(&t, 0, 0, 0);
    serials(&t, 6); /* another object: the old one is lost first */
    expect(&t, 2, GST_RVOS_TRACK_LOST, 1);
    fail_unless_equals_uint64(t.event[0].object.tracking_id, id);
    fail_unless_equals_int(t.event[1].change, GST_RVOS_TRACK_APPEARED);
    fail_unless(t.event[1].object.tracking_id > id);
    fail_unless(t.event[1].object.tracking_id != other);
    fail_unless_equals_uint64(t.track[0].object.age, 0);
    fail_unless_equals_uint64(t.track[1].object.tracking_id, other);
    id = t.track[0].object.tracking_id;
    serials(&t, 0); /* freed: lost at once, without lost_frames */
    expect(&t, 1, GST_RVOS_TRACK_LOST, 1);
    fail_unless_equals_int(gst_rvos_tracker_occupied(&t), 2);
    serials(&t, 0);
    expect(&t, 0, 0, 0);
    serials(&t, 7);
    expect(&t, 1, GST_RVOS_TRACK_APPEARED, 1);
    fail_unless(t.track[0].object.tracking_id > id);
}
GST_END_TEST;

/* Pieces that are shown before the stream has made objects of them keep their ids. */
SUITE_TEST(test_serial_comes_late)
{
    GstRvosTracker t;
    rvos_object seen[SLOTS] = {{.present = true}};

    gst_rvos_tracker_init(&t);
    gst_rvos_tracker_reset(&t, SLOTS);
    gst_rvos_tracker_update(&t, seen, 0, 5, 0);
    expect(&t, 1, GST_RVOS_TRACK_APPEARED, 1);
    gst_rvos_tracker_label(&t, 1, 7);
    gst_rvos_tracker_label(&t, 1, 0); /* no name does not remove a name */
    seen[0].serial = 3;
    t.n_events = 0;
    gst_rvos_tracker_update(&t, seen, 0, 5, 0);
    expect(&t, 0, 0, 0);
    fail_unless_equals_int(t.track[0].object.label, 7);
    seen[0].serial = 4; /* another object has another name */
    gst_rvos_tracker_update(&t, seen, 0, 5, 0);
    fail_unless_equals_int(t.track[0].object.label, 0);
}
GST_END_TEST;

SUITE_TEST(test_many_drops)
{
    GstRvosTracker t;

    gst_rvos_tracker_init(&t);
    gst_rvos_tracker_reset(&t, SLOTS);
    for (guint i = 0; i < 100; i++) {
        rvos_object seen[SLOTS] = {{.present = true}};

        gst_rvos_tracker_update(&t, seen, 0, 1, 0);
        gst_rvos_tracker_drop(&t, 1);
    }
    fail_unless_equals_int(t.n_events, G_N_ELEMENTS(t.event));
}
GST_END_TEST;

SUITE_MAIN("track", 0, NULL, NULL)
