/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscuda.h - what the element needs of gst-cuda, and nothing else of it: contexts,
 * memory and pools. gstrvoscuda.c is for builds that have it, gstrvoscuda_none.c for
 * those that have not; there nothing is ever in CUDA memory.
 *
 * A context is a GstCudaContext, passed round as its parent class, so that no other file
 * needs the headers of gst-cuda, which want those of CUDA.
 */
#ifndef GST_RVOS_CUDA_H
#define GST_RVOS_CUDA_H

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_RVOS_CUDA_MEMORY "memory:CUDAMemory"
/* What rvosseg and all versions of gst-cuda know. */
#define GST_RVOS_CUDA_FORMATS "{ NV12, I420, RGBA, BGRA, RGBx, BGRx, RGB, BGR }"
#define GST_RVOS_CUDA_ALPHA_FORMATS "{ RGBA, BGRA }"

extern const gboolean gst_rvos_cuda_built;

/* Sets *context, if it is NULL, to the one of the neighbours or the application, else to
 * a new one on GPU `device` (-1: any, new ones on the first). The neighbours' comes by
 * gst_element_set_context, whose function must put it into *context. FALSE: no driver or
 * no such GPU. */
gboolean gst_rvos_cuda_find(GstElement *element, gint device, GstObject **context);

/* The context in a GstContext as a new reference; NULL: none, or of another GPU. */
GstObject *gst_rvos_cuda_take(GstElement *element, GstContext *context, gint device);

/* Answers a CONTEXT query. FALSE: it asks for something else, or `context` is NULL. */
gboolean gst_rvos_cuda_answer(GstElement *element, GstQuery *query, GstObject *context);

/* The CUcontext; NULL for NULL. */
gpointer gst_rvos_cuda_handle(GstObject *context);
gint gst_rvos_cuda_device(GstObject *context);

/* Borrowed; NULL: the buffer is not in CUDA memory. */
GstObject *gst_rvos_cuda_context_of(GstBuffer *buffer);

/* The CUstream in which the buffer's pixels become ready; NULL: they are. */
gpointer gst_rvos_cuda_stream_of(GstBuffer *buffer);

/* As gst_video_frame_map, with addresses on the GPU. */
gboolean gst_rvos_cuda_map(GstVideoFrame *frame, const GstVideoInfo *info,
                           GstBuffer *buffer, GstMapFlags flags);

/* A configured pool; *size: of its buffers, which the pool chooses, as rows are padded.
 * NULL: it cannot make such buffers. */
GstBufferPool *gst_rvos_cuda_pool_new(GstObject *context, GstCaps *caps, guint *size);
gboolean gst_rvos_cuda_is_pool(GstBufferPool *pool);

G_END_DECLS
#endif
