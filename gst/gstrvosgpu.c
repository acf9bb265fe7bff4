/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvoscuda.h"
#include "gstrvosframe.h"
#include "gstrvosseg.h"

gboolean gst_rvos_gpu_usable(const GstRvosSeg *self)
{
    if (!gst_rvos_cuda_built)
        return FALSE;
    if (self->model)
        return gst_rvos_model_context(self->model) != NULL;
    return gst_rvos_model_tries_cuda(self->settings.engine);
}

/* ---- contexts ---------------------------------------------------------------------- */

static gint wanted_device(GstRvosSeg *self)
{
    GST_RVOS_OBJECT_LOCKED(self);

    return self->settings.cuda_device_id;
}

/* Takes over the reference. */
static void keep_context(GstRvosSeg *self, GstObject *context)
{
    GstObject *old;

    GST_OBJECT_LOCK(self);
    old = self->cuda_context;
    self->cuda_context = context;
    GST_OBJECT_UNLOCK(self);
    gst_clear_object(&old);
}

void gst_rvos_gpu_find_context(GstRvosSeg *self)
{
    GstElement *element = GST_ELEMENT(self);
    gint device = wanted_device(self);
    /* A context that the application has set is valid for all starts. */
    g_autoptr(GstContext) given =
        self->cuda_context ? NULL : gst_element_get_context(element, "gst.cuda.context");

    if (given)
        keep_context(self, gst_rvos_cuda_take(element, given, device));
    if (!gst_rvos_cuda_find(element, device, &self->cuda_context))
        GST_INFO_OBJECT(self, "gst-cuda has no context for GPU %d", device);
}

void gst_rvos_gpu_drop_context(GstRvosSeg *self)
{
    keep_context(self, NULL);
}

void gst_rvos_gpu_set_context(GstElement *element, GstContext *context)
{
    GstRvosSeg *self = GST_RVOS_SEG_CAST(element);
    g_autoptr(GstObject) given =
        gst_rvos_cuda_take(element, context, wanted_device(self));

    GST_OBJECT_LOCK(self);
    if (!self->cuda_context)
        self->cuda_context = g_steal_pointer(&given);
    GST_OBJECT_UNLOCK(self);
}

gboolean gst_rvos_gpu_answer_context(GstRvosSeg *self, GstQuery *query)
{
    g_autoptr(GstObject) context = NULL;

    GST_OBJECT_LOCK(self);
    g_set_object(&context, self->cuda_context);
    GST_OBJECT_UNLOCK(self);
    return gst_rvos_cuda_answer(GST_ELEMENT(self), query, context);
}

/* ---- frames ------------------------------------------------------------------------ */

GstRvosGpuMove gst_rvos_gpu_follow(GstRvosSeg *self, GstBuffer *buffer)
{
    GstObject *theirs = gst_rvos_cuda_context_of(buffer);
    GstObject *ours = gst_rvos_model_context(self->model);
    gint wanted = self->frame.settings.cuda_device_id;

    if (!theirs || !ours || gst_rvos_cuda_handle(theirs) == gst_rvos_cuda_handle(ours))
        return GST_RVOS_GPU_STAY;
    if (wanted >= 0 && gst_rvos_cuda_device(theirs) != wanted) {
        GST_RVOS_SEG_FAIL(self, RESOURCE, SETTINGS,
                          "The frames are on GPU %d, but cuda-device-id is %d: set it to "
                          "-1 to follow them, or the same on all elements.",
                          gst_rvos_cuda_device(theirs), wanted);
        return GST_RVOS_GPU_REFUSED;
    }
    GST_INFO_OBJECT(self, "to the frames' context, %" GST_PTR_FORMAT, (void *)theirs);
    keep_context(self, gst_object_ref(theirs));
    return GST_RVOS_GPU_MOVE;
}

/* ---- pools ------------------------------------------------------------------------- */

static gboolean has_cuda_pool(GstQuery *query)
{
    gboolean found = FALSE;

    for (guint i = 0; i < gst_query_get_n_allocation_pools(query) && !found; i++) {
        g_autoptr(GstBufferPool) pool = NULL;

        gst_query_parse_nth_allocation_pool(query, i, &pool, NULL, NULL, NULL);
        found = pool && gst_rvos_cuda_is_pool(pool);
    }
    return found;
}

gboolean gst_rvos_gpu_propose_pool(GstRvosSeg *self, GstQuery *query)
{
    GstObject *context = gst_rvos_model_context(self->model);
    g_autoptr(GstBufferPool) pool = NULL;
    GstCaps *caps;
    guint size = 0;

    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !context)
        return FALSE;
    if (has_cuda_pool(query))
        return TRUE;
    pool = gst_rvos_cuda_pool_new(context, caps, &size);
    if (!pool)
        return FALSE;
    if (gst_query_get_n_allocation_pools(query) > 0)
        gst_query_set_nth_allocation_pool(query, 0, pool, size, 0, 0);
    else
        gst_query_add_allocation_pool(query, pool, size, 0, 0);
    return TRUE;
}
