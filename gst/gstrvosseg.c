/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * SECTION:element-rvosseg
 * @title: rvosseg
 *
 * Segments the objects of a video, each in its own colour, with RVOS, a recurrent
 * network (Ventura et al., CVPR 2019). In auto mode, the default, it finds objects and
 * then follows them; in zero-shot mode it finds them in each frame anew; in one-shot mode
 * it follows those of a given mask.
 *
 * The picture keeps its caps: the network works at a size of its own. What is drawn is
 * there as data too: an index mask on the request pad `mask`, metadata on the frame, and
 * messages on the bus.
 *
 * The weights that are shipped may be used for research and evaluation only.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! videoconvert ! rvosseg
 * mode=auto ! videoconvert ! autovideosink
 * ]|
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! rvosseg name=r r.src ! queue !
 * videoconvert ! autovideosink r.mask ! queue ! fakesink
 * ]|
 * Without the queue behind `mask` both sinks would wait for each other in one thread.
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! qtdemux ! h264parse ! nvh264dec ! rvosseg
 * engine=cuda ! cudadownload ! videoconvert ! autovideosink
 * ]|
 * Frames of a decoder on the GPU are segmented and drawn on there.
 *
 * Since: 0.1
 */
#include "gstrvosseg.h"

#include "gstrvoscuda.h"
#include "gstrvosframe.h"

G_DEFINE_TYPE(GstRvosSeg, gst_rvos_seg, GST_TYPE_VIDEO_FILTER)
GST_ELEMENT_REGISTER_DEFINE(rvosseg, "rvosseg", GST_RANK_NONE, GST_TYPE_RVOS_SEG)

#define TRANSFORM_PARENT GST_BASE_TRANSFORM_CLASS(gst_rvos_seg_parent_class)

/* ---- start, stop, caps ----------------------------------------------------------- */

static gboolean start(GstBaseTransform *trans)
{
    return gst_rvos_seg_open(GST_RVOS_SEG(trans));
}

static gboolean stop(GstBaseTransform *trans)
{
    GstRvosSeg *self = GST_RVOS_SEG(trans);

    gst_rvos_seg_close(self);
    gst_rvos_mask_alloc_clear(&self->masks);
    gst_rvos_mask_pad_stop(self);
    return TRUE;
}

static gboolean set_info(GstVideoFilter *filter, GstCaps *incaps, GstVideoInfo *in,
                         G_GNUC_UNUSED GstCaps *outcaps, G_GNUC_UNUSED GstVideoInfo *out)
{
    GstRvosSeg *self = GST_RVOS_SEG(filter);
    gboolean good;

    self->caps_info = *in;
    self->caps_cuda = gst_rvos_frame_caps_in_cuda(incaps);
    gst_rvos_segmenter_set_info(self->segmenter, in, self->caps_cuda);
    self->mask.pool_due = TRUE;
    good = gst_rvos_segmenter_prepare(self->segmenter);
    gst_rvos_message_segmenter(self);
    return good;
}

/* The parent class asks downstream, because frames are passed on unchanged. If nobody
 * downstream has a pool in CUDA memory, we offer one. Downstream decides whether rows may
 * be padded, so we add no GstVideoMeta and only remove metadata that we cannot
 * support. */
static gboolean propose_allocation(GstBaseTransform *trans, GstQuery *decide,
                                   GstQuery *query)
{
    GstRvosSeg *self = GST_RVOS_SEG(trans);
    gboolean answered = TRANSFORM_PARENT->propose_allocation(trans, decide, query);

    gst_rvos_caps_filter_metas(query);
    if (self->caps_cuda && gst_rvos_gpu_propose_pool(self, query))
        return TRUE;
    return answered;
}

/* ---- frames ---------------------------------------------------------------------- */

