/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosrun.c - one frame: reset, seed, segment or hold, draw, tell.
 *
 * All in the streaming thread. Neither the object lock nor any other is held while the
 * network runs, messages are posted or buffers are pushed.
 */
#include "gstrvosseg.h"

#include <string.h>

#include "gstrvoscuda.h"
#include "gstrvosframe.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* The element says 0 for "every pixel is an object's", librvos any tiny value. */
#define NO_THRESHOLD 1e-9f

/* ---- reset ------------------------------------------------------------------------ */

void gst_rvos_run_clear_held(GstRvosSeg *self)
{
    gst_clear_buffer(&self->held.labels);
    gst_clear_buffer(&self->held.alpha);
    gst_clear_buffer(&self->held.copy);
    self->held.age = 0;
}

static void reset(GstRvosSeg *self, GstRvosReset reason)
{
    GST_DEBUG_OBJECT(self, "reset: %s", gst_rvos_reset_name(reason));
    rvos_stream_reset(self->stream);
    gst_rvos_tracker_reset(&self->tracker, self->n_slots);
    gst_rvos_timeline_clear(&self->timeline);
    gst_rvos_pace_clear(&self->pace);
    gst_rvos_run_clear_held(self);
    self->seeds.followed = 0;
    memset(self->detected, 0, sizeof(self->detected));
    GST_OBJECT_LOCK(self);
    self->stats.resets++;
    self->stats.last_reset = reason;
    self->stats.epoch = self->tracker.epoch;
    self->stats.objects_alive = 0;
    GST_OBJECT_UNLOCK(self);
    gst_rvos_message_reset(self, reason);
}

/* At most one reset a frame, for the first reason there is. */
static void reset_if_due(GstRvosSeg *self)
{
    const GstRvosFrame *frame = &self->frame;
    GstRvosReset reason;

    GST_OBJECT_LOCK(self);
    reason = self->pending_reset;
    self->pending_reset = GST_RVOS_RESET_NONE;
    GST_OBJECT_UNLOCK(self);
    if (reason == GST_RVOS_RESET_NONE)
        reason = gst_rvos_timeline_check(&self->timeline, frame->stream_time,
                                         frame->settings.max_gap);
    if (reason == GST_RVOS_RESET_NONE && gst_rvos_seeds_want_reset(self))
        reason = GST_RVOS_RESET_NEW_MASK;
    if (reason != GST_RVOS_RESET_NONE)
        reset(self, reason);
    gst_rvos_timeline_advance(&self->timeline, frame->stream_time, frame->duration);
}

/* ---- segmenting -------------------------------------------------------------------- */

void gst_rvos_run_explain(GstRvosSeg *self, int status, const gchar *what)
{
    GstRvosFailure failure = {0};
    gchar *words = gst_rvos_model_last_words(self->model);
    gboolean memory = status == RVOS_ERR_MEMORY;

    gst_rvos_failure_set(&failure, memory ? GST_RESOURCE_ERROR : GST_LIBRARY_ERROR,
                         memory ? (gint)GST_RESOURCE_ERROR_NO_SPACE_LEFT
                                : (gint)GST_LIBRARY_ERROR_FAILED,
                         words, "%s: %s.", what, rvos_strerror(status));
    g_free(words);
    gst_rvos_failure_post(&failure, GST_ELEMENT(self));
}

static gboolean one_shot(const GstRvosSeg *self)
{
    return self->task == RVOS_TASK_ONE_SHOT;
}

/* A given mask is no guess, and what auto mode finds is steady: shown at once. */
static guint min_age(const GstRvosSeg *self)
{
    return self->task == RVOS_TASK_ZERO_SHOT ? self->frame.settings.min_age : 0;
}

static gboolean wants_alpha(const GstRvosSeg *self)
{
    return self->frame.settings.output == GST_RVOS_SEG_OUTPUT_ALPHA;
}

/* Where the pixels of the frame in hand are, and so its masks. */
static rvos_memory memory_of(const GstRvosSeg *self)
{
    return self->frame.cuda ? RVOS_MEMORY_CUDA : RVOS_MEMORY_HOST;
}

/* A new mask, mapped for writing. */
static gboolean map_new(GstRvosSeg *self, GstBuffer **buffer, GstVideoFrame *frame,
                        rvos_labels *view)
{
    GstObject *context = self->frame.cuda ? gst_rvos_model_context(self->model) : NULL;

    *buffer = gst_rvos_mask_alloc_new(&self->masks, context);
    if (!*buffer)
        return FALSE;
    if (gst_rvos_mask_alloc_map(&self->masks, *buffer, memory_of(self), GST_MAP_WRITE,
                                frame, view))
        return TRUE;
    gst_clear_buffer(buffer);
    return FALSE;
}

