/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvossegmenter_private.h"

GstRvosNotices *gst_rvos_segmenter_notices(GstRvosSegmenter *self)
{
    return &self->notices;
}

const GstRvosCounts *gst_rvos_segmenter_counts(const GstRvosSegmenter *self)
{
    return &self->counts;
}

gboolean gst_rvos_segmenter_is_open(const GstRvosSegmenter *self)
{
    return self->stream != NULL;
}

void gst_rvos_segmenter_get_info(const GstRvosSegmenter *self, rvos_stream_info *info)
{
    rvos_stream_get_info(self->stream, info);
}

static gboolean takes_masks(gint mode)
{
    return mode != GST_RVOS_SEG_MODE_ZERO_SHOT;
}

/* Only zero-shot mode uses min-age. Given masks are certain and auto mode's objects are
 * stable, so they are shown at once. */
guint gst_rvos_segmenter_min_age(const GstRvosSegmenter *self,
                                 const GstRvosSettings *settings)
{
    return self->task == RVOS_TASK_ZERO_SHOT ? settings->min_age : 0;
}

void gst_rvos_segmenter_clear_held(GstRvosSegmenter *self)
{
    gst_clear_buffer(&self->held.labels);
    gst_clear_buffer(&self->held.alpha);
    gst_clear_buffer(&self->held.copy);
    self->held.age = 0;
}

/* ---- the stream -------------------------------------------------------------------- */

static const gchar *task_names(unsigned tasks)
{
    if ((tasks & RVOS_TASK_ZERO_SHOT) && (tasks & RVOS_TASK_ONE_SHOT))
        return "zero-shot and one-shot";
    return tasks & RVOS_TASK_ONE_SHOT ? "one-shot" : "zero-shot";
}

static void explain(const GstRvosOpen *open, int status, GstRvosNotices *notices)
{
    g_autofree gchar *words = gst_rvos_model_last_words(open->model);
    const gchar *path = open->path;
    rvos_model_info info;

    rvos_model_get_info(gst_rvos_model_model(open->model), &info);
    if (status == RVOS_ERR_WRONG_TASK)
        GST_RVOS_EXPLAIN(notices, RESOURCE, SETTINGS, words,
                         "The model \"%s\" is for %s only: set another mode or "
                         "model.",
                         path, task_names(info.tasks));
    else if (status == RVOS_ERR_MEMORY)
        GST_RVOS_EXPLAIN(notices, RESOURCE, NO_SPACE_LEFT, words,
                         "There is not enough memory to run the model \"%s\".", path);
    else if (status == RVOS_ERR_ARGUMENT)
        GST_RVOS_EXPLAIN(notices, RESOURCE, SETTINGS, words,
                         "The model \"%s\" cannot be run with these settings: %s.", path,
                         words ? words : rvos_strerror(status));
    else
        GST_RVOS_EXPLAIN(notices, LIBRARY, INIT, words,
                         "The model \"%s\" cannot be run: %s.", path,
                         rvos_strerror(status));
}

/* The first run also pays for touching memory for the first time. The second run takes as
 * long as a frame will. */
static int warm_up(rvos_stream *stream, GstClockTime *duration)
{
    GstClockTime begin;
    int status = rvos_stream_warm_up(stream);

    if (status != RVOS_OK)
        return status;
    begin = gst_util_get_timestamp();
    status = rvos_stream_warm_up(stream);
    *duration = gst_util_get_timestamp() - begin;
    return status;
}

/* In auto mode, a model with one decoder runs in that decoder's mode. */
static rvos_task task_of(const GstRvosOpen *open, GstRvosNotices *notices)
{
    rvos_model_info info;

    if (open->settings->mode == GST_RVOS_SEG_MODE_ZERO_SHOT)
        return RVOS_TASK_ZERO_SHOT;
    if (open->settings->mode == GST_RVOS_SEG_MODE_ONE_SHOT)
        return RVOS_TASK_ONE_SHOT;
    rvos_model_get_info(gst_rvos_model_model(open->model), &info);
    if (info.tasks & RVOS_TASK_AUTO)
        return RVOS_TASK_AUTO;
    GST_RVOS_WARN(notices, RESOURCE, SETTINGS,
                  "The model \"%s\" is for %s only: mode=auto works as that. Set "
                  "the mode to choose it without this warning.",
                  open->path, task_names(info.tasks));
    return info.tasks & RVOS_TASK_ONE_SHOT ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT;
}

