/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosrun.c - one frame: segments it, draws on it, posts its messages and metadata.
 *
 * Everything runs in the streaming thread. No lock is held while the network runs,
 * messages are posted or buffers are pushed.
 */
#include "gstrvosseg.h"

#include "gstrvoscuda.h"
#include "gstrvosframe.h"
#include "gstrvosshape.h"

static gboolean wants_alpha(const GstRvosSeg *self)
{
    return self->frame.settings.output == GST_RVOS_SEG_OUTPUT_ALPHA;
}

/* The memory of the current frame and its masks. */
static rvos_memory memory_of(const GstRvosSeg *self)
{
    return self->frame.cuda ? RVOS_MEMORY_CUDA : RVOS_MEMORY_HOST;
}

/* ---- late frames ------------------------------------------------------------------- */

/* The current running time minus the pipeline's latency: earlier frames of a live source
 * are already late. It is needed for sinks that neither wait nor send QoS, such as
 * network sinks; otherwise a slow network would slow the stream down. NONE if the source
 * is not live. */
static GstClockTime live_deadline(GstRvosSeg *self)
{
    GstClockTime now, allowed, base = gst_element_get_base_time(GST_ELEMENT(self));
    g_autoptr(GstClock) clock = NULL;

    GST_OBJECT_LOCK(self);
    if (self->live)
        g_set_object(&clock, GST_ELEMENT_CLOCK(self));
    allowed = GST_CLOCK_TIME_IS_VALID(self->whole_latency)
                  ? MAX(self->whole_latency, self->latency)
                  : self->latency;
    GST_OBJECT_UNLOCK(self);
    if (!clock)
        return GST_CLOCK_TIME_NONE;
    now = gst_clock_get_time(clock);
    base = gst_rvos_time_add(base, allowed);
    return now > base ? now - base : GST_CLOCK_TIME_NONE;
}

/* The running time up to which frames are late, from a sink's QoS event or from the clock
 * of a live pipeline. */
static GstClockTime earliest(GstRvosSeg *self)
{
    GstClockTime deadline = live_deadline(self), reported;

    GST_OBJECT_LOCK(self);
    reported = self->earliest;
    GST_OBJECT_UNLOCK(self);
    if (!GST_CLOCK_TIME_IS_VALID(reported) ||
        (GST_CLOCK_TIME_IS_VALID(deadline) && deadline > reported))
        return deadline;
    return reported;
}

/* ---- drawing ----------------------------------------------------------------------- */

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
    else if (self->result.n == 0 || (params.opacity <= 0 && params.contour == 0))
        return RVOS_OK;
    return rvos_draw(gst_rvos_model_device(self->model), image, labels, &params);
}

static gboolean draw_result(GstRvosSeg *self, const rvos_image *image)
{
    GstBuffer *mask = wants_alpha(self) ? self->result.alpha : self->result.mask;
    GstVideoFrame frame;
    rvos_labels view;
    int status;

    if (!gst_rvos_mask_alloc_map(&self->masks, mask, memory_of(self), GST_MAP_READ,
                                 &frame, &view)) {
        gst_rvos_message_status(self, RVOS_ERR_MEMORY, "A mask could not be mapped");
        return FALSE;
    }
    status = wants_alpha(self)
                 ? rvos_set_alpha(gst_rvos_model_device(self->model), image, &view)
                 : draw_labels(self, image, &view);
    gst_video_frame_unmap(&frame);
    if (status != RVOS_OK)
        gst_rvos_message_status(self, status, "The objects could not be drawn");
    return status == RVOS_OK;
}

static gboolean draw_text(GstRvosSeg *self, const GstVideoFrame *frame)
{
    const GstRvosSettings *settings = &self->frame.settings;
    const gchar *reason =
        !gst_rvos_text_built ? "this build of rvosseg has no Pango"
        : self->frame.cuda ? "frames are in CUDA memory: put cudadownload before rvosseg"
                           : NULL;
    gint status;

    if (reason) {
        if (!self->text_said)
            GST_RVOS_SEG_WARN(self, RESOURCE, SETTINGS, "overlay-text has no effect: %s.",
                              reason);
        self->text_said = TRUE;
        return TRUE;
    }
    if (!self->text)
        self->text = gst_rvos_text_new();
    status =
        gst_rvos_text_draw(self->text, gst_rvos_model_device(self->model), frame,
                           &self->result, &settings->colours, settings->overlay_text);
    if (status != RVOS_OK)
        gst_rvos_message_status(self, status, "The objects' text could not be drawn");
    return status == RVOS_OK;
}

/* ---- the frame --------------------------------------------------------------------- */

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

void gst_rvos_run_look_for_cut(GstRvosSeg *self, GstBuffer *buffer)
{
    const GstRvosSettings *settings = &self->frame.settings;
    GstVideoFrame frame;

    if (!gst_rvos_segmenter_looks(self->segmenter, settings, self->frame.cuda) ||
        !gst_rvos_frame_map(&frame, &GST_VIDEO_FILTER(self)->in_info, buffer,
                            (GstMapFlags)(GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF),
                            FALSE))
        return;
    if (gst_rvos_shape_crop(&frame, &self->caps_info))
        gst_rvos_segmenter_look(self->segmenter, &frame, settings);
    gst_video_frame_unmap(&frame);
}

static gboolean process(GstRvosSeg *self, GstBuffer *buffer, const rvos_image *image)
{
    GstRvosInput input = {
        .image = image,
        .buffer = buffer,
        .times = self->frame.times,
        .earliest = earliest(self),
    };

    self->frame.earliest = input.earliest;
    if (!self->frame.cuda)
        gst_rvos_mask_pad_prepare(self);
    return gst_rvos_segmenter_process(self->segmenter, &input, &self->frame.settings,
                                      &self->result);
}

GstFlowReturn gst_rvos_run_frame(GstRvosSeg *self, GstVideoFrame *frame, gboolean draw)
{
    GstClockTime begin = gst_util_get_timestamp();
    rvos_image image;

    self->frame.mapped = TRUE;
    if (!gst_rvos_shape_crop(frame, &self->caps_info)) {
        gst_rvos_shape_refuse(&self->caps_info, frame,
                              gst_rvos_segmenter_notices(self->segmenter));
        return GST_FLOW_ERROR;
    }
    if (!gst_rvos_frame_to_image(frame, memory_of(self), &image))
        return GST_FLOW_NOT_NEGOTIATED;
    if (self->frame.cuda)
        image.cuda_stream = gst_rvos_cuda_stream_of(frame->buffer);
    if (!process(self, frame->buffer, &image))
        return GST_FLOW_ERROR;
    if (draw && !draw_result(self, &image))
        return GST_FLOW_ERROR;
    if (draw && self->frame.settings.output == GST_RVOS_SEG_OUTPUT_OVERLAY &&
        self->frame.settings.overlay_text != 0 && !draw_text(self, frame))
        return GST_FLOW_ERROR;
    if (self->result.inferred)
        measure(self, gst_util_get_timestamp() - begin);
    return GST_FLOW_OK;
}

void gst_rvos_run_tell(GstRvosSeg *self, GstBuffer *buffer)
{
    gst_rvos_message_frame(self);
    if (self->result.late)
        gst_rvos_message_late(self, buffer);
    if (self->frame.latency_changed)
        gst_element_post_message(GST_ELEMENT(self),
                                 gst_message_new_latency(GST_OBJECT(self)));
    if (self->frame.settings.attach_meta != 0)
        gst_rvos_meta_attach(buffer, self->frame.settings.attach_meta, &self->result);
    gst_rvos_mask_pad_push(self, buffer);
}
