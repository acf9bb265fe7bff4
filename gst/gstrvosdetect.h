/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosdetect.h - seeds from a detector upstream: boxes in the frame's metadata. */
#ifndef GST_RVOS_DETECT_H
#define GST_RVOS_DETECT_H

#include <gst/gst.h>

G_BEGIN_DECLS

struct _GstRvosSeg;

/* A box in pixels of the frame; its label may be 0. */
typedef struct {
    gint x, y, width, height;
    GQuark label;
} GstRvosDetection;

#define GST_RVOS_MAX_DETECTIONS 64 /* of a frame; more are passed over */

/* What was seeded lately, by slot: a box that did not become an object is not tried again
 * in every frame. */
typedef struct {
    GstRvosDetection box;
    guint frames; /* for so many frames to come; 0: nothing */
} GstRvosSeeded;

/* Starts an object for each detection on the buffer that fits none, and gives labels to
 * those that one fits. *taken: slots that have been seeded. FALSE: an error was posted.
 */
gboolean gst_rvos_detect_apply(struct _GstRvosSeg *self, GstBuffer *buffer,
                               guint32 *taken);

/* Intersection over union. */
gdouble gst_rvos_detect_overlap(const GstRvosDetection *a, const GstRvosDetection *b);

#ifdef HAVE_ANALYTICS
/* gstrvosanalytics.c: the detections of a GstAnalyticsRelationMeta but our own. Returns
 * how many were written to `out`. */
guint gst_rvos_analytics_detections(GstBuffer *buffer, GstRvosDetection *out, guint most);
#endif

G_END_DECLS
#endif
