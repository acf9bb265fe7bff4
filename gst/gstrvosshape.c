/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosshape.h"

#include <math.h>
#include <string.h>

/* Masks are scaled copies of frames, and encoders crop or pad frames to whole blocks. */
#define SHAPE_TOLERANCE 0.02

/* ---- orientation ----------------------------------------------------------------- */

void gst_rvos_shape_clear(GstRvosShape *shape)
{
    g_free(shape->orientation);
    *shape = (GstRvosShape){0};
}

void gst_rvos_shape_event(GstRvosShape *shape, GstEvent *event)
{
    GstTagList *tags;
    gchar *orientation;

    if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
        g_clear_pointer(&shape->orientation, g_free);
        return;
    }
    gst_event_parse_tag(event, &tags);
    if (!gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &orientation))
        return;
    g_free(shape->orientation);
    shape->orientation = orientation;
}

static gboolean is_turned(const GstRvosShape *shape)
{
    return shape->orientation && strcmp(shape->orientation, "rotate-0") != 0;
}

/* Whether the rotation exchanges width and height. */
static gboolean is_on_its_side(const GstRvosShape *shape)
{
    return is_turned(shape) && (g_str_has_suffix(shape->orientation, "rotate-90") ||
                                g_str_has_suffix(shape->orientation, "rotate-270"));
}

/* ---- initial masks --------------------------------------------------------------- */

/* The height of the other picture scaled to `width`. */
static gdouble height_for(gdouble width, gdouble other_width, gdouble other_height)
{
    return other_width > 0 ? width * other_height / other_width : 0;
}

gdouble gst_rvos_shape_shown_width(const GstVideoInfo *info)
{
    return (gdouble)GST_VIDEO_INFO_WIDTH(info) * GST_VIDEO_INFO_PAR_N(info) /
           MAX(GST_VIDEO_INFO_PAR_D(info), 1);
}

gboolean gst_rvos_shape_alike(gdouble width, gdouble height, gdouble other_width,
                              gdouble other_height)
{
    return fabs(height - height_for(width, other_width, other_height)) <= 1 ||
           fabs(width - height_for(height, other_height, other_width)) <= 1;
}

static gboolean fits(gdouble width, gdouble height, gdouble other_width,
                     gdouble other_height)
{
    gdouble wanted = height_for(width, other_width, other_height);

    return fabs(height - wanted) <= SHAPE_TOLERANCE * wanted ||
           gst_rvos_shape_alike(width, height, other_width, other_height);
}

static gchar *words_for(const GstRvosShape *shape, const GstVideoInfo *info, gint width,
                        gint height)
{
    gint w = GST_VIDEO_INFO_WIDTH(info), h = GST_VIDEO_INFO_HEIGHT(info);
    gdouble shown = gst_rvos_shape_shown_width(info);
    gboolean same = fits(width, height, w, h) || fits(width, height, shown, h);
    gboolean exchanged = fits(height, width, w, h) || fits(height, width, shown, h);

    if (!same && exchanged && is_on_its_side(shape))
        return g_strdup_printf("An initial mask is %dx%d, but the frames are %dx%d and "
                               "marked as turned (%s): "
                               "put videoflip video-direction=auto before rvosseg.",
                               width, height, w, h, shape->orientation);
    if (!same)
        return g_strdup_printf(
            "An initial mask of %dx%d is stretched to frames of %dx%d, which have "
            "another shape%s",
            width, height, w, h,
            exchanged ? ": width and height are exchanged. If it was made of turned "
                        "frames, put videoflip before rvosseg."
                      : ". Make masks of frames as rvosseg gets them.");
    if (is_turned(shape) && (exchanged || !is_on_its_side(shape)))
        return g_strdup_printf(
            "The stream is marked as turned (%s), and rvosseg takes frames as they are "
            "stored: if the initial mask was made of the turned picture, put videoflip "
            "video-direction=auto before rvosseg.",
            shape->orientation);
    return NULL;
}

void gst_rvos_shape_check_mask(GstRvosShape *shape, const GstVideoInfo *info, gint width,
                               gint height, GstRvosNotices *notices)
{
    g_autofree gchar *words = NULL;

    if (shape->mask_said || width <= 0 || height <= 0)
        return;
    words = words_for(shape, info, width, height);
    if (!words)
        return;
    shape->mask_said = TRUE;
    GST_RVOS_WARN(notices, STREAM, FORMAT, "%s", words);
}

