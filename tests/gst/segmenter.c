/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The segmenter by itself: no element, no pipeline, no bus. Frames are GRAY8, 64x48, 30 a
 * second; the scripted engine finds what is painted. */
#include "gstrvossegmenter.h"

#include <string.h>

#include "rig.h"

typedef struct {
    GstRvosMaskAlloc masks;
    GstRvosSegmenter *segmenter;
    GstRvosModel *model;
    GstRvosSettings settings;
    GstRvosResult result;
    GstClockTime earliest; /* of frames to come */
    guint8 pixels[RIG_WIDTH * RIG_HEIGHT];
} Bench;

/* ---- a video ---------------------------------------------------------------------- */

static GstRvosSettings settings_of(gint mode)
{
    return (GstRvosSettings){
        .mode = mode,
        .objects = 5,
        .enabled = TRUE,
        .threshold = 0.5,
        .lost_frames = 2,
        .inference_interval = 1,
        .rate_d = 1,
        .max_gap = 500 * GST_MSECOND,
    };
}

static GstRvosModel *open_model(const gchar *tasks)
{
    gchar *path = rig_model(tasks), *fallback;
    GstRvosModelParams params = {
        .path = path, .engine = GST_RVOS_SEG_ENGINE_CPU, .max_batch = 1};
    GstRvosFailure failure = {0};
    GstRvosModel *model = gst_rvos_model_acquire(&params, &fallback, &failure);

    fail_unless(model != NULL);
    g_free(path);
    return model;
}

static gboolean open_bench(Bench *b, const gchar *location, GstRvosFailure *failure)
{
    GstRvosOpen open = {.model = b->model,
                        .path = "the model",
                        .settings = &b->settings,
                        .init_mask_location = location};
    GstClockTime cost;

    return gst_rvos_segmenter_open(b->segmenter, &open, &cost, failure);
}

static void set_size(Bench *b, guint width, guint height)
{
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, width, height);
    info.fps_n = 30;
    info.fps_d = 1;
    gst_rvos_segmenter_set_info(b->segmenter, &info, FALSE);
    fail_unless(gst_rvos_segmenter_prepare(b->segmenter));
}

static Bench *closed_bench(gint mode)
{
    Bench *b = g_new0(Bench, 1);

    scripted_clear();
    b->settings = settings_of(mode);
    b->segmenter = gst_rvos_segmenter_new(&b->masks);
    b->model = open_model("zero-shot one-shot");
    b->earliest = GST_CLOCK_TIME_NONE;
    return b;
}

static Bench *bench(gint mode, const gchar *location)
{
    Bench *b = closed_bench(mode);
    GstRvosFailure failure = {0};

    fail_unless(open_bench(b, location, &failure));
    set_size(b, RIG_WIDTH, RIG_HEIGHT);
    return b;
}

static void free_bench(Bench *b)
{
    gst_rvos_segmenter_free(b->segmenter);
    gst_rvos_mask_alloc_clear(&b->masks);
    gst_rvos_model_release(b->model);
    g_free(b);
    fail_unless_equals_int(scripted_get().streams, 0);
    fail_unless_equals_int(scripted_get().models, 0);
}

static void paint(Bench *b, const RigBox *boxes)
{
    memset(b->pixels, RIG_BACKGROUND, sizeof(b->pixels));
    for (const RigBox *box = boxes; box->slot; box++)
        for (guint y = box->y; y < box->y + box->height; y++)
            memset(b->pixels + y * RIG_WIDTH + box->x, (gint)box->slot, box->width);
}

static gboolean try_frame(Bench *b, GstClockTime time, const RigBox *boxes)
{
    rvos_image image = {
        .format = RVOS_GRAY8,
        .width = GST_VIDEO_INFO_WIDTH(&b->masks.info),
        .height = GST_VIDEO_INFO_HEIGHT(&b->masks.info),
        .plane = {b->pixels},
        .stride = {RIG_WIDTH},
    };
    GstRvosInput input = {
        .image = &image,
        .times = {time, time, time, RIG_FRAME},
        .earliest = b->earliest,
    };

    paint(b, boxes);
    gst_rvos_segmenter_picture(b->segmenter, time);
    return gst_rvos_segmenter_process(b->segmenter, &input, &b->settings, &b->result);
}

/* Frame number n. */
static void frame(Bench *b, guint n, const RigBox *boxes)
{
    fail_unless(try_frame(b, n * RIG_FRAME, boxes));
}