/* Opens the stream and runs it on scratch state to measure *cost. NULL: an error was
 * added. */
static rvos_stream *open_stream(const GstRvosOpen *open, GstClockTime *cost,
                                GstRvosNotices *notices)
{
    static const rvos_variant variants[] = {
        [GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL] = RVOS_VARIANT_SPATIO_TEMPORAL,
        [GST_RVOS_SEG_VARIANT_SPATIAL] = RVOS_VARIANT_SPATIAL,
        [GST_RVOS_SEG_VARIANT_TEMPORAL] = RVOS_VARIANT_TEMPORAL,
    };
    guint interval = open->settings->discovery_interval;
    rvos_stream_params params = {
        .task = task_of(open, notices),
        .variant = variants[open->settings->variant],
        .objects = (int)open->settings->objects,
        .discovery_interval = interval > 0 ? (int)interval : -1,
    };
    rvos_stream *stream = NULL;
    int status = rvos_stream_open(&stream, gst_rvos_model_model(open->model), &params);

    if (status == RVOS_OK)
        status = warm_up(stream, cost);
    if (status == RVOS_OK)
        return stream;
    explain(open, status, notices);
    rvos_stream_close(&stream);
    return NULL;
}

/* ---- open and close --------------------------------------------------------------- */

static void clear_state(GstRvosSegmenter *self)
{
    gst_rvos_segmenter_clear_held(self);
    gst_rvos_cut_clear(&self->cut);
    gst_rvos_timeline_clear(&self->timeline);
    self->timeline.backward = FALSE;
    gst_rvos_pace_clear(&self->pace);
    self->network = (GstRvosMeter){0};
    gst_rvos_shape_clear(&self->shape);
    gst_rvos_tracker_begin(&self->tracker);
    gst_rvos_mask_files_close(&self->files);
    g_atomic_int_set(&self->waits, FALSE);
    g_clear_pointer(&self->stream_id, g_free);
    self->seeds = (GstRvosSeeds){0};
    self->info_known = FALSE;
    self->unprepared_said = self->short_said = FALSE;
}

GstRvosSegmenter *gst_rvos_segmenter_new(GstRvosMaskAlloc *masks)
{
    GstRvosSegmenter *self = g_new0(GstRvosSegmenter, 1);

    self->masks = masks;
    gst_rvos_tracker_init(&self->tracker);
    gst_rvos_requests_init(&self->requests);
    g_queue_init(&self->notices);
    clear_state(self);
    return self;
}

void gst_rvos_segmenter_free(GstRvosSegmenter *self)
{
    gst_rvos_segmenter_close(self);
    gst_rvos_requests_finalize(&self->requests);
    gst_rvos_notices_clear(&self->notices);
    g_free(self);
}

static gboolean open_seeds(GstRvosSegmenter *self, const GstRvosOpen *open)
{
    const gchar *location = open->init_mask_location;
    gboolean given = location && *location;
    guint dropped;

    if (takes_masks(open->settings->mode)) {
        self->seeds.given = given;
        if (!gst_rvos_mask_files_open(&self->files, location, open->settings->objects,
                                      &self->notices))
            return FALSE;
        g_atomic_int_set(&self->waits, gst_rvos_mask_files_wait(&self->files));
        return TRUE;
    }
    dropped = gst_rvos_requests_drop_masks(&self->requests);
    if (dropped > 0)
        GST_RVOS_WARN(
            &self->notices, LIBRARY, SETTINGS,
            "%u masks of set-mask are dropped: the mode has been changed since, and "
            "zero-shot mode takes none.",
            dropped);
    if (given)
        GST_RVOS_WARN(
            &self->notices, LIBRARY, SETTINGS,
            "init-mask-location is not used in zero-shot mode. Set mode=one-shot to "
            "follow the objects of a mask.");
    return TRUE;
}

