/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseg.h"

/* Late frames until the application is told, once, that the machine is too slow. */
#define SLOW_FRAMES 10

GstStructure *gst_rvos_stats_report(GstRvosSeg *self)
{
    GstStructure *s;
    const GstRvosStats *stats = &self->stats;
    const GstRvosCounts *counts = &stats->counts;
    guint users;

    GST_OBJECT_LOCK(self);
    /* Lock order: the element's, then the table's, which calls nothing. */
    users = self->model ? gst_rvos_model_users(self->model) : 0;
    s = gst_structure_new(
        "rvosseg-stats", "frames-in", G_TYPE_UINT64, stats->frames_in, "inferred",
        G_TYPE_UINT64, counts->inferred, "reused-interval", G_TYPE_UINT64,
        counts->reused_interval, "reused-late", G_TYPE_UINT64, counts->reused_late,
        "dropped-late", G_TYPE_UINT64, stats->dropped_late, "gaps", G_TYPE_UINT64,
        stats->gaps, "map-failures", G_TYPE_UINT64, stats->map_failures, "resets",
        G_TYPE_UINT64, counts->resets, "last-reset-reason", G_TYPE_STRING,
        gst_rvos_reset_name(counts->last_reset), "epoch", G_TYPE_UINT64, counts->epoch,
        "objects-alive", G_TYPE_UINT, counts->objects_alive, "objects-found",
        G_TYPE_UINT64, counts->objects_found, "discovery-frames", G_TYPE_UINT64,
        counts->discovery_frames, "inference-ns-last", G_TYPE_UINT64,
        counts->inference_last, "inference-ns-avg", G_TYPE_UINT64, counts->inference_avg,
        "inference-ns-p95", G_TYPE_UINT64, counts->inference_p95, "inference-ns-max",
        G_TYPE_UINT64, counts->inference_max, "latency-ns", G_TYPE_UINT64, self->latency,
        "engine", G_TYPE_STRING, stats->engine, "library", G_TYPE_STRING, stats->library,
        "isa", G_TYPE_STRING, stats->isa, "device", G_TYPE_STRING, stats->device,
        "model-users", G_TYPE_UINT, users, "weights-bytes", G_TYPE_UINT64,
        (guint64)stats->weights_bytes, "state-bytes", G_TYPE_UINT64,
        (guint64)stats->state_bytes, "readback-bytes", G_TYPE_UINT64,
        counts->readback_bytes, NULL);
    GST_OBJECT_UNLOCK(self);
    return s;
}

static void post(GstRvosSeg *self, GstStructure *s)
{
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_element(GST_OBJECT(self), s));
}

static void add_times(GstRvosSeg *self, GstStructure *s)
{
    const GstRvosTimes *times = &self->frame.times;

    gst_structure_set(s, "timestamp", G_TYPE_UINT64, times->timestamp, "stream-time",
                      G_TYPE_UINT64, times->stream_time, "running-time", G_TYPE_UINT64,
                      times->running_time, "duration", G_TYPE_UINT64, times->duration,
                      NULL);
}

static void post_words(GstRvosSeg *self, GstMessageType type, GstRvosNotice *notice)
{
    gst_element_message_full(GST_ELEMENT(self), type, notice->error->domain,
                             notice->error->code, g_strdup(notice->error->message),
                             g_steal_pointer(&notice->debug), __FILE__, GST_FUNCTION,
                             __LINE__);
}

static void post_reset(GstRvosSeg *self, GstRvosReset reason, guint64 epoch)
{
    GstStructure *s = gst_structure_new("rvosseg-reset", "reason", G_TYPE_STRING,
                                        gst_rvos_reset_name(reason), "epoch",
                                        G_TYPE_UINT64, epoch, NULL);

    add_times(self, s);
    post(self, s);
}