static int process(GstRvosSeg *self, const rvos_image *image, const rvos_labels *labels,
                   const rvos_labels *alpha)
{
    const GstRvosSettings *settings = &self->frame.settings;
    rvos_output out = {
        .labels = labels,
        .alpha = alpha,
        .threshold = MAX((gfloat)settings->threshold, NO_THRESHOLD),
        .min_object_size = (int)MIN(settings->min_object_size, G_MAXINT),
        .hidden = gst_rvos_tracker_hidden(&self->tracker, min_age(self)),
    };
    GstClockTime begin = gst_util_get_timestamp();
    int status = rvos_stream_process(self->stream, image, &out);

    gst_rvos_meter_add(&self->network, gst_util_get_timestamp() - begin);
    return status;
}

static void look_at_objects(GstRvosSeg *self)
{
    const GstRvosSettings *settings = &self->frame.settings;
    rvos_object seen[RVOS_MAX_OBJECTS] = {0};

    for (guint i = 0; i < self->n_slots; i++)
        rvos_stream_get_object(self->stream, (int)i + 1, &seen[i]);
    gst_rvos_tracker_update(&self->tracker, seen, min_age(self), settings->lost_frames,
                            self->frame.running_time);
}

/* Masks that the GPU has made for a frame in system memory. */
static void count_readback(GstRvosSeg *self)
{
    guint64 bytes = GST_VIDEO_INFO_SIZE(&self->masks.info) * (self->held.alpha ? 2 : 1);

    GST_OBJECT_LOCK(self);
    if (!self->frame.cuda && g_strcmp0(self->actual_engine, "cuda") == 0)
        self->stats.readback_bytes += bytes;
    GST_OBJECT_UNLOCK(self);
}

/* Makes the masks of this frame. */
static gboolean make_masks(GstRvosSeg *self, const rvos_image *image)
{
    GstBuffer *labels = NULL, *alpha = NULL;
    GstVideoFrame labels_frame, alpha_frame;
    rvos_labels labels_view, alpha_view;
    gboolean good = map_new(self, &labels, &labels_frame, &labels_view);
    int status = RVOS_ERR_MEMORY;

    if (good && wants_alpha(self)) {
        good = map_new(self, &alpha, &alpha_frame, &alpha_view);
        if (!good)
            gst_video_frame_unmap(&labels_frame);
    }
    if (good) {
        status = process(self, image, &labels_view, alpha ? &alpha_view : NULL);
        gst_video_frame_unmap(&labels_frame);
        if (alpha)
            gst_video_frame_unmap(&alpha_frame);
    }
    gst_rvos_run_clear_held(self);
    self->held.labels = labels;
    self->held.alpha = alpha;
    if (status == RVOS_OK) {
        count_readback(self);
        return TRUE;
    }
    gst_rvos_run_explain(self, status, "A frame could not be segmented");
    return FALSE;
}

/* The masks of the last frame, if they are all there, and where this frame's pixels are.
 * (From the GPU's they could be had for a frame in system memory, but not back.) */
static gboolean can_hold(const GstRvosSeg *self)
{
    const GstRvosHeld *held = &self->held;

    return held->labels && (held->alpha || !wants_alpha(self)) &&
           (!self->frame.cuda || gst_rvos_cuda_context_of(held->labels));
}

static GstRvosPaceRules rules_of(const GstRvosSettings *settings)
{
    return (GstRvosPaceRules){
        .interval = settings->inference_interval,
        .rate_n = settings->rate_n,
        .rate_d = settings->rate_d,
        .max_gap = settings->max_gap,
        .reuse_late = settings->late_policy == GST_RVOS_SEG_LATE_POLICY_REUSE,
    };
}

/* Running time now, less what the pipeline allows from a live source to the sinks: a
 * frame from before that is late already. Sinks that neither wait nor report, such as a
 * network's, would let a slow network slow the stream down. NONE if the source waits. */
static GstClockTime live_deadline(GstRvosSeg *self)
{
    GstClockTime now, allowed, base = gst_element_get_base_time(GST_ELEMENT(self));
    GstClock *clock;

    GST_OBJECT_LOCK(self);
    clock = self->live && GST_ELEMENT_CLOCK(self)
                ? gst_object_ref(GST_ELEMENT_CLOCK(self))
                : NULL;
    allowed = GST_CLOCK_TIME_IS_VALID(self->whole_latency)
                  ? MAX(self->whole_latency, self->latency)
                  : self->latency;
    GST_OBJECT_UNLOCK(self);
    if (!clock)
        return GST_CLOCK_TIME_NONE;
    now = gst_clock_get_time(clock);
    gst_object_unref(clock);
    base = gst_rvos_time_add(base, allowed);
    return now > base ? now - base : GST_CLOCK_TIME_NONE;
}

