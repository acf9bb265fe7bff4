/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the element's GstAnalytics metadata; built if GStreamer has GstAnalytics. */
#include "rig.h"

#include <gst/analytics/analytics.h>

static GstAnalyticsRelationMeta *relations(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = gst_buffer_get_analytics_relation_meta(buffer);

    fail_unless(meta != NULL);
    return meta;
}

/* Detection number n, from 0; its id is also returned. */
static void find_box(GstAnalyticsRelationMeta *meta, guint n, GstAnalyticsODMtd *box)
{
    gpointer state = NULL;

    for (guint i = 0; i <= n; i++)
        fail_unless(gst_analytics_relation_meta_iterate(
            meta, &state, gst_analytics_od_mtd_get_mtd_type(), box));
}

SUITE_TEST(test_boxes_and_tracking)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer;
    GstAnalyticsRelationMeta *meta;
    GstAnalyticsODMtd box;
    GstAnalyticsTrackingMtd track;
    gint x, y, w, h;
    gfloat score;
    guint64 id;
    GstClockTime begin, end;
    gboolean lost;
    gpointer state = NULL;

    rig_run(rig, 0, 1, NOTHING);
    rig_run(rig, 1, 3, BOXES({4, 30, 20, 6, 5}));
    buffer = rig_push(rig, 3, BOXES({4, 30, 20, 6, 5}));
    meta = relations(buffer);
    find_box(meta, 0, &box);
    fail_unless(gst_analytics_od_mtd_get_location(&box, &x, &y, &w, &h, &score));
    fail_unless(x == 30 && y == 20 && w == 6 && h == 5);
    fail_unless_equals_float(score, 0.75);
    fail_unless(gst_analytics_relation_meta_get_direct_related(
        meta, box.id, GST_ANALYTICS_REL_TYPE_RELATE_TO,
        gst_analytics_tracking_mtd_get_mtd_type(), &state, &track));
    fail_unless(gst_analytics_tracking_mtd_get_info(&track, &id, &begin, &end, &lost));
    fail_unless_equals_uint64(id, 1 << 8 | 4);
    fail_unless_equals_uint64(begin, gst_util_uint64_scale(1, GST_SECOND, 30));
    fail_unless_equals_uint64(end, gst_util_uint64_scale(3, GST_SECOND, 30));
    fail_if(lost);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

#if GST_CHECK_VERSION(1, 26, 0)
static void check_mask(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta = relations(buffer);
    GstAnalyticsSegmentationMtd segmentation;
    GstAnalyticsODMtd box, part;
    GstVideoMeta *layout;
    GstBuffer *mask;
    gpointer state = NULL, parts = NULL;
    gint x, y;
    guint w, h, n = 0;
    gsize index;

    fail_unless(gst_analytics_relation_meta_iterate(
        meta, &state, gst_analytics_segmentation_mtd_get_mtd_type(), &segmentation));
    fail_unless_equals_int(
        (gint)gst_analytics_segmentation_mtd_get_region_count(&segmentation), 3);
    fail_unless(
        gst_analytics_segmentation_mtd_get_region_index(&segmentation, &index, 4));
    fail_unless_equals_int((gint)index, 2);
    while (gst_analytics_relation_meta_get_direct_related(
        meta, segmentation.id, GST_ANALYTICS_REL_TYPE_CONTAIN,
        gst_analytics_od_mtd_get_mtd_type(), &parts, &part))
        n++;
    fail_unless_equals_int((gint)n, 2);
    find_box(meta, 1, &box);
    fail_unless(gst_analytics_relation_meta_get_relation(meta, box.id, segmentation.id) ==
                GST_ANALYTICS_REL_TYPE_IS_PART_OF);
    mask = gst_analytics_segmentation_mtd_get_mask(&segmentation, &x, &y, &w, &h);
    fail_unless(x == 0 && y == 0 && w == RIG_WIDTH && h == RIG_HEIGHT);
    layout = gst_buffer_get_video_meta(mask);
    fail_unless(layout && layout->format == GST_VIDEO_FORMAT_GRAY8);
    fail_unless(gst_buffer_memcmp(mask,
                                  layout->offset[0] + 21 * (gsize)layout->stride[0] + 30,
                                  (guint8[]){4, 4}, 2) == 0);
    gst_buffer_unref(mask);
}

SUITE_TEST(test_mask)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer = rig_push(rig, 0, BOXES(BOX(2), {4, 30, 20, 6, 5}));

    check_mask(buffer);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;

SUITE_TEST(test_mask_of_a_plain_pool)
{
    Rig *rig = rig_new(rig_element("min-age", "0", NULL));
    GstBuffer *buffer;

    rig_add_mask(rig);
    rig_offer_plain_pool(rig);
    buffer = rig_push(rig, 0, BOXES(BOX(2), {4, 30, 20, 6, 5}));
    check_mask(buffer);
    gst_buffer_unref(buffer);
    rig_free(rig);
}
GST_END_TEST;
#endif

SUITE_MAIN("analytics, real", 0, NULL, NULL)
