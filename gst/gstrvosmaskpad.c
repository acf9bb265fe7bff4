/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvoscuda.h"
#include "gstrvosseg.h"

#include <gst/video/gstvideopool.h>

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* ---- pad and lifetime ---------------------------------------------------------- */

GstPad *gst_rvos_mask_pad_ref(GstRvosSeg *self)
{
    GstPad *pad;

    GST_OBJECT_LOCK(self);
    pad = self->mask.pad ? gst_object_ref(self->mask.pad) : NULL;
    GST_OBJECT_UNLOCK(self);
    return pad;
}

static gboolean upstream_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstRvosSeg *self = GST_RVOS_SEG(parent);
    GstPad *sink = GST_BASE_TRANSFORM_SINK_PAD(self);
    gboolean good;

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_QOS:         /* must not throttle the picture */
    case GST_EVENT_RECONFIGURE: /* gst_pad_check_reconfigure tells us anyway */
        gst_event_unref(event);
        return TRUE;
    case GST_EVENT_SEEK:
        if (gst_rvos_seg_seek_is_repeated(self, event)) {
            gst_event_unref(event);
            return TRUE;
        }
        gst_event_ref(event);
        good = gst_pad_push_event(sink, event);
        if (!good)
            gst_rvos_seg_seek_failed(self, event);
        gst_event_unref(event);
        return good;
    default:
        GST_LOG_OBJECT(pad, "%" GST_PTR_FORMAT, (void *)event);
        return gst_pad_push_event(sink, event);
    }
}

static gboolean pad_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstRvosSeg *self = GST_RVOS_SEG(parent);

    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
        return gst_rvos_seg_answer_latency(self, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT &&
        gst_rvos_gpu_answer_context(self, query))
        return TRUE;
    return gst_pad_query_default(pad, parent, query);
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstRvosSeg *self = GST_RVOS_SEG(parent);
    GstRvosMaskPad *mask = &self->mask;
    GstFlowReturn flow = mask->parent_chain(pad, parent, buffer);

    /* An unlinked `src` must not stop the stream while `mask` is linked. */
    g_mutex_lock(&mask->lock);
    flow = gst_flow_combiner_update_pad_flow(mask->combiner, mask->src, flow);
    g_mutex_unlock(&mask->lock);
    return flow;
}

void gst_rvos_mask_pad_init(GstRvosSeg *self)
{
    GstRvosMaskPad *mask = &self->mask;
    GstPad *sink = GST_BASE_TRANSFORM_SINK_PAD(self);

    g_mutex_init(&mask->lock);
    mask->combiner = gst_flow_combiner_new();
    mask->src = GST_BASE_TRANSFORM_SRC_PAD(self);
    gst_flow_combiner_add_pad(mask->combiner, mask->src);
    mask->parent_chain = GST_PAD_CHAINFUNC(sink);
    gst_pad_set_chain_function(sink, GST_DEBUG_FUNCPTR(chain));
}

static void drop_pool(GstRvosMaskPad *mask)
{
    if (mask->pool)
        gst_buffer_pool_set_active(mask->pool, FALSE);
    gst_clear_object(&mask->pool);
}

void gst_rvos_mask_pad_finalize(GstRvosSeg *self)
{
    GstRvosMaskPad *mask = &self->mask;

    drop_pool(mask);
    gst_clear_caps(&mask->caps);
    g_slist_free_full(mask->flushed, gst_object_unref);
    /* It holds references on its pads. */
    g_clear_pointer(&mask->combiner, gst_flow_combiner_unref);
    g_mutex_clear(&mask->lock);
}

void gst_rvos_mask_pad_stop(GstRvosSeg *self)
{
    drop_pool(&self->mask);
    gst_clear_caps(&self->mask.caps);
    g_mutex_lock(&self->mask.lock);
    gst_flow_combiner_reset(self->mask.combiner);
    g_mutex_unlock(&self->mask.lock);
    gst_rvos_mask_pad_end_flush(self);
    GST_OBJECT_LOCK(self);
    self->mask.sticky_due = self->mask.pad != NULL;
    GST_OBJECT_UNLOCK(self);
}

/* A pad that comes during a flush flushes like the others, or the streaming thread could
 * block in its branch, where FLUSH_START has not been. */
