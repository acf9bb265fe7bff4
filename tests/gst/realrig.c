/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "real.h"

#include <math.h>
#include <string.h>

const gchar *real_model(void)
{
    return g_getenv("RVOSSEG_TEST_MODEL");
}

GstVideoInfo real_info(const gchar *format, gint width, gint height, const gchar *extra)
{
    gchar *text =
        g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,framerate=30/1%s%s",
                        format, width, height, extra ? "," : "", extra ? extra : "");
    GstCaps *caps = gst_caps_from_string(text);
    GstVideoInfo info;

    fail_unless(gst_video_info_from_caps(&info, caps));
    gst_caps_unref(caps);
    g_free(text);
    return info;
}

static GstBuffer *rgb_picture(const GstVideoInfo *info, guint n)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    GstVideoFrame frame;
    guint8 *red = g_malloc((gsize)info->width);

    fail_unless(gst_video_frame_map(&frame, info, buffer, GST_MAP_WRITE));
    for (gint x = 0; x < info->width; x++)
        red[x] = (guint8)(128 + 100 * sin(9 * ((gdouble)x / info->width) + 0.3 * n));
    for (gint y = 0; y < info->height; y++) {
        guint8 *p = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) +
                    y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
        gdouble v = (gdouble)y / info->height;
        guint8 green = (guint8)(128 + 100 * cos(7 * v - 0.2 * n));

        for (gint x = 0; x < info->width; x++, p += 4) {
            gdouble u = (gdouble)x / info->width;

            p[0] = red[x];
            p[1] = green;
            p[2] = (guint8)(128 + 100 * sin(5 * (u + v) + 0.1 * n));
            p[3] = 255;
        }
    }
    g_free(red);
    gst_video_frame_unmap(&frame);
    return buffer;
}

/* An empty buffer whose strides and plane distances are no multiples of anything. */
static GstBuffer *padded(const GstVideoInfo *info, guint pad)
{
    gsize offset[GST_VIDEO_MAX_PLANES] = {0}, size = pad;
    gint stride[GST_VIDEO_MAX_PLANES] = {0};
    GstBuffer *buffer;

    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++) {
        gint c = GST_VIDEO_INFO_IS_YUV(info) && p > 0 ? 1 : 0;

        stride[p] = GST_VIDEO_INFO_PLANE_STRIDE(info, p) + (gint)pad;
        offset[p] = size;
        size += (gsize)stride[p] * (gsize)GST_VIDEO_INFO_COMP_HEIGHT(info, c) + pad;
    }
    buffer = gst_buffer_new_allocate(NULL, size, NULL);
    gst_buffer_memset(buffer, 0, 0xa5, size);
    gst_buffer_add_video_meta_full(buffer, 0, GST_VIDEO_INFO_FORMAT(info),
                                   (guint)info->width, (guint)info->height,
                                   GST_VIDEO_INFO_N_PLANES(info), offset, stride);
    return buffer;
}

/* The converter needs aligned rows, so it works on a plain buffer first. */
static GstBuffer *converted(const GstVideoInfo *info, guint n)
{
    GstVideoInfo rgb_info = real_info("RGBA", info->width, info->height, NULL);
    GstBuffer *rgb = rgb_picture(&rgb_info, n);
    GstBuffer *out = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(info), NULL);
    GstVideoConverter *convert = gst_video_converter_new(
        &rgb_info, info,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD,
                          GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE, NULL));
    GstVideoFrame from, to;

    fail_unless(convert != NULL);
    fail_unless(gst_video_frame_map(&from, &rgb_info, rgb, GST_MAP_READ));
    fail_unless(gst_video_frame_map(&to, info, out, GST_MAP_WRITE));
    gst_video_converter_frame(convert, &from, &to);
    gst_video_frame_unmap(&from);
    gst_video_frame_unmap(&to);
    gst_video_converter_free(convert);
    gst_buffer_unref(rgb);
    return out;
}

/* The visible bytes of each row. gst_video_frame_copy of GStreamer 1.26 copies whole
 * strides, and would overwrite the padding with zeroes. */
static void copy_rows(GstVideoFrame *to, const GstVideoFrame *from)
{
    const GstVideoFormatInfo *format = from->info.finfo;

    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(from); p++) {
        gint components[GST_VIDEO_MAX_COMPONENTS];
        gsize bytes;

        gst_video_format_info_component(format, p, components);
        bytes = (gsize)GST_VIDEO_FRAME_COMP_WIDTH(from, components[0]) *
                (gsize)GST_VIDEO_FRAME_COMP_PSTRIDE(from, components[0]);
        for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(from, components[0]); y++)
            memcpy((guint8 *)GST_VIDEO_FRAME_PLANE_DATA(to, p) +
                       (gsize)y * (gsize)GST_VIDEO_FRAME_PLANE_STRIDE(to, p),
                   (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(from, p) +
                       (gsize)y * (gsize)GST_VIDEO_FRAME_PLANE_STRIDE(from, p),
                   bytes);
    }
}

GstBuffer *real_picture(const GstVideoInfo *info, guint n, guint pad)
{
    GstBuffer *plain = converted(info, n), *out = padded(info, pad);
    GstVideoFrame from, to;

    fail_unless(gst_video_frame_map(&from, info, plain, GST_MAP_READ));
    fail_unless(gst_video_frame_map(&to, info, out, GST_MAP_WRITE));
    copy_rows(&to, &from);
    gst_video_frame_unmap(&from);
    gst_video_frame_unmap(&to);
    gst_buffer_unref(plain);
    GST_BUFFER_PTS(out) = gst_util_uint64_scale(n, GST_SECOND, 30);
    GST_BUFFER_DURATION(out) = GST_SECOND / 30;
    return out;
}

GstHarness *real_harness(GstHarness **mask, const gchar *property, ...)
{
    GstElement *element = gst_element_factory_make("rvosseg", NULL);
    GstHarness *h;
    va_list args;

    fail_unless(element != NULL);
    g_object_set(element, "model", real_model(), NULL);
    gst_util_set_object_arg(G_OBJECT(element), "mode", "zero-shot");
    gst_util_set_object_arg(G_OBJECT(element), "engine", "cpu");
    va_start(args, property);
    for (; property; property = va_arg(args, const gchar *))
        gst_util_set_object_arg(G_OBJECT(element), property, va_arg(args, const gchar *));
    va_end(args);
    h = gst_harness_new_with_element(element, "sink", "src");
    *mask = gst_harness_new_with_element(element, NULL, "mask");
    gst_object_unref(element);
    return h;
}

void real_free(GstHarness *h, GstHarness *mask)
{
    gst_harness_teardown(mask);
    gst_harness_teardown(h);
}

guint8 *real_labels(GstBuffer *mask)
{
    GstVideoMeta *layout = gst_buffer_get_video_meta(mask);
    GstVideoInfo info;
    GstVideoFrame frame;
    guint8 *out;

    fail_unless(layout != NULL);
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, layout->width,
                              layout->height);
    fail_unless(gst_video_frame_map(&frame, &info, mask, GST_MAP_READ));
    out = g_malloc((gsize)info.width * (gsize)info.height);
    for (gint y = 0; y < info.height; y++)
        memcpy(out + y * info.width,
               (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) +
                   y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0),
               (gsize)info.width);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(mask);
    return out;
}
