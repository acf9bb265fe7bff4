/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosmaskalloc.h"

#include <gst/video/gstvideopool.h>

#include "gstrvoscuda.h"
#include "gstrvosframe.h"

static void drop(GstBufferPool **pool)
{
    if (*pool)
        gst_buffer_pool_set_active(*pool, FALSE);
    gst_clear_object(pool);
}

void gst_rvos_mask_alloc_drop_cuda(GstRvosMaskAlloc *alloc)
{
    drop(&alloc->cuda);
}

void gst_rvos_mask_alloc_clear(GstRvosMaskAlloc *alloc)
{
    drop(&alloc->system);
    drop(&alloc->cuda);
    gst_clear_caps(&alloc->caps);
}

void gst_rvos_mask_alloc_set_info(GstRvosMaskAlloc *alloc, const GstVideoInfo *frame)
{
    gst_rvos_mask_alloc_clear(alloc);
    gst_video_info_set_format(&alloc->info, GST_VIDEO_FORMAT_GRAY8,
                              (guint)GST_VIDEO_INFO_WIDTH(frame),
                              (guint)GST_VIDEO_INFO_HEIGHT(frame));
    alloc->info.fps_n = frame->fps_n;
    alloc->info.fps_d = frame->fps_d;
    alloc->info.par_n = frame->par_n;
    alloc->info.par_d = frame->par_d;
    alloc->caps = gst_video_info_to_caps(&alloc->info);
}

/* ---- system memory ---------------------------------------------------------------- */

/* The peer's pool, if it has no maximum, so that we can keep masks. */
static GstBufferPool *usable_pool(GstQuery *answer, guint *size, guint *min)
{
    GstBufferPool *pool;
    guint max;

    if (gst_query_get_n_allocation_pools(answer) == 0)
        return NULL;
    gst_query_parse_nth_allocation_pool(answer, 0, &pool, size, min, &max);
    /* A peer without support for GstVideoMeta cannot read padded rows. */
    if (pool && (max != 0 ||
                 !gst_query_find_allocation_meta(answer, GST_VIDEO_META_API_TYPE, NULL)))
        gst_clear_object(&pool);
    return pool;
}

static gboolean configure(GstBufferPool *pool, GstCaps *caps, guint size, guint min,
                          GstAllocator *allocator, GstAllocationParams *params)
{
    GstStructure *config = gst_buffer_pool_get_config(pool);

    gst_buffer_pool_config_set_params(config, caps, size, min, 0);
    gst_buffer_pool_config_set_allocator(config, allocator, params);
    if (gst_buffer_pool_has_option(pool, GST_BUFFER_POOL_OPTION_VIDEO_META))
        gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    return gst_buffer_pool_set_config(pool, config) &&
           gst_buffer_pool_set_active(pool, TRUE);
}

static gboolean own_pool(GstRvosMaskAlloc *alloc, GstAllocator *allocator,
                         GstAllocationParams *params)
{
    drop(&alloc->system);
    alloc->system = gst_video_buffer_pool_new();
    return configure(alloc->system, alloc->caps, (guint)GST_VIDEO_INFO_SIZE(&alloc->info),
                     0, allocator, params);
}

void gst_rvos_mask_alloc_configure(GstRvosMaskAlloc *alloc, GstQuery *answer)
{
    g_autoptr(GstAllocator) allocator = NULL;
    GstAllocationParams params;
    guint size = 0, min = 0;
    gboolean good = FALSE;

    drop(&alloc->system);
    gst_allocation_params_init(&params);
    if (answer) {
        alloc->system = usable_pool(answer, &size, &min);
        if (gst_query_get_n_allocation_params(answer) > 0)
            gst_query_parse_nth_allocation_param(answer, 0, &allocator, &params);
    }
    size = MAX(size, (guint)GST_VIDEO_INFO_SIZE(&alloc->info));
    if (alloc->system)
        good = configure(alloc->system, alloc->caps, size, min, allocator, &params);
    if (!good && !own_pool(alloc, allocator, &params))
        drop(&alloc->system);
}

/* A peer's pool may give plain buffers. Add a GstVideoMeta, which our readers use and
 * GstAnalytics requires. */
static void describe_rows(GstVideoInfo *info, GstBuffer *buffer)
{
    if (!gst_buffer_get_video_meta(buffer))
        gst_buffer_add_video_meta_full(
            buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8,
            (guint)GST_VIDEO_INFO_WIDTH(info), (guint)GST_VIDEO_INFO_HEIGHT(info), 1,
            info->offset, info->stride);
}

