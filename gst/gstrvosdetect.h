/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosdetect.h - seeds from a detector upstream: boxes in the frame's metadata. */
#ifndef GST_RVOS_DETECT_H
#define GST_RVOS_DETECT_H

#include "gstrvosresult.h"
#include "gstrvosseeds.h"

G_BEGIN_DECLS

#define GST_RVOS_MAX_DETECTIONS 64 /* of a frame; more are passed over */

/* What was seeded lately, by slot: a box that did not become an object is not tried again
 * in every frame. */
typedef struct {
    GstRvosDetection box;
    guint frames; /* for so many frames to come; 0: nothing */
} GstRvosSeeded;

/* Starts an object for each detection on the buffer that fits none, and gives labels to
 * those that one fits. `seeded`: of each slot. *taken: slots that have been seeded.
 * FALSE: an error was noted. */
gboolean gst_rvos_detect_apply(GstRvosSeeds *seeds, GstRvosSeeded *seeded,
                               GstBuffer *buffer, guint32 *taken);

/* Intersection over union. */
gdouble gst_rvos_detect_overlap(const GstRvosDetection *a, const GstRvosDetection *b);

G_END_DECLS
#endif