/* What waits to be told, such as "reset:gap,appeared:1,warning"; to be freed. */
static gchar *told(Bench *b)
{
    static const gchar *const changes[] = {"appeared", "lost", "recovered"};
    GstRvosNotices *notices = gst_rvos_segmenter_notices(b->segmenter);
    GString *text = g_string_new(NULL);
    GstRvosNotice *notice;

    while ((notice = gst_rvos_notices_take(notices)) != NULL) {
        g_string_append(text, text->len ? "," : "");
        if (notice->kind == GST_RVOS_NOTICE_RESET)
            g_string_append_printf(text, "reset:%s", gst_rvos_reset_name(notice->reason));
        else if (notice->kind == GST_RVOS_NOTICE_OBJECT)
            g_string_append_printf(text, "%s:%u", changes[notice->change.change],
                                   notice->change.object.slot);
        else
            g_string_append(text,
                            notice->kind == GST_RVOS_NOTICE_ERROR ? "error" : "warning");
        gst_rvos_notice_free(notice);
    }
    return g_string_free(text, FALSE);
}

/* The value of a pixel of the result's mask. */
static guint8 mask_at(Bench *b, guint x, guint y)
{
    GstVideoFrame view;
    guint8 value;

    fail_unless(gst_video_frame_map(&view, &b->masks.info, b->result.mask, GST_MAP_READ));
    value = ((const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(
        &view, 0))[(gint)y * GST_VIDEO_FRAME_PLANE_STRIDE(&view, 0) + (gint)x];
    gst_video_frame_unmap(&view);
    return value;
}

static void send(Bench *b, GstEvent *event)
{
    gst_rvos_segmenter_event(b->segmenter, event, &b->settings, FALSE);
    gst_event_unref(event);
}

static gboolean set_mask(Bench *b, gboolean replace, const RigBox *boxes)
{
    GstSample *sample =
        rig_mask(RIG_WIDTH, RIG_HEIGHT, GST_CLOCK_TIME_NONE, replace, boxes);
    gboolean good = gst_rvos_segmenter_set_mask(b->segmenter, sample, b->settings.mode,
                                                gst_rvos_segmenter_notices(b->segmenter));

    gst_sample_unref(sample);
    return good;
}

/* ---- reset ------------------------------------------------------------------------ */

static gpointer ask(gpointer segmenter)
{
    gst_rvos_segmenter_reset(segmenter, GST_RVOS_RESET_REQUEST);
    return NULL;
}

GST_START_TEST(test_reset)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    GstSegment segment;

    frame(b, 0, BOXES(BOX(1)));
    assert_string(told(b), "reset:start,appeared:1");
    fail_unless_equals_uint64(b->result.object[0].tracking_id, 1 << 8 | 1);
    frame(b, 1, BOXES(BOX(1)));
    assert_string(told(b), "");

    g_thread_join(g_thread_new("ask", ask, b->segmenter));
    frame(b, 2, BOXES(BOX(1)));
    assert_string(told(b), "reset:request,appeared:1");
    fail_unless_equals_uint64(b->result.object[0].tracking_id, 2 << 8 | 1);
    /* Of several reasons the first one stays. */
    send(b, gst_event_new_flush_stop(TRUE));
    gst_rvos_segmenter_reset(b->segmenter, GST_RVOS_RESET_KEY_UNIT);
    frame(b, 3, NOTHING);
    assert_string(told(b), "reset:flush");

    frame(b, 30, NOTHING); /* more than max-gap */
    assert_string(told(b), "reset:gap");
    frame(b, 26, NOTHING);
    assert_string(told(b), "reset:backward");
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = -1;
    send(b, gst_event_new_segment(&segment));
    frame(b, 25, NOTHING);
    assert_string(told(b), "reset:segment");
    send(b, gst_event_new_gap(0, GST_SECOND));
    frame(b, 24, NOTHING);
    assert_string(told(b), "reset:gap");

    fail_unless_equals_uint64(gst_rvos_segmenter_counts(b->segmenter)->resets, 7);
    fail_unless_equals_int(scripted_get().resets, 7);
    free_bench(b);
}
GST_END_TEST;

