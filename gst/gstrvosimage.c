/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosimage.c - reads masks from files and from buffers. */
#include "gstrvosimage.h"

#include <gst/video/video.h>
#include <rvos.h>

G_STATIC_ASSERT(MASK_MAX_SLOT == RVOS_MAX_OBJECTS);

void gst_rvos_mask_clear(GstRvosMask *mask)
{
    picture_free(&mask->picture);
    *mask = (GstRvosMask){0};
}

guint32 gst_rvos_mask_slots(const GstRvosMask *mask, guint n_slots)
{
    guint32 slots = 0;

    for (guint slot = 1; slot <= n_slots; slot++)
        if (mask->facts.has[slot])
            slots |= 1u << (slot - 1);
    return slots;
}

static gint code_of(enum pic_status status)
{
    return status == PIC_NOT_FOUND   ? GST_RESOURCE_ERROR_NOT_FOUND
           : status == PIC_NOT_READ  ? GST_RESOURCE_ERROR_OPEN_READ
           : status == PIC_NO_MEMORY ? GST_RESOURCE_ERROR_NO_SPACE_LEFT
                                     : GST_RESOURCE_ERROR_SETTINGS;
}

static gboolean explain(const struct pic_error *error, const gchar *path,
                        GstRvosNotices *notices)
{
    return gst_rvos_notices_say(notices, GST_RVOS_NOTICE_ERROR, GST_RESOURCE_ERROR,
                                code_of(error->status), NULL, "The mask file \"%s\" %s.",
                                path, error->words);
}

gboolean gst_rvos_mask_read(const gchar *path, GstRvosMask *mask, GstRvosNotices *notices)
{
    struct mask_rules rules = MASK_RULES_SLOTS;
    struct pic_error error;

    *mask = (GstRvosMask){0};
    return !pic_read_mask(&mask->picture, path, &rules, &mask->facts, &error) ||
           explain(&error, path, notices);
}

gboolean gst_rvos_mask_read_objects(const gchar *path, GstRvosMask *mask,
                                    GstRvosNotices *notices)
{
    struct pic_error error;

    if (!gst_rvos_mask_read(path, mask, notices))
        return FALSE;
    if (mask->facts.highest > 0)
        return TRUE;
    mask_say_empty(&mask->facts, &error);
    gst_rvos_mask_clear(mask);
    return explain(&error, path, notices);
}

/* ---- buffers ---------------------------------------------------------------------- */

/* The rows of a mask in a buffer. */
typedef struct {
    gsize offset, stride;
    guint width, height;
} Layout;

/* Whether the layout is inside a buffer of `size` bytes. */
static gboolean fits(const Layout *l, gsize size)
{
    return l->width > 0 && l->height > 0 && l->stride >= l->width && l->offset < size &&
           size - l->offset >= l->width &&
           (size - l->offset - l->width) / l->stride >= l->height - 1;
}

/* The layout from the buffer's metadata, which is not trusted. */
static gboolean by_meta(const GstVideoMeta *meta, const GstVideoCropMeta *crop,
                        Layout *layout)
{
    if (meta->format != GST_VIDEO_FORMAT_GRAY8 || meta->stride[0] < (gint)meta->width ||
        meta->width > PICTURE_MAX_SIDE || meta->height > PICTURE_MAX_SIDE)
        return FALSE;
    *layout =
        (Layout){meta->offset[0], (gsize)meta->stride[0], meta->width, meta->height};
    if (!crop)
        return TRUE;
    if (crop->x >= meta->width || crop->width > meta->width - crop->x ||
        crop->y >= meta->height || crop->height > meta->height - crop->y)
        return FALSE;
    layout->offset += crop->x + (gsize)crop->y * layout->stride;
    layout->width = crop->width;
    layout->height = crop->height;
    return TRUE;
}

/* The layout of a buffer without metadata: NumPy and OpenCV do not pad rows, GStreamer
 * pads them to 4 bytes. */
static gboolean by_size(gsize size, guint width, guint height, Layout *layout,
                        struct pic_error *error)
{
    gsize padded = (width + 3) & ~(gsize)3;

    if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE)
        padded = 0;
    *layout = (Layout){0, 0, width, height};
    if (padded)
        layout->stride = mask_stride(size, (int)width, (int)height, padded);
    if (layout->stride)
        return TRUE;
    error->status = PIC_WRONG;
    g_snprintf(error->words, sizeof(error->words),
               "has %" G_GSIZE_FORMAT " bytes: a mask of %ux%u has %" G_GUINT64_FORMAT
               " (rows without padding) or %" G_GUINT64_FORMAT
               " (rows padded to 4 bytes)",
               size, width, height, (guint64)width * height,
               (guint64)((width + 3) & ~3u) * height);
    return FALSE;
}

gboolean gst_rvos_mask_from_buffer(GstBuffer *buffer, guint width, guint height,
                                   GstRvosMask *mask, struct pic_error *error)
{
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    struct mask_rules rules = MASK_RULES_SLOTS;
    GstMapInfo map;
    Layout layout;
    gboolean good;

    *mask = (GstRvosMask){0};
    *error = (struct pic_error){PIC_WRONG, "cannot be mapped"};
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return FALSE;
    good = meta ? by_meta(meta, gst_buffer_get_video_crop_meta(buffer), &layout)
                : by_size(map.size, width, height, &layout, error);
    if (good && !fits(&layout, map.size))
        good = FALSE;
    if (!good && meta)
        g_strlcpy(error->words, "has a GstVideoMeta that does not fit its memory",
                  sizeof(error->words));
    good = good && !pic_mask_from_gray(&mask->picture, map.data + layout.offset,
                                       (ptrdiff_t)layout.stride, (int)layout.width,
                                       (int)layout.height, &rules, &mask->facts, error);
    gst_buffer_unmap(buffer, &map);
    return good;
}
