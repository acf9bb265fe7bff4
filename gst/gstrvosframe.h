/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosframe.h - maps GStreamer's frames and describes them to librvos, as borrowed
 * views. */
#ifndef GST_RVOS_FRAME_H
#define GST_RVOS_FRAME_H

#include <gst/video/video.h>
#include <rvos.h>

#define GST_RVOS_ALPHA_WORDS "RGBA, BGRA, ARGB or ABGR"

/* New caps of frames in system memory and, if `cuda_memory`, first in CUDA memory.
 * `cuda_engine`: only formats that the CUDA engine accepts. `alpha`: only formats with an
 * alpha channel. */
GstCaps *gst_rvos_frame_caps(gboolean cuda_memory, gboolean cuda_engine, gboolean alpha);
gboolean gst_rvos_frame_caps_in_cuda(const GstCaps *caps);

/* As gst_video_frame_map, or gst_rvos_cuda_map if `cuda`. FALSE also if the buffer's
 * GstVideoMeta does not fit the caps or the memory, which GStreamer does not check. */
gboolean gst_rvos_frame_map(GstVideoFrame *frame, const GstVideoInfo *info,
                            GstBuffer *buffer, GstMapFlags flags, gboolean cuda);
/* Why a frame could not be mapped, as sentences; to be freed. */
gchar *gst_rvos_frame_fault(const GstVideoInfo *info, GstBuffer *buffer);

/* FALSE: librvos does not know the format. */
gboolean gst_rvos_frame_to_image(const GstVideoFrame *frame, rvos_memory memory,
                                 rvos_image *image);

#endif