static void post_object(GstRvosSeg *self, const gchar *event, const GstRvosObject *object)
{
    const rvos_object *seen = &object->seen;
    GstStructure *s = gst_structure_new(
        "rvosseg-object", "event", G_TYPE_STRING, event, "slot", G_TYPE_UINT,
        object->slot, "tracking-id", G_TYPE_UINT64, object->tracking_id, "x", G_TYPE_UINT,
        (guint)seen->x, "y", G_TYPE_UINT, (guint)seen->y, "width", G_TYPE_UINT,
        (guint)seen->width, "height", G_TYPE_UINT, (guint)seen->height, "area",
        G_TYPE_UINT64, (guint64)seen->area, "score", G_TYPE_DOUBLE, seen->score, "age",
        G_TYPE_UINT64, object->age, NULL);

    if (object->label)
        gst_structure_set(s, "label", G_TYPE_STRING, g_quark_to_string(object->label),
                          NULL);
    add_times(self, s);
    post(self, s);
}

static void post_notice(GstRvosSeg *self, GstRvosNotice *notice)
{
    static const gchar *const changes[] = {"appeared", "lost", "recovered"};

    if (notice->kind == GST_RVOS_NOTICE_ERROR)
        post_words(self, GST_MESSAGE_ERROR, notice);
    else if (notice->kind == GST_RVOS_NOTICE_WARNING)
        post_words(self, GST_MESSAGE_WARNING, notice);
    /* The others come from the streaming thread only, which has the frame's times. */
    else if (self->frame.settings.post_messages == GST_RVOS_SEG_POST_MESSAGES_NONE)
        return;
    else if (notice->kind == GST_RVOS_NOTICE_RESET)
        post_reset(self, notice->reason, notice->epoch);
    else
        post_object(self, changes[notice->change.change], &notice->change.object);
}

void gst_rvos_message_notices(GstRvosSeg *self, GstRvosNotices *notices)
{
    GstRvosNotice *notice;

    while ((notice = g_queue_pop_head(notices)) != NULL) {
        post_notice(self, notice);
        gst_rvos_notice_free(notice);
    }
}

void gst_rvos_message_status(GstRvosSeg *self, int status, const gchar *what)
{
    GstRvosNotices notices = G_QUEUE_INIT;

    gst_rvos_model_explain(self->model, status, what, &notices);
    gst_rvos_message_notices(self, &notices);
}

void gst_rvos_message_segmenter(GstRvosSeg *self)
{
    GST_OBJECT_LOCK(self);
    self->stats.counts = *gst_rvos_segmenter_counts(self->segmenter);
    GST_OBJECT_UNLOCK(self);
    gst_rvos_message_notices(self, gst_rvos_segmenter_notices(self->segmenter));
}

void gst_rvos_message_frame(GstRvosSeg *self)
{
    const GstRvosResult *result = &self->result;

    gst_rvos_message_segmenter(self);
    if (self->frame.settings.post_messages != GST_RVOS_SEG_POST_MESSAGES_ALL ||
        !result->inferred)
        return;
    for (guint i = 0; i < result->n; i++)
        post_object(self, "update", &result->object[i]);
}

void gst_rvos_message_late(GstRvosSeg *self, GstBuffer *buffer)
{
    const GstRvosTimes *times = &self->frame.times;
    GstMessage *message = gst_message_new_qos(
        GST_OBJECT(self), FALSE, times->running_time, times->stream_time,
        GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer));
    const GstRvosCounts *counts = gst_rvos_segmenter_counts(self->segmenter);
    guint64 inferred = counts->inferred, reused = counts->reused_late;
    GstClockTimeDiff jitter =
        gst_rvos_time_difference(times->running_time, self->frame.earliest);

    gst_message_set_qos_values(message, jitter, 1.0, 1000000);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, inferred, reused);
    gst_element_post_message(GST_ELEMENT(self), message);
    if (reused < SLOW_FRAMES || self->slow_said)
        return;
    self->slow_said = TRUE;
    GST_ELEMENT_WARNING(self, STREAM, FAILED,
                        ("The network is slower than the source: late frames show the "
                         "mask of an earlier one. Fewer objects, a smaller "
                         "network-width and network-height, or max-inference-rate help."),
                        ("%" G_GUINT64_FORMAT " frames segmented, %" G_GUINT64_FORMAT
                         " late",
                         inferred, reused));
}
