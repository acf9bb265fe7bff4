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

GstCaps *gst_rvos_frame_caps(gboolean cuda, gboolean engine, gboolean alpha)
{
    const gchar *gpu = alpha ? GST_VIDEO_CAPS_MAKE_WITH_FEATURES(
                                   GST_RVOS_CUDA_MEMORY, GST_RVOS_CUDA_ALPHA_FORMATS)
                             : GST_VIDEO_CAPS_MAKE_WITH_FEATURES(GST_RVOS_CUDA_MEMORY,
                                                                 GST_RVOS_CUDA_FORMATS);
    const gchar *system = alpha    ? GST_VIDEO_CAPS_MAKE(GST_RVOS_ALPHA_FORMATS)
                          : engine ? GST_VIDEO_CAPS_MAKE(GST_RVOS_CUDA_SYSTEM_FORMATS)
                                   : GST_VIDEO_CAPS_MAKE(GST_RVOS_FORMATS);
    g_autofree gchar *text = cuda ? g_strconcat(gpu, "; ", system, NULL) : NULL;

    return gst_caps_from_string(text ? text : system);
}

gboolean gst_rvos_frame_caps_in_cuda(const GstCaps *caps)
{
    return caps && !gst_caps_is_any(caps) && !gst_caps_is_empty(caps) &&
           gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                      GST_RVOS_CUDA_MEMORY);
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
