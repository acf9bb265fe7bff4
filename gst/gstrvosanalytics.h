/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosanalytics.h - GstAnalyticsRelationMeta. Only where HAVE_ANALYTICS is defined. */
#ifndef GST_RVOS_ANALYTICS_H
#define GST_RVOS_ANALYTICS_H

#include "gstrvosresult.h"

G_BEGIN_DECLS

void gst_rvos_analytics_attach(GstBuffer *buffer, const GstRvosResult *result);

/* The detections of a GstAnalyticsRelationMeta but our own. Returns how many were written
 * to `out`. */
guint gst_rvos_analytics_detections(GstBuffer *buffer, GstRvosDetection *out, guint most);

G_END_DECLS
#endif