static void publish(GstRvosMaskPad *mask, GstRvosSeg *self, GstPad *pad)
{
    g_mutex_lock(&mask->lock);
    gst_flow_combiner_add_pad(mask->combiner, pad);
    if (mask->flushing) {
        GST_OBJECT_LOCK(pad);
        GST_PAD_SET_FLUSHING(pad);
        GST_OBJECT_UNLOCK(pad);
    }
    GST_OBJECT_LOCK(self);
    mask->pad = pad;
    mask->sticky_due = TRUE;
    GST_OBJECT_UNLOCK(self);
    g_mutex_unlock(&mask->lock);
}

/* FALSE: that is what it was already. */
static gboolean set_taken(GstRvosSeg *self, gboolean taken)
{
    gboolean changed;

    GST_OBJECT_LOCK(self);
    changed = self->mask.taken != taken;
    self->mask.taken = taken;
    GST_OBJECT_UNLOCK(self);
    return changed;
}

GstPad *gst_rvos_mask_pad_request(GstElement *element, GstPadTemplate *templ,
                                  const gchar *name, const GstCaps *caps)
{
    GstRvosSeg *self = GST_RVOS_SEG(element);
    GstPad *pad;

    (void)name;
    (void)caps;
    if (!set_taken(self, TRUE)) {
        GST_WARNING_OBJECT(self, "there is one mask pad only, and it is taken");
        return NULL;
    }
    pad = gst_pad_new_from_template(templ, "mask");
    gst_pad_use_fixed_caps(pad);
    gst_pad_set_event_function(pad, GST_DEBUG_FUNCPTR(upstream_event));
    gst_pad_set_query_function(pad, GST_DEBUG_FUNCPTR(pad_query));
    gst_pad_set_active(pad, TRUE);
    if (!gst_element_add_pad(element, pad)) {
        set_taken(self, FALSE);
        return NULL;
    }
    publish(&self->mask, self, pad);
    return pad;
}

void gst_rvos_mask_pad_release(GstElement *element, GstPad *pad)
{
    GstRvosSeg *self = GST_RVOS_SEG(element);
    gboolean ours;

    g_mutex_lock(&self->mask.lock);
    GST_OBJECT_LOCK(self);
    ours = self->mask.pad == pad;
    if (ours)
        self->mask.pad = NULL;
    GST_OBJECT_UNLOCK(self);
    if (ours)
        gst_flow_combiner_remove_pad(self->mask.combiner, pad);
    g_mutex_unlock(&self->mask.lock);
    if (!ours) /* released before */
        return;
    /* A push may be blocked downstream: no waiting for it. It holds a reference. */
    gst_pad_set_active(pad, FALSE);
    gst_element_remove_pad(element, pad);
    set_taken(self, FALSE);
}

/* ---- buffers ---------------------------------------------------------------------- */

void gst_rvos_mask_pad_set_info(GstRvosSeg *self, const GstVideoInfo *frame)
{
    GstRvosMaskPad *mask = &self->mask;

    gst_video_info_set_format(&mask->info, GST_VIDEO_FORMAT_GRAY8,
                              (guint)GST_VIDEO_INFO_WIDTH(frame),
                              (guint)GST_VIDEO_INFO_HEIGHT(frame));
    mask->info.fps_n = frame->fps_n;
    mask->info.fps_d = frame->fps_d;
    mask->info.par_n = frame->par_n;
    mask->info.par_d = frame->par_d;
    gst_clear_caps(&mask->caps);
    mask->caps = gst_video_info_to_caps(&mask->info);
    mask->pool_due = TRUE;
}

/* The peer's pool, if it lets us keep masks as long as frames show them. */
static GstBufferPool *usable_pool(GstQuery *query, guint *size, guint *min)
{
    GstBufferPool *pool;
    guint max;

    if (gst_query_get_n_allocation_pools(query) == 0)
        return NULL;
    gst_query_parse_nth_allocation_pool(query, 0, &pool, size, min, &max);
    /* A peer that knows no GstVideoMeta could not read rows that its pool pads for it. */
    if (pool && (max != 0 ||
                 !gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL)))
        gst_clear_object(&pool);
    return pool;
}

static gboolean configure(GstBufferPool *pool, GstCaps *caps, guint size, guint min,
                          GstAllocator *allocator, GstAllocationParams *params)
{
    GstStructure *config = gst_buffer_pool_get_config(pool);

    gst_buffer_pool_config_set_params(config, caps, size, min, 0);
    gst_buffer_pool_config_set_allocator(config, allocator, params);
    if (gst_buffer_pool_has_option(pool, GST_BUFFER_POOL_OPTION_VIDEO_META))
        gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    return gst_buffer_pool_set_config(pool, config) &&
           gst_buffer_pool_set_active(pool, TRUE);
}

