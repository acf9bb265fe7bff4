/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmessage.h - bus messages and `stats`. */
#ifndef GST_RVOS_MESSAGE_H
#define GST_RVOS_MESSAGE_H

#include <gst/gst.h>

#include "gstrvossegmenter.h"

G_BEGIN_DECLS

struct _GstRvosSeg;

/* Counts since start; protected by the object lock. */
typedef struct {
    guint64 frames_in, dropped_late, gaps, map_failures;
    GstRvosCounts counts; /* copy of the segmenter's counts */
    /* What the element runs on; the strings live as long as the model. */
    const gchar *engine, *library, *isa, *device;
    gsize weights_bytes, state_bytes;
} GstRvosStats;

/* To be freed. */
GstStructure *gst_rvos_stats_report(struct _GstRvosSeg *self);

/* None of these may be called under the object lock. */

/* Posts a failure as an error and clears it. */
void gst_rvos_message_failure(struct _GstRvosSeg *self, GstRvosFailure *failure);
/* The same for a failed call of librvos. */
void gst_rvos_message_status(struct _GstRvosSeg *self, int status, const gchar *what);
/* Posts all notices and empties the list. */
void gst_rvos_message_notices(struct _GstRvosSeg *self, GstRvosNotices *notices);
/* Updates `stats`, then posts the segmenter's notices. */
void gst_rvos_message_segmenter(struct _GstRvosSeg *self);
/* The same after a frame; also posts its objects if post-messages=all. */
void gst_rvos_message_frame(struct _GstRvosSeg *self);
void gst_rvos_message_late(struct _GstRvosSeg *self, GstBuffer *buffer);

G_END_DECLS
#endif
