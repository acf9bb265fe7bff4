/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscuda_none.c - a build without gst-cuda: all frames are in system memory. */
#include "gstrvoscuda.h"

const gboolean gst_rvos_cuda_built = FALSE;

gboolean gst_rvos_cuda_find(GstElement *element, gint device, GstObject **context)
{
    (void)element;
    (void)device;
    (void)context;
    return FALSE;
}

GstObject *gst_rvos_cuda_take(GstElement *element, GstContext *context, gint device)
{
    (void)element;
    (void)context;
    (void)device;
    return NULL;
}

gboolean gst_rvos_cuda_answer(GstElement *element, GstQuery *query, GstObject *context)
{
    (void)element;
    (void)query;
    (void)context;
    return FALSE;
}

gpointer gst_rvos_cuda_handle(GstObject *context)
{
    (void)context;
    return NULL;
}

gint gst_rvos_cuda_device(GstObject *context)
{
    (void)context;
    return -1;
}

GstObject *gst_rvos_cuda_context_of(GstBuffer *buffer)
{
    (void)buffer;
    return NULL;
}

gpointer gst_rvos_cuda_stream_of(GstBuffer *buffer)
{
    (void)buffer;
    return NULL;
}

gboolean gst_rvos_cuda_map(GstVideoFrame *frame, const GstVideoInfo *info,
                           GstBuffer *buffer, GstMapFlags flags)
{
    (void)frame;
    (void)info;
    (void)buffer;
    (void)flags;
    return FALSE;
}

GstBufferPool *gst_rvos_cuda_pool_new(GstObject *context, GstCaps *caps, guint *size)
{
    (void)context;
    (void)caps;
    (void)size;
    return NULL;
}

gboolean gst_rvos_cuda_is_pool(GstBufferPool *pool)
{
    (void)pool;
    return FALSE;
}
