/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmeta.h - what a frame carries about its objects (docs/element.md,
 * "Metadata on the frame"). */
#ifndef GST_RVOS_META_H
#define GST_RVOS_META_H

#include <gst/video/video.h>

#include "gstrvosresult.h"

G_BEGIN_DECLS

/* Once per process, from plugin_init. */
void gst_rvos_meta_register(void);

/* `kinds`: GstRvosSegAttachMeta. Metadata of an rvosseg further up are replaced. */
void gst_rvos_meta_attach(GstBuffer *buffer, guint kinds, const GstRvosResult *result);

/* The mask that some rvosseg upstream has attached; borrowed, or NULL. */
GstBuffer *gst_rvos_meta_get_mask(GstBuffer *buffer);

/* ---- gstrvosanalytics.c: GstAnalyticsRelationMeta, with HAVE_ANALYTICS ------- */

void gst_rvos_analytics_attach(GstBuffer *buffer, const GstRvosResult *result);

/* The detections of a GstAnalyticsRelationMeta but our own. Returns how many were written
 * to `out`. */
guint gst_rvos_analytics_detections(GstBuffer *buffer, GstRvosDetection *out, guint most);

G_END_DECLS
#endif
