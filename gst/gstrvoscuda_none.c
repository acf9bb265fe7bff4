/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscuda_none.c - a build without gst-cuda: all frames are in system memory. */
#include "gstrvoscuda.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

const gboolean gst_rvos_cuda_built = FALSE;

gboolean gst_rvos_cuda_find(GstElement *element, gint device, GstObject **context)
{
    return FALSE;
}

GstObject *gst_rvos_cuda_take(GstElement *element, GstContext *context, gint device)
{
    return NULL;
}

gboolean gst_rvos_cuda_answer(GstElement *element, GstQuery *query, GstObject *context)
{
    return FALSE;
}

gpointer gst_rvos_cuda_handle(GstObject *context)
{
    return NULL;
}

gint gst_rvos_cuda_device(GstObject *context)
{
    return -1;
}

GstObject *gst_rvos_cuda_context_of(GstBuffer *buffer)
{
    return NULL;
}

gpointer gst_rvos_cuda_stream_of(GstBuffer *buffer)
{
    return NULL;
}

gboolean gst_rvos_cuda_map(GstVideoFrame *frame, const GstVideoInfo *info,
                           GstBuffer *buffer, GstMapFlags flags)
{
    return FALSE;
}

GstBufferPool *gst_rvos_cuda_pool_new(GstObject *context, GstCaps *caps, guint *size)
{
    return NULL;
}

gboolean gst_rvos_cuda_is_pool(GstBufferPool *pool)
{
    return FALSE;
}
