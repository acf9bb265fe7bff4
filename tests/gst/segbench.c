/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "segbench.h"

#include <string.h>

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
    gchar *path = rig_model(tasks);
    GstRvosModelParams params = {
        .path = path, .settings = {.engine = GST_RVOS_SEG_ENGINE_CPU, .max_batch = 1}};
    GstRvosNotices notices = G_QUEUE_INIT;
    GstRvosModel *model = gst_rvos_model_acquire(&params, &notices);

    fail_unless(model != NULL);
    g_free(path);
    return model;
}

gboolean open_bench(Bench *b, const gchar *location)
{
    GstRvosOpen open = {.model = b->model,
                        .path = "the model",
                        .settings = &b->settings,
                        .init_mask_location = location};
    GstClockTime cost;

    return gst_rvos_segmenter_open(b->segmenter, &open, &cost);
}

void set_size(Bench *b, guint width, guint height)
{
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, width, height);
    info.fps_n = 30;
    info.fps_d = 1;
    gst_rvos_segmenter_set_info(b->segmenter, &info, FALSE);
    fail_unless(gst_rvos_segmenter_prepare(b->segmenter));
}

Bench *closed_bench(gint mode)
{
    Bench *b = g_new0(Bench, 1);

    scripted_clear();
    b->settings = settings_of(mode);
    b->segmenter = gst_rvos_segmenter_new(&b->masks);
    b->model = open_model("zero-shot one-shot");
    b->earliest = GST_CLOCK_TIME_NONE;
    return b;
}

Bench *bench(gint mode, const gchar *location)
{
    Bench *b = closed_bench(mode);

    fail_unless(open_bench(b, location));
    set_size(b, RIG_WIDTH, RIG_HEIGHT);
    return b;
}

void free_bench(Bench *b)
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

gboolean try_frame(Bench *b, GstClockTime time, const RigBox *boxes)
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

void bench_frame(Bench *b, guint n, const RigBox *boxes)
{
    fail_unless(try_frame(b, n * RIG_FRAME, boxes));
}

gchar *bench_told(Bench *b)
{
    static const gchar *const changes[] = {"appeared", "lost", "recovered"};
    GstRvosNotices *notices = gst_rvos_segmenter_notices(b->segmenter);
    GString *text = g_string_new(NULL);
    GstRvosNotice *notice;

    while ((notice = g_queue_pop_head(notices)) != NULL) {
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

guint8 mask_at(Bench *b, guint x, guint y)
{
    GstVideoFrame view;
    guint8 value;

    fail_unless(gst_video_frame_map(&view, &b->masks.info, b->result.mask, GST_MAP_READ));
    value = ((const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(
        &view, 0))[(gint)y * GST_VIDEO_FRAME_PLANE_STRIDE(&view, 0) + (gint)x];
    gst_video_frame_unmap(&view);
    return value;
}

void bench_event(Bench *b, GstEvent *event)
{
    gst_rvos_segmenter_event(b->segmenter, event, &b->settings, FALSE);
    gst_event_unref(event);
}

gboolean set_mask(Bench *b, gboolean replace, const RigBox *boxes)
{
    GstSample *sample =
        rig_mask(RIG_WIDTH, RIG_HEIGHT, GST_CLOCK_TIME_NONE, replace, boxes);
    gboolean good = gst_rvos_segmenter_set_mask(b->segmenter, sample, b->settings.mode,
                                                gst_rvos_segmenter_notices(b->segmenter));

    gst_sample_unref(sample);
    return good;
}
