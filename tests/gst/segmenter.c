/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the segmenter without an element. */
#include "segbench.h"

/* ---- reset ------------------------------------------------------------------------ */

static gpointer ask(gpointer segmenter)
{
    gst_rvos_segmenter_reset(segmenter, GST_RVOS_RESET_REQUEST);
    return NULL;
}

SUITE_TEST(test_reset)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    GstSegment segment;

    bench_frame(b, 0, BOXES(BOX(1)));
    assert_string(bench_told(b), "reset:start,appeared:1");
    fail_unless_equals_uint64(b->result.object[0].tracking_id, 1 << 8 | 1);
    bench_frame(b, 1, BOXES(BOX(1)));
    assert_string(bench_told(b), "");

    g_thread_join(g_thread_new("ask", ask, b->segmenter));
    bench_frame(b, 2, BOXES(BOX(1)));
    assert_string(bench_told(b), "reset:request,appeared:1");
    fail_unless_equals_uint64(b->result.object[0].tracking_id, 2 << 8 | 1);
    /* The first of several reasons stays. */
    bench_event(b, gst_event_new_flush_stop(TRUE));
    gst_rvos_segmenter_reset(b->segmenter, GST_RVOS_RESET_KEY_UNIT);
    bench_frame(b, 3, NOTHING);
    assert_string(bench_told(b), "reset:flush");

    bench_frame(b, 30, NOTHING); /* more than max-gap */
    assert_string(bench_told(b), "reset:gap");
    bench_frame(b, 26, NOTHING);
    assert_string(bench_told(b), "reset:backward");
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = -1;
    bench_event(b, gst_event_new_segment(&segment));
    bench_frame(b, 25, NOTHING);
    assert_string(bench_told(b), "reset:segment");
    bench_event(b, gst_event_new_gap(0, GST_SECOND));
    bench_frame(b, 24, NOTHING);
    assert_string(bench_told(b), "reset:gap");

    fail_unless_equals_uint64(gst_rvos_segmenter_counts(b->segmenter)->resets, 7);
    fail_unless_equals_int(scripted_get().resets, 7);
    free_bench(b);
}
GST_END_TEST;

SUITE_TEST(test_reset_by_streams)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);

    bench_event(b, gst_event_new_stream_start("a"));
    bench_frame(b, 0, NOTHING);
    assert_string(bench_told(b), "reset:start");
    bench_event(b, gst_event_new_stream_start("b"));
    bench_frame(b, 1, NOTHING);
    assert_string(bench_told(b), "reset:stream-start");
    set_size(b, RIG_WIDTH, RIG_HEIGHT); /* the same */
    bench_frame(b, 2, NOTHING);
    assert_string(bench_told(b), "");
    set_size(b, RIG_WIDTH / 2, RIG_HEIGHT);
    bench_frame(b, 3, NOTHING);
    assert_string(bench_told(b), "reset:caps");
    fail_unless_equals_int(b->result.width, RIG_WIDTH / 2);
    /* Only if the user wants it. */
    bench_event(b, gst_video_event_new_downstream_force_key_unit(0, 0, 0, TRUE, 0));
    bench_frame(b, 4, NOTHING);
    assert_string(bench_told(b), "");
    b->settings.scene_cut = GST_RVOS_SEG_SCENE_CUT_KEY_UNIT;
    bench_event(b, gst_video_event_new_downstream_force_key_unit(0, 0, 0, TRUE, 0));
    bench_frame(b, 5, NOTHING);
    assert_string(bench_told(b), "reset:key-unit");
    free_bench(b);
}
GST_END_TEST;

/* ---- pace ------------------------------------------------------------------------- */

SUITE_TEST(test_pace)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(b->segmenter);

    b->settings.inference_interval = 3;
    for (guint n = 0; n < 9; n++) {
        bench_frame(b, n, NOTHING);
        fail_unless_equals_int(b->result.inferred, n % 3 == 0);
    }
    fail_unless_equals_uint64(counts->inferred, 3);
    fail_unless_equals_uint64(counts->reused_interval, 6);

    b->settings.inference_interval = 1;
    b->settings.rate_n = 10;
    for (guint n = 9; n < 39; n++)
        bench_frame(b, n, NOTHING);
    fail_unless_equals_uint64(counts->inferred, 3 + 10);
    fail_unless_equals_int(scripted_get().runs, 13);
    free_bench(b);
}
GST_END_TEST;

SUITE_TEST(test_late)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(b->segmenter);

    b->settings.late_policy = GST_RVOS_SEG_LATE_POLICY_REUSE;
    b->earliest = 100 * RIG_FRAME;
    bench_frame(b, 0, NOTHING); /* there is no mask yet that could be used again */
    fail_unless(b->result.inferred && !b->result.late);
    bench_frame(b, 1, NOTHING);
    fail_unless(!b->result.inferred && b->result.late);
    fail_unless_equals_uint64(counts->reused_late, 1);
    /* A stream that is always late still advances once per max-gap. */
    for (guint n = 2; n < 17; n++)
        bench_frame(b, n, NOTHING);
    fail_unless_equals_uint64(counts->inferred, 2);
    b->settings.late_policy = GST_RVOS_SEG_LATE_POLICY_PROCESS;
    bench_frame(b, 17, NOTHING);
    fail_unless(b->result.inferred);
    b->settings.late_policy = GST_RVOS_SEG_LATE_POLICY_REUSE;
    b->earliest = 18 * RIG_FRAME - 1;
    bench_frame(b, 18, NOTHING); /* in time */
    fail_unless(b->result.inferred);
    free_bench(b);
}
GST_END_TEST;