GST_START_TEST(test_reset_by_streams)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);

    send(b, gst_event_new_stream_start("a"));
    frame(b, 0, NOTHING);
    assert_string(told(b), "reset:start");
    send(b, gst_event_new_stream_start("b"));
    frame(b, 1, NOTHING);
    assert_string(told(b), "reset:stream-start");
    set_size(b, RIG_WIDTH, RIG_HEIGHT); /* the same */
    frame(b, 2, NOTHING);
    assert_string(told(b), "");
    set_size(b, RIG_WIDTH / 2, RIG_HEIGHT);
    frame(b, 3, NOTHING);
    assert_string(told(b), "reset:caps");
    fail_unless_equals_int(b->result.width, RIG_WIDTH / 2);
    /* Only where the user wants it. */
    send(b, gst_video_event_new_downstream_force_key_unit(0, 0, 0, TRUE, 0));
    frame(b, 4, NOTHING);
    assert_string(told(b), "");
    b->settings.scene_cut = GST_RVOS_SEG_SCENE_CUT_KEY_UNIT;
    send(b, gst_video_event_new_downstream_force_key_unit(0, 0, 0, TRUE, 0));
    frame(b, 5, NOTHING);
    assert_string(told(b), "reset:key-unit");
    free_bench(b);
}
GST_END_TEST;

/* ---- pace ------------------------------------------------------------------------- */

GST_START_TEST(test_pace)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(b->segmenter);

    b->settings.inference_interval = 3;
    for (guint n = 0; n < 9; n++) {
        frame(b, n, NOTHING);
        fail_unless_equals_int(b->result.inferred, n % 3 == 0);
    }
    fail_unless_equals_uint64(counts->inferred, 3);
    fail_unless_equals_uint64(counts->reused_interval, 6);

    b->settings.inference_interval = 1;
    b->settings.rate_n = 10;
    for (guint n = 9; n < 39; n++)
        frame(b, n, NOTHING);
    fail_unless_equals_uint64(counts->inferred, 3 + 10);
    fail_unless_equals_int(scripted_get().runs, 13);
    free_bench(b);
}
GST_END_TEST;

GST_START_TEST(test_late)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(b->segmenter);

    b->settings.late_policy = GST_RVOS_SEG_LATE_POLICY_REUSE;
    b->earliest = 100 * RIG_FRAME;
    frame(b, 0, NOTHING); /* there is no mask yet that could be used again */
    fail_unless(b->result.inferred && !b->result.late);
    frame(b, 1, NOTHING);
    fail_unless(!b->result.inferred && b->result.late);
    fail_unless_equals_uint64(counts->reused_late, 1);
    /* A stream that is always late still advances, once in max-gap. */
    for (guint n = 2; n < 17; n++)
        frame(b, n, NOTHING);
    fail_unless_equals_uint64(counts->inferred, 2);
    b->settings.late_policy = GST_RVOS_SEG_LATE_POLICY_PROCESS;
    frame(b, 17, NOTHING);
    fail_unless(b->result.inferred);
    b->settings.late_policy = GST_RVOS_SEG_LATE_POLICY_REUSE;
    b->earliest = 18 * RIG_FRAME - 1;
    frame(b, 18, NOTHING); /* in time */
    fail_unless(b->result.inferred);
    free_bench(b);
}
GST_END_TEST;

/* ---- hold ------------------------------------------------------------------------- */

GST_START_TEST(test_hold)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    GstRvosTimes times = {2 * RIG_FRAME, 2 * RIG_FRAME, 2 * RIG_FRAME, RIG_FRAME};
    GstBuffer *held;

    b->settings.inference_interval = 10;
    frame(b, 0, BOXES(BOX(1)));
    held = b->result.mask;
    fail_unless(!b->result.stale);
    frame(b, 1, NOTHING); /* what was there stays */
    fail_unless(b->result.mask == held && b->result.stale);
    fail_unless_equals_int(b->result.age, 1);
    fail_unless_equals_int(b->result.n, 1);
    fail_unless_equals_int(mask_at(b, 4, 8), 1);
    fail_unless(gst_rvos_segmenter_read_mask(b->segmenter) == held);
    gst_rvos_segmenter_skip(b->segmenter, &times);
    frame(b, 3, NOTHING);
    fail_unless_equals_int(b->result.age, 3);

    /* An alpha channel wants a mask that was not made. */
    b->settings.output = GST_RVOS_SEG_OUTPUT_ALPHA;
    fail_unless(b->result.alpha == NULL);
    frame(b, 4, BOXES(BOX(2)));
    fail_unless(b->result.inferred && b->result.alpha != NULL);
    frame(b, 5, NOTHING);
    fail_unless(!b->result.inferred && b->result.alpha != NULL);

    /* Frames of another size cannot show it. */
    b->settings.output = GST_RVOS_SEG_OUTPUT_OVERLAY;
    set_size(b, RIG_WIDTH, RIG_HEIGHT / 2);
    frame(b, 6, NOTHING);
    fail_unless(b->result.inferred && !b->result.stale);
    fail_unless_equals_int(b->result.n, 0);
    fail_unless_equals_int(mask_at(b, 4, 8), 0);
    free_bench(b);
}
GST_END_TEST;

