/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the metadata for GstAnalytics, with a shim of its API that records all calls. */
#include "gstrvosmeta.h"

#include <gst/analytics/analytics.h>
#include "suite.h"
#include <gst/video/video.h>

static GstAnalyticsRelationMeta meta;
static gboolean meta_is_there;

GstAnalyticsRelationMeta *
gst_buffer_get_analytics_relation_meta(G_GNUC_UNUSED GstBuffer *buffer)
{
    return meta_is_there ? &meta : NULL;
}

GstAnalyticsRelationMeta *
gst_buffer_add_analytics_relation_meta(G_GNUC_UNUSED GstBuffer *buffer)
{
    fail_if(meta_is_there, "a second relation meta on one buffer");
    meta_is_there = TRUE;
    return &meta;
}

gboolean gst_analytics_relation_meta_add_od_mtd(GstAnalyticsRelationMeta *instance,
                                                GQuark type, gint x, gint y, gint w,
                                                gint h, gfloat loc_conf_lvl,
                                                GstAnalyticsODMtd *od_mtd)
{
    od_mtd->id = instance->next++;
    g_string_append_printf(instance->record, "%u=box(%s %d,%d %dx%d %.2f) ", od_mtd->id,
                           g_quark_to_string(type), x, y, w, h, loc_conf_lvl);
    return TRUE;
}

gboolean gst_analytics_relation_meta_add_tracking_mtd(GstAnalyticsRelationMeta *instance,
                                                      guint64 tracking_id,
                                                      GstClockTime tracking_first_seen,
                                                      GstAnalyticsTrackingMtd *trk_mtd)
{
    trk_mtd->id = instance->next++;
    g_string_append_printf(instance->record, "%u=track(%d from %d) ", trk_mtd->id,
                           (int)tracking_id, (int)tracking_first_seen);
    return TRUE;
}

gboolean gst_analytics_tracking_mtd_update_last_seen(GstAnalyticsTrackingMtd *instance,
                                                     GstClockTime last_seen)
{
    g_string_append_printf(meta.record, "%u.last=%d ", instance->id, (int)last_seen);
    return TRUE;
}

gboolean gst_analytics_tracking_mtd_set_lost(GstAnalyticsTrackingMtd *instance)
{
    g_string_append_printf(meta.record, "%u.lost ", instance->id);
    return TRUE;
}

gboolean gst_analytics_relation_meta_set_relation(GstAnalyticsRelationMeta *instance,
                                                  GstAnalyticsRelTypes type,
                                                  guint an_meta_first_id,
                                                  guint an_meta_second_id)
{
    const gchar *word = type == GST_ANALYTICS_REL_TYPE_RELATE_TO    ? "~"
                        : type == GST_ANALYTICS_REL_TYPE_CONTAIN    ? ">"
                        : type == GST_ANALYTICS_REL_TYPE_IS_PART_OF ? "<"
                                                                    : NULL;

    fail_unless(word != NULL, "relation %d", (int)type);
    g_string_append_printf(instance->record, "%u%s%u ", an_meta_first_id, word,
                           an_meta_second_id);
    return TRUE;
}

#if SHIM_MINOR >= 26
gboolean gst_analytics_relation_meta_add_segmentation_mtd(
    GstAnalyticsRelationMeta *instance, GstBuffer *buffer,
    GstSegmentationType segmentation_type, gsize region_count, guint32 *region_ids,
    gint masks_loc_x, gint masks_loc_y, guint masks_loc_w, guint masks_loc_h,
    GstAnalyticsSegmentationMtd *segmentation_mtd)
{
    fail_unless_equals_int(segmentation_type, GST_SEGMENTATION_TYPE_INSTANCE);
    segmentation_mtd->id = instance->next++;
    g_string_append_printf(instance->record, "%u=mask(%d,%d %ux%u:", segmentation_mtd->id,
                           masks_loc_x, masks_loc_y, masks_loc_w, masks_loc_h);
    for (gsize i = 0; i < region_count; i++)
        g_string_append_printf(instance->record, " %u", region_ids[i]);
    g_string_append(instance->record, ") ");
    gst_buffer_unref(buffer); /* it was given to us */
    return TRUE;
}
#define MASK "0=mask(0,0 64x48: 0 2 5) "
#define PART "0>1 1<0 " /* the object that is lost has no pixels in the mask */
#define N 1
#else
#define MASK ""
#define PART ""
#define N 0
#endif

