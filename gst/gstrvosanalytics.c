/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosanalytics.c - GstAnalyticsRelationMeta (GStreamer 1.24 and newer).
 *
 * Each object is a detection and a tracking entry, related to each other. From 1.26 on,
 * one instance segmentation holds the masks. It contains the detections, and each
 * detection is a part of it. Built only if gstreamer-analytics-1.0 is installed.
 */
#include "gstrvosmeta.h"

#include <gst/analytics/analytics.h>
#include <gst/video/video.h>

/* FALSE: the object could not be added, for example because the meta is full. */
static gboolean add_object(GstAnalyticsRelationMeta *meta, const GstRvosObject *object,
                           gboolean lost, GstAnalyticsODMtd *box)
{
    const rvos_object *seen = &object->seen;
    GstAnalyticsTrackingMtd track;

    if (!gst_analytics_relation_meta_add_od_mtd(
            meta,
            object->label ? object->label
                          : g_quark_from_static_string(GST_RVOS_ROI_OBJECT),
            seen->x, seen->y, seen->width, seen->height, (gfloat)seen->score, box))
        return FALSE;
    if (!gst_analytics_relation_meta_add_tracking_mtd(meta, object->tracking_id,
                                                      object->first_seen, &track))
        return TRUE;
    gst_analytics_tracking_mtd_update_last_seen(&track, object->last_seen);
    if (lost)
        gst_analytics_tracking_mtd_set_lost(&track);
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_RELATE_TO,
                                             box->id, track.id);
    return TRUE;
}

#if GST_CHECK_VERSION(1, 26, 0)
/* The mask's pixel values are the region ids; the first id is the background. The meta
 * refuses a mask without GstVideoMeta. */
static gboolean add_mask(GstAnalyticsRelationMeta *meta, const GstRvosResult *result,
                         GstAnalyticsSegmentationMtd *mask)
{
    guint32 ids[RVOS_MAX_OBJECTS + 1] = {0};

    for (guint i = 0; i < result->n; i++)
        ids[i + 1] = result->object[i].slot;
    return gst_buffer_get_video_meta(result->mask) &&
           gst_analytics_relation_meta_add_segmentation_mtd(
               meta, gst_buffer_ref(result->mask), GST_SEGMENTATION_TYPE_INSTANCE,
               result->n + 1, ids, 0, 0, result->width, result->height, mask);
}

static void relate_to_mask(GstAnalyticsRelationMeta *meta,
                           const GstAnalyticsSegmentationMtd *mask,
                           const GstAnalyticsODMtd *box)
{
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_CONTAIN,
                                             mask->id, box->id);
    gst_analytics_relation_meta_set_relation(meta, GST_ANALYTICS_REL_TYPE_IS_PART_OF,
                                             box->id, mask->id);
}
#endif

void gst_rvos_analytics_attach(GstBuffer *buffer, const GstRvosResult *result)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);
#if GST_CHECK_VERSION(1, 26, 0)
    GstAnalyticsSegmentationMtd mask;
    gboolean have_mask;
#endif

    if (!meta)
        meta = gst_buffer_add_analytics_relation_meta(buffer);
    if (!meta)
        return;
#if GST_CHECK_VERSION(1, 26, 0)
    have_mask = add_mask(meta, result, &mask);
#endif
    for (guint i = 0; i < result->n; i++) {
        GstAnalyticsODMtd box;

        if (!add_object(meta, &result->object[i], result->lost[i], &box))
            continue;
#if GST_CHECK_VERSION(1, 26, 0)
        if (have_mask && !result->lost[i])
            relate_to_mask(meta, &mask, &box);
#endif
    }
}

guint gst_rvos_analytics_detections(GstBuffer *buffer, GstRvosDetection *out, guint most)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);
    GQuark ours = g_quark_from_static_string(GST_RVOS_ROI_OBJECT);
    GstAnalyticsMtd mtd;
    gpointer state = NULL;
    gfloat confidence;
    guint n = 0;

    while (meta && n < most &&
           gst_analytics_relation_meta_iterate(
               meta, &state, gst_analytics_od_mtd_get_mtd_type(), &mtd)) {
        GstRvosDetection *d = &out[n];

        d->label = gst_analytics_od_mtd_get_obj_type(&mtd);
        if (d->label != ours &&
            gst_analytics_od_mtd_get_location(&mtd, &d->x, &d->y, &d->width, &d->height,
                                              &confidence))
            n++;
    }
    return n;
}
