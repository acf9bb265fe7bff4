/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosstart.c - start and stop: the model, the stream and its warm-up.
 *
 * All slow work happens here, before the first frame: loading, planning, and a run on
 * scratch state that measures the latency. Errors are posted here too, so that a failed
 * state change has a reason.
 */
#include "gstrvosseg.h"

#define MIN_NETWORK_SIDE 32

/* Checks what no setter can refuse: values that depend on other properties, and gaps in
 * the range of a param spec. */
static gboolean check(const GstRvosSettings *settings, const gchar *palette,
                      GstRvosNotices *notices)
{
    rvos_palette colours;

    if ((settings->network_width > 0 && settings->network_width < MIN_NETWORK_SIDE) ||
        (settings->network_height > 0 && settings->network_height < MIN_NETWORK_SIDE))
        return GST_RVOS_ERROR(
            notices, RESOURCE, SETTINGS,
            "network-width and network-height must be 0 or at least 32.");
    return gst_rvos_palette_parse(palette, &colours) ||
           GST_RVOS_ERROR(
               notices, RESOURCE, SETTINGS,
               "The palette \"%s\" cannot be read: set davis or a list such as "
               "#ff0000,#00ff00.",
               palette ? palette : "");
}

/* Warns if some threads could not be started. */
static void tell_threads(GstRvosSeg *self, GstRvosModel *model)
{
    rvos_device_info info;

    rvos_device_get_info(gst_rvos_model_device(model), &info);
    if (info.threads_refused > 0)
        GST_ELEMENT_WARNING(self, RESOURCE, FAILED,
                            ("%d threads could not be started: frames take longer. Set "
                             "n-threads to fewer, or raise the limit of processes "
                             "(ulimit -u, a container's pids limit).",
                             info.threads_refused),
                            ("%d threads compute", info.threads));
}

/* Warns if a more exact precision is used than the one that was asked for. */
static void tell_precision(GstRvosSeg *self, gint precision, GstRvosModel *model)
{
    rvos_precision got = rvos_model_precision(gst_rvos_model_model(model));
    const gchar *asked = precision == GST_RVOS_SEG_PRECISION_BF16    ? "bf16"
                         : precision == GST_RVOS_SEG_PRECISION_INT16 ? "int16"
                         : precision == GST_RVOS_SEG_PRECISION_INT8  ? "int8"
                                                                     : NULL;

    if (asked && got == RVOS_PRECISION_FP32)
        GST_RVOS_SEG_WARN(self, LIBRARY, SETTINGS,
                          "%s is not faster on this processor: float32 is used. Set "
                          "precision=fp32 to choose it without this warning.",
                          asked);
    else if (asked && got == RVOS_PRECISION_INT16 &&
             precision != GST_RVOS_SEG_PRECISION_INT16)
        GST_RVOS_SEG_WARN(self, LIBRARY, SETTINGS,
                          "%s is not faster on this processor: int16 is used, which is "
                          "more exact. Set precision=int16 to choose it without this "
                          "warning.",
                          asked);
}

static gboolean open_model(GstRvosSeg *self, const gchar *path, GstRvosNotices *notices)
{
    GstRvosModelParams params = {.path = path};
    GstRvosModel *model;

    GST_OBJECT_LOCK(self);
    params.settings = self->settings;
    GST_OBJECT_UNLOCK(self);
    if (gst_rvos_model_tries_cuda(params.settings.engine)) {
        gst_rvos_gpu_find_context(self);
        params.cuda_context = self->cuda_context;
    }
    model = gst_rvos_model_acquire(&params, notices);
    if (model) {
        gst_rvos_message_notices(self, notices);
        tell_threads(self, model);
        tell_precision(self, params.settings.precision, model);
    }
    GST_OBJECT_LOCK(self);
    self->model = model;
    GST_OBJECT_UNLOCK(self);
    if (!gst_rvos_model_context(model))
        gst_rvos_gpu_drop_context(self);
    return model != NULL;
}

static void clear_state(GstRvosSeg *self)
{
    self->work = (GstRvosMeter){0};
    gst_rvos_caps_clear(self);
    self->result = (GstRvosResult){0};
    self->slow_said = self->text_said = self->map_said = FALSE;
    g_clear_pointer(&self->text, gst_rvos_text_free);
}

/* Sets the model's part of `stats`, `latency` and `actual-engine`. */
static void publish_model(GstRvosSeg *self, GstClockTime cost)
{
    rvos_device_info device;
    rvos_model_info model;
    rvos_stream_info stream;

    rvos_device_get_info(gst_rvos_model_device(self->model), &device);
    rvos_model_get_info(gst_rvos_model_model(self->model), &model);
    gst_rvos_segmenter_get_info(self->segmenter, &stream);
    gst_rvos_latency_start(&self->told, cost);
    GST_OBJECT_LOCK(self);
    self->latency = self->told.reported;
    self->stats.engine = device.backend;
    self->stats.library = device.library;
    self->stats.isa = device.isa;
    self->stats.device = device.name;
    self->stats.weights_bytes = model.weights_bytes;
    self->stats.state_bytes = stream.state_bytes;
    self->actual_engine = g_intern_string(device.backend);
    GST_OBJECT_UNLOCK(self);
    GST_INFO_OBJECT(self, "%d slots, %" GST_TIME_FORMAT " a frame", stream.objects,
                    GST_TIME_ARGS(cost));
    if (*model.licence)
        GST_INFO_OBJECT(self, "licence of the weights: %s", model.licence);
}