/* Three detections: a person, one of our own, and one without a place. */
GstAnalyticsMtdType gst_analytics_od_mtd_get_mtd_type(void)
{
    return 77;
}

gboolean gst_analytics_relation_meta_iterate(GstAnalyticsRelationMeta *instance,
                                             gpointer *state, GstAnalyticsMtdType type,
                                             GstAnalyticsMtd *rlt_mtd)
{
    guint n = GPOINTER_TO_UINT(*state);

    fail_unless(instance == &meta && type == 77);
    *state = GUINT_TO_POINTER(n + 1);
    rlt_mtd->id = n;
    return n < 4;
}

GQuark gst_analytics_od_mtd_get_obj_type(const GstAnalyticsODMtd *handle)
{
    return handle->id == 1 ? g_quark_from_static_string("rvos-object")
                           : g_quark_from_static_string("person");
}

gboolean gst_analytics_od_mtd_get_location(const GstAnalyticsODMtd *instance, gint *x,
                                           gint *y, gint *w, gint *h,
                                           gfloat *loc_conf_lvl)
{
    *x = 10 + (gint)instance->id;
    *y = 20;
    *w = 30;
    *h = 40;
    *loc_conf_lvl = 0.5;
    return instance->id != 2;
}

SUITE_TEST(test_detections)
{
    GstBuffer *buffer = gst_buffer_new();
    GstRvosDetection found[4];

    meta_is_there = FALSE;
    fail_unless_equals_int(gst_rvos_analytics_detections(buffer, found, 4), 0);
    meta_is_there = TRUE;
    fail_unless_equals_int(gst_rvos_analytics_detections(buffer, found, 4), 2);
    fail_unless(found[0].x == 10 && found[0].y == 20 && found[0].width == 30 &&
                found[0].height == 40);
    fail_unless_equals_string(g_quark_to_string(found[0].label), "person");
    fail_unless_equals_int(found[1].x, 13);
    fail_unless_equals_int(gst_rvos_analytics_detections(buffer, found, 1), 1);
    meta_is_there = FALSE;
    gst_buffer_unref(buffer);
}
GST_END_TEST;

SUITE_TEST(test_record)
{
    GstBuffer *buffer = gst_buffer_new(), *mask = gst_buffer_new();
    GstRvosResult result = {
        .mask = mask,
        .width = 64,
        .height = 48,
        .n = 2,
        .object = {{.slot = 2,
                    .tracking_id = 258,
                    .seen = {.x = 1, .y = 2, .width = 3, .height = 4, .score = 0.5},
                    .first_seen = 10,
                    .last_seen = 20},
                   {.slot = 5, .tracking_id = 261, .first_seen = 11, .last_seen = 12}},
        .lost = {FALSE, TRUE},
    };
    gchar *wanted = g_strdup_printf(
        MASK
        "%d=box(rvos-object 1,2 3x4 0.50) %d=track(258 from 10) %d.last=20 %d~%d " PART
        "%d=box(rvos-object 0,0 0x0 0.00) %d=track(261 from 11) %d.last=12 %d.lost "
        "%d~%d ",
        N, N + 1, N + 1, N, N + 1, N + 2, N + 3, N + 3, N + 3, N + 2, N + 3);

    gst_buffer_add_video_meta(mask, 0, GST_VIDEO_FORMAT_GRAY8, 64, 48);
    meta.record = g_string_new(NULL);
    gst_rvos_analytics_attach(buffer, &result);
    fail_unless_equals_string(meta.record->str, wanted);
    /* If the frame already has such metadata, the element adds to it. */
    result.n = 0;
    gst_rvos_analytics_attach(buffer, &result);
    ASSERT_MINI_OBJECT_REFCOUNT(mask, "mask", 1);
    g_string_free(meta.record, TRUE);
    g_free(wanted);
    gst_buffer_unref(mask);
    gst_buffer_unref(buffer);
}
GST_END_TEST;

SUITE_MAIN("analytics", 0, NULL, NULL)