/* ---- cropped frames --------------------------------------------------------------- */

/* Moves a plane's start to (x, y). FALSE: not possible. If luma and chroma share a plane,
 * only whole groups of pixels can be cut off. Separate chroma is off by at most half a
 * sample. */
static gboolean move_plane(GstVideoFrame *frame, guint plane, guint x, guint y)
{
    const GstVideoFormatInfo *format = frame->info.finfo;
    guint fine = G_MAXUINT, coarse = 0, first = 0; /* horizontal subsampling */

    for (guint c = format->n_components; c-- > 0;) {
        if (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != plane)
            continue;
        first = c;
        fine = MIN(fine, (guint)GST_VIDEO_FORMAT_INFO_W_SUB(format, c));
        coarse = MAX(coarse, (guint)GST_VIDEO_FORMAT_INFO_W_SUB(format, c));
    }
    if (fine != coarse && x & ((1u << coarse) - 1))
        return FALSE;
    frame->data[plane] = (guint8 *)frame->data[plane] +
                         (gint)(y >> GST_VIDEO_FORMAT_INFO_H_SUB(format, first)) *
                             GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane) +
                         (gint)(x >> GST_VIDEO_FORMAT_INFO_W_SUB(format, first)) *
                             GST_VIDEO_FORMAT_INFO_PSTRIDE(format, first);
    return TRUE;
}

gboolean gst_rvos_shape_part(GstVideoFrame *frame, guint x, guint y, guint width,
                             guint height)
{
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(frame); p++)
        if (!move_plane(frame, p, x, y))
            return FALSE;
    frame->info.width = (gint)width;
    frame->info.height = (gint)height;
    return TRUE;
}

gboolean gst_rvos_shape_crop(GstVideoFrame *frame, const GstVideoInfo *caps)
{
    guint width = (guint)GST_VIDEO_INFO_WIDTH(caps);
    guint height = (guint)GST_VIDEO_INFO_HEIGHT(caps);
    const GstVideoCropMeta *crop;

    if ((guint)GST_VIDEO_FRAME_WIDTH(frame) == width &&
        (guint)GST_VIDEO_FRAME_HEIGHT(frame) == height)
        return TRUE;
    crop = gst_buffer_get_video_crop_meta(frame->buffer);
    if (!crop || crop->width != width || crop->height != height ||
        (guint64)crop->x + width > (guint64)GST_VIDEO_FRAME_WIDTH(frame) ||
        (guint64)crop->y + height > (guint64)GST_VIDEO_FRAME_HEIGHT(frame))
        return FALSE;
    return gst_rvos_shape_part(frame, crop->x, crop->y, width, height);
}

void gst_rvos_shape_refuse(const GstVideoInfo *caps, const GstVideoFrame *frame,
                           GstRvosNotices *notices)
{
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(frame->buffer);
    g_autofree gchar *part =
        crop ? g_strdup_printf(", cropped to %ux%u at %u,%u", crop->width, crop->height,
                               crop->x, crop->y)
             : NULL;

    GST_RVOS_ERROR(notices, STREAM, FORMAT,
                   "A frame is %dx%d%s, but its caps say %dx%d: the element before "
                   "rvosseg makes frames that do not match their caps.",
                   GST_VIDEO_FRAME_WIDTH(frame), GST_VIDEO_FRAME_HEIGHT(frame),
                   part ? part : "", GST_VIDEO_INFO_WIDTH(caps),
                   GST_VIDEO_INFO_HEIGHT(caps));
}

/* ---- turned frames ---------------------------------------------------------------- */

static gboolean is_identity(const gfloat *matrix)
{
    for (guint i = 0; i < 16; i++)
        if (matrix[i] != (i % 5 == 0 ? 1.f : 0.f))
            return FALSE;
    return TRUE;
}

void gst_rvos_shape_check_affine(GstRvosShape *shape, GstBuffer *buffer,
                                 GstRvosNotices *notices)
{
    const GstVideoAffineTransformationMeta *meta;

    if (shape->affine_said)
        return;
    meta = gst_buffer_get_video_affine_transformation_meta(buffer);
    if (!meta || is_identity(meta->matrix))
        return;
    shape->affine_said = TRUE;
    GST_RVOS_WARN(notices, STREAM, FORMAT,
                  "The frames are to be turned when they are shown "
                  "(GstVideoAffineTransformationMeta): rvosseg takes them as they "
                  "are stored, and so are its masks.");
}