/* ---- hold ------------------------------------------------------------------------- */

SUITE_TEST(test_hold)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    GstRvosTimes times = {2 * RIG_FRAME, 2 * RIG_FRAME, 2 * RIG_FRAME, RIG_FRAME};
    GstBuffer *held;

    b->settings.inference_interval = 10;
    bench_frame(b, 0, BOXES(BOX(1)));
    held = b->result.mask;
    fail_unless(!b->result.stale);
    bench_frame(b, 1, NOTHING); /* what was there stays */
    fail_unless(b->result.mask == held && b->result.stale);
    fail_unless_equals_int(b->result.age, 1);
    fail_unless_equals_int(b->result.n, 1);
    fail_unless_equals_int(mask_at(b, 4, 8), 1);
    fail_unless(gst_rvos_segmenter_read_mask(b->segmenter) == held);
    gst_rvos_segmenter_skip(b->segmenter, &times);
    bench_frame(b, 3, NOTHING);
    fail_unless_equals_int(b->result.age, 3);

    /* An alpha channel needs a mask, which does not exist yet. */
    b->settings.output = GST_RVOS_SEG_OUTPUT_ALPHA;
    fail_unless(b->result.alpha == NULL);
    bench_frame(b, 4, BOXES(BOX(2)));
    fail_unless(b->result.inferred && b->result.alpha != NULL);
    bench_frame(b, 5, NOTHING);
    fail_unless(!b->result.inferred && b->result.alpha != NULL);

    /* Frames of another size cannot show it. */
    b->settings.output = GST_RVOS_SEG_OUTPUT_OVERLAY;
    set_size(b, RIG_WIDTH, RIG_HEIGHT / 2);
    bench_frame(b, 6, NOTHING);
    fail_unless(b->result.inferred && !b->result.stale);
    fail_unless_equals_int(b->result.n, 0);
    fail_unless_equals_int(mask_at(b, 4, 8), 0);
    free_bench(b);
}
GST_END_TEST;

/* ---- seeds ------------------------------------------------------------------------ */

SUITE_TEST(test_seeds)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ONE_SHOT, NULL);

    bench_frame(b, 0, BOXES(BOX(1)));
    bench_frame(b, 1, BOXES(BOX(1)));
    assert_string(bench_told(b), "reset:start,warning"); /* once */
    fail_unless_equals_int(scripted_get().runs, 0);
    fail_unless_equals_int(mask_at(b, 4, 8), 0);

    fail_unless(set_mask(b, FALSE, BOXES(BOX(1))));
    bench_frame(b, 2, BOXES(BOX(1)));
    assert_string(bench_told(b), "appeared:1"); /* at once, whatever min-age */
    fail_unless_equals_int(scripted_get().seeded, 1);
    fail_unless_equals_int(mask_at(b, 4, 8), 1);
    fail_unless(!set_mask(b, FALSE, BOXES({9, 0, 0, 4, 4}))); /* there are 5 slots */
    assert_string(bench_told(b), "warning");

    fail_unless(set_mask(b, TRUE, BOXES(BOX(2))));
    bench_frame(b, 3, BOXES(BOX(1), BOX(2)));
    assert_string(bench_told(b), "reset:new-mask,appeared:2");
    fail_unless_equals_int(b->result.n, 1);

    fail_unless(!gst_rvos_segmenter_drop_object(b->segmenter, 0));
    fail_unless(!gst_rvos_segmenter_drop_object(b->segmenter, 6));
    fail_unless(gst_rvos_segmenter_drop_object(b->segmenter, 2));
    bench_frame(b, 4, BOXES(BOX(2)));
    assert_string(bench_told(b), "warning,lost:2"); /* nothing is followed any more */
    fail_unless_equals_int(scripted_get().drops, 1);
    free_bench(b);
}
GST_END_TEST;

/* A request before the open waits for it. */
SUITE_TEST(test_seeds_before_open)
{
    Bench *b = closed_bench(GST_RVOS_SEG_MODE_ONE_SHOT);

    fail_unless(set_mask(b, FALSE, BOXES(BOX(3))));
    fail_unless(open_bench(b, NULL));
    set_size(b, RIG_WIDTH, RIG_HEIGHT);
    bench_frame(b, 0, BOXES(BOX(3)));
    assert_string(bench_told(b), "reset:start,appeared:3");

    gst_rvos_segmenter_close(b->segmenter);
    fail_unless(set_mask(b, FALSE, BOXES(BOX(3))));
    b->settings.mode = GST_RVOS_SEG_MODE_ZERO_SHOT;
    fail_unless(!set_mask(b, FALSE, BOXES(BOX(3))));
    assert_string(bench_told(b), "warning");
    fail_unless(open_bench(b, "masks")); /* two masks that are of no use */
    assert_string(bench_told(b), "warning,warning");
    set_size(b, RIG_WIDTH, RIG_HEIGHT);
    bench_frame(b, 0, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 1);
    free_bench(b);
}
GST_END_TEST;

