/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvoscut.h"

#include <string.h>

#define PIXELS (GST_RVOS_CUT_SIDE * GST_RVOS_CUT_SIDE)

/* A cut changes the picture strongly (mean difference in grey levels of 255), and much
 * more than the frames before it. A pan or a flicker does not. */
#define LEAST_CHANGE 20.0
#define LEAST_RATIO 4.0
#define MEMORY 0.8 /* weight of the old `usual` in each frame */

void gst_rvos_cut_clear(GstRvosCut *cut)
{
    g_clear_pointer(&cut->convert, gst_video_converter_free);
    gst_clear_buffer(&cut->now);
    cut->seen = FALSE;
    cut->usual = 0;
}

static void prepare(GstRvosCut *cut, const GstVideoInfo *from)
{
    if (cut->convert && gst_video_info_is_equal(&cut->from, from))
        return;
    gst_rvos_cut_clear(cut);
    cut->from = *from;
    gst_video_info_set_format(&cut->to, GST_VIDEO_FORMAT_GRAY8, GST_RVOS_CUT_SIDE,
                              GST_RVOS_CUT_SIDE);
    cut->to.fps_n = from->fps_n; /* the converter requires these to be the same */
    cut->to.fps_d = from->fps_d;
    GST_VIDEO_INFO_INTERLACE_MODE(&cut->to) = GST_VIDEO_INFO_INTERLACE_MODE(from);
    /* Nearest neighbour reads 1024 pixels for any frame size. */
    cut->convert = gst_video_converter_new(
        &cut->from, &cut->to,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                          GST_TYPE_VIDEO_RESAMPLER_METHOD,
                          GST_VIDEO_RESAMPLER_METHOD_NEAREST, NULL));
    cut->now = gst_buffer_new_allocate(NULL, PIXELS, NULL);
}

/* Mean difference from the last thumbnail, which this one replaces. */
static gdouble difference(GstRvosCut *cut, const GstVideoFrame *thumbnail)
{
    const guint8 *pixels = GST_VIDEO_FRAME_PLANE_DATA(thumbnail, 0);
    guint sum = 0;

    for (guint i = 0; i < PIXELS; i++)
        sum += (guint)ABS(pixels[i] - cut->last[i]);
    memcpy(cut->last, pixels, PIXELS);
    return (gdouble)sum / PIXELS;
}

gboolean gst_rvos_cut_check(GstRvosCut *cut, const GstVideoFrame *frame)
{
    GstVideoFrame thumbnail;
    gdouble change;
    gboolean is_cut;

    prepare(cut, &frame->info);
    if (!cut->convert ||
        !gst_video_frame_map(&thumbnail, &cut->to, cut->now, GST_MAP_READWRITE))
        return FALSE;
    gst_video_converter_frame(cut->convert, frame, &thumbnail);
    change = difference(cut, &thumbnail);
    gst_video_frame_unmap(&thumbnail);
    is_cut = cut->seen && change >= LEAST_CHANGE && change >= LEAST_RATIO * cut->usual;
    if (cut->seen)
        cut->usual = MEMORY * cut->usual + (1 - MEMORY) * change;
    cut->seen = TRUE;
    return is_cut;
}
