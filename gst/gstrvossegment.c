/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvossegment.c - one frame of the segmenter: resets, seeds, segments or holds. */
#include <string.h>

#include "gstrvoscuda.h"
#include "gstrvosseeds.h"
#include "gstrvossegmenter_private.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* ---- reset ------------------------------------------------------------------------- */

static GstRvosReset take_pending(GstRvosSegmenter *self)
{
    gint reason;

    do
        reason = g_atomic_int_get(&self->pending);
    while (
        !g_atomic_int_compare_and_exchange(&self->pending, reason, GST_RVOS_RESET_NONE));
    return (GstRvosReset)reason;
}

static void reset(GstRvosSegmenter *self, GstRvosReset reason)
{
    GstRvosNotice *notice = gst_rvos_notices_add(&self->notices, GST_RVOS_NOTICE_RESET);

    GST_DEBUG("reset: %s", gst_rvos_reset_name(reason));
    rvos_stream_reset(self->stream);
    gst_rvos_tracker_reset(&self->tracker, self->n_slots);
    gst_rvos_timeline_clear(&self->timeline);
    gst_rvos_pace_clear(&self->pace);
    gst_rvos_segmenter_clear_held(self);
    self->seeds.followed = 0;
    memset(self->detected, 0, sizeof(self->detected));
    self->counts.resets++;
    self->counts.last_reset = reason;
    self->counts.epoch = self->tracker.epoch;
    self->counts.objects_alive = 0;
    notice->reason = reason;
    notice->epoch = self->tracker.epoch;
}

/* Resets at most once per frame, with the first reason. */
static void reset_if_due(GstRvosSegmenter *self, const GstRvosTimes *times,
                         GstClockTime max_gap)
{
    GstRvosReset reason = take_pending(self);

    if (reason == GST_RVOS_RESET_NONE)
        reason = gst_rvos_timeline_check(&self->timeline, times->stream_time, max_gap);
    if (reason == GST_RVOS_RESET_NONE &&
        gst_rvos_requests_want_reset(&self->requests, times->timestamp))
        reason = GST_RVOS_RESET_NEW_MASK;
    if (reason != GST_RVOS_RESET_NONE)
        reset(self, reason);
    gst_rvos_timeline_advance(&self->timeline, times->stream_time, times->duration);
}

/* ---- scene cuts -------------------------------------------------------------------- */

/* The CPU compares pictures. A frame on the GPU is copied for this only if the user asked
 * for it. */
gboolean gst_rvos_segmenter_looks(const GstRvosSegmenter *self,
                                  const GstRvosSettings *settings, gboolean cuda)
{
    return settings->scene_cut & GST_RVOS_SEG_SCENE_CUT_DETECT ||
           (self->task == RVOS_TASK_AUTO && !cuda);
}

/* At a cut, forgets the objects if the user asked for it; otherwise auto mode searches
 * for new ones. */
void gst_rvos_segmenter_look(GstRvosSegmenter *self, const GstVideoFrame *frame,
                             const GstRvosSettings *settings)
{
    if (!gst_rvos_cut_check(&self->cut, frame))
        return;
    if (settings->scene_cut & GST_RVOS_SEG_SCENE_CUT_DETECT)
        gst_rvos_segmenter_reset(self, GST_RVOS_RESET_SCENE_CUT);
    else
        rvos_stream_discover(self->stream);
}

/* ---- the masks of a frame ---------------------------------------------------------- */

/* A new mask in the image's kind of memory, mapped for writing. */
static GstBuffer *map_new(GstRvosSegmenter *self, rvos_memory memory,
                          GstVideoFrame *frame, rvos_labels *view)
{
    GstObject *context =
        memory == RVOS_MEMORY_CUDA ? gst_rvos_model_context(self->model) : NULL;
    GstBuffer *mask = gst_rvos_mask_alloc_new(self->masks, context);

    if (mask &&
        !gst_rvos_mask_alloc_map(self->masks, mask, memory, GST_MAP_WRITE, frame, view))
        gst_clear_buffer(&mask);
    return mask;
}

static int run_network(GstRvosSegmenter *self, const rvos_image *image,
                       const GstRvosSettings *settings, const rvos_labels *labels,
                       const rvos_labels *alpha)
{
    rvos_output out = {
        .labels = labels,
        .alpha = alpha,
        .threshold = MAX((gfloat)settings->threshold, RVOS_NO_BACKGROUND),
        .min_object_size = (int)MIN(settings->min_object_size, G_MAXINT),
        .hidden = gst_rvos_tracker_unshown(&self->tracker,
                                           gst_rvos_segmenter_min_age(self, settings)),
    };
    GstClockTime begin = gst_util_get_timestamp();
    int status = rvos_stream_process(self->stream, image, &out);

    gst_rvos_meter_add(&self->network, gst_util_get_timestamp() - begin);
    return status;
}