static GstRvosTimes times_of(const GstSegment *segment, GstBuffer *buffer)
{
    GstRvosTimes times = {
        .timestamp = GST_BUFFER_PTS(buffer),
        .duration = GST_BUFFER_DURATION(buffer),
        .stream_time = GST_CLOCK_TIME_NONE,
        .running_time = GST_CLOCK_TIME_NONE,
    };

    if (segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer)) {
        times.stream_time =
            gst_segment_to_stream_time(segment, GST_FORMAT_TIME, times.timestamp);
        times.running_time =
            gst_segment_to_running_time(segment, GST_FORMAT_TIME, times.timestamp);
    }
    return times;
}

static void before_transform(GstBaseTransform *trans, GstBuffer *buffer)
{
    GstRvosSeg *self = GST_RVOS_SEG(trans);
    GstRvosFrame *frame = &self->frame;

    *frame = (GstRvosFrame){.times = times_of(&trans->segment, buffer)};
    if (GST_CLOCK_TIME_IS_VALID(frame->times.stream_time))
        gst_object_sync_values(GST_OBJECT(self), frame->times.stream_time);
    GST_OBJECT_LOCK(self);
    frame->settings = self->settings;
    self->stats.frames_in++;
    GST_OBJECT_UNLOCK(self);
    gst_rvos_caps_settle_output(self);
    gst_rvos_segmenter_picture(self->segmenter, frame->times.stream_time);
    gst_rvos_message_segmenter(self);
    frame->wanted =
        frame->settings.enabled && !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
    /* Passthrough only while disabled, because it forbids writing to the frame. */
    if (gst_base_transform_is_passthrough(trans) == frame->settings.enabled)
        gst_base_transform_set_passthrough(trans, !frame->settings.enabled);
}

static void count(GstRvosSeg *self, guint64 *counter)
{
    GST_RVOS_OBJECT_LOCKED(self);

    ++*counter;
}

/* Handles a frame that is passed on or dropped without a mask. */
static void skip(GstRvosSeg *self)
{
    gst_rvos_segmenter_skip(self->segmenter, &self->frame.times);
    gst_rvos_mask_pad_gap(self, self->frame.times.timestamp, self->frame.times.duration);
}

/* With late-policy=drop, the base class drops late frames before the transform. */
static GstFlowReturn submit_input_buffer(GstBaseTransform *trans, gboolean is_discont,
                                         GstBuffer *buffer)
{
    GstRvosSeg *self = GST_RVOS_SEG(trans);
    GstFlowReturn flow = TRANSFORM_PARENT->submit_input_buffer(trans, is_discont, buffer);

    if (flow == GST_BASE_TRANSFORM_FLOW_DROPPED) {
        count(self, &self->stats.dropped_late);
        skip(self);
    }
    if (flow == GST_FLOW_NOT_NEGOTIATED)
        gst_rvos_caps_missed(self);
    return flow;
}

/* Handles a frame that is not segmented: it is a gap, or the element is disabled. */
static GstFlowReturn pass(GstRvosSeg *self)
{
    if (self->frame.settings.enabled) {
        count(self, &self->stats.gaps);
        skip(self);
    } else {
        gst_rvos_mask_pad_gap(self, self->frame.times.timestamp,
                              self->frame.times.duration);
    }
    return GST_FLOW_OK;
}

/* Not called: transform_ip() maps frames without the parent class. */
static GstFlowReturn transform_frame_ip(GstVideoFilter *filter, GstVideoFrame *frame)
{
    return gst_rvos_run_frame(GST_RVOS_SEG(filter), frame, TRUE);
}

/* Says once what is wrong with a frame that cannot be mapped. */
static void warn_unmapped(GstRvosSeg *self, GstBuffer *buffer)
{
    g_autofree gchar *why = NULL;

    if (self->map_said)
        return;
    self->map_said = TRUE;
    why = gst_rvos_frame_fault(&GST_VIDEO_FILTER(self)->in_info, buffer);
    GST_RVOS_SEG_WARN(self, STREAM, FORMAT,
                      "A frame cannot be read, and passes without a mask. %s", why);
}

/* Maps the frame here instead of in the parent class. The parent would map it for
 * writing, which copies a shared frame, and would copy CUDA memory to system memory. It
 * would also ask the user to file a bug for each frame that cannot be mapped. */
