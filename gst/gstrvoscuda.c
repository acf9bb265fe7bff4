/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscuda.c - uses gst-cuda (GStreamer 1.22 and newer).
 *
 * Do not use its Cu... wrappers or its allocator: they differ between versions. From 1.24
 * on, memory may have a stream that writes its pixels. In older versions whoever pushes a
 * buffer has waited for them.
 */
#include "gstrvoscuda.h"

#define GST_USE_UNSTABLE_API
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

/* Nearly all functions of gst-cuda abort if the driver's library is not loaded. */
static gboolean load(void)
{
    if (!gst_cuda_load_library())
        return FALSE;
    gst_cuda_memory_init_once();
    return TRUE;
}

gboolean gst_rvos_cuda_find(GstElement *element, gint device, GstObject **context)
{
    return load() && gst_cuda_ensure_element_context(
                         element, device, (GstCudaContext **)(gpointer)context);
}

GstObject *gst_rvos_cuda_take(GstElement *element, GstContext *context, gint device)
{
    GstCudaContext *taken = NULL;

    if (!context || !gst_context_has_context_type(context, GST_CUDA_CONTEXT_TYPE) ||
        !load())
        return NULL;
    gst_cuda_handle_set_context(element, context, device, &taken);
    return (GstObject *)taken;
}

gboolean gst_rvos_cuda_answer(GstElement *element, GstQuery *query, GstObject *context)
{
    return context &&
           gst_cuda_handle_context_query(element, query, (GstCudaContext *)context);
}

gpointer gst_rvos_cuda_handle(GstObject *context)
{
    return context ? gst_cuda_context_get_handle((GstCudaContext *)context) : NULL;
}

gint gst_rvos_cuda_device(GstObject *context)
{
    guint device;

    g_object_get(context, "cuda-device-id", &device, NULL);
    return (gint)device;
}

static GstCudaMemory *memory_of(GstBuffer *buffer)
{
    GstMemory *memory =
        gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : NULL;

    return gst_is_cuda_memory(memory) ? GST_CUDA_MEMORY_CAST(memory) : NULL;
}

GstObject *gst_rvos_cuda_context_of(GstBuffer *buffer)
{
    GstCudaMemory *memory = memory_of(buffer);

    return memory ? GST_OBJECT_CAST(memory->context) : NULL;
}

gpointer gst_rvos_cuda_stream_of(GstBuffer *buffer)
{
#if GST_CHECK_VERSION(1, 24, 0)
    GstCudaMemory *memory = memory_of(buffer);
    GstCudaStream *stream = memory ? gst_cuda_memory_get_stream(memory) : NULL;

    return stream ? gst_cuda_stream_get_handle(stream) : NULL;
#else
    (void)buffer;
    return NULL;
#endif
}

gboolean gst_rvos_cuda_map(GstVideoFrame *frame, const GstVideoInfo *info,
                           GstBuffer *buffer, GstMapFlags flags)
{
    GstVideoInfo padded = *info;
    GstCudaMemory *memory = memory_of(buffer);

    /* Rows on the GPU are padded. gst-cuda's own pool describes this in a meta, other
     * pools may not. */
    if (memory && !gst_buffer_get_video_meta(buffer)) {
        padded.size = memory->info.size;
        for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++) {
            padded.offset[i] = memory->info.offset[i];
            padded.stride[i] = memory->info.stride[i];
        }
    }
    return gst_video_frame_map(frame, &padded, buffer,
                               (GstMapFlags)(flags | GST_MAP_CUDA));
}

static gboolean configure(GstBufferPool *pool, GstCaps *caps, guint *size)
{
    GstStructure *config = gst_buffer_pool_get_config(pool);
    GstVideoInfo info;
    gboolean good;

    if (!gst_video_info_from_caps(&info, caps)) {
        gst_structure_free(config);
        return FALSE;
    }
    gst_buffer_pool_config_set_params(config, caps, (guint)info.size, 0, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    good = gst_buffer_pool_set_config(pool, config);
    config = gst_buffer_pool_get_config(pool);
    good = good && gst_buffer_pool_config_get_params(config, NULL, size, NULL, NULL);
    gst_structure_free(config);
    return good;
}

GstBufferPool *gst_rvos_cuda_pool_new(GstObject *context, GstCaps *caps, guint *size)
{
    GstBufferPool *pool = gst_cuda_buffer_pool_new((GstCudaContext *)context);

    if (!configure(pool, caps, size))
        gst_clear_object(&pool);
    return pool;
}

gboolean gst_rvos_cuda_is_pool(GstBufferPool *pool)
{
    return GST_IS_CUDA_BUFFER_POOL(pool);
}