/* Counts masks that the GPU made for a frame in system memory. */
static void count_readback(GstRvosSegmenter *self, rvos_memory memory)
{
    if (self->on_gpu && memory == RVOS_MEMORY_HOST)
        self->counts.readback_bytes +=
            GST_VIDEO_INFO_SIZE(&self->masks->info) * (self->held.alpha ? 2 : 1);
}

static gboolean make_masks(GstRvosSegmenter *self, const rvos_image *image,
                           const GstRvosSettings *settings)
{
    gboolean wants_alpha = settings->output == GST_RVOS_SEG_OUTPUT_ALPHA;
    GstVideoFrame labels_frame, alpha_frame;
    rvos_labels labels_view, alpha_view;
    GstBuffer *labels = map_new(self, image->memory, &labels_frame, &labels_view);
    GstBuffer *alpha = NULL;
    int status = RVOS_ERR_MEMORY;

    if (labels && wants_alpha)
        alpha = map_new(self, image->memory, &alpha_frame, &alpha_view);
    if (labels && (alpha || !wants_alpha))
        status =
            run_network(self, image, settings, &labels_view, alpha ? &alpha_view : NULL);
    if (labels)
        gst_video_frame_unmap(&labels_frame);
    if (alpha)
        gst_video_frame_unmap(&alpha_frame);
    gst_rvos_segmenter_clear_held(self);
    self->held.labels = labels;
    self->held.alpha = alpha;
    if (status != RVOS_OK)
        return gst_rvos_seeds_fail(&self->seeds, status,
                                   "A frame could not be segmented");
    count_readback(self, image->memory);
    return TRUE;
}

/* Whether this frame can show the last frame's masks: all needed masks exist, and in a
 * usable memory. Masks are copied from the GPU to system memory, never back. */
static gboolean can_hold(const GstRvosSegmenter *self, const rvos_image *image,
                         const GstRvosSettings *settings)
{
    const GstRvosHeld *held = &self->held;

    return held->labels &&
           (held->alpha || settings->output != GST_RVOS_SEG_OUTPUT_ALPHA) &&
           (image->memory == RVOS_MEMORY_HOST || gst_rvos_cuda_context_of(held->labels));
}

GstBuffer *gst_rvos_segmenter_read_mask(GstRvosSegmenter *self)
{
    GstRvosHeld *held = &self->held;

    if (!gst_rvos_cuda_context_of(held->labels))
        return held->labels;
    if (held->copy)
        return held->copy;
    held->copy = gst_rvos_mask_alloc_copy(self->masks, held->labels);
    if (held->copy) {
        self->counts.readback_bytes += GST_VIDEO_INFO_SIZE(&self->masks->info);
        return held->copy;
    }
    GST_RVOS_ERROR(&self->notices, LIBRARY, FAILED,
                   "A mask could not be copied from the GPU.");
    return NULL;
}

/* ---- the frame --------------------------------------------------------------------- */

static gboolean is_late(const GstRvosInput *input)
{
    return GST_CLOCK_TIME_IS_VALID(input->earliest) &&
           GST_CLOCK_TIME_IS_VALID(input->times.running_time) &&
           input->times.running_time <= input->earliest;
}

static void hold(GstRvosSegmenter *self, gboolean late)
{
    gst_rvos_pace_held(&self->pace);
    self->held.age++;
    if (late)
        self->counts.reused_late++;
    else
        self->counts.reused_interval++;
}

static void look_at_objects(GstRvosSegmenter *self, const GstRvosSettings *settings,
                            GstClockTime running_time)
{
    rvos_object seen[RVOS_MAX_OBJECTS] = {0};

    for (guint i = 0; i < self->n_slots; i++)
        rvos_stream_get_object(self->stream, (int)i + 1, &seen[i]);
    gst_rvos_tracker_update(&self->tracker, seen,
                            gst_rvos_segmenter_min_age(self, settings),
                            settings->lost_frames, running_time);
}

static void count_inferred(GstRvosSegmenter *self)
{
    const GstRvosMeter *network = &self->network;
    GstRvosCounts *counts = &self->counts;
    rvos_stream_info info;

    rvos_stream_get_info(self->stream, &info);
    counts->inferred++;
    counts->discovery_frames += info.discovering;
    counts->objects_found += gst_rvos_tracker_news(&self->tracker);
    counts->objects_alive = gst_rvos_tracker_alive(&self->tracker);
    counts->epoch = self->tracker.epoch;
    counts->inference_last = network->last;
    counts->inference_avg = network->sum / network->count;
    counts->inference_p95 = network->p95;
    counts->inference_max = network->max;
}