/* Late by what a sink has reported, or by the clock of a live pipeline. */
static gboolean is_late(GstRvosSeg *self)
{
    GstClockTime deadline = live_deadline(self), earliest;

    GST_OBJECT_LOCK(self);
    earliest = self->earliest;
    GST_OBJECT_UNLOCK(self);
    if (!GST_CLOCK_TIME_IS_VALID(earliest) ||
        (GST_CLOCK_TIME_IS_VALID(deadline) && deadline > earliest))
        earliest = deadline;
    self->frame.earliest = earliest;
    return GST_CLOCK_TIME_IS_VALID(earliest) &&
           GST_CLOCK_TIME_IS_VALID(self->frame.running_time) &&
           self->frame.running_time <= earliest;
}

static void hold(GstRvosSeg *self, gboolean late)
{
    gst_rvos_pace_held(&self->pace);
    self->held.age++;
    self->frame.late = late;
    GST_OBJECT_LOCK(self);
    if (late)
        self->stats.reused_late++;
    else
        self->stats.reused_interval++;
    GST_OBJECT_UNLOCK(self);
}

static gboolean infer(GstRvosSeg *self, const rvos_image *image,
                      const GstRvosPaceRules *rules)
{
    const GstRvosFrame *frame = &self->frame;
    const GstRvosMeter *network = &self->network;
    rvos_stream_info info;

    if (!make_masks(self, image))
        return FALSE;
    rvos_stream_get_info(self->stream, &info);
    gst_rvos_pace_ran(&self->pace, rules, frame->stream_time, frame->running_time);
    look_at_objects(self);
    self->frame.inferred = TRUE;
    GST_OBJECT_LOCK(self);
    self->stats.inferred++;
    self->stats.discovery_frames += info.discovering;
    self->stats.objects_found += gst_rvos_tracker_news(&self->tracker);
    self->stats.objects_alive = gst_rvos_tracker_alive(&self->tracker);
    self->stats.epoch = self->tracker.epoch;
    self->stats.inference_last = network->last;
    self->stats.inference_avg = network->sum / network->count;
    self->stats.inference_p95 = network->p95;
    self->stats.inference_max = network->max;
    GST_OBJECT_UNLOCK(self);
    return TRUE;
}

/* One-shot mode without a mask: empty masks, and the network does not run. */
static gboolean idle(GstRvosSeg *self, const rvos_image *image, gboolean changed)
{
    gst_rvos_seeds_explain_rest(self);
    if (can_hold(self) && !changed)
        return TRUE;
    return make_masks(self, image);
}

static gboolean segment(GstRvosSeg *self, GstBuffer *buffer, const rvos_image *image)
{
    GstRvosPaceRules rules = rules_of(&self->frame.settings);
    GstRvosPaceVerdict verdict = GST_RVOS_PACE_RUN;
    gboolean changed;

    reset_if_due(self);
    if (!gst_rvos_seeds_apply(self, buffer, &changed))
        return FALSE;
    if (one_shot(self) && self->seeds.followed == 0)
        return idle(self, image, changed);
    if (!changed && can_hold(self))
        verdict = gst_rvos_pace_decide(&self->pace, &rules, self->frame.stream_time,
                                       self->frame.running_time, is_late(self));
    if (verdict == GST_RVOS_PACE_RUN)
        return infer(self, image, &rules);
    hold(self, verdict == GST_RVOS_PACE_LATE);
    return TRUE;
}

/* ---- drawing --------------------------------------------------------------------- */

static gboolean anything_visible(const GstRvosSeg *self)
{
    for (guint i = 0; i < self->tracker.n_slots; i++)
        if (gst_rvos_track_visible(&self->tracker.track[i]))
            return TRUE;
    return FALSE;
}

static int draw_labels(GstRvosSeg *self, const rvos_image *image,
                       const rvos_labels *labels)
{
    const GstRvosSettings *settings = &self->frame.settings;
    rvos_draw_params params = {
        .palette = &settings->colours,
        .opacity = (float)settings->overlay_alpha,
        .contour = (int)settings->contour_width,
    };

    if (settings->output == GST_RVOS_SEG_OUTPUT_MASK)
        params = (rvos_draw_params){
            .palette = &settings->colours, .opacity = 1, .replace = true};
    else if (!anything_visible(self) || (params.opacity <= 0 && params.contour == 0))
        return RVOS_OK;
    return rvos_draw(gst_rvos_model_device(self->model), image, labels, &params);
}

static int draw_alpha(GstRvosSeg *self, const rvos_image *image, const rvos_labels *alpha)
{
    return rvos_set_alpha(gst_rvos_model_device(self->model), image, alpha);
}

