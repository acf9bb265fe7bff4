/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskevents.c - the stream's events on the request pad `mask`. */
#include "gstrvoscuda.h"
#include "gstrvosframe.h"
#include "gstrvosseg.h"

GstPad *gst_rvos_mask_pad_ref(GstRvosSeg *self)
{
    GST_RVOS_OBJECT_LOCKED(self);

    return self->mask.pad ? gst_object_ref(self->mask.pad) : NULL;
}

/* ---- events ---------------------------------------------------------------------- */

static GstEvent *rewrite_stream_start(GstEvent *event)
{
    const gchar *upstream;
    g_autofree gchar *id = NULL;
    GstStreamFlags flags;
    GstEvent *out;
    guint group;

    gst_event_parse_stream_start(event, &upstream);
    gst_event_parse_stream_flags(event, &flags);
    /* The id that gst_pad_create_stream_id would make. That function cannot be used here,
     * because the sink pad stores this event only after it has been handled. */
    id = g_strdup_printf("%s/mask", upstream);
    out = gst_event_new_stream_start(id);
    gst_event_set_stream_flags(out, flags);
    if (gst_event_parse_group_id(event, &group))
        gst_event_set_group_id(out, group);
    return out;
}

GstCaps *gst_rvos_mask_pad_caps(gboolean cuda)
{
    return gst_caps_from_string(
        cuda ? GST_VIDEO_CAPS_MAKE("GRAY8") "; " GST_VIDEO_CAPS_MAKE_WITH_FEATURES(
                   GST_RVOS_CUDA_MEMORY, "GRAY8")
             : GST_VIDEO_CAPS_MAKE("GRAY8"));
}

/* Whether the peer prefers CUDA memory. A peer that accepts anything does not know CUDA
 * memory. */
static gboolean peer_wants_cuda(GstPad *pad)
{
    g_autoptr(GstCaps) ours = gst_rvos_mask_pad_caps(TRUE);
    g_autoptr(GstCaps) theirs = gst_pad_peer_query_caps(pad, NULL);
    g_autoptr(GstCaps) both =
        gst_caps_intersect_full(theirs, ours, GST_CAPS_INTERSECT_FIRST);

    return gst_rvos_frame_caps_in_cuda(both);
}

GstCaps *gst_rvos_mask_pad_gray_caps(GstPad *pad, const GstCaps *caps)
{
    static const gchar *const kept[] = {"width", "height", "framerate",
                                        "pixel-aspect-ratio"};
    GstCaps *gray =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "GRAY8", NULL);
    const GstStructure *from = gst_caps_get_structure(caps, 0);

    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        const GValue *value = gst_structure_get_value(from, kept[i]);

        if (value)
            gst_caps_set_value(gray, kept[i], value);
    }
    if (gst_rvos_frame_caps_in_cuda(caps) && peer_wants_cuda(pad))
        gst_caps_set_features(gray, 0, gst_caps_features_new(GST_RVOS_CUDA_MEMORY, NULL));
    return gray;
}

static GstEvent *rewrite_caps(GstPad *pad, GstEvent *event)
{
    g_autoptr(GstCaps) gray = NULL;
    GstCaps *caps;

    gst_event_parse_caps(event, &caps);
    gray = gst_rvos_mask_pad_gray_caps(pad, caps);
    return gst_event_new_caps(gray);
}

/* The event in the form for the mask pad; a new reference. */
static GstEvent *translate(GstPad *pad, GstEvent *event)
{
    GstEvent *out;

    if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START)
        out = rewrite_stream_start(event);
    else if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS)
        out = rewrite_caps(pad, event);
    else
        return gst_event_ref(event);
    gst_event_set_seqnum(out, gst_event_get_seqnum(event));
    return out;
}

static gboolean replay(G_GNUC_UNUSED GstPad *sink, GstEvent **event, gpointer user)
{
    /* A stored EOS belongs to the last stream, because another event follows. */
    if (GST_EVENT_TYPE(*event) != GST_EVENT_EOS)
        gst_pad_push_event(GST_PAD(user), translate(GST_PAD(user), *event));
    return TRUE;
}

/* Serialized events and buffers must follow the sticky events. The streaming thread sends
 * the sticky events, not request_new_pad, which could miss a CAPS event in progress. */
void gst_rvos_mask_pad_send_sticky(GstRvosSeg *self, GstPad *pad)
{
    gboolean due;

    GST_OBJECT_LOCK(self);
    due = self->mask.sticky_due && self->mask.pad == pad;
    if (due)
        self->mask.sticky_due = FALSE;
    GST_OBJECT_UNLOCK(self);
    /* A flushing pad stores these events for later, except SEGMENT, which follows the
     * flush. */
    if (due)
        gst_pad_sticky_events_foreach(GST_BASE_TRANSFORM_SINK_PAD(self), replay, pad);
}

/* ---- flushes --------------------------------------------------------------------- */