static gboolean infer(GstRvosSegmenter *self, const GstRvosInput *input,
                      const GstRvosSettings *settings)
{
    const GstRvosTimes *times = &input->times;

    if (!make_masks(self, input->image, settings))
        return FALSE;
    gst_rvos_pace_ran(&self->pace, settings, times->stream_time, times->running_time);
    look_at_objects(self, settings, times->running_time);
    count_inferred(self);
    return TRUE;
}

/* Seeds all masks that belong to the frame, and drops objects as requested. *applied: the
 * network must run. */
static gboolean apply_seeds(GstRvosSegmenter *self, const GstRvosInput *input,
                            const GstRvosSettings *settings, gboolean *applied)
{
    GstRvosSeeds *seeds = &self->seeds;
    const GstRvosTimes *times = &input->times;
    guint32 taken = 0;
    gboolean good;

    *applied = FALSE;
    good = gst_rvos_requests_apply(&self->requests, seeds, times->timestamp, &taken,
                                   applied);
    if (good && self->task != RVOS_TASK_ZERO_SHOT)
        good = gst_rvos_mask_files_apply(&self->files, seeds, times->stream_time,
                                         times->duration, &taken) &&
               (!input->buffer || gst_rvos_seed_meta_apply(seeds, input->buffer, &taken));
    if (good && self->task != RVOS_TASK_ZERO_SHOT && input->buffer &&
        settings->detector_seeds == GST_RVOS_SEG_DETECTOR_SEEDS_BOXES)
        good = gst_rvos_detect_apply(seeds, self->detected, input->buffer, &taken);
    *applied = *applied || taken != 0;
    return good;
}

static void fill(GstRvosSegmenter *self, GstRvosResult *result)
{
    GstRvosTracker *tracker = &self->tracker;

    result->mask = self->held.labels;
    result->alpha = self->held.alpha;
    result->width = (guint)GST_VIDEO_INFO_WIDTH(&self->masks->info);
    result->height = (guint)GST_VIDEO_INFO_HEIGHT(&self->masks->info);
    result->epoch = tracker->epoch;
    result->stale = self->held.age > 0;
    result->age = self->held.age;
    result->n = 0;
    for (guint i = 0; i < tracker->n_slots; i++) {
        const GstRvosTrack *track = &tracker->track[i];

        if (!gst_rvos_track_visible(track))
            continue;
        result->lost[result->n] = track->lost;
        result->object[result->n++] = track->object;
    }
    for (guint i = 0; i < tracker->n_events; i++)
        gst_rvos_notices_add(&self->notices, GST_RVOS_NOTICE_OBJECT)->change =
            tracker->event[i];
    tracker->n_events = 0;
}

/* One-shot mode without a mask: makes empty masks without running the network. */
static gboolean rest(GstRvosSegmenter *self, const GstRvosInput *input,
                     const GstRvosSettings *settings, gboolean changed)
{
    gst_rvos_seeds_explain_rest(&self->seeds);
    return (can_hold(self, input->image, settings) && !changed) ||
           make_masks(self, input->image, settings);
}

static gboolean segment(GstRvosSegmenter *self, const GstRvosInput *input,
                        const GstRvosSettings *settings, GstRvosResult *result)
{
    GstRvosPaceVerdict verdict = GST_RVOS_PACE_RUN;
    const GstRvosTimes *times = &input->times;
    gboolean changed;

    result->inferred = result->late = FALSE;
    if (!apply_seeds(self, input, settings, &changed))
        return FALSE;
    if (self->task == RVOS_TASK_ONE_SHOT && self->seeds.followed == 0)
        return rest(self, input, settings, changed);
    if (!changed && can_hold(self, input->image, settings))
        verdict = gst_rvos_pace_decide(&self->pace, settings, times->stream_time,
                                       times->running_time, is_late(input));
    result->inferred = verdict == GST_RVOS_PACE_RUN;
    result->late = verdict == GST_RVOS_PACE_LATE;
    if (result->inferred)
        return infer(self, input, settings);
    hold(self, result->late);
    return TRUE;
}

gboolean gst_rvos_segmenter_process(GstRvosSegmenter *self, const GstRvosInput *input,
                                    const GstRvosSettings *settings,
                                    GstRvosResult *result)
{
    if (input->buffer)
        gst_rvos_shape_check_affine(&self->shape, input->buffer, &self->notices);
    reset_if_due(self, &input->times, settings->max_gap);
    if (!segment(self, input, settings, result))
        return FALSE;
    fill(self, result);
    return TRUE;
}

void gst_rvos_segmenter_skip(GstRvosSegmenter *self, const GstRvosTimes *times)
{
    gst_rvos_pace_held(&self->pace);
    self->held.age++;
    gst_rvos_timeline_advance(&self->timeline, times->stream_time, times->duration);
}