static GstBuffer *acquire(GstBufferPool *pool)
{
    GstBuffer *buffer = NULL;

    if (!pool || gst_buffer_pool_acquire_buffer(pool, &buffer, NULL) != GST_FLOW_OK)
        return NULL;
    return buffer;
}

static GstBuffer *new_in_system(GstRvosMaskAlloc *alloc)
{
    GstBuffer *buffer;

    if (!alloc->system)
        gst_rvos_mask_alloc_configure(alloc, NULL);
    buffer = acquire(alloc->system);
    /* The peer's pool or memory fails after the peer has stopped. A removed branch must
     * not stop the other one. */
    if (!buffer) {
        gst_rvos_mask_alloc_configure(alloc, NULL);
        buffer = acquire(alloc->system);
    }
    if (buffer)
        describe_rows(&alloc->info, buffer);
    return buffer;
}

/* ---- CUDA memory ------------------------------------------------------------------ */

/* gst-cuda has no GRAY8, and 1.22 aborts if asked for it. So four grey pixels are one
 * RGBA pixel. */
static void make_cuda_pool(GstRvosMaskAlloc *alloc, GstObject *context)
{
    const GstVideoInfo *info = &alloc->info;
    g_autoptr(GstCaps) caps =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "RGBA", "width",
                            G_TYPE_INT, (GST_VIDEO_INFO_WIDTH(info) + 3) / 4, "height",
                            G_TYPE_INT, GST_VIDEO_INFO_HEIGHT(info), NULL);
    guint size;

    gst_caps_set_features(caps, 0, gst_caps_features_new(GST_RVOS_CUDA_MEMORY, NULL));
    alloc->cuda = gst_rvos_cuda_pool_new(context, caps, &size);
    if (alloc->cuda && !gst_buffer_pool_set_active(alloc->cuda, TRUE))
        gst_clear_object(&alloc->cuda);
}

static GstBuffer *new_in_cuda(GstRvosMaskAlloc *alloc, GstObject *context)
{
    GstVideoMeta *meta;
    GstBuffer *buffer;

    if (!alloc->cuda)
        make_cuda_pool(alloc, context);
    buffer = acquire(alloc->cuda);
    if (!buffer)
        return NULL;
    meta = gst_buffer_get_video_meta(buffer);
    meta->format = GST_VIDEO_FORMAT_GRAY8;
    meta->width = (guint)GST_VIDEO_INFO_WIDTH(&alloc->info);
    meta->height = (guint)GST_VIDEO_INFO_HEIGHT(&alloc->info);
    return buffer;
}

/* ---- both ------------------------------------------------------------------------- */

GstBuffer *gst_rvos_mask_alloc_new(GstRvosMaskAlloc *alloc, GstObject *context)
{
    return context ? new_in_cuda(alloc, context) : new_in_system(alloc);
}

gboolean gst_rvos_mask_alloc_map(const GstRvosMaskAlloc *alloc, GstBuffer *mask,
                                 rvos_memory memory, GstMapFlags flags,
                                 GstVideoFrame *frame, rvos_labels *labels)
{
    gboolean mapped = memory == RVOS_MEMORY_CUDA
                          ? gst_rvos_cuda_map(frame, &alloc->info, mask, flags)
                          : gst_video_frame_map(frame, &alloc->info, mask, flags);

    if (mapped)
        *labels = (rvos_labels){
            .memory = memory,
            .width = GST_VIDEO_FRAME_WIDTH(frame),
            .height = GST_VIDEO_FRAME_HEIGHT(frame),
            .data = GST_VIDEO_FRAME_PLANE_DATA(frame, 0),
            .stride = GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0),
        };
    return mapped;
}

GstBuffer *gst_rvos_mask_alloc_copy(GstRvosMaskAlloc *alloc, GstBuffer *mask)
{
    GstBuffer *copy = new_in_system(alloc);
    GstVideoFrame from, to;
    gboolean good = FALSE;

    if (copy && gst_video_frame_map(&from, &alloc->info, mask, GST_MAP_READ)) {
        if (gst_video_frame_map(&to, &alloc->info, copy, GST_MAP_WRITE)) {
            good = gst_video_frame_copy(&to, &from);
            gst_video_frame_unmap(&to);
        }
        gst_video_frame_unmap(&from);
    }
    if (!good)
        gst_clear_buffer(&copy);
    return copy;
}
