/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskpad.c - the request pad: request and release, its peer's events and queries,
 * and the sink pad's chain and event functions. */
#include "gstrvosseg.h"

/* ---- functions of the pads --------------------------------------------------------- */

static gboolean upstream_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(parent);

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_QOS: /* must not throttle the main stream */
        if (!gst_pad_is_linked(GST_BASE_TRANSFORM_SRC_PAD(self)))
            gst_rvos_seg_qos(self, event, TRUE);
        break;
    case GST_EVENT_RECONFIGURE: /* gst_pad_check_reconfigure reports it */
        break;
    case GST_EVENT_SEEK:
        return gst_rvos_seg_seek(self, event);
    case GST_EVENT_LATENCY: /* `src` gets none if it is not linked */
        gst_rvos_seg_latency(self, event);
        G_GNUC_FALLTHROUGH;
    default:
        GST_LOG_OBJECT(pad, "%" GST_PTR_FORMAT, (void *)event);
        return gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(self), event);
    }
    gst_event_unref(event);
    return TRUE;
}

static gboolean pad_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(parent);

    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY)
        return gst_rvos_seg_answer_latency(self, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT &&
        gst_rvos_gpu_answer_context(self, query))
        return TRUE;
    return gst_pad_query_default(pad, parent, query);
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(parent);
    GstRvosMaskPad *mask = &self->mask;
    GstFlowReturn flow = mask->parent_chain(pad, parent, buffer);
    GST_RVOS_LOCKED(&mask->lock);

    /* An unlinked `src` must not stop the stream while `mask` is linked. */
    return gst_flow_combiner_update_pad_flow(mask->combiner, mask->src, flow);
}

/* Stopping deactivates `src` before the sink pad. An event that comes in between fails.
 * GStreamer takes such a failure for an error that ends the stream, unless we say that we
 * are flushing. */
static GstFlowReturn sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstRvosMaskPad *mask = &GST_RVOS_SEG_CAST(parent)->mask;
    gboolean is_caps = GST_EVENT_TYPE(event) == GST_EVENT_CAPS;

    if (mask->parent_event(pad, parent, event))
        return GST_FLOW_OK;
    if (GST_PAD_IS_FLUSHING(mask->src))
        return GST_FLOW_FLUSHING;
    return is_caps ? GST_FLOW_NOT_NEGOTIATED : GST_FLOW_ERROR;
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
    mask->parent_event = GST_PAD_EVENTFUNC(sink);
    gst_pad_set_event_full_function(sink, GST_DEBUG_FUNCPTR(sink_event));
}

void gst_rvos_mask_pad_finalize(GstRvosSeg *self)
{
    GstRvosMaskPad *mask = &self->mask;

    g_slist_free_full(mask->flushed, gst_object_unref);
    /* The combiner holds references on its pads. */
    g_clear_pointer(&mask->combiner, gst_flow_combiner_unref);
    g_mutex_clear(&mask->lock);
}

void gst_rvos_mask_pad_stop(GstRvosSeg *self)
{
    g_autoptr(GstPad) pad = NULL;

    g_slist_free_full(gst_rvos_mask_pad_end_flush(self, &pad), gst_object_unref);
    GST_OBJECT_LOCK(self);
    self->mask.sticky_due = self->mask.pad != NULL;
    GST_OBJECT_UNLOCK(self);
}

/* A pad requested during a flush must flush like the others. Otherwise the streaming
 * thread could block in its branch, which got no FLUSH_START. */
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

/* FALSE: no change. */
static gboolean set_taken(GstRvosSeg *self, gboolean taken)
{
    GST_RVOS_OBJECT_LOCKED(self);
    gboolean changed = self->mask.taken != taken;

    self->mask.taken = taken;
    return changed;
}

GstPad *gst_rvos_mask_pad_request(GstElement *element, GstPadTemplate *templ,
                                  G_GNUC_UNUSED const gchar *name,
                                  G_GNUC_UNUSED const GstCaps *caps)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(element);
    GstPad *pad;

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
    GstRvosSeg *self = GST_RVOS_SEG_CAST(element);
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
    if (!ours) /* already released */
        return;
    /* A push may be blocked downstream. Do not wait for it; it holds a reference. */
    gst_pad_set_active(pad, FALSE);
    gst_element_remove_pad(element, pad);
    set_taken(self, FALSE);
}
