/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosmeta.h"

#include <gobject/gvaluecollector.h>

#include "gstrvosframe.h"
#include "gstrvosprops.h"
#include "gstrvosshape.h"

/* Appends one value, passed as to gst_structure_new. */
static void append(GValue *array, GType type, ...)
{
    GValue item = G_VALUE_INIT;
    gchar *error = NULL; /* never: the types are ours */
    va_list args;

    va_start(args, type);
    G_VALUE_COLLECT_INIT(&item, type, args, 0, &error);
    va_end(args);
    gst_value_array_append_and_take_value(array, &item);
}

/* ---- the custom meta in other elements ------------------------- */

/* Scales by nearest neighbour, because slot numbers cannot be interpolated, and counts
 * each slot's pixels. */
static void scale_rows(const GstVideoFrame *from, GstVideoFrame *to, guint64 area[256])
{
    guint64 w = (guint64)GST_VIDEO_FRAME_WIDTH(from);
    guint64 h = (guint64)GST_VIDEO_FRAME_HEIGHT(from);
    guint64 width = (guint64)GST_VIDEO_FRAME_WIDTH(to);
    guint64 height = (guint64)GST_VIDEO_FRAME_HEIGHT(to);

    for (guint64 y = 0; y < height; y++) {
        const guint8 *in = (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(from, 0) +
                           (gint)((2 * y + 1) * h / (2 * height)) *
                               GST_VIDEO_FRAME_PLANE_STRIDE(from, 0);
        guint8 *out = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(to, 0) +
                      (gint)y * GST_VIDEO_FRAME_PLANE_STRIDE(to, 0);

        for (guint64 x = 0; x < width; x++) {
            out[x] = in[(2 * x + 1) * w / (2 * width)];
            area[out[x]]++;
        }
    }
}

/* A new mask, or NULL. */
static GstBuffer *scale_mask(GstBuffer *mask, guint width, guint height,
                             guint64 area[256])
{
    const GstVideoMeta *layout = gst_buffer_get_video_meta(mask);
    GstVideoInfo in, out;
    GstVideoFrame from, to;
    GstBuffer *scaled;

    if (!layout || layout->format != GST_VIDEO_FORMAT_GRAY8 || layout->width == 0 ||
        layout->height == 0)
        return NULL;
    gst_video_info_set_format(&in, layout->format, layout->width, layout->height);
    gst_video_info_set_format(&out, GST_VIDEO_FORMAT_GRAY8, width, height);
    if (!gst_rvos_frame_map(&from, &in, mask, GST_MAP_READ, FALSE))
        return NULL;
    scaled = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&out), NULL);
    gst_buffer_add_video_meta_full(scaled, GST_VIDEO_FRAME_FLAG_NONE,
                                   GST_VIDEO_FORMAT_GRAY8, width, height, 1, out.offset,
                                   out.stride);
    if (gst_video_frame_map(&to, &out, scaled, GST_MAP_WRITE)) {
        scale_rows(&from, &to, area);
        gst_video_frame_unmap(&to);
    } else {
        gst_clear_buffer(&scaled);
    }
    gst_video_frame_unmap(&from);
    return scaled;
}

static void set_areas(GstStructure *s, const guint64 area[256])
{
    const GValue *slots = gst_structure_get_value(s, "slots");
    GValue areas = G_VALUE_INIT;

    g_value_init(&areas, GST_TYPE_ARRAY);
    for (guint i = 0; slots && i < gst_value_array_get_size(slots); i++)
        append(&areas, G_TYPE_UINT64,
               area[g_value_get_uint(gst_value_array_get_value(slots, i)) & 255]);
    gst_structure_take_value(s, "areas", &areas);
}

/* The structure for the scaled picture. NULL: the position of the mask's pixels is
 * unknown. A picture of another shape was stretched or got borders. */
static GstStructure *scaled(const GstStructure *s, const GstVideoInfo *in,
                            const GstVideoInfo *out)
{
    guint width = (guint)GST_VIDEO_INFO_WIDTH(out), w, h;
    guint height = (guint)GST_VIDEO_INFO_HEIGHT(out);
    guint64 area[256] = {0};
    g_autoptr(GstBuffer) mask = NULL, other = NULL;
    GstStructure *copy = NULL;

    if (!gst_structure_get(s, "width", G_TYPE_UINT, &w, "height", G_TYPE_UINT, &h, "mask",
                           GST_TYPE_BUFFER, &mask, NULL))
        return NULL;
    if (mask && w == (guint)GST_VIDEO_INFO_WIDTH(in) &&
        h == (guint)GST_VIDEO_INFO_HEIGHT(in)) {
        if (w == width && h == height)
            copy = gst_structure_copy(s);
        else if (gst_rvos_shape_alike(gst_rvos_shape_shown_width(in), h,
                                      gst_rvos_shape_shown_width(out), height))
            other = scale_mask(mask, width, height, area);
    }
    if (other) {
        copy = gst_structure_copy(s);
        gst_structure_set(copy, "mask", GST_TYPE_BUFFER, other, "width", G_TYPE_UINT,
                          width, "height", G_TYPE_UINT, height, NULL);
        set_areas(copy, area);
    }
    return copy;
}