static gboolean own_pool(GstRvosMaskPad *mask, GstAllocator *allocator,
                         GstAllocationParams *params)
{
    drop_pool(mask);
    mask->pool = gst_video_buffer_pool_new();
    return configure(mask->pool, mask->caps, (guint)GST_VIDEO_INFO_SIZE(&mask->info), 0,
                     allocator, params);
}

/* A pad that was requested between a FLUSH_STOP and the SEGMENT that follows it may have
 * missed that SEGMENT. Data must not come without one. An ALLOCATION query must not come
 * without it either: a queue that still holds the EOS of a former pad would end at that
 * EOS and keep the query, whose memory we then free. */
static void send_missed_events(GstRvosSeg *self, GstPad *pad)
{
    GstEvent *segment = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);

    if (!segment && !GST_PAD_IS_FLUSHING(pad)) {
        GST_OBJECT_LOCK(self);
        self->mask.sticky_due = TRUE;
        GST_OBJECT_UNLOCK(self);
    }
    gst_clear_event(&segment);
    gst_rvos_mask_pad_send_sticky(self, pad);
}

/* Not during a flush: the query could wait in a branch that has been linked since. */
static gboolean ask_peer(GstRvosSeg *self, GstPad *pad, GstQuery *query)
{
    gboolean answered;

    self->mask.pool_due = pad && GST_PAD_IS_FLUSHING(pad);
    if (!pad || self->mask.pool_due)
        return FALSE;
    send_missed_events(self, pad);
    gst_rvos_mask_pad_enter(self, pad);
    answered = gst_pad_peer_query(pad, query);
    gst_rvos_mask_pad_leave(self);
    return answered;
}

static gboolean make_pool(GstRvosSeg *self, GstPad *pad)
{
    GstRvosMaskPad *mask = &self->mask;
    GstQuery *query = gst_query_new_allocation(mask->caps, TRUE);
    GstAllocator *allocator = NULL;
    GstAllocationParams params;
    guint size = 0, min = 0;
    gboolean good = FALSE;

    drop_pool(mask);
    gst_allocation_params_init(&params);
    if (ask_peer(self, pad, query)) {
        mask->pool = usable_pool(query, &size, &min);
        if (gst_query_get_n_allocation_params(query) > 0)
            gst_query_parse_nth_allocation_param(query, 0, &allocator, &params);
    }
    size = MAX(size, (guint)GST_VIDEO_INFO_SIZE(&mask->info));
    if (mask->pool)
        good = configure(mask->pool, mask->caps, size, min, allocator, &params);
    if (!good)
        good = own_pool(mask, allocator, &params);
    gst_clear_object(&allocator);
    gst_query_unref(query);
    return good;
}

/* Another peer may want the masks in memory of the other kind. */
static void reconfigure(GstRvosSeg *self, GstPad *pad)
{
    GstCaps *frames, *now, *wanted;

    if (GST_PAD_IS_FLUSHING(pad) || !gst_pad_check_reconfigure(pad))
        return;
    self->mask.pool_due = TRUE;
    frames = gst_pad_get_current_caps(GST_BASE_TRANSFORM_SINK_PAD(self));
    now = gst_pad_get_current_caps(pad);
    if (frames && now) { /* else the sticky events are still to come */
        wanted = gst_rvos_mask_pad_gray_caps(pad, frames);
        if (!gst_caps_is_equal(now, wanted))
            gst_pad_push_event(pad, gst_event_new_caps(wanted));
        gst_caps_unref(wanted);
    }
    gst_clear_caps(&frames);
    gst_clear_caps(&now);
}

/* A peer's pool may give plain buffers. Readers of a mask want to see its rows: ours, and
 * GstAnalytics, which refuses one without. */
static void describe_rows(GstVideoInfo *info, GstBuffer *buffer)
{
    if (!gst_buffer_get_video_meta(buffer))
        gst_buffer_add_video_meta_full(
            buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8,
            (guint)GST_VIDEO_INFO_WIDTH(info), (guint)GST_VIDEO_INFO_HEIGHT(info), 1,
            info->offset, info->stride);
}

static GstFlowReturn acquire(GstRvosMaskPad *mask, GstBuffer **buffer)
{
    GstFlowReturn flow = gst_buffer_pool_acquire_buffer(mask->pool, buffer, NULL);

    if (flow == GST_FLOW_OK)
        describe_rows(&mask->info, *buffer);
    return flow;
}