/* ---- seeds ------------------------------------------------------------------------ */

GST_START_TEST(test_seeds)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ONE_SHOT, NULL);

    frame(b, 0, BOXES(BOX(1)));
    frame(b, 1, BOXES(BOX(1)));
    assert_string(told(b), "reset:start,warning"); /* once */
    fail_unless_equals_int(scripted_get().runs, 0);
    fail_unless_equals_int(mask_at(b, 4, 8), 0);

    fail_unless(set_mask(b, FALSE, BOXES(BOX(1))));
    frame(b, 2, BOXES(BOX(1)));
    assert_string(told(b), "appeared:1"); /* at once, whatever min-age */
    fail_unless_equals_int(scripted_get().seeded, 1);
    fail_unless_equals_int(mask_at(b, 4, 8), 1);
    fail_unless(!set_mask(b, FALSE, BOXES({9, 0, 0, 4, 4}))); /* there are 5 slots */
    assert_string(told(b), "warning");

    fail_unless(set_mask(b, TRUE, BOXES(BOX(2))));
    frame(b, 3, BOXES(BOX(1), BOX(2)));
    assert_string(told(b), "reset:new-mask,appeared:2");
    fail_unless_equals_int(b->result.n, 1);

    fail_unless(!gst_rvos_segmenter_drop_object(b->segmenter, 0));
    fail_unless(!gst_rvos_segmenter_drop_object(b->segmenter, 6));
    fail_unless(gst_rvos_segmenter_drop_object(b->segmenter, 2));
    frame(b, 4, BOXES(BOX(2)));
    assert_string(told(b), "warning,lost:2"); /* nothing is followed any more */
    fail_unless_equals_int(scripted_get().drops, 1);
    free_bench(b);
}
GST_END_TEST;

/* What is asked for before the open waits for it. */
GST_START_TEST(test_seeds_before_open)
{
    Bench *b = closed_bench(GST_RVOS_SEG_MODE_ONE_SHOT);
    GstRvosFailure failure = {0};

    fail_unless(set_mask(b, FALSE, BOXES(BOX(3))));
    fail_unless(open_bench(b, NULL, &failure));
    set_size(b, RIG_WIDTH, RIG_HEIGHT);
    frame(b, 0, BOXES(BOX(3)));
    assert_string(told(b), "reset:start,appeared:3");

    gst_rvos_segmenter_close(b->segmenter);
    fail_unless(set_mask(b, FALSE, BOXES(BOX(3))));
    b->settings.mode = GST_RVOS_SEG_MODE_ZERO_SHOT;
    fail_unless(!set_mask(b, FALSE, BOXES(BOX(3))));
    assert_string(told(b), "warning");
    fail_unless(open_bench(b, "masks", &failure)); /* two masks that are of no use */
    assert_string(told(b), "warning,warning");
    set_size(b, RIG_WIDTH, RIG_HEIGHT);
    frame(b, 0, NOTHING);
    fail_unless_equals_int(scripted_get().seeds, 1);
    free_bench(b);
}
GST_END_TEST;

/* ---- late objects ------------------------------------------------------------------ */

/* A mask for an object that comes later leaves the others to the network. */
GST_START_TEST(test_late_object)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ONE_SHOT, NULL);

    set_mask(b, FALSE, BOXES(BOX(1)));
    frame(b, 0, BOXES(BOX(1)));
    frame(b, 1, BOXES(BOX(1), BOX(2)));
    assert_string(told(b), "reset:start,appeared:1");
    fail_unless_equals_int(b->result.n, 1);
    set_mask(b, FALSE, BOXES(BOX(2)));
    frame(b, 2, BOXES(BOX(1), BOX(2)));
    assert_string(told(b), "appeared:2");
    fail_unless_equals_int(scripted_get().seeded, 1 << 1);
    fail_unless_equals_int(b->result.n, 2);
    /* Both keep their epoch, as nothing was reset. */
    fail_unless_equals_uint64(b->result.object[1].tracking_id, 1 << 8 | 2);
    free_bench(b);
}
GST_END_TEST;