/* ---- late objects ------------------------------------------------------------------ */

/* A mask for a late object does not change the others. */
SUITE_TEST(test_late_object)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ONE_SHOT, NULL);

    set_mask(b, FALSE, BOXES(BOX(1)));
    bench_frame(b, 0, BOXES(BOX(1)));
    bench_frame(b, 1, BOXES(BOX(1), BOX(2)));
    assert_string(bench_told(b), "reset:start,appeared:1");
    fail_unless_equals_int(b->result.n, 1);
    set_mask(b, FALSE, BOXES(BOX(2)));
    bench_frame(b, 2, BOXES(BOX(1), BOX(2)));
    assert_string(bench_told(b), "appeared:2");
    fail_unless_equals_int(scripted_get().seeded, 1 << 1);
    fail_unless_equals_int(b->result.n, 2);
    /* Both keep their epoch, as nothing was reset. */
    fail_unless_equals_uint64(b->result.object[1].tracking_id, 1 << 8 | 2);
    free_bench(b);
}
GST_END_TEST;

SUITE_TEST(test_found_later)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(b->segmenter);

    b->settings.min_age = 3;
    bench_frame(b, 0, NOTHING);
    bench_frame(b, 1, BOXES(BOX(4)));
    bench_frame(b, 2, BOXES(BOX(4)));
    assert_string(bench_told(b), "reset:start");
    fail_unless_equals_int(mask_at(b, 16, 8), 0); /* not shown before it has this age */
    bench_frame(b, 3, BOXES(BOX(4)));
    assert_string(bench_told(b), "appeared:4");
    fail_unless_equals_int(mask_at(b, 16, 8), 4);
    fail_unless_equals_uint64(counts->objects_found, 1);
    bench_frame(b, 4, NOTHING);
    bench_frame(b, 5, NOTHING);
    assert_string(bench_told(b), "lost:4");
    fail_unless_equals_int(counts->objects_alive, 0);
    bench_frame(b, 6, BOXES(BOX(4)));
    assert_string(bench_told(b), "recovered:4");
    free_bench(b);
}
GST_END_TEST;

/* A stream in which nothing was shown says so at its end. */
SUITE_TEST(test_too_short)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);

    b->settings.min_age = 3;
    bench_frame(b, 0, BOXES(BOX(1)));
    bench_event(b, gst_event_new_eos());
    bench_event(b, gst_event_new_eos());
    assert_string(bench_told(b), "reset:start,warning");
    free_bench(b);
}
GST_END_TEST;

/* ---- what goes wrong --------------------------------------------------------------- */

SUITE_TEST(test_failures)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosNotice *notice;

    scripted_fail("rvos_stream_process", RVOS_ERR_DEVICE);
    fail_unless(!try_frame(b, 0, NOTHING));
    assert_string(bench_told(b), "reset:start,error");
    scripted_clear();
    scripted_fail("rvos_stream_prepare", RVOS_ERR_MEMORY);
    fail_unless(!gst_rvos_segmenter_prepare(b->segmenter));
    fail_unless(!gst_rvos_segmenter_prepare(b->segmenter)); /* said once */
    assert_string(bench_told(b), "error");
    gst_rvos_segmenter_close(b->segmenter);

    scripted_fail("rvos_stream_open", RVOS_ERR_MEMORY);
    fail_unless(!open_bench(b, NULL));
    notice = g_queue_peek_tail(gst_rvos_segmenter_notices(b->segmenter));
    fail_unless(g_error_matches(notice->error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NO_SPACE_LEFT));
    assert_string(bench_told(b), "error");
    fail_unless(!gst_rvos_segmenter_is_open(b->segmenter));
    free_bench(b);
}
GST_END_TEST;

/* Another model takes over: the objects are forgotten, but it is known that a mask came.
 */
SUITE_TEST(test_another_model)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ONE_SHOT, NULL);
    GstRvosOpen open = {.model = b->model, .path = "", .settings = &b->settings};
    GstClockTime cost;

    set_mask(b, FALSE, BOXES(BOX(1)));
    bench_frame(b, 0, BOXES(BOX(1)));
    assert_string(bench_told(b), "reset:start,appeared:1");
    gst_rvos_segmenter_leave(b->segmenter);
    fail_unless_equals_int(scripted_get().streams, 0);
    fail_unless(gst_rvos_segmenter_enter(b->segmenter, &open, &cost));
    bench_frame(b, 1, BOXES(BOX(1)));
    assert_string(bench_told(b), "reset:start,warning"); /* what was followed is gone */
    fail_unless_equals_int(b->result.n, 0);
    fail_unless_equals_uint64(b->result.epoch, 2);
    free_bench(b);
}
GST_END_TEST;

SUITE_MAIN("segmenter", 0, gst_rvos_debug_init, NULL)
