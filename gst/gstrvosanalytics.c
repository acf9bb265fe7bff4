/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosanalytics.c - GstAnalyticsRelationMeta, of GStreamer 1.24 and newer.
 *
 * Built only where gstreamer-analytics-1.0 is there. Tested through a shim of its API
 * (tests/gst/shim); not yet run on a real 1.24 or 1.26.
 */
#include "gstrvosmeta.h"

#include <gst/analytics/analytics.h>

static void add_object(GstAnalyticsRelationMeta *meta, const GstRvosObject *object,
                       gboolean lost)
{
    const rvos_object *seen = &object->seen;
    GstAnalyticsODMtd box;
    GstAnalyticsTrackingMtd track;

    if (!gst_analytics_relation_meta_add_od_mtd(
            meta, g_quark_from_static_string(GST_RVOS_ROI_OBJECT), seen->x, seen->y,
            seen->width, seen->height, (gfloat)seen->score, &box) ||
        !gst_analytics_relation_meta_add_tracking_mtd(meta, object->tracking_id,
                                                      object->first_seen, &track))
        return;
    gst_analytics_tracking_mtd_update_last_seen(&track, object->last_seen);
    if (lost)
        gst_analytics_tracking_mtd_set_lost(&track);
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                             box.id, track.id);
}

#if GST_CHECK_VERSION(1, 26, 0)
/* The mask's pixel values are the region ids; the first one is the background's. */
static void add_mask(GstAnalyticsRelationMeta *meta, const GstRvosResult *result)
{
    guint32 ids[RVOS_MAX_OBJECTS + 1] = {0};
    GstAnalyticsSegmentationMtd mask;

    for (guint i = 0; i < result->n; i++)
        ids[i + 1] = result->object[i].slot;
    gst_analytics_relation_meta_add_segmentation_mtd(
        meta, gst_buffer_ref(result->mask), GST_SEGMENTATION_TYPE_INSTANCE, result->n + 1,
        ids, 0, 0, result->width, result->height, &mask);
}
#endif

void gst_rvos_analytics_attach(GstBuffer *buffer, const GstRvosResult *result)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);

    if (!meta)
        meta = gst_buffer_add_analytics_relation_meta(buffer);
    if (!meta)
        return;
#if GST_CHECK_VERSION(1, 26, 0)
    add_mask(meta, result);
#endif
    for (guint i = 0; i < result->n; i++)
        add_object(meta, &result->object[i], result->lost[i]);
}
