/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of GStreamer's analytics API (1.24, 1.26) that the plugin calls. It records
 * the calls. For systems without gstreamer-analytics-1.0. */
#ifndef SHIM_ANALYTICS_H
#define SHIM_ANALYTICS_H

#include <gst/gst.h>

#undef GST_VERSION_MINOR
#define GST_VERSION_MINOR SHIM_MINOR

typedef struct {
    guint id;
} GstAnalyticsMtd, GstAnalyticsODMtd, GstAnalyticsTrackingMtd,
    GstAnalyticsSegmentationMtd;

typedef guintptr GstAnalyticsMtdType;

typedef struct {
    GString *record;
    guint next;
} GstAnalyticsRelationMeta;

typedef enum {
    GST_ANALYTICS_REL_TYPE_IS_PART_OF = 1 << 1,
    GST_ANALYTICS_REL_TYPE_CONTAIN = 1 << 2,
    GST_ANALYTICS_REL_TYPE_RELATE_TO = 1 << 3,
} GstAnalyticsRelTypes;

typedef enum {
    GST_SEGMENTATION_TYPE_SEMANTIC,
    GST_SEGMENTATION_TYPE_INSTANCE,
} GstSegmentationType;

GstAnalyticsRelationMeta *gst_buffer_get_analytics_relation_meta(GstBuffer *buffer);
GstAnalyticsRelationMeta *gst_buffer_add_analytics_relation_meta(GstBuffer *buffer);

gboolean gst_analytics_relation_meta_add_od_mtd(GstAnalyticsRelationMeta *instance,
                                                GQuark type, gint x, gint y, gint w,
                                                gint h, gfloat loc_conf_lvl,
                                                GstAnalyticsODMtd *od_mtd);
gboolean gst_analytics_relation_meta_add_tracking_mtd(GstAnalyticsRelationMeta *instance,
                                                      guint64 tracking_id,
                                                      GstClockTime tracking_first_seen,
                                                      GstAnalyticsTrackingMtd *trk_mtd);
gboolean gst_analytics_tracking_mtd_update_last_seen(GstAnalyticsTrackingMtd *instance,
                                                     GstClockTime last_seen);
gboolean gst_analytics_tracking_mtd_set_lost(GstAnalyticsTrackingMtd *instance);
gboolean gst_analytics_relation_meta_set_relation(GstAnalyticsRelationMeta *meta,
                                                  GstAnalyticsRelTypes type,
                                                  guint an_meta_first_id,
                                                  guint an_meta_second_id);

GstAnalyticsMtdType gst_analytics_od_mtd_get_mtd_type(void);
gboolean gst_analytics_relation_meta_iterate(GstAnalyticsRelationMeta *meta,
                                             gpointer *state, GstAnalyticsMtdType type,
                                             GstAnalyticsMtd *rlt_mtd);
GQuark gst_analytics_od_mtd_get_obj_type(const GstAnalyticsODMtd *handle);
gboolean gst_analytics_od_mtd_get_location(const GstAnalyticsODMtd *instance, gint *x,
                                           gint *y, gint *w, gint *h,
                                           gfloat *loc_conf_lvl);

#if SHIM_MINOR >= 26
gboolean gst_analytics_relation_meta_add_segmentation_mtd(
    GstAnalyticsRelationMeta *instance, GstBuffer *buffer,
    GstSegmentationType segmentation_type, gsize region_count, guint32 *region_ids,
    gint masks_loc_x, gint masks_loc_y, guint masks_loc_w, guint masks_loc_h,
    GstAnalyticsSegmentationMtd *segmentation_mtd);
#endif

#endif
