/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosgpu.h"

#include "gstrvoscuda.h"
#include "gstrvosframe.h"
#include "gstrvosseg.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

/* ---- caps -------------------------------------------------------------------------- */

GstCaps *gst_rvos_gpu_frame_caps(gboolean cuda, gboolean engine, gboolean alpha)
{
    GstCaps *system =
        gst_caps_from_string(alpha    ? GST_VIDEO_CAPS_MAKE(GST_RVOS_ALPHA_FORMATS)
                             : engine ? GST_VIDEO_CAPS_MAKE(GST_RVOS_CUDA_SYSTEM_FORMATS)
                                      : GST_VIDEO_CAPS_MAKE(GST_RVOS_FORMATS));
    GstCaps *caps;

    if (!cuda)
        return system;
    caps = gst_caps_from_string(
        alpha ? GST_VIDEO_CAPS_MAKE_WITH_FEATURES(GST_RVOS_CUDA_MEMORY,
                                                  GST_RVOS_CUDA_ALPHA_FORMATS)
              : GST_VIDEO_CAPS_MAKE_WITH_FEATURES(GST_RVOS_CUDA_MEMORY,
                                                  GST_RVOS_CUDA_FORMATS));
    gst_caps_append(caps, system);
    return caps;
}

gboolean gst_rvos_gpu_caps_in_cuda(const GstCaps *caps)
{
    return caps && !gst_caps_is_any(caps) && !gst_caps_is_empty(caps) &&
           gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                      GST_RVOS_CUDA_MEMORY);
}

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
    gint device;

    GST_OBJECT_LOCK(self);
    device = self->settings.cuda_device_id;
    GST_OBJECT_UNLOCK(self);
    return device;
}

/* Takes the reference. */
static void keep_context(GstRvosSeg *self, GstObject *context)
{
    GstObject *old;

    GST_OBJECT_LOCK(self);
    old = self->gpu.context;
    self->gpu.context = context;
    GST_OBJECT_UNLOCK(self);
    gst_clear_object(&old);
}

void gst_rvos_gpu_find_context(GstRvosSeg *self)
{
    GstElement *element = GST_ELEMENT(self);
    gint device = wanted_device(self);
    GstContext *given;

    /* What the application has set once holds for all starts. */
    given =
        self->gpu.context ? NULL : gst_element_get_context(element, "gst.cuda.context");
    if (given) {
        keep_context(self, gst_rvos_cuda_take(element, given, device));
        gst_context_unref(given);
    }
    if (!gst_rvos_cuda_find(element, device, &self->gpu.context))
        GST_INFO_OBJECT(self, "gst-cuda has no context for GPU %d", device);
}

void gst_rvos_gpu_drop_context(GstRvosSeg *self)
{
    keep_context(self, NULL);
}

void gst_rvos_gpu_set_context(GstElement *element, GstContext *context)
{
    GstRvosSeg *self = GST_RVOS_SEG(element);
    GstObject *given = gst_rvos_cuda_take(element, context, wanted_device(self));
    gboolean taken = FALSE;

    if (!given)
        return;
    GST_OBJECT_LOCK(self);
    if (!self->gpu.context) {
        self->gpu.context = given;
        taken = TRUE;
    }
    GST_OBJECT_UNLOCK(self);
    if (!taken)
        gst_object_unref(given);
}

gboolean gst_rvos_gpu_answer_context(GstRvosSeg *self, GstQuery *query)
{
    GstObject *context;
    gboolean answered;

    GST_OBJECT_LOCK(self);
    context = self->gpu.context ? gst_object_ref(self->gpu.context) : NULL;
    GST_OBJECT_UNLOCK(self);
    answered = gst_rvos_cuda_answer(GST_ELEMENT(self), query, context);
    gst_clear_object(&context);
    return answered;
}

/* ---- frames ------------------------------------------------------------------------ */

static gboolean refuse(GstRvosSeg *self, gint theirs, gint wanted)
{
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("The frames are on GPU %d, but cuda-device-id is %d: set it to -1 "
                       "to follow them, or the same on all elements.",
                       theirs, wanted),
                      (NULL));
    return FALSE;
}

gboolean gst_rvos_gpu_follow(GstRvosSeg *self, GstBuffer *buffer, gboolean *cuda)
{
    GstObject *theirs = gst_rvos_cuda_context_of(buffer);
    GstObject *ours = gst_rvos_model_context(self->model);
    gint wanted = self->frame.settings.cuda_device_id;

    *cuda = theirs && ours;
    if (!*cuda || gst_rvos_cuda_handle(theirs) == gst_rvos_cuda_handle(ours))
        return TRUE;
    if (wanted >= 0 && gst_rvos_cuda_device(theirs) != wanted)
        return refuse(self, gst_rvos_cuda_device(theirs), wanted);
    GST_INFO_OBJECT(self, "to the frames' context, %" GST_PTR_FORMAT, (void *)theirs);
    gst_rvos_gpu_drop_pool(self);
    keep_context(self, gst_object_ref(theirs));
    if (!gst_rvos_seg_reopen(self))
        return FALSE;
    *cuda = gst_rvos_model_context(self->model) != NULL; /* or it fell back */
    return TRUE;
}