static GstFlowReturn run_mapped(GstRvosSeg *self, GstBuffer *buffer, gboolean draw)
{
    const GstVideoInfo *info = &GST_VIDEO_FILTER(self)->in_info;
    GstMapFlags flags = (GstMapFlags)((draw ? GST_MAP_READWRITE : GST_MAP_READ) |
                                      GST_VIDEO_FRAME_MAP_FLAG_NO_REF);
    GstVideoFrame frame;
    GstFlowReturn flow;

    if (!gst_rvos_frame_map(&frame, info, buffer, flags, self->frame.cuda)) {
        warn_unmapped(self, buffer);
        return GST_FLOW_OK;
    }
    flow = gst_rvos_run_frame(self, &frame, draw);
    gst_video_frame_unmap(&frame);
    return flow;
}

/* Removes texture uploads: a sink that used one would show pixels from before the
 * drawing. */
static void drop_uploads(GstBuffer *buffer)
{
    GstMeta *meta;

    while ((meta = gst_buffer_get_meta(
                buffer, GST_VIDEO_GL_TEXTURE_UPLOAD_META_API_TYPE)) != NULL)
        gst_buffer_remove_meta(buffer, meta);
}

/* Sets whether the frame's pixels are used on the GPU. Moves the model to the frame's
 * context if needed. FALSE: failed, an error is posted. */
static gboolean follow(GstRvosSeg *self, GstBuffer *buffer)
{
    GstRvosGpuMove move = gst_rvos_gpu_follow(self, buffer);

    if (move == GST_RVOS_GPU_REFUSED)
        return FALSE;
    if (move == GST_RVOS_GPU_MOVE && !gst_rvos_seg_reopen(self)) {
        gst_rvos_message_segmenter(self);
        return FALSE;
    }
    /* After a move the model may have fallen back to the CPU. */
    self->frame.cuda =
        gst_rvos_cuda_context_of(buffer) && gst_rvos_model_context(self->model);
    return TRUE;
}

static GstFlowReturn transform_ip(GstBaseTransform *trans, GstBuffer *buffer)
{
    GstRvosSeg *self = GST_RVOS_SEG(trans);
    gboolean draw = self->frame.settings.output != GST_RVOS_SEG_OUTPUT_NONE;
    GstFlowReturn flow;

    if (!self->frame.wanted)
        return pass(self);
    /* Without a stream: moving to another context failed, and an error was posted. */
    if (!gst_rvos_segmenter_is_open(self->segmenter) || !follow(self, buffer))
        return GST_FLOW_ERROR;
    gst_rvos_run_look_for_cut(self, buffer);
    flow = run_mapped(self, buffer, draw);
    if (flow != GST_FLOW_OK) {
        gst_rvos_message_segmenter(self); /* posts the reason */
        return flow;
    }
    if (!self->frame.mapped) {
        count(self, &self->stats.map_failures);
        skip(self);
        return GST_FLOW_OK;
    }
    if (draw)
        drop_uploads(buffer);
    gst_rvos_run_tell(self, buffer);
    return GST_FLOW_OK;
}

/* ---- element --------------------------------------------------------------------- */

static GstClockTime clock_time(GstElement *element)
{
    g_autoptr(GstClock) clock = gst_element_get_clock(element);

    return clock ? gst_clock_get_time(clock) : GST_CLOCK_TIME_NONE;
}

static gboolean upstream_is_live(GstRvosSeg *self)
{
    g_autoptr(GstQuery) query = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(self), query))
        gst_query_parse_latency(query, &live, NULL, NULL);
    return live;
}

/* A live source goes on while the pipeline is paused, but running time stops. So time
 * stamps do not show the missing frames. */
