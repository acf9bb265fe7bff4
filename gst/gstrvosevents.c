/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosevents.c - events and queries, and their effect on the recurrent state.
 *
 * Events only request resets. The reset happens before the next frame, so that a chain of
 * events (flush, stream-start, caps, segment) causes one reset, with the first event's
 * reason.
 */
#include "gstrvosseg.h"

#include "gstrvosframe.h"

#define PARENT(self) GST_BASE_TRANSFORM_CLASS(g_type_class_peek(GST_TYPE_VIDEO_FILTER))

/* ---- downstream ------------------------------------------------------------------- */

static void to_segmenter(GstRvosSeg *self, GstEvent *event)
{
    GstRvosSettings settings;
    gboolean sought; /* the event belongs to a seek that passed here */

    GST_OBJECT_LOCK(self);
    settings = self->settings;
    sought = self->seek_seen && self->seek_seqnum == gst_event_get_seqnum(event);
    if (GST_EVENT_TYPE(event) == GST_EVENT_GAP)
        self->stats.gaps++;
    if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP)
        self->earliest = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(self);
    gst_rvos_segmenter_event(self->segmenter, event, &settings, sought);
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
        gst_rvos_message_segmenter(self);
}

gboolean gst_rvos_seg_sink_event(GstBaseTransform *trans, GstEvent *event)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(trans);
    gboolean good, is_caps = GST_EVENT_TYPE(event) == GST_EVENT_CAPS;

    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
        gst_rvos_caps_ended(self);
    if (!is_caps && GST_EVENT_TYPE(event) != GST_EVENT_FLUSH_START)
        to_segmenter(self, event);
    /* Caps reach the mask pad only after the base class has accepted them. */
    if (!is_caps)
        gst_rvos_mask_pad_event(self, event);
    gst_event_ref(event);
    good = PARENT(self)->sink_event(trans, event);
    if (is_caps) {
        GstCaps *caps;

        gst_event_parse_caps(event, &caps);
        gst_rvos_caps_came(self, caps, good);
        if (good)
            gst_rvos_mask_pad_event(self, event);
    }
    gst_event_unref(event);
    return good;
}

/* ---- upstream -------------------------------------------------------------------- */

gboolean gst_rvos_seg_seek(GstRvosSeg *self, GstEvent *event)
{
    guint32 seqnum = gst_event_get_seqnum(event);
    gboolean repeated, good;

    GST_OBJECT_LOCK(self);
    repeated = self->seek_seen && self->seek_seqnum == seqnum;
    self->seek_seen = TRUE;
    self->seek_seqnum = seqnum;
    GST_OBJECT_UNLOCK(self);
    if (repeated) {
        GST_DEBUG_OBJECT(self, "seek %u has passed already", seqnum);
        gst_event_unref(event);
        return TRUE;
    }
    good = gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(self), event);
    GST_OBJECT_LOCK(self);
    if (!good && self->seek_seqnum == seqnum)
        self->seek_seen = FALSE;
    GST_OBJECT_UNLOCK(self);
    return good;
}

void gst_rvos_seg_qos(GstRvosSeg *self, GstEvent *event, gboolean keep)
{
    GstClockTimeDiff diff;
    GstClockTime time;
    gdouble proportion;

    gst_event_parse_qos(event, NULL, &proportion, &diff, &time);
    if (keep)
        gst_base_transform_update_qos(GST_BASE_TRANSFORM(self), proportion, diff, time);
    if (!GST_CLOCK_TIME_IS_VALID(time))
        return;
    GST_OBJECT_LOCK(self);
    self->earliest = gst_rvos_time_shift(time, diff);
    GST_OBJECT_UNLOCK(self);
}

void gst_rvos_seg_latency(GstRvosSeg *self, GstEvent *event)
{
    GST_RVOS_OBJECT_LOCKED(self);

    gst_event_parse_latency(event, &self->whole_latency);
}

gboolean gst_rvos_seg_src_event(GstBaseTransform *trans, GstEvent *event)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(trans);
    gboolean keep = FALSE;

    if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK)
        return gst_rvos_seg_seek(self, event);
    if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) {
        /* If a decoder dropped pictures, the numbers of later ones would change. */
        keep = gst_rvos_segmenter_waits(self->segmenter);
        gst_rvos_seg_qos(self, event, keep);
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY) {
        gst_rvos_seg_latency(self, event);
    }
    if (!keep)
        return PARENT(self)->src_event(trans, event);
    gst_event_unref(event);
    return TRUE;
}

/* ---- queries --------------------------------------------------------------------- */

gboolean gst_rvos_seg_answer_latency(GstRvosSeg *self, GstQuery *query)
{
    GstClockTime min, max, ours;
    gboolean live;

    if (!gst_pad_peer_query(GST_BASE_TRANSFORM_SINK_PAD(self), query))
        return FALSE;
    gst_query_parse_latency(query, &live, &min, &max);
    GST_OBJECT_LOCK(self);
    self->live = live; /* pipelines ask before they play */
    ours =
        self->settings.latency < 0 ? self->latency : (GstClockTime)self->settings.latency;
    GST_OBJECT_UNLOCK(self);
    min = gst_rvos_time_add(min, ours);
    if (GST_CLOCK_TIME_IS_VALID(max))
        max = gst_rvos_time_add(max, ours);
    gst_query_set_latency(query, live, min, max);
    return TRUE;
}

gboolean gst_rvos_seg_query(GstBaseTransform *trans, GstPadDirection direction,
                            GstQuery *query)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(trans);
    gboolean answered;

    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY && direction == GST_PAD_SRC)
        return gst_rvos_seg_answer_latency(self, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT &&
        gst_rvos_gpu_answer_context(self, query))
        return TRUE;
    answered = PARENT(self)->query(trans, direction, query);
    if (answered && direction == GST_PAD_SINK)
        gst_rvos_caps_asked(self, query);
    return answered;
}
