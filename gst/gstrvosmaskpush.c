/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskpush.c - masks on the request pad: the peer's pool, buffers and gaps. */
#include "gstrvoscuda.h"
#include "gstrvosframe.h"
#include "gstrvosseg.h"

/* A pad that was requested between a FLUSH_STOP and the SEGMENT that follows it may have
 * missed that SEGMENT. Data needs a SEGMENT first. An ALLOCATION query needs it too: a
 * queue that still holds the EOS of an earlier pad would stop at that EOS and keep the
 * query, whose memory we then free. */
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

/* Does not query during a flush, because the query could block in a newly linked
 * branch. */
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

/* A new peer may prefer masks in the other kind of memory. */
static void reconfigure(GstRvosSeg *self, GstPad *pad)
{
    g_autoptr(GstCaps) frames = NULL, now = NULL, wanted = NULL;

    if (GST_PAD_IS_FLUSHING(pad) || !gst_pad_check_reconfigure(pad))
        return;
    self->mask.pool_due = TRUE;
    frames = gst_pad_get_current_caps(GST_BASE_TRANSFORM_SINK_PAD(self));
    now = gst_pad_get_current_caps(pad);
    if (frames && now) { /* else the sticky events come later */
        wanted = gst_rvos_mask_pad_gray_caps(pad, frames);
        if (!gst_caps_is_equal(now, wanted))
            gst_pad_push_event(pad, gst_event_new_caps(wanted));
    }
}

void gst_rvos_mask_pad_prepare(GstRvosSeg *self)
{
    g_autoptr(GstPad) pad = gst_rvos_mask_pad_ref(self);

    if (pad)
        reconfigure(self, pad);
    if (self->mask.pool_due) {
        g_autoptr(GstQuery) query = gst_query_new_allocation(self->masks.caps, TRUE);
        gboolean answered = ask_peer(self, pad, query);

        gst_rvos_mask_alloc_configure(&self->masks, answered ? query : NULL);
    }
}

/* A removed branch must not stop the other one. */
static void combine(GstRvosSeg *self, GstPad *pad, GstFlowReturn flow)
{
    if (flow == GST_FLOW_FLUSHING && !GST_PAD_IS_FLUSHING(pad))
        flow = GST_FLOW_NOT_LINKED;
    if (flow == GST_FLOW_NOT_NEGOTIATED)
        gst_rvos_caps_mask_refused(self, pad);
    g_mutex_lock(&self->mask.lock);
    if (self->mask.pad == pad) /* else it has been released */
        gst_flow_combiner_update_pad_flow(self->mask.combiner, pad, flow);
    g_mutex_unlock(&self->mask.lock);
}

static GstBuffer *with_time_of(GstBuffer *mask, GstBuffer *frame)
{
    /* Shares memory with the held mask; a writer gets a copy. */
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
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);

    return gst_rvos_cuda_context_of(mask) && gst_pad_is_linked(pad) &&
           !gst_rvos_frame_caps_in_cuda(caps);
}

static GstFlowReturn push_copy(GstRvosSeg *self, GstPad *pad, GstBuffer *mask,
                               GstBuffer *frame)
{
    GstBuffer *out = with_time_of(mask, frame);
    GstFlowReturn flow;

    if (!out) {
        gst_rvos_message_status(self, RVOS_ERR_MEMORY, "A mask could not be copied");
        return GST_FLOW_ERROR;
    }
    gst_rvos_mask_pad_enter(self, pad);
    flow = gst_pad_push(pad, out);
    gst_rvos_mask_pad_leave(self);
    return flow;
}

void gst_rvos_mask_pad_push(GstRvosSeg *self, GstBuffer *frame)
{
    GstBuffer *mask = self->result.mask;
    g_autoptr(GstPad) pad = gst_rvos_mask_pad_ref(self);
    GstFlowReturn flow = GST_FLOW_ERROR;

    if (!pad)
        return;
    send_missed_events(self, pad);
    reconfigure(self, pad);
    if (wants_copy(pad, mask)) {
        gst_rvos_mask_pad_prepare(self);
        mask = gst_rvos_segmenter_read_mask(self->segmenter);
        gst_rvos_message_segmenter(self);
    }
    if (mask)
        flow = push_copy(self, pad, mask, frame);
    combine(self, pad, flow);
}

void gst_rvos_mask_pad_gap(GstRvosSeg *self, GstClockTime time, GstClockTime duration)
{
    g_autoptr(GstPad) pad = gst_rvos_mask_pad_ref(self);

    if (!pad)
        return;
    send_missed_events(self, pad);
    if (GST_CLOCK_TIME_IS_VALID(time))
        gst_pad_push_event(pad, gst_event_new_gap(time, duration));
}