static void resume(GstRvosSeg *self)
{
    GstClockTime now = clock_time(GST_ELEMENT(self)), since, max_gap;

    GST_OBJECT_LOCK(self);
    since = self->paused_at;
    max_gap = self->settings.max_gap;
    self->paused_at = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(self);
    if (GST_CLOCK_TIME_IS_VALID(since) && GST_CLOCK_TIME_IS_VALID(now) &&
        gst_rvos_time_subtract(now, since) > max_gap && upstream_is_live(self))
        gst_rvos_segmenter_reset(self->segmenter, GST_RVOS_RESET_GAP);
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange change)
{
    GstRvosSeg *self = GST_RVOS_SEG(element);
    GstClockTime now;

    if (change == GST_STATE_CHANGE_PAUSED_TO_PLAYING) {
        resume(self);
    } else if (change == GST_STATE_CHANGE_PLAYING_TO_PAUSED) {
        now = clock_time(element);
        GST_OBJECT_LOCK(self);
        self->paused_at = now;
        GST_OBJECT_UNLOCK(self);
    }
    return GST_ELEMENT_CLASS(gst_rvos_seg_parent_class)->change_state(element, change);
}

static void set_context(GstElement *element, GstContext *context)
{
    gst_rvos_gpu_set_context(element, context);
    GST_ELEMENT_CLASS(gst_rvos_seg_parent_class)->set_context(element, context);
}

/* ---- action signals, from any thread ----------------------------------------------- */

static void on_reset(GstRvosSeg *self)
{
    gst_rvos_segmenter_reset(self->segmenter, GST_RVOS_RESET_REQUEST);
}

static gboolean on_set_mask(GstRvosSeg *self, GstSample *sample)
{
    GstRvosNotices notices = G_QUEUE_INIT;
    gboolean taken;
    gint mode;

    GST_OBJECT_LOCK(self);
    mode = self->settings.mode;
    GST_OBJECT_UNLOCK(self);
    taken = gst_rvos_segmenter_set_mask(self->segmenter, sample, mode, &notices);
    gst_rvos_message_notices(self, &notices);
    return taken;
}

static gboolean on_drop_object(GstRvosSeg *self, guint slot)
{
    return gst_rvos_segmenter_drop_object(self->segmenter, slot);
}

static void finalize(GObject *object)
{
    GstRvosSeg *self = GST_RVOS_SEG(object);

    gst_rvos_segmenter_free(self->segmenter);
    gst_rvos_mask_alloc_clear(&self->masks);
    gst_rvos_mask_pad_finalize(self);
    gst_rvos_gpu_drop_context(self); /* a context that was set but never used */
    gst_rvos_strings_clear(&self->strings);
    gst_rvos_caps_clear(self);
    G_OBJECT_CLASS(gst_rvos_seg_parent_class)->finalize(object);
}

static void install_signals(GstRvosSegClass *klass)
{
    GType type = G_TYPE_FROM_CLASS(klass);
    GSignalFlags flags = G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION;

    /**
     * GstRvosSeg::reset:
     *
     * Forget the objects and begin anew with the next frame.
     *
     * Since: 0.1
     */
    g_signal_new_class_handler("reset", type, flags, G_CALLBACK(on_reset), NULL, NULL,
                               NULL, G_TYPE_NONE, 0);
    /**
     * GstRvosSeg::set-mask:
     * @sample: GRAY8 video: pixel value n is slot n. In its info structure `replace`
     *     (boolean) forgets all objects first. With a PTS it waits for the first frame at
     *     or after it.
     *
     * Follow these objects from the next frame on; of one-shot and auto mode.
     *
     * Returns: FALSE, with a warning on the bus, if the mask cannot be used, or in
     * zero-shot mode
     *
     * Since: 0.1
     */
    g_signal_new_class_handler("set-mask", type, flags, G_CALLBACK(on_set_mask), NULL,
                               NULL, NULL, G_TYPE_BOOLEAN, 1, GST_TYPE_SAMPLE);
    /**
     * GstRvosSeg::drop-object:
     * @slot: from 1
     *
     * Forget the object of one slot. In zero-shot mode another may be found for it.
     *
     * Returns: FALSE if there is no such slot
     *
     * Since: 0.1
     */
    g_signal_new_class_handler("drop-object", type, flags, G_CALLBACK(on_drop_object),
                               NULL, NULL, NULL, G_TYPE_BOOLEAN, 1, G_TYPE_UINT);
}

