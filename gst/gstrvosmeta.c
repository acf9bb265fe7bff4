/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosmeta.h"
#include "gstrvosprops.h"

void gst_rvos_meta_register(void)
{
    /* Empty but not NULL, which is refused. Without tags the meta survives copies and
     * conversions, and scaling too: readers compare its width and height. */
    static const gchar *no_tags[] = {NULL};

    if (!gst_meta_get_info(GST_RVOS_META_NAME))
        gst_meta_register_custom(GST_RVOS_META_NAME, no_tags, NULL, NULL, NULL);
}

static void append_uint(GValue *array, guint value)
{
    GValue item = G_VALUE_INIT;

    g_value_init(&item, G_TYPE_UINT);
    g_value_set_uint(&item, value);
    gst_value_array_append_and_take_value(array, &item);
}

static void append_uint64(GValue *array, guint64 value)
{
    GValue item = G_VALUE_INIT;

    g_value_init(&item, G_TYPE_UINT64);
    g_value_set_uint64(&item, value);
    gst_value_array_append_and_take_value(array, &item);
}

static void append_double(GValue *array, gdouble value)
{
    GValue item = G_VALUE_INIT;

    g_value_init(&item, G_TYPE_DOUBLE);
    g_value_set_double(&item, value);
    gst_value_array_append_and_take_value(array, &item);
}

static void attach_custom(GstBuffer *buffer, const GstRvosResult *result)
{
    enum { SLOTS, IDS, SCORES, AREAS, N_ARRAYS };
    static const gchar *const names[] = {"slots", "tracking-ids", "scores", "areas"};
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, GST_RVOS_META_NAME);
    GValue array[N_ARRAYS] = {G_VALUE_INIT, G_VALUE_INIT, G_VALUE_INIT, G_VALUE_INIT};
    GstStructure *s;

    if (!meta)
        meta = gst_buffer_add_custom_meta(buffer, GST_RVOS_META_NAME);
    if (!meta)
        return;
    s = gst_custom_meta_get_structure(meta);
    gst_structure_set(s, "mask", GST_TYPE_BUFFER, result->mask, "width", G_TYPE_UINT,
                      result->width, "height", G_TYPE_UINT, result->height, "epoch",
                      G_TYPE_UINT64, result->epoch, "stale", G_TYPE_BOOLEAN,
                      result->stale, "age", G_TYPE_UINT, result->age, NULL);
    for (guint i = 0; i < N_ARRAYS; i++)
        g_value_init(&array[i], GST_TYPE_ARRAY);
    for (guint i = 0; i < result->n; i++) {
        append_uint(&array[SLOTS], result->object[i].slot);
        append_uint64(&array[IDS], result->object[i].tracking_id);
        append_double(&array[SCORES], result->object[i].seen.score);
        append_uint64(&array[AREAS], (guint64)result->object[i].seen.area);
    }
    for (guint i = 0; i < N_ARRAYS; i++)
        gst_structure_take_value(s, names[i], &array[i]);
}

static void attach_roi(GstBuffer *buffer, const GstRvosObject *object)
{
    GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(
        buffer, GST_RVOS_ROI_OBJECT, (guint)object->seen.x, (guint)object->seen.y,
        (guint)object->seen.width, (guint)object->seen.height);

    roi->id = (gint)object->slot;
    gst_video_region_of_interest_meta_add_param(
        roi, gst_structure_new(GST_RVOS_ROI_OBJECT, "slot", G_TYPE_UINT, object->slot,
                               "tracking-id", G_TYPE_UINT64, object->tracking_id, "score",
                               G_TYPE_DOUBLE, object->seen.score, "area", G_TYPE_UINT64,
                               (guint64)object->seen.area, "age", G_TYPE_UINT64,
                               object->age, NULL));
}

void gst_rvos_meta_attach(GstBuffer *buffer, guint kinds, const GstRvosResult *result)
{
    if (kinds & GST_RVOS_SEG_ATTACH_META_MASK)
        attach_custom(buffer, result);
    if (kinds & GST_RVOS_SEG_ATTACH_META_ROI)
        for (guint i = 0; i < result->n; i++)
            attach_roi(buffer, &result->object[i]);
#ifdef HAVE_ANALYTICS
    if (kinds & GST_RVOS_SEG_ATTACH_META_ANALYTICS)
        gst_rvos_analytics_attach(buffer, result);
#endif
}

GstBuffer *gst_rvos_meta_get_mask(GstBuffer *buffer)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, GST_RVOS_META_NAME);
    const GValue *value;

    if (!meta)
        return NULL;
    value = gst_structure_get_value(gst_custom_meta_get_structure(meta), "mask");
    return value && GST_VALUE_HOLDS_BUFFER(value) ? gst_value_get_buffer(value) : NULL;
}