/* Copies and conversions keep the meta; scaling scales it. For other operations GStreamer
 * uses the tags and does not call this. */
static gboolean transform(GstBuffer *to, GstCustomMeta *meta,
                          G_GNUC_UNUSED GstBuffer *from, GQuark type, gpointer data,
                          G_GNUC_UNUSED gpointer user)
{
    const GstStructure *s = gst_custom_meta_get_structure(meta);
    const GstVideoMetaTransform *scale = data;
    g_autoptr(GstStructure) copy = NULL;
    GstStructure *target;

    if (GST_META_TRANSFORM_IS_COPY(type))
        copy = gst_structure_copy(s);
    else if (GST_VIDEO_META_TRANSFORM_IS_SCALE(type))
        copy = scaled(s, scale->in_info, scale->out_info);
    if (!copy)
        return FALSE;
    meta = gst_buffer_add_custom_meta(to, GST_RVOS_META_NAME);
    target = meta ? gst_custom_meta_get_structure(meta) : NULL;
    for (gint i = 0; target && i < gst_structure_n_fields(copy); i++) {
        const gchar *name = gst_structure_nth_field_name(copy, (guint)i);

        gst_structure_set_value(target, name, gst_structure_get_value(copy, name));
    }
    return target != NULL;
}

void gst_rvos_meta_register(void)
{
    /* Elements that rotate, flip or crop a picture drop metadata with these tags. */
    static const gchar *tags[] = {GST_META_TAG_VIDEO_STR,
                                  GST_META_TAG_VIDEO_ORIENTATION_STR,
                                  GST_META_TAG_VIDEO_SIZE_STR, NULL};

    if (!gst_meta_get_info(GST_RVOS_META_NAME))
        gst_meta_register_custom(GST_RVOS_META_NAME, tags, transform, NULL, NULL);
}

/* ---- attaching -------------------------------------------------------------------- */

static void attach_custom(GstBuffer *buffer, const GstRvosResult *result)
{
    enum { SLOTS, IDS, SCORES, AREAS, LABELS, N_ARRAYS };
    static const gchar *const names[] = {"slots", "tracking-ids", "scores", "areas",
                                         "labels"};
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, GST_RVOS_META_NAME);
    GValue array[N_ARRAYS] = {G_VALUE_INIT};
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
        const GstRvosObject *object = &result->object[i];
        const gchar *label = object->label ? g_quark_to_string(object->label) : "";

        append(&array[SLOTS], G_TYPE_UINT, object->slot);
        append(&array[IDS], G_TYPE_UINT64, object->tracking_id);
        append(&array[SCORES], G_TYPE_DOUBLE, object->seen.score);
        append(&array[AREAS], G_TYPE_UINT64, (guint64)object->seen.area);
        append(&array[LABELS], G_TYPE_STRING, label);
    }
    for (guint i = 0; i < N_ARRAYS; i++)
        gst_structure_take_value(s, names[i], &array[i]);
}

static void attach_roi(GstBuffer *buffer, const GstRvosObject *object)
{
    GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(
        buffer, GST_RVOS_ROI_OBJECT, (guint)object->seen.x, (guint)object->seen.y,
        (guint)object->seen.width, (guint)object->seen.height);
    GstStructure *param;

    roi->id = (gint)object->slot;
    param = gst_structure_new(GST_RVOS_ROI_OBJECT, "slot", G_TYPE_UINT, object->slot,
                              "tracking-id", G_TYPE_UINT64, object->tracking_id, "score",
                              G_TYPE_DOUBLE, object->seen.score, "area", G_TYPE_UINT64,
                              (guint64)object->seen.area, "age", G_TYPE_UINT64,
                              object->age, NULL);
    if (object->label)
        gst_structure_set(param, "label", G_TYPE_STRING, g_quark_to_string(object->label),
                          NULL);
    gst_video_region_of_interest_meta_add_param(roi, param);
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

GstBuffer *gst_rvos_meta_get_mask(GstBuffer *buffer, guint *width, guint *height)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, GST_RVOS_META_NAME);
    const GstStructure *s = meta ? gst_custom_meta_get_structure(meta) : NULL;
    const GValue *value = s ? gst_structure_get_value(s, "mask") : NULL;

    *width = *height = 0;
    if (s) {
        gst_structure_get_uint(s, "width", width);
        gst_structure_get_uint(s, "height", height);
    }
    return value && GST_VALUE_HOLDS_BUFFER(value) ? gst_value_get_buffer(value) : NULL;
}
