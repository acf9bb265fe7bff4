/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmeta.h - metadata on frames (docs/element.md, "Metadata on the frame"). */
#ifndef GST_RVOS_META_H
#define GST_RVOS_META_H

#include <gst/video/video.h>

#include "gstrvostrack.h"

#define GST_RVOS_META_NAME "GstRvosSegMeta"
#define GST_RVOS_ROI_OBJECT "rvos-object" /* roi_type of our objects */
#define GST_RVOS_ROI_INIT "rvos-init"     /* roi_type of boxes to follow */

/* A box in pixels of the frame; its label, in UTF-8, may be 0. */
typedef struct {
    gint x, y, width, height;
    GQuark label;
} GstRvosDetection;

/* Once per process, from plugin_init. */
void gst_rvos_meta_register(void);

/* `kinds` are GstRvosSegAttachMeta flags. Replaces the metadata of another rvosseg
 * upstream. */
void gst_rvos_meta_attach(GstBuffer *buffer, guint kinds, const GstRvosResult *result);

/* The mask attached by an rvosseg upstream, borrowed, and the size in the metadata (0:
 * none); or NULL. */
GstBuffer *gst_rvos_meta_get_mask(GstBuffer *buffer, guint *width, guint *height);

/* ---- gstrvosanalytics.c: GstAnalyticsRelationMeta, with HAVE_ANALYTICS ------- */

void gst_rvos_analytics_attach(GstBuffer *buffer, const GstRvosResult *result);

/* Reads the detections of a GstAnalyticsRelationMeta except our own. Returns the number
 * written to `out`. */
guint gst_rvos_analytics_detections(GstBuffer *buffer, GstRvosDetection *out, guint most);

#endif
