/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosseg.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* Late frames until the application is told, once, that the machine is too slow. */
#define SLOW_FRAMES 10

GstStructure *gst_rvos_stats_report(GstRvosSeg *self)
{
    GstStructure *s;
    const GstRvosStats *stats = &self->stats;
    guint users;

    GST_OBJECT_LOCK(self);
    /* Lock order: the element's, then the table's, which calls nothing. */
    users = self->model ? gst_rvos_model_users(self->model) : 0;
    s = gst_structure_new(
        "rvosseg-stats", "frames-in", G_TYPE_UINT64, stats->frames_in, "inferred",
        G_TYPE_UINT64, stats->inferred, "reused-interval", G_TYPE_UINT64,
        stats->reused_interval, "reused-late", G_TYPE_UINT64, stats->reused_late,
        "dropped-late", G_TYPE_UINT64, stats->dropped_late, "gaps", G_TYPE_UINT64,
        stats->gaps, "map-failures", G_TYPE_UINT64, stats->map_failures, "resets",
        G_TYPE_UINT64, stats->resets, "last-reset-reason", G_TYPE_STRING,
        gst_rvos_reset_name(stats->last_reset), "epoch", G_TYPE_UINT64, stats->epoch,
        "objects-alive", G_TYPE_UINT, stats->objects_alive, "objects-found",
        G_TYPE_UINT64, stats->objects_found, "discovery-frames", G_TYPE_UINT64,
        stats->discovery_frames, "inference-ns-last", G_TYPE_UINT64,
        stats->inference_last, "inference-ns-avg", G_TYPE_UINT64, stats->inference_avg,
        "inference-ns-p95", G_TYPE_UINT64, stats->inference_p95, "inference-ns-max",
        G_TYPE_UINT64, stats->inference_max, "latency-ns", G_TYPE_UINT64, self->latency,
        "engine", G_TYPE_STRING, stats->engine, "library", G_TYPE_STRING, stats->library,
        "isa", G_TYPE_STRING, stats->isa, "device", G_TYPE_STRING, stats->device,
        "model-users", G_TYPE_UINT, users, "weights-bytes", G_TYPE_UINT64,
        (guint64)stats->weights_bytes, "state-bytes", G_TYPE_UINT64,
        (guint64)stats->state_bytes, "readback-bytes", G_TYPE_UINT64,
        stats->readback_bytes, NULL);
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
    const GstRvosFrame *frame = &self->frame;

    gst_structure_set(s, "timestamp", G_TYPE_UINT64, frame->timestamp, "stream-time",
                      G_TYPE_UINT64, frame->stream_time, "running-time", G_TYPE_UINT64,
                      frame->running_time, "duration", G_TYPE_UINT64, frame->duration,
                      NULL);
}

void gst_rvos_message_reset(GstRvosSeg *self, GstRvosReset reason)
{
    GstStructure *s;

    if (self->frame.settings.post_messages == GST_RVOS_SEG_POST_MESSAGES_NONE)
        return;
    s = gst_structure_new("rvosseg-reset", "reason", G_TYPE_STRING,
                          gst_rvos_reset_name(reason), "epoch", G_TYPE_UINT64,
                          self->tracker.epoch, NULL);
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

void gst_rvos_message_objects(GstRvosSeg *self)
{
    static const gchar *const names[] = {"appeared", "lost", "recovered"};
    GstRvosTracker *tracker = &self->tracker;
    gint post_messages = self->frame.settings.post_messages;

    if (post_messages != GST_RVOS_SEG_POST_MESSAGES_NONE)
        for (guint i = 0; i < tracker->n_events; i++)
            post_object(self, names[tracker->event[i].change], &tracker->event[i].object);
    tracker->n_events = 0;
    if (post_messages != GST_RVOS_SEG_POST_MESSAGES_ALL || !self->frame.inferred)
        return;
    for (guint i = 0; i < tracker->n_slots; i++)
        if (gst_rvos_track_visible(&tracker->track[i]))
            post_object(self, "update", &tracker->track[i].object);
}

void gst_rvos_message_late(GstRvosSeg *self, GstBuffer *buffer)
{
    const GstRvosFrame *frame = &self->frame;
    GstMessage *message = gst_message_new_qos(
        GST_OBJECT(self), FALSE, frame->running_time, frame->stream_time,
        GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer));
    guint64 inferred, reused;
    GstClockTimeDiff jitter;

    GST_OBJECT_LOCK(self);
    inferred = self->stats.inferred;
    reused = self->stats.reused_late;
    jitter = gst_rvos_time_difference(frame->running_time, frame->earliest);
    GST_OBJECT_UNLOCK(self);
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

void gst_rvos_message_too_short(GstRvosSeg *self)
{
    guint min_age;

    GST_OBJECT_LOCK(self);
    min_age = self->task == RVOS_TASK_ZERO_SHOT ? self->settings.min_age : 0;
    GST_OBJECT_UNLOCK(self);
    if (self->short_said || !gst_rvos_tracker_too_short(&self->tracker, min_age))
        return;
    self->short_said = TRUE;
    GST_ELEMENT_WARNING(
        self, STREAM, FAILED,
        ("No object was shown: a new one must be there for min-age=%u segmented frames, "
         "and there were only %u. Set min-age=0 for still pictures.",
         min_age, self->tracker.most),
        (NULL));
}