static gboolean draw_held(GstRvosSeg *self, const rvos_image *image)
{
    GstBuffer *mask = wants_alpha(self) ? self->held.alpha : self->held.labels;
    GstVideoFrame frame;
    rvos_labels view;
    int status;

    if (!gst_rvos_mask_alloc_map(&self->masks, mask, memory_of(self), GST_MAP_READ,
                                 &frame, &view)) {
        gst_rvos_run_explain(self, RVOS_ERR_MEMORY, "A mask could not be mapped");
        return FALSE;
    }
    status = wants_alpha(self) ? draw_alpha(self, image, &view)
                               : draw_labels(self, image, &view);
    gst_video_frame_unmap(&frame);
    if (status == RVOS_OK)
        return TRUE;
    gst_rvos_run_explain(self, status, "The objects could not be drawn");
    return FALSE;
}

/* ---- the frame ------------------------------------------------------------------- */

static void measure(GstRvosSeg *self, GstClockTime duration)
{
    gst_rvos_meter_add(&self->work, duration);
    if (!gst_rvos_latency_update(&self->told, self->work.p95))
        return;
    self->frame.latency_changed = TRUE;
    GST_OBJECT_LOCK(self);
    self->latency = self->told.reported;
    GST_OBJECT_UNLOCK(self);
}

/* Pictures are compared by the CPU: a frame on the GPU is copied for it. */
void gst_rvos_run_look_for_cut(GstRvosSeg *self, GstBuffer *buffer)
{
    gboolean forget = self->frame.settings.scene_cut & GST_RVOS_SEG_SCENE_CUT_DETECT;
    gboolean discover = self->task == RVOS_TASK_AUTO && !self->frame.cuda;
    GstVideoFrame frame;

    if ((!forget && !discover) ||
        !gst_video_frame_map(
            &frame, &GST_VIDEO_FILTER(self)->in_info, buffer,
            (GstMapFlags)(GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF)))
        return;
    if (gst_rvos_shape_view(&frame, &self->caps_info) &&
        gst_rvos_cut_check(&self->cut, &frame)) {
        if (forget)
            gst_rvos_seg_request_reset(self, GST_RVOS_RESET_SCENE_CUT);
        else
            rvos_stream_discover(self->stream);
    }
    gst_video_frame_unmap(&frame);
}

GstFlowReturn gst_rvos_run_frame(GstRvosSeg *self, GstVideoFrame *frame, gboolean draw)
{
    GstClockTime begin = gst_util_get_timestamp();
    rvos_image image;

    self->frame.mapped = TRUE;
    if (!gst_rvos_shape_view(frame, &self->caps_info)) {
        gst_rvos_shape_refuse(self, frame);
        return GST_FLOW_ERROR;
    }
    gst_rvos_shape_check_affine(self, frame->buffer);
    if (!gst_rvos_frame_to_image(frame, memory_of(self), &image))
        return GST_FLOW_NOT_NEGOTIATED;
    if (self->frame.cuda)
        image.cuda_stream = gst_rvos_cuda_stream_of(frame->buffer);
    else
        gst_rvos_mask_pad_prepare(self);
    if (!segment(self, frame->buffer, &image))
        return GST_FLOW_ERROR;
    if (draw && !draw_held(self, &image))
        return GST_FLOW_ERROR;
    if (self->frame.inferred)
        measure(self, gst_util_get_timestamp() - begin);
    return GST_FLOW_OK;
}

static void attach(GstRvosSeg *self, GstBuffer *buffer)
{
    GstRvosResult result = {
        .mask = self->held.labels,
        .width = (guint)GST_VIDEO_INFO_WIDTH(&self->masks.info),
        .height = (guint)GST_VIDEO_INFO_HEIGHT(&self->masks.info),
        .epoch = self->tracker.epoch,
        .stale = self->held.age > 0,
        .age = self->held.age,
    };

    if (self->frame.settings.attach_meta == 0)
        return;
    for (guint i = 0; i < self->tracker.n_slots; i++) {
        const GstRvosTrack *track = &self->tracker.track[i];

        if (!gst_rvos_track_visible(track))
            continue;
        result.lost[result.n] = track->lost;
        result.object[result.n++] = track->object;
    }
    gst_rvos_meta_attach(buffer, self->frame.settings.attach_meta, &result);
}

void gst_rvos_run_tell(GstRvosSeg *self, GstBuffer *buffer)
{
    gst_rvos_message_objects(self);
    if (self->frame.late)
        gst_rvos_message_late(self, buffer);
    if (self->frame.latency_changed)
        gst_element_post_message(GST_ELEMENT(self),
                                 gst_message_new_latency(GST_OBJECT(self)));
    attach(self, buffer);
    gst_rvos_mask_pad_push(self, self->held.labels, buffer);
}

void gst_rvos_run_skip(GstRvosSeg *self)
{
    gst_rvos_pace_held(&self->pace);
    self->held.age++;
    gst_rvos_timeline_advance(&self->timeline, self->frame.stream_time,
                              self->frame.duration);
}
