/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests gst/gstrvoscuda.c compiled for GStreamer 1.24 and newer, with a shim of its API.
 * Memory has a stream there, and librvos must wait for it. */
#include "suite.h"

#include "../../gst/gstrvoscuda.h"
#include "shim/gst/cuda/shim.h"

/* ---- the shim --------------------------------------------------------------------- */

GstBufferPool *shim_pool;
static gboolean loaded, initialised;
static GstMapFlags mapped; /* with these flags, last */

gboolean gst_cuda_load_library(void)
{
    return loaded;
}

void gst_cuda_memory_init_once(void)
{
    initialised = TRUE;
}

gboolean gst_is_cuda_memory(GstMemory *mem)
{
    return mem && g_str_equal(mem->allocator->mem_type, "shim");
}

GstCudaStream *gst_cuda_memory_get_stream(GstCudaMemory *mem)
{
    return mem->stream;
}

CUstream gst_cuda_stream_get_handle(GstCudaStream *stream)
{
    return stream->handle;
}

gpointer gst_cuda_context_get_handle(GstCudaContext *ctx)
{
    return ctx;
}

gboolean gst_cuda_ensure_element_context(G_GNUC_UNUSED GstElement *element,
                                         G_GNUC_UNUSED gint device_id,
                                         G_GNUC_UNUSED GstCudaContext **cuda_ctx)
{
    fail_unless(loaded && initialised);
    return TRUE;
}

gboolean gst_cuda_handle_set_context(G_GNUC_UNUSED GstElement *element,
                                     G_GNUC_UNUSED GstContext *context,
                                     G_GNUC_UNUSED gint device_id,
                                     G_GNUC_UNUSED GstCudaContext **cuda_ctx)
{
    fail_unless(loaded);
    return FALSE;
}

gboolean gst_cuda_handle_context_query(G_GNUC_UNUSED GstElement *element,
                                       G_GNUC_UNUSED GstQuery *query,
                                       GstCudaContext *cuda_ctx)
{
    return cuda_ctx != NULL;
}

GstBufferPool *gst_cuda_buffer_pool_new(G_GNUC_UNUSED GstCudaContext *context)
{
    return gst_object_ref(shim_pool);
}

/* ---- memory of it ----------------------------------------------------------------- */

#define SIZE 4096

static guint8 pixels[SIZE];

static gpointer map(G_GNUC_UNUSED GstMemory *mem, G_GNUC_UNUSED gsize maxsize,
                    GstMapFlags flags)
{
    mapped = flags;
    return pixels;
}

static void unmap(G_GNUC_UNUSED GstMemory *mem)
{
}

typedef GstAllocator Shim;
typedef GstAllocatorClass ShimClass;
GType shim_get_type(void);
G_DEFINE_TYPE(Shim, shim, GST_TYPE_ALLOCATOR)

static void free_memory(G_GNUC_UNUSED GstAllocator *allocator, GstMemory *memory)
{
    g_free(memory);
}

static void shim_class_init(ShimClass *klass)
{
    klass->free = free_memory;
}

static void shim_init(Shim *allocator)
{
    allocator->mem_type = "shim";
    allocator->mem_map = map;
    allocator->mem_unmap = unmap;
}

static GstBuffer *on_the_gpu(GstCudaStream *stream)
{
    GstAllocator *allocator = gst_object_ref_sink(g_object_new(shim_get_type(), NULL));
    GstCudaMemory *memory = g_new0(GstCudaMemory, 1);
    GstBuffer *buffer = gst_buffer_new();

    gst_memory_init(&memory->mem, 0, allocator, NULL, SIZE, 0, 0, SIZE);
    gst_object_unref(allocator);
    gst_video_info_set_format(&memory->info, GST_VIDEO_FORMAT_NV12, 16, 8);
    memory->info.stride[0] = memory->info.stride[1] = 256;
    memory->info.offset[1] = 8 * 256;
    memory->info.size = 12 * 256;
    memory->stream = stream;
    gst_buffer_append_memory(buffer, &memory->mem);
    return buffer;
}

/* ---- tests ------------------------------------------------------------------------- */

SUITE_TEST(test_stream)
{
    int handle;
    GstCudaStream stream = {.handle = &handle};
    GstBuffer *with = on_the_gpu(&stream), *without = on_the_gpu(NULL);
    GstBuffer *host = gst_buffer_new_allocate(NULL, SIZE, NULL);

    fail_unless(gst_rvos_cuda_stream_of(with) == &handle);
    fail_unless(gst_rvos_cuda_stream_of(without) == NULL);
    fail_unless(gst_rvos_cuda_stream_of(host) == NULL);
    gst_buffer_unref(with);
    gst_buffer_unref(without);
    gst_buffer_unref(host);
}
GST_END_TEST;

/* If the buffer does not give strides, the memory's count. */
SUITE_TEST(test_map)
{
    GstBuffer *buffer = on_the_gpu(NULL);
    GstVideoFrame frame;
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 16, 8);
    fail_unless(gst_rvos_cuda_map(&frame, &info, buffer, GST_MAP_READWRITE));
    fail_unless((mapped & GST_MAP_CUDA) && (mapped & GST_MAP_WRITE));
    fail_unless_equals_int(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0), 256);
    fail_unless(GST_VIDEO_FRAME_PLANE_DATA(&frame, 1) == pixels + 8 * 256);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(buffer);
}
GST_END_TEST;

/* Without the driver's library gst-cuda is not called. */
SUITE_TEST(test_no_driver)
{
    GstContext *context = gst_context_new(GST_CUDA_CONTEXT_TYPE, TRUE);
    GstObject *found = NULL;

    fail_if(gst_rvos_cuda_find(NULL, -1, &found));
    fail_unless(gst_rvos_cuda_take(NULL, context, -1) == NULL);
    fail_if(initialised);
    loaded = TRUE;
    fail_unless(gst_rvos_cuda_find(NULL, -1, &found));
    gst_context_unref(context);
}
GST_END_TEST;

SUITE_MAIN("cuda-1.24", 0, NULL, NULL)