gboolean gst_rvos_segmenter_enter(GstRvosSegmenter *self, const GstRvosOpen *open,
                                  GstClockTime *cost)
{
    rvos_device_info device;
    rvos_stream_info info;

    self->stream = open_stream(open, cost, &self->notices);
    if (!self->stream)
        return FALSE;
    self->model = open->model;
    rvos_device_get_info(gst_rvos_model_device(self->model), &device);
    rvos_stream_get_info(self->stream, &info);
    self->on_gpu = g_strcmp0(device.backend, "cuda") == 0;
    self->task = info.task;
    self->n_slots = (guint)info.objects;
    self->seeds.model = self->model;
    self->seeds.stream = self->stream;
    self->seeds.task = self->task;
    self->seeds.n_slots = self->n_slots;
    self->seeds.tracker = &self->tracker;
    self->seeds.shape = &self->shape;
    self->seeds.info = &self->info;
    self->seeds.notices = &self->notices;
    gst_rvos_requests_open(&self->requests, self->task, self->n_slots);
    g_atomic_int_set(&self->pending, GST_RVOS_RESET_START);
    return TRUE;
}

gboolean gst_rvos_segmenter_open(GstRvosSegmenter *self, const GstRvosOpen *open,
                                 GstClockTime *cost)
{
    clear_state(self);
    if (!open_seeds(self, open) || !gst_rvos_segmenter_enter(self, open, cost))
        return FALSE;
    self->counts = (GstRvosCounts){.epoch = self->tracker.epoch};
    return TRUE;
}

void gst_rvos_segmenter_leave(GstRvosSegmenter *self)
{
    gst_rvos_requests_open(&self->requests, RVOS_TASK_DEFAULT, 0);
    rvos_stream_close(&self->stream);
    self->model = NULL;
    self->task = RVOS_TASK_DEFAULT;
    gst_rvos_segmenter_clear_held(self);
}

void gst_rvos_segmenter_close(GstRvosSegmenter *self)
{
    gst_rvos_segmenter_leave(self);
    clear_state(self);
    gst_rvos_requests_clear(&self->requests);
}

/* ---- resets ----------------------------------------------------------------------- */

void gst_rvos_segmenter_reset(GstRvosSegmenter *self, GstRvosReset reason)
{
    g_atomic_int_compare_and_exchange(&self->pending, GST_RVOS_RESET_NONE, (gint)reason);
}

/* ---- caps and events ------------------------------------------------------ */

static gboolean same_stream(const GstVideoInfo *a, const GstVideoInfo *b)
{
    return a->width == b->width && a->height == b->height && a->par_n == b->par_n &&
           a->par_d == b->par_d &&
           gst_video_colorimetry_is_equal(&a->colorimetry, &b->colorimetry);
}

void gst_rvos_segmenter_set_info(GstRvosSegmenter *self, const GstVideoInfo *info,
                                 gboolean cuda)
{
    if (self->info_known && !same_stream(info, &self->info)) {
        gst_rvos_segmenter_reset(self, GST_RVOS_RESET_CAPS);
        gst_rvos_segmenter_clear_held(self);
    }
    if (cuda != self->cuda) /* the next frame makes its mask in its own memory */
        gst_rvos_segmenter_clear_held(self);
    self->info = *info;
    self->cuda = cuda;
    self->info_known = TRUE;
    gst_rvos_mask_alloc_set_info(self->masks, info);
}

gboolean gst_rvos_segmenter_prepare(GstRvosSegmenter *self)
{
    gint width = GST_VIDEO_INFO_WIDTH(&self->info);
    gint height = GST_VIDEO_INFO_HEIGHT(&self->info);
    int status = rvos_stream_prepare(self->stream, width, height);
    gboolean said = self->unprepared_said;

    self->unprepared_said = status != RVOS_OK;
    if (status == RVOS_OK)
        return TRUE;
    /* Report it once, because upstream sends refused caps repeatedly. */
    if (said)
        return FALSE;
    if (status == RVOS_ERR_MEMORY)
        return GST_RVOS_EXPLAIN(
            &self->notices, RESOURCE, NO_SPACE_LEFT, rvos_strerror(status),
            "There is not enough memory for frames of %dx%d.", width, height);
    return gst_rvos_model_explain(
        self->model, status, "Frames of this size cannot be segmented", &self->notices);
}

