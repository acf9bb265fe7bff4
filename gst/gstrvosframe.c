/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosframe.h"

#include "gstrvoscuda.h"

/* All system-memory formats of the element. */
#define GST_RVOS_FORMATS                                                                 \
    "{ NV12, I420, RGBA, BGRA, RGBx, BGRx, ARGB, ABGR, xRGB, xBGR, RGB, BGR, YV12, "     \
    "NV21, Y42B, Y444, YUY2, UYVY, GRAY8, I420_10LE, I422_10LE, Y444_10LE, P010_10LE }"
/* Formats that the CUDA engine accepts in system memory. */
#define GST_RVOS_CUDA_SYSTEM_FORMATS                                                     \
    "{ NV12, I420, RGBA, BGRA, RGBx, BGRx, ARGB, ABGR, xRGB, xBGR, RGB, BGR, YV12 }"
#define GST_RVOS_ALPHA_FORMATS "{ RGBA, BGRA, ARGB, ABGR }"

/* ---- caps -------------------------------------------------------------------------- */

GstCaps *gst_rvos_frame_caps(gboolean cuda_memory, gboolean cuda_engine, gboolean alpha)
{
    const gchar *gpu = alpha ? GST_VIDEO_CAPS_MAKE_WITH_FEATURES(
                                   GST_RVOS_CUDA_MEMORY, GST_RVOS_CUDA_ALPHA_FORMATS)
                             : GST_VIDEO_CAPS_MAKE_WITH_FEATURES(GST_RVOS_CUDA_MEMORY,
                                                                 GST_RVOS_CUDA_FORMATS);
    const gchar *system = alpha ? GST_VIDEO_CAPS_MAKE(GST_RVOS_ALPHA_FORMATS)
                          : cuda_engine
                              ? GST_VIDEO_CAPS_MAKE(GST_RVOS_CUDA_SYSTEM_FORMATS)
                              : GST_VIDEO_CAPS_MAKE(GST_RVOS_FORMATS);
    g_autofree gchar *text = cuda_memory ? g_strconcat(gpu, "; ", system, NULL) : NULL;

    return gst_caps_from_string(text ? text : system);
}

gboolean gst_rvos_frame_caps_in_cuda(const GstCaps *caps)
{
    return caps && !gst_caps_is_any(caps) && !gst_caps_is_empty(caps) &&
           gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                      GST_RVOS_CUDA_MEMORY);
}

/* ---- mapping ---------------------------------------------------------------------- */

static gboolean meta_fits_caps(const GstVideoMeta *meta, const GstVideoInfo *info)
{
    return meta->format == GST_VIDEO_INFO_FORMAT(info) &&
           meta->width >= (guint)GST_VIDEO_INFO_WIDTH(info) &&
           meta->height >= (guint)GST_VIDEO_INFO_HEIGHT(info);
}

/* Whether a component's rows lie in the plane's mapped memory, one after another. */
static gboolean component_fits(const GstVideoFrame *frame, guint c)
{
    guint plane = (guint)GST_VIDEO_FRAME_COMP_PLANE(frame, c);
    const GstMapInfo *map = &frame->map[plane];
    gint64 begin = (guint8 *)frame->data[plane] - map->data;
    gint64 stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane);
    gint64 row = GST_VIDEO_FRAME_COMP_POFFSET(frame, c) +
                 (GST_VIDEO_FRAME_COMP_WIDTH(frame, c) - 1) *
                     GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c) +
                 (GST_VIDEO_FRAME_COMP_DEPTH(frame, c) + 7) / 8;

    if (stride < row)
        return FALSE;
    /* An element's own map function need not fill in the GstMapInfo. */
    if (!map->data || begin < 0 || begin > (gint64)map->size)
        return TRUE;
    return begin + stride * (GST_VIDEO_FRAME_COMP_HEIGHT(frame, c) - 1) + row <=
           (gint64)map->size;
}

static gboolean rows_fit(const GstVideoFrame *frame)
{
    for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(frame); c++)
        if (!component_fits(frame, c))
            return FALSE;
    return TRUE;
}

gboolean gst_rvos_frame_map(GstVideoFrame *frame, const GstVideoInfo *info,
                            GstBuffer *buffer, GstMapFlags flags, gboolean cuda)
{
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);

    *frame = (GstVideoFrame)GST_VIDEO_FRAME_INIT;
    if (meta && !meta_fits_caps(meta, info))
        return FALSE;
    if (cuda)
        return gst_rvos_cuda_map(frame, info, buffer, flags);
    if (!gst_video_frame_map(frame, info, buffer, flags))
        return FALSE;
    /* gst-cuda makes its own memory; sizes of 1.22 are too small for odd heights. */
    if (!meta || gst_rvos_cuda_context_of(buffer) || rows_fit(frame))
        return TRUE;
    gst_video_frame_unmap(frame);
    return FALSE;
}

#define MISMATCH "the element before rvosseg makes frames that do not match their caps."

