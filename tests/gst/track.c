/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Objects and their ids over frames. */
#include "gstrvostrack.h"

#include <gst/check/gstcheck.h>

GST_DEBUG_CATEGORY(gst_rvos_seg_debug);
GST_DEBUG_CATEGORY(gst_rvos_engine_debug);

#define SLOTS 3

/* One segmented frame in which the slots with a bit in `present` are there. */
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

GST_START_TEST(test_min_age)
{
    GstRvosTracker t;

    gst_rvos_tracker_init(&t);
    gst_rvos_tracker_reset(&t, SLOTS);
    fail_unless_equals_int(gst_rvos_tracker_hidden(&t, 3), 7);
    fail_unless_equals_int(gst_rvos_tracker_hidden(&t, 1), 0);
    fail_unless_equals_int(gst_rvos_tracker_hidden(&t, 0), 0);
    step(&t, 1, 3, 5);
    expect(&t, 0, 0, 0);
    step(&t, 1, 3, 5);
    expect(&t, 0, 0, 0);
    fail_if(gst_rvos_track_visible(&t.track[0]));
    /* The third frame shows it, and that is known before the frame is segmented. */
    fail_unless_equals_int(gst_rvos_tracker_hidden(&t, 3), 6);
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

GST_START_TEST(test_lost_and_recovered)
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
    step(&t, 2, 9, 2); /* at once: it is no stranger */
    expect(&t, 1, GST_RVOS_TRACK_RECOVERED, 2);
    fail_unless_equals_uint64(t.track[1].object.tracking_id, id);
    fail_unless_equals_int(gst_rvos_tracker_hidden(&t, 9), 5);
}
GST_END_TEST;

GST_START_TEST(test_ids_are_never_used_twice)
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
    /* Dropping what was never shown says nothing. */
    t.n_events = 0;
    gst_rvos_tracker_drop(&t, 3);
    expect(&t, 0, 0, 0);
}
GST_END_TEST;

GST_START_TEST(test_many_drops)
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

static Suite *track_suite(void)
{
    Suite *s = suite_create("track");
    TCase *tc = tcase_create("general");

    suite_add_tcase(s, tc);
    tcase_add_test(tc, test_min_age);
    tcase_add_test(tc, test_lost_and_recovered);
    tcase_add_test(tc, test_ids_are_never_used_twice);
    tcase_add_test(tc, test_many_drops);
    return s;
}

GST_CHECK_MAIN(track)
