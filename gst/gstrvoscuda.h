/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscuda.h - the parts of gst-cuda that the element needs: contexts, memory and
 * pools. In a build without gst-cuda (NO_GST_CUDA) nothing is ever in CUDA memory.
 *
 * A context is a GstCudaContext, passed as its parent class GstObject, so that no other
 * file needs the headers of gst-cuda and CUDA.
 */
#ifndef GST_RVOS_CUDA_H
#define GST_RVOS_CUDA_H

#include <gst/video/video.h>

#define GST_RVOS_CUDA_MEMORY "memory:CUDAMemory"
/* Formats that rvosseg and all versions of gst-cuda support. */
#define GST_RVOS_CUDA_FORMATS "{ NV12, I420, RGBA, BGRA, RGBx, BGRx, RGB, BGR }"
#define GST_RVOS_CUDA_ALPHA_FORMATS "{ RGBA, BGRA }"

#ifdef NO_GST_CUDA

#define gst_rvos_cuda_built FALSE
#define gst_rvos_cuda_find(element, device, context) ((void)(device), FALSE)
#define gst_rvos_cuda_take(element, context, device)                                     \
    ((void)(element), (void)(context), (void)(device), (GstObject *)NULL)
#define gst_rvos_cuda_answer(element, query, context) ((void)(query), FALSE)
#define gst_rvos_cuda_handle(context) ((gpointer)NULL)
#define gst_rvos_cuda_device(context) (-1)
#define gst_rvos_cuda_context_of(buffer) ((void)(buffer), (GstObject *)NULL)
#define gst_rvos_cuda_stream_of(buffer) NULL
#define gst_rvos_cuda_map(frame, info, buffer, flags) FALSE
#define gst_rvos_cuda_pool_new(context, caps, size)                                      \
    ((void)(context), (void)(size), (GstBufferPool *)NULL)
#define gst_rvos_cuda_is_pool(pool) ((void)(pool), FALSE)

#else

#define gst_rvos_cuda_built TRUE

/* If *context is NULL, sets it to the context of a neighbour or the application, else to
 * a new one on GPU `device` (-1: any; a new context is made on the first). A neighbour's
 * context comes through gst_element_set_context, whose function must put it into
 * *context. FALSE: no driver or no such GPU. */
gboolean gst_rvos_cuda_find(GstElement *element, gint device, GstObject **context);

/* The context in a GstContext, a new reference; NULL: none, or on another GPU. */
GstObject *gst_rvos_cuda_take(GstElement *element, GstContext *context, gint device);

/* Answers a CONTEXT query. FALSE: it asks for something else, or `context` is NULL. */
gboolean gst_rvos_cuda_answer(GstElement *element, GstQuery *query, GstObject *context);

/* The CUcontext; NULL for NULL. */
gpointer gst_rvos_cuda_handle(GstObject *context);
gint gst_rvos_cuda_device(GstObject *context);

/* The buffer's context, borrowed; NULL: not in CUDA memory. */
GstObject *gst_rvos_cuda_context_of(GstBuffer *buffer);

/* The CUstream that writes the buffer's pixels; NULL: they are ready. */
gpointer gst_rvos_cuda_stream_of(GstBuffer *buffer);

/* As gst_video_frame_map, with addresses on the GPU. */
gboolean gst_rvos_cuda_map(GstVideoFrame *frame, const GstVideoInfo *info,
                           GstBuffer *buffer, GstMapFlags flags);

/* A configured pool. Sets *size to the size of its buffers, which the pool chooses
 * because rows are padded. NULL: it cannot make such buffers. */
GstBufferPool *gst_rvos_cuda_pool_new(GstObject *context, GstCaps *caps, guint *size);
gboolean gst_rvos_cuda_is_pool(GstBufferPool *pool);

#endif

#endif