/* ---- pools ------------------------------------------------------------------------- */

/* Its size is the pool's to say, as rows are padded. */
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

static gboolean has_cuda_pool(GstQuery *query)
{
    gboolean found = FALSE;

    for (guint i = 0; i < gst_query_get_n_allocation_pools(query) && !found; i++) {
        GstBufferPool *pool;

        gst_query_parse_nth_allocation_pool(query, i, &pool, NULL, NULL, NULL);
        found = pool && gst_rvos_cuda_is_pool(pool);
        gst_clear_object(&pool);
    }
    return found;
}

gboolean gst_rvos_gpu_propose_pool(GstRvosSeg *self, GstQuery *query)
{
    GstObject *context = gst_rvos_model_context(self->model);
    GstBufferPool *pool;
    GstCaps *caps;
    guint size = 0;
    gboolean good;

    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !context)
        return FALSE;
    if (has_cuda_pool(query))
        return TRUE;
    pool = gst_rvos_cuda_pool_new(context);
    good = configure(pool, caps, &size);
    if (good && gst_query_get_n_allocation_pools(query) > 0)
        gst_query_set_nth_allocation_pool(query, 0, pool, size, 0, 0);
    else if (good)
        gst_query_add_allocation_pool(query, pool, size, 0, 0);
    gst_object_unref(pool);
    return good;
}

void gst_rvos_gpu_drop_pool(GstRvosSeg *self)
{
    if (self->gpu.masks)
        gst_buffer_pool_set_active(self->gpu.masks, FALSE);
    gst_clear_object(&self->gpu.masks);
}

/* gst-cuda knows no GRAY8, and 1.22 aborts when it is asked for it: four grey pixels are
 * one of RGBA. */
static gboolean make_pool(GstRvosSeg *self)
{
    const GstVideoInfo *info = &self->mask.info;
    GstCaps *caps =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "RGBA", "width",
                            G_TYPE_INT, (GST_VIDEO_INFO_WIDTH(info) + 3) / 4, "height",
                            G_TYPE_INT, GST_VIDEO_INFO_HEIGHT(info), NULL);
    GstBufferPool *pool = gst_rvos_cuda_pool_new(gst_rvos_model_context(self->model));
    guint size;

    gst_caps_set_features(caps, 0, gst_caps_features_new(GST_RVOS_CUDA_MEMORY, NULL));
    if (configure(pool, caps, &size) && gst_buffer_pool_set_active(pool, TRUE))
        self->gpu.masks = pool;
    else
        gst_object_unref(pool);
    gst_caps_unref(caps);
    return self->gpu.masks != NULL;
}

GstFlowReturn gst_rvos_gpu_alloc_mask(GstRvosSeg *self, GstBuffer **buffer)
{
    GstVideoMeta *meta;
    GstFlowReturn flow;

    if (!self->gpu.masks && !make_pool(self))
        return GST_FLOW_ERROR;
    flow = gst_buffer_pool_acquire_buffer(self->gpu.masks, buffer, NULL);
    if (flow != GST_FLOW_OK)
        return flow;
    meta = gst_buffer_get_video_meta(*buffer);
    meta->format = GST_VIDEO_FORMAT_GRAY8;
    meta->width = (guint)GST_VIDEO_INFO_WIDTH(&self->mask.info);
    meta->height = (guint)GST_VIDEO_INFO_HEIGHT(&self->mask.info);
    return GST_FLOW_OK;
}

GstBuffer *gst_rvos_gpu_read_mask(GstRvosSeg *self, GstBuffer *mask)
{
    GstVideoFrame from, to;
    GstBuffer *copy = NULL;
    gboolean good = FALSE;

    if (gst_rvos_mask_pad_alloc(self, &copy) == GST_FLOW_OK &&
        gst_video_frame_map(&from, &self->mask.info, mask, GST_MAP_READ)) {
        if (gst_video_frame_map(&to, &self->mask.info, copy, GST_MAP_WRITE)) {
            good = gst_video_frame_copy(&to, &from);
            gst_video_frame_unmap(&to);
        }
        gst_video_frame_unmap(&from);
    }
    if (!good) {
        gst_clear_buffer(&copy);
        GST_ELEMENT_ERROR(self, LIBRARY, FAILED,
                          ("A mask could not be copied from the GPU."), (NULL));
        return NULL;
    }
    GST_OBJECT_LOCK(self);
    self->stats.readback_bytes += GST_VIDEO_INFO_SIZE(&self->mask.info);
    GST_OBJECT_UNLOCK(self);
    return copy;
}