static void on_stream_start(GstRvosSegmenter *self, GstEvent *event)
{
    const gchar *id;
    guint group = GST_GROUP_ID_INVALID;

    gst_event_parse_stream_start(event, &id);
    gst_event_parse_group_id(event, &group);
    if (self->stream_id &&
        (g_strcmp0(self->stream_id, id) != 0 || self->group_id != group))
        gst_rvos_segmenter_reset(self, GST_RVOS_RESET_STREAM_START);
    g_free(self->stream_id);
    self->stream_id = g_strdup(id);
    self->group_id = group;
}

static void on_segment(GstRvosSegmenter *self, GstEvent *event, gboolean sought)
{
    const GstSegment *segment;

    gst_event_parse_segment(event, &segment);
    self->timeline.new_segment = TRUE;
    self->timeline.backward = segment->rate < 0;
    if (sought)
        gst_rvos_mask_files_jump(&self->files);
    if (segment->rate < 0)
        gst_rvos_segmenter_reset(self, GST_RVOS_RESET_SEGMENT);
}

static void on_gap(GstRvosSegmenter *self, GstEvent *event, GstClockTime max_gap)
{
    GstClockTime time, duration;

    gst_event_parse_gap(event, &time, &duration);
    if (GST_CLOCK_TIME_IS_VALID(duration) && duration > max_gap)
        gst_rvos_segmenter_reset(self, GST_RVOS_RESET_GAP);
}

static void on_end(GstRvosSegmenter *self, const GstRvosSettings *settings)
{
    guint age = gst_rvos_segmenter_min_age(self, settings);

    if (!self->stream)
        return;
    if (!self->short_said && gst_rvos_tracker_too_short(&self->tracker, age)) {
        self->short_said = TRUE;
        GST_RVOS_WARN(
            &self->notices, STREAM, FAILED,
            "No object was shown: a new one must be there for min-age=%u segmented "
            "frames, and there were only %u. Set min-age=0 for still pictures.",
            age, self->tracker.most_frames);
    }
    gst_rvos_mask_files_end(&self->files, &self->seeds,
                            settings->mode != GST_RVOS_SEG_MODE_AUTO);
}

void gst_rvos_segmenter_event(GstRvosSegmenter *self, GstEvent *event,
                              const GstRvosSettings *settings, gboolean sought)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        on_stream_start(self, event);
        gst_rvos_shape_event(&self->shape, event);
        break;
    case GST_EVENT_TAG:
        gst_rvos_shape_event(&self->shape, event);
        break;
    case GST_EVENT_SEGMENT:
        on_segment(self, event, sought);
        break;
    case GST_EVENT_GAP:
        on_gap(self, event, settings->max_gap);
        break;
    case GST_EVENT_FLUSH_STOP:
        gst_rvos_mask_files_jump(&self->files);
        gst_rvos_segmenter_reset(self, GST_RVOS_RESET_FLUSH);
        break;
    case GST_EVENT_EOS:
        on_end(self, settings);
        break;
    default:
        if (settings->scene_cut & GST_RVOS_SEG_SCENE_CUT_KEY_UNIT &&
            gst_video_event_is_force_key_unit(event))
            gst_rvos_segmenter_reset(self, GST_RVOS_RESET_KEY_UNIT);
    }
}

void gst_rvos_segmenter_picture(GstRvosSegmenter *self, GstClockTime stream_time)
{
    gst_rvos_mask_files_picture(&self->files, stream_time, self->timeline.backward,
                                &self->info, &self->notices);
    g_atomic_int_set(&self->waits, gst_rvos_mask_files_wait(&self->files));
}

gboolean gst_rvos_segmenter_waits(GstRvosSegmenter *self)
{
    return g_atomic_int_get(&self->waits);
}

gboolean gst_rvos_segmenter_set_mask(GstRvosSegmenter *self, GstSample *sample, gint mode,
                                     GstRvosNotices *notices)
{
    return gst_rvos_requests_set_mask(&self->requests, sample, takes_masks(mode),
                                      notices);
}

gboolean gst_rvos_segmenter_drop_object(GstRvosSegmenter *self, guint slot)
{
    return gst_rvos_requests_drop_object(&self->requests, slot);
}
