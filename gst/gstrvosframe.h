/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosframe.h - GStreamer's frames as librvos sees them. Borrowed views only. */
#ifndef GST_RVOS_FRAME_H
#define GST_RVOS_FRAME_H

#include <gst/video/video.h>
#include <rvos.h>

G_BEGIN_DECLS

/* All system-memory formats of the element, as in caps. */
#define GST_RVOS_FORMATS                                                                 \
    "{ NV12, I420, RGBA, BGRA, RGBx, BGRx, ARGB, ABGR, xRGB, xBGR, RGB, BGR, YV12, "     \
    "NV21, Y42B, Y444, YUY2, UYVY, GRAY8, I420_10LE, I422_10LE, Y444_10LE, P010_10LE }"
/* Those that the CUDA engine takes in system memory. */
#define GST_RVOS_CUDA_SYSTEM_FORMATS                                                     \
    "{ NV12, I420, RGBA, BGRA, RGBx, BGRx, ARGB, ABGR, xRGB, xBGR, RGB, BGR, YV12 }"
#define GST_RVOS_ALPHA_WORDS "RGBA, BGRA, ARGB or ABGR"
#define GST_RVOS_ALPHA_FORMATS "{ RGBA, BGRA, ARGB, ABGR }"

/* FALSE: a format that librvos does not know. */
gboolean gst_rvos_frame_to_image(const GstVideoFrame *frame, rvos_memory memory,
                                 rvos_image *image);

/* Of a GRAY8 frame. */
void gst_rvos_frame_to_labels(const GstVideoFrame *frame, rvos_memory memory,
                              rvos_labels *labels);

G_END_DECLS
#endif
