/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosframe.h - describes GStreamer's frames to librvos, as borrowed views. */
#ifndef GST_RVOS_FRAME_H
#define GST_RVOS_FRAME_H

#include <gst/video/video.h>
#include <rvos.h>

#define GST_RVOS_ALPHA_WORDS "RGBA, BGRA, ARGB or ABGR"

/* New caps of frames in system memory and, if `cuda`, first in CUDA memory. `engine`:
 * only formats that the CUDA engine accepts. `alpha`: only formats with an alpha
 * channel. */
GstCaps *gst_rvos_frame_caps(gboolean cuda, gboolean engine, gboolean alpha);
gboolean gst_rvos_frame_caps_in_cuda(const GstCaps *caps);

/* FALSE: librvos does not know the format. */
gboolean gst_rvos_frame_to_image(const GstVideoFrame *frame, rvos_memory memory,
                                 rvos_image *image);

#endif
