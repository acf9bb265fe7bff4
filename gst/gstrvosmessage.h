/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmessage.h - what the element tells the application: bus messages, `stats`. */
#ifndef GST_RVOS_MESSAGE_H
#define GST_RVOS_MESSAGE_H

#include <gst/gst.h>

#include "gstrvostime.h"

G_BEGIN_DECLS

struct _GstRvosSeg;

/* Since the start; under the object lock. */
typedef struct {
    guint64 frames_in, inferred, reused_interval, reused_late, dropped_late, gaps;
    guint64 map_failures, resets;
    GstRvosReset last_reset;
    guint64 epoch;
    guint objects_alive;
    guint64 objects_found;    /* that were announced */
    guint64 discovery_frames; /* of auto mode: that looked for objects */
    GstClockTime inference_last, inference_avg, inference_p95, inference_max;
    /* What the element runs on; the strings live as long as the model. */
    const gchar *engine, *library, *isa, *device;
    gsize weights_bytes, state_bytes;
    guint64 readback_bytes; /* of masks, from the GPU to system memory */
} GstRvosStats;

/* To be freed. */
GstStructure *gst_rvos_stats_report(struct _GstRvosSeg *self);

/* None of these may be called under the object lock. */
void gst_rvos_message_reset(struct _GstRvosSeg *self, GstRvosReset reason);
/* Posts and clears the tracker's events; with post-messages=all the objects too. */
void gst_rvos_message_objects(struct _GstRvosSeg *self);
void gst_rvos_message_late(struct _GstRvosSeg *self, GstBuffer *buffer);

/* At the end of a stream: nothing was shown, as it had fewer frames than `min-age`. */
void gst_rvos_message_too_short(struct _GstRvosSeg *self);

G_END_DECLS
#endif