void gst_rvos_mask_pad_enter(GstRvosSeg *self, GstPad *pad)
{
    GstPad *peer = gst_pad_get_peer(pad);
    GST_RVOS_LOCKED(&self->mask.lock);

    self->mask.inside = peer;
}

void gst_rvos_mask_pad_leave(GstRvosSeg *self)
{
    g_autoptr(GstPad) peer = NULL; /* freed without the lock */

    g_mutex_lock(&self->mask.lock);
    peer = g_steal_pointer(&self->mask.inside);
    g_mutex_unlock(&self->mask.lock);
}

/* Takes over the reference on `peer`. */
static void remember_flushed(GstRvosSeg *self, GstPad *peer)
{
    GST_RVOS_LOCKED(&self->mask.lock);

    self->mask.flushed = g_slist_prepend(self->mask.flushed, peer);
}

/* The streaming thread may be blocked in a branch that was unlinked or released
 * meanwhile. Only our FLUSH_START can free it. Takes over the reference on `inside`. */
static void free_thread(GstRvosSeg *self, GstPad *inside, GstEvent *event)
{
    if (!gst_pad_is_linked(inside) && !GST_PAD_IS_FLUSHING(inside)) {
        gst_pad_send_event(inside, gst_event_ref(event));
        remember_flushed(self, inside);
    } else {
        gst_object_unref(inside);
    }
}

static void flush_start(GstRvosSeg *self, GstEvent *event)
{
    g_autoptr(GstPad) pad = NULL;
    GstPad *peer, *inside;

    g_mutex_lock(&self->mask.lock);
    self->mask.flushing = TRUE;
    inside = self->mask.inside ? gst_object_ref(self->mask.inside) : NULL;
    g_mutex_unlock(&self->mask.lock);
    pad = gst_rvos_mask_pad_ref(self);
    if (pad) {
        peer = gst_pad_get_peer(pad);
        gst_pad_push_event(pad, gst_event_ref(event));
        if (peer)
            remember_flushed(self, peer);
    }
    if (inside)
        free_thread(self, inside, event);
}

/* A branch that was unlinked during the flush needs its FLUSH_STOP, or it refuses all
 * later data. A branch that has another source or was stopped gets none from us. */
static void release_from_flush(GstPad *peer, GstEvent *stop)
{
    if (!gst_pad_is_linked(peer) && GST_PAD_IS_ACTIVE(peer) && GST_PAD_IS_FLUSHING(peer))
        gst_pad_send_event(peer, gst_event_ref(stop));
}

/* FLUSH_STOP waits for the peer's stream lock. A peer releases it only after FLUSH_START,
 * so a peer that was linked since then gets both now. */
static void flush_stop_pad(GstPad *pad, GstEvent *stop)
{
    g_autoptr(GstPad) peer = gst_pad_get_peer(pad);
    GstEvent *start;

    if (peer && !GST_PAD_IS_FLUSHING(peer)) {
        start = gst_event_new_flush_start();
        gst_event_set_seqnum(start, gst_event_get_seqnum(stop));
        gst_pad_push_event(pad, start);
    }
    gst_pad_push_event(pad, gst_event_ref(stop));
}

GSList *gst_rvos_mask_pad_end_flush(GstRvosSeg *self, GstPad **pad)
{
    GST_RVOS_LOCKED(&self->mask.lock);

    gst_flow_combiner_reset(self->mask.combiner);
    self->mask.flushing = FALSE;
    *pad = gst_rvos_mask_pad_ref(self);
    return g_steal_pointer(&self->mask.flushed);
}

static void flush_stop(GstRvosSeg *self, GstEvent *event)
{
    g_autoptr(GstPad) pad = NULL;
    GSList *flushed = gst_rvos_mask_pad_end_flush(self, &pad);

    if (pad)
        flush_stop_pad(pad, event);
    for (GSList *each = flushed; each; each = each->next)
        release_from_flush(GST_PAD(each->data), event);
    g_slist_free_full(flushed, gst_object_unref);
}

/* ---- any event ------------------------------------------------------------------- */

static void send(GstRvosSeg *self, GstPad *pad, GstEvent *event)
{
    if (!GST_EVENT_IS_SERIALIZED(event)) {
        gst_pad_push_event(pad, translate(pad, event));
        return;
    }
    gst_rvos_mask_pad_send_sticky(self, pad);
    gst_rvos_mask_pad_enter(self, pad);
    gst_pad_push_event(pad, translate(pad, event));
    gst_rvos_mask_pad_leave(self);
}

void gst_rvos_mask_pad_event(GstRvosSeg *self, GstEvent *event)
{
    g_autoptr(GstPad) pad = NULL;

    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START)
        flush_start(self, event);
    else if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
        flush_stop(self, event);
    else if ((pad = gst_rvos_mask_pad_ref(self)) != NULL)
        send(self, pad, event);
}