gchar *gst_rvos_frame_fault(const GstVideoInfo *info, GstBuffer *buffer)
{
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    const gchar *format = gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info));
    gint width = GST_VIDEO_INFO_WIDTH(info), height = GST_VIDEO_INFO_HEIGHT(info);
    gsize has = gst_buffer_get_size(buffer), wanted = GST_VIDEO_INFO_SIZE(info);
    GstMapInfo map;

    if (!meta && has < wanted)
        return g_strdup_printf("It has %" G_GSIZE_FORMAT " bytes, and %s of %dx%d has "
                               "%" G_GSIZE_FORMAT
                               ", with rows padded to 4 bytes: " MISMATCH,
                               has, format, width, height, wanted);
    if (meta && !meta_fits_caps(meta, info))
        return g_strdup_printf("Its GstVideoMeta says %s of %ux%u, and its caps say %s "
                               "of %dx%d: " MISMATCH,
                               gst_video_format_to_string(meta->format), meta->width,
                               meta->height, format, width, height);
    if (!meta || !gst_buffer_map(buffer, &map, GST_MAP_READ))
        return g_strdup("Its memory cannot be mapped.");
    gst_buffer_unmap(buffer, &map);
    return g_strdup(
        "The rows of its GstVideoMeta overlap or do not lie in its memory: the "
        "element before rvosseg sets wrong offsets or strides.");
}

/* ---- views ------------------------------------------------------------------------ */

static gboolean to_format(GstVideoFormat format, rvos_format *out)
{
    static const struct {
        GstVideoFormat gst;
        rvos_format rvos;
    } formats[] = {
        {GST_VIDEO_FORMAT_NV12, RVOS_NV12},
        {GST_VIDEO_FORMAT_I420, RVOS_I420},
        {GST_VIDEO_FORMAT_RGBA, RVOS_RGBA},
        {GST_VIDEO_FORMAT_BGRA, RVOS_BGRA},
        {GST_VIDEO_FORMAT_RGBx, RVOS_RGBX},
        {GST_VIDEO_FORMAT_BGRx, RVOS_BGRX},
        {GST_VIDEO_FORMAT_ARGB, RVOS_ARGB},
        {GST_VIDEO_FORMAT_ABGR, RVOS_ABGR},
        {GST_VIDEO_FORMAT_xRGB, RVOS_XRGB},
        {GST_VIDEO_FORMAT_xBGR, RVOS_XBGR},
        {GST_VIDEO_FORMAT_RGB, RVOS_RGB},
        {GST_VIDEO_FORMAT_BGR, RVOS_BGR},
        {GST_VIDEO_FORMAT_YV12, RVOS_I420},
        {GST_VIDEO_FORMAT_NV21, RVOS_NV21},
        {GST_VIDEO_FORMAT_Y42B, RVOS_Y42B},
        {GST_VIDEO_FORMAT_Y444, RVOS_Y444},
        {GST_VIDEO_FORMAT_YUY2, RVOS_YUY2},
        {GST_VIDEO_FORMAT_UYVY, RVOS_UYVY},
        {GST_VIDEO_FORMAT_GRAY8, RVOS_GRAY8},
        {GST_VIDEO_FORMAT_I420_10LE, RVOS_I420_10},
        {GST_VIDEO_FORMAT_I422_10LE, RVOS_Y42B_10},
        {GST_VIDEO_FORMAT_Y444_10LE, RVOS_Y444_10},
        {GST_VIDEO_FORMAT_P010_10LE, RVOS_P010},
    };

    guint i = 0;

    while (i < G_N_ELEMENTS(formats) && formats[i].gst != format)
        i++;
    if (i < G_N_ELEMENTS(formats))
        *out = formats[i].rvos;
    return i < G_N_ELEMENTS(formats);
}

static rvos_colorimetry to_colorimetry(const GstVideoColorimetry *in)
{
    /* FCC and SMPTE 240M are rare and close to the default of their size. */
    return (rvos_colorimetry){
        .full_range = in->range == GST_VIDEO_COLOR_RANGE_0_255,
        .matrix = in->matrix == GST_VIDEO_COLOR_MATRIX_BT601    ? RVOS_MATRIX_BT601
                  : in->matrix == GST_VIDEO_COLOR_MATRIX_BT709  ? RVOS_MATRIX_BT709
                  : in->matrix == GST_VIDEO_COLOR_MATRIX_BT2020 ? RVOS_MATRIX_BT2020
                                                                : RVOS_MATRIX_DEFAULT,
    };
}

gboolean gst_rvos_frame_to_image(const GstVideoFrame *frame, rvos_memory memory,
                                 rvos_image *image)
{
    *image = (rvos_image){
        .memory = memory,
        .width = GST_VIDEO_FRAME_WIDTH(frame),
        .height = GST_VIDEO_FRAME_HEIGHT(frame),
        .colorimetry = to_colorimetry(&frame->info.colorimetry),
    };
    if (!to_format(GST_VIDEO_FRAME_FORMAT(frame), &image->format))
        return FALSE;
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
        /* YV12 is I420 with its chroma planes exchanged. */
        guint from =
            GST_VIDEO_FRAME_FORMAT(frame) == GST_VIDEO_FORMAT_YV12 && i ? 3 - i : i;

        image->plane[i] = GST_VIDEO_FRAME_PLANE_DATA(frame, from);
        image->stride[i] = GST_VIDEO_FRAME_PLANE_STRIDE(frame, from);
    }
    return TRUE;
}