static void add_templates(GstElementClass *klass)
{
    g_autoptr(GstCaps) frame = gst_rvos_frame_caps(gst_rvos_cuda_built, FALSE, FALSE);
    g_autoptr(GstCaps) mask = gst_rvos_mask_pad_caps(gst_rvos_cuda_built);

    gst_element_class_add_pad_template(
        klass, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, frame));
    gst_element_class_add_pad_template(
        klass, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, frame));
    gst_element_class_add_pad_template(
        klass, gst_pad_template_new("mask", GST_PAD_SRC, GST_PAD_REQUEST, mask));
}

static void gst_rvos_seg_class_init(GstRvosSegClass *klass)
{
    GObjectClass *object = G_OBJECT_CLASS(klass);
    GstElementClass *element = GST_ELEMENT_CLASS(klass);
    GstBaseTransformClass *trans = GST_BASE_TRANSFORM_CLASS(klass);
    GstVideoFilterClass *filter = GST_VIDEO_FILTER_CLASS(klass);

    object->set_property = GST_DEBUG_FUNCPTR(gst_rvos_props_set);
    object->get_property = GST_DEBUG_FUNCPTR(gst_rvos_props_get);
    object->finalize = GST_DEBUG_FUNCPTR(finalize);
    gst_rvos_props_install(object);
    install_signals(klass);

    element->change_state = GST_DEBUG_FUNCPTR(change_state);
    element->set_context = GST_DEBUG_FUNCPTR(set_context);
    element->request_new_pad = GST_DEBUG_FUNCPTR(gst_rvos_mask_pad_request);
    element->release_pad = GST_DEBUG_FUNCPTR(gst_rvos_mask_pad_release);
    add_templates(element);
    gst_element_class_set_static_metadata(
        element, "RVOS video object segmentation (shipped weights: research only)",
        "Filter/Analyzer/Video",
        "Finds the objects of a video, or follows those of a given mask; the weights "
        "that are shipped are for research and evaluation only, by the licences of their "
        "training data",
        "the rvosseg developers");

    trans->start = GST_DEBUG_FUNCPTR(start);
    trans->stop = GST_DEBUG_FUNCPTR(stop);
    trans->propose_allocation = GST_DEBUG_FUNCPTR(propose_allocation);
    trans->transform_caps = GST_DEBUG_FUNCPTR(gst_rvos_caps_transform);
    trans->before_transform = GST_DEBUG_FUNCPTR(before_transform);
    trans->submit_input_buffer = GST_DEBUG_FUNCPTR(submit_input_buffer);
    trans->transform_ip = GST_DEBUG_FUNCPTR(transform_ip);
    trans->sink_event = GST_DEBUG_FUNCPTR(gst_rvos_seg_sink_event);
    trans->src_event = GST_DEBUG_FUNCPTR(gst_rvos_seg_src_event);
    trans->query = GST_DEBUG_FUNCPTR(gst_rvos_seg_query);
    filter->set_info = GST_DEBUG_FUNCPTR(set_info);
    /* Must be set: without it GstVideoFilter turns transform_ip_on_passthrough off for
     * the whole class. */
    filter->transform_frame_ip = GST_DEBUG_FUNCPTR(transform_frame_ip);
}

static void gst_rvos_seg_init(GstRvosSeg *self)
{
    GstBaseTransform *trans = GST_BASE_TRANSFORM(self);

    gst_rvos_props_init(self);
    self->segmenter = gst_rvos_segmenter_new(&self->masks);
    self->earliest = GST_CLOCK_TIME_NONE;
    self->paused_at = self->whole_latency = GST_CLOCK_TIME_NONE;
    gst_base_transform_set_qos_enabled(trans, FALSE);
    gst_base_transform_set_gap_aware(trans, TRUE);
    gst_base_transform_set_in_place(trans, TRUE);
    gst_rvos_mask_pad_init(self);
}
