/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of gst-cuda's API of 1.24 that the plugin calls. For systems with 1.22, whose
 * memory has no stream, or without gst-cuda. */
#ifndef SHIM_CUDA_H
#define SHIM_CUDA_H

#include <gst/video/video.h>

#undef GST_VERSION_MINOR
#define GST_VERSION_MINOR SHIM_MINOR

#define GST_MAP_CUDA (GST_MAP_FLAG_LAST << 1)
#define GST_CUDA_CONTEXT_TYPE "gst.cuda.context"
#define GST_CUDA_MEMORY_CAST(mem) ((GstCudaMemory *)(mem))
#define GST_IS_CUDA_BUFFER_POOL(pool) ((pool) == shim_pool)

typedef void *CUstream;
typedef struct {
    GstObject parent;
} GstCudaContext;
typedef struct {
    CUstream handle;
} GstCudaStream;
typedef struct {
    GstMemory mem;
    GstCudaContext *context;
    GstVideoInfo info;
    GstCudaStream *stream;
} GstCudaMemory;

extern GstBufferPool *shim_pool;

gboolean gst_cuda_load_library(void);
void gst_cuda_memory_init_once(void);
gboolean gst_is_cuda_memory(GstMemory *mem);
GstCudaStream *gst_cuda_memory_get_stream(GstCudaMemory *mem);
CUstream gst_cuda_stream_get_handle(GstCudaStream *stream);
gpointer gst_cuda_context_get_handle(GstCudaContext *ctx);
gboolean gst_cuda_ensure_element_context(GstElement *element, gint device_id,
                                         GstCudaContext **cuda_ctx);
gboolean gst_cuda_handle_set_context(GstElement *element, GstContext *context,
                                     gint device_id, GstCudaContext **cuda_ctx);
gboolean gst_cuda_handle_context_query(GstElement *element, GstQuery *query,
                                       GstCudaContext *cuda_ctx);
GstBufferPool *gst_cuda_buffer_pool_new(GstCudaContext *context);

#endif