GST_START_TEST(test_found_later)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(b->segmenter);

    b->settings.min_age = 3;
    frame(b, 0, NOTHING);
    frame(b, 1, BOXES(BOX(4)));
    frame(b, 2, BOXES(BOX(4)));
    assert_string(told(b), "reset:start");
    fail_unless_equals_int(mask_at(b, 16, 8), 0); /* not shown before it has this age */
    frame(b, 3, BOXES(BOX(4)));
    assert_string(told(b), "appeared:4");
    fail_unless_equals_int(mask_at(b, 16, 8), 4);
    fail_unless_equals_uint64(counts->objects_found, 1);
    frame(b, 4, NOTHING);
    frame(b, 5, NOTHING);
    assert_string(told(b), "lost:4");
    fail_unless_equals_int(counts->objects_alive, 0);
    frame(b, 6, BOXES(BOX(4)));
    assert_string(told(b), "recovered:4");
    free_bench(b);
}
GST_END_TEST;

/* A stream in which nothing was shown says so at its end. */
GST_START_TEST(test_too_short)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);

    b->settings.min_age = 3;
    frame(b, 0, BOXES(BOX(1)));
    send(b, gst_event_new_eos());
    send(b, gst_event_new_eos());
    assert_string(told(b), "reset:start,warning");
    free_bench(b);
}
GST_END_TEST;

/* ---- what goes wrong --------------------------------------------------------------- */

GST_START_TEST(test_failures)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ZERO_SHOT, NULL);
    GstRvosFailure failure = {0};

    scripted_fail("rvos_stream_process", RVOS_ERR_DEVICE);
    fail_unless(!try_frame(b, 0, NOTHING));
    assert_string(told(b), "reset:start,error");
    scripted_clear();
    scripted_fail("rvos_stream_prepare", RVOS_ERR_MEMORY);
    fail_unless(!gst_rvos_segmenter_prepare(b->segmenter));
    fail_unless(!gst_rvos_segmenter_prepare(b->segmenter)); /* said once */
    assert_string(told(b), "error");
    gst_rvos_segmenter_close(b->segmenter);

    scripted_fail("rvos_stream_open", RVOS_ERR_MEMORY);
    fail_unless(!open_bench(b, NULL, &failure));
    fail_unless(g_error_matches(failure.error, GST_RESOURCE_ERROR,
                                GST_RESOURCE_ERROR_NO_SPACE_LEFT));
    fail_unless(!gst_rvos_segmenter_is_open(b->segmenter));
    gst_rvos_failure_clear(&failure);
    free_bench(b);
}
GST_END_TEST;

/* Another model takes over: the objects are forgotten, but not that a mask was given. */
GST_START_TEST(test_another_model)
{
    Bench *b = bench(GST_RVOS_SEG_MODE_ONE_SHOT, NULL);
    GstRvosOpen open = {.model = b->model, .path = "", .settings = &b->settings};
    GstRvosFailure failure = {0};
    GstClockTime cost;

    set_mask(b, FALSE, BOXES(BOX(1)));
    frame(b, 0, BOXES(BOX(1)));
    assert_string(told(b), "reset:start,appeared:1");
    gst_rvos_segmenter_leave(b->segmenter);
    fail_unless_equals_int(scripted_get().streams, 0);
    fail_unless(gst_rvos_segmenter_enter(b->segmenter, &open, &cost, &failure));
    frame(b, 1, BOXES(BOX(1)));
    assert_string(told(b), "reset:start,warning"); /* what was followed is gone */
    fail_unless_equals_int(b->result.n, 0);
    fail_unless_equals_uint64(b->result.epoch, 2);
    free_bench(b);
}
GST_END_TEST;

static Suite *segmenter_suite(void)
{
    Suite *s = suite_create("segmenter");
    TCase *tc = tcase_create("segmenter");

    gst_rvos_debug_init();
    suite_add_tcase(s, tc);
    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_reset_by_streams);
    tcase_add_test(tc, test_pace);
    tcase_add_test(tc, test_late);
    tcase_add_test(tc, test_hold);
    tcase_add_test(tc, test_seeds);
    tcase_add_test(tc, test_seeds_before_open);
    tcase_add_test(tc, test_late_object);
    tcase_add_test(tc, test_found_later);
    tcase_add_test(tc, test_too_short);
    tcase_add_test(tc, test_failures);
    tcase_add_test(tc, test_another_model);
    return s;
}

GST_CHECK_MAIN(segmenter);