/* Sets the readable properties at start. */
static void publish(GstRvosSeg *self, const gchar *path, GstClockTime cost)
{
    GST_OBJECT_LOCK(self);
    self->stats = (GstRvosStats){.counts = *gst_rvos_segmenter_counts(self->segmenter)};
    g_free(self->model_in_use);
    self->model_in_use = g_strdup(path);
    self->earliest = GST_CLOCK_TIME_NONE;
    self->seek_seen = FALSE;
    self->paused_at = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(self);
    publish_model(self, cost);
}

static gboolean try_open(GstRvosSeg *self, const GstRvosStrings *strings,
                         GstRvosNotices *notices)
{
    GstRvosOpen open = {
        .settings = &self->settings,
        .init_mask_location = strings->init_mask_location,
    };
    GstClockTime cost = 0;
    g_autofree gchar *path = NULL;
    gboolean good;

    if (!check(&self->settings, strings->palette, notices))
        return FALSE;
    path = gst_rvos_model_find(strings->model, notices);
    if (!path || !open_model(self, path, notices))
        return FALSE;
    open.model = self->model;
    open.path = path;
    good = gst_rvos_segmenter_open(self->segmenter, &open, &cost);
    if (good) {
        gst_rvos_message_notices(self, notices);
        publish(self, path, cost);
    }
    return good;
}

gboolean gst_rvos_seg_open(GstRvosSeg *self)
{
    GstRvosNotices *notices = gst_rvos_segmenter_notices(self->segmenter);
    g_auto(GstRvosStrings) strings = {0};
    gboolean writes;

    GST_OBJECT_LOCK(self);
    self->started = TRUE; /* from now on READY-only properties cannot change */
    strings.model = g_strdup(self->strings.model);
    strings.init_mask_location = g_strdup(self->strings.init_mask_location);
    strings.palette = g_strdup(self->strings.palette);
    GST_OBJECT_UNLOCK(self);
    clear_state(self);
    if (!try_open(self, &strings, notices)) {
        gst_rvos_seg_close(self);
        gst_rvos_message_notices(self, notices);
        return FALSE;
    }
    GST_OBJECT_LOCK(self); /* other threads may set it at any time */
    writes = self->settings.overlay_text != 0;
    GST_OBJECT_UNLOCK(self);
    /* Looking for the fonts would make the first frame late. */
    if (writes)
        self->text = gst_rvos_text_new();
    g_object_notify(G_OBJECT(self), "actual-engine");
    return TRUE;
}

static void close_model(GstRvosSeg *self)
{
    GstRvosModel *model;

    gst_rvos_segmenter_leave(self->segmenter);
    GST_OBJECT_LOCK(self);
    model = self->model;
    self->model = NULL;
    self->actual_engine = NULL;
    self->stats.engine = self->stats.library = self->stats.isa = NULL;
    self->stats.device = NULL;
    GST_OBJECT_UNLOCK(self);
    if (model)
        gst_rvos_model_release(model);
}

gboolean gst_rvos_seg_reopen(GstRvosSeg *self)
{
    GstRvosNotices *notices = gst_rvos_segmenter_notices(self->segmenter);
    /* only start and stop change it */
    g_autofree gchar *path = g_strdup(self->model_in_use);
    GstRvosOpen open = {.path = path, .settings = &self->settings};
    GstClockTime cost = 0;
    gboolean good;

    close_model(self);
    gst_rvos_mask_alloc_drop_cuda(&self->masks);
    good = open_model(self, path, notices);
    open.model = self->model;
    good = good && gst_rvos_segmenter_enter(self->segmenter, &open, &cost);
    if (!good) {
        close_model(self);
        gst_rvos_message_notices(self, notices);
        return FALSE;
    }
    publish_model(self, cost);
    g_object_notify(G_OBJECT(self), "actual-engine");
    return gst_rvos_segmenter_prepare(self->segmenter);
}

/* Logs the statistics at the end (GST_DEBUG=rvosseg:4). */
static void log_stats(GstRvosSeg *self)
{
    const GstRvosMeter *work = &self->work;
    g_autoptr(GstStructure) stats = NULL;

    if (work->count == 0)
        return;
    stats = gst_rvos_stats_report(self);
    GST_INFO_OBJECT(self,
                    "%" G_GUINT64_FORMAT " frames of %" G_GUINT64_FORMAT
                    " us each on average, %" G_GUINT64_FORMAT
                    " us in the engine; %" GST_PTR_FORMAT,
                    work->count, work->sum / work->count / 1000,
                    self->stats.counts.inference_avg / 1000, (void *)stats);
}

void gst_rvos_seg_close(GstRvosSeg *self)
{
    log_stats(self);
    close_model(self);
    gst_rvos_segmenter_close(self->segmenter);
    clear_state(self);
    gst_rvos_mask_alloc_drop_cuda(&self->masks);
    gst_rvos_gpu_drop_context(self);
    GST_OBJECT_LOCK(self);
    self->started = FALSE;
    self->latency = 0;
    g_clear_pointer(&self->model_in_use, g_free);
    GST_OBJECT_UNLOCK(self);
}