GstFlowReturn gst_rvos_mask_pad_alloc(GstRvosSeg *self, GstBuffer **buffer)
{
    GstRvosMaskPad *mask = &self->mask;
    GstPad *pad = gst_rvos_mask_pad_ref(self);
    GstAllocationParams params;
    gboolean good = TRUE;

    if (pad)
        reconfigure(self, pad);
    if (mask->pool_due || !mask->pool)
        good = make_pool(self, pad);
    gst_clear_object(&pad);
    if (good && acquire(mask, buffer) == GST_FLOW_OK)
        return GST_FLOW_OK;
    /* The peer's pool or memory ends when the peer stops: a branch that has gone must
     * not stop the other. */
    gst_allocation_params_init(&params);
    if (!own_pool(mask, NULL, &params))
        return GST_FLOW_ERROR;
    return acquire(mask, buffer);
}

/* One branch that has gone must not stop the other. */
static void combine(GstRvosSeg *self, GstPad *pad, GstFlowReturn flow)
{
    if (flow == GST_FLOW_FLUSHING && !GST_PAD_IS_FLUSHING(pad))
        flow = GST_FLOW_NOT_LINKED;
    if (flow == GST_FLOW_NOT_NEGOTIATED)
        gst_rvos_caps_mask_refused(self, pad);
    g_mutex_lock(&self->mask.lock);
    if (self->mask.pad == pad) /* else it was released meanwhile */
        gst_flow_combiner_update_pad_flow(self->mask.combiner, pad, flow);
    g_mutex_unlock(&self->mask.lock);
}

static GstBuffer *with_time_of(GstBuffer *mask, GstBuffer *frame)
{
    /* Memory is shared with the held mask, and copied by whoever writes to it. */
    GstBuffer *out = gst_buffer_copy_region(
        mask, GST_BUFFER_COPY_MEMORY | GST_BUFFER_COPY_META, 0, (gsize)-1);

    if (!out)
        return NULL;
    gst_buffer_copy_into(out, frame, GST_BUFFER_COPY_TIMESTAMPS | GST_BUFFER_COPY_FLAGS,
                         0, (gsize)-1);
    return out;
}

static gboolean wants_copy(GstPad *pad, GstBuffer *mask)
{
    GstCaps *caps;
    gboolean wants;

    if (!gst_rvos_cuda_context_of(mask) || !gst_pad_is_linked(pad))
        return FALSE;
    caps = gst_pad_get_current_caps(pad);
    wants = !gst_rvos_gpu_caps_in_cuda(caps);
    gst_clear_caps(&caps);
    return wants;
}

static GstFlowReturn push_copy(GstRvosSeg *self, GstPad *pad, GstBuffer *mask,
                               GstBuffer *frame)
{
    GstBuffer *out = with_time_of(mask, frame);
    GstFlowReturn flow;

    if (!out) {
        gst_rvos_run_explain(self, RVOS_ERR_MEMORY, "A mask could not be copied");
        return GST_FLOW_ERROR;
    }
    gst_rvos_mask_pad_enter(self, pad);
    flow = gst_pad_push(pad, out);
    gst_rvos_mask_pad_leave(self);
    return flow;
}

void gst_rvos_mask_pad_push(GstRvosSeg *self, GstBuffer *mask, GstBuffer *frame)
{
    GstPad *pad = gst_rvos_mask_pad_ref(self);
    GstFlowReturn flow = GST_FLOW_ERROR;

    if (!pad)
        return;
    send_missed_events(self, pad);
    reconfigure(self, pad);
    if (wants_copy(pad, mask)) {
        if (!self->held.copy)
            self->held.copy = gst_rvos_gpu_read_mask(self, mask);
        mask = self->held.copy;
    }
    if (mask)
        flow = push_copy(self, pad, mask, frame);
    combine(self, pad, flow);
    gst_object_unref(pad);
}

void gst_rvos_mask_pad_gap(GstRvosSeg *self, GstClockTime time, GstClockTime duration)
{
    GstPad *pad = gst_rvos_mask_pad_ref(self);

    if (!pad)
        return;
    send_missed_events(self, pad);
    if (GST_CLOCK_TIME_IS_VALID(time))
        gst_pad_push_event(pad, gst_event_new_gap(time, duration));
    gst_object_unref(pad);
}
