/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosstart.c - start and stop: the model, the stream and its warm-up.
 *
 * What costs time is done here, before the first frame: loading, planning, and a run on
 * scratch state that tells the latency. What is wrong is posted here too, so that a
 * state change fails with its reason.
 */
#include "gstrvosseg.h"

#define GST_CAT_DEFAULT gst_rvos_seg_debug

#define MIN_NETWORK_SIDE 32

static gboolean settings_error(GstRvosFailure *failure, const gchar *words)
{
    gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, NULL,
                         "%s", words);
    return FALSE;
}

/* What no setter can refuse, as it is right or wrong with other properties only, or as
 * the range of a param spec has no holes. */
static gboolean check(const GstRvosSettings *settings, const gchar *palette,
                      GstRvosFailure *failure)
{
    rvos_palette colours;

    if ((settings->network_width > 0 && settings->network_width < MIN_NETWORK_SIDE) ||
        (settings->network_height > 0 && settings->network_height < MIN_NETWORK_SIDE))
        return settings_error(failure, "network-width and network-height must be 0 or at "
                                       "least 32.");
    if (gst_rvos_palette_parse(palette, &colours))
        return TRUE;
    gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, NULL,
                         "The palette \"%s\" cannot be read: set davis or a list such as "
                         "#ff0000,#00ff00.",
                         palette ? palette : "");
    return FALSE;
}

/* It goes on with the threads there are, which the user should know. */
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

static gboolean open_model(GstRvosSeg *self, const gchar *path, GstRvosFailure *failure)
{
    const GstRvosSettings *settings = &self->settings;
    gboolean cuda = gst_rvos_model_tries_cuda(settings->engine);
    GstRvosModelParams params = {
        .path = path,
        .engine = settings->engine,
        .precision = settings->precision,
        .cuda_device = settings->cuda_device_id,
        .threads = settings->n_threads,
        .width = settings->network_width,
        .height = settings->network_height,
        .max_batch = settings->max_batch,
        .batch_timeout = settings->batch_timeout,
        .share = settings->share_model,
    };
    GstRvosModel *model;
    gchar *fallback;

    if (cuda) {
        gst_rvos_gpu_find_context(self);
        params.cuda_context = self->gpu.context;
    }
    model = gst_rvos_model_acquire(&params, &fallback, failure);
    if (model && fallback)
        GST_ELEMENT_WARNING(self, LIBRARY, INIT,
                            ("CUDA does not start (%s): the CPU is used. Set engine=cpu "
                             "to choose it without this warning.",
                             fallback),
                            (NULL));
    g_free(fallback);
    if (model)
        tell_threads(self, model);
    GST_OBJECT_LOCK(self);
    self->model = model;
    GST_OBJECT_UNLOCK(self);
    if (!gst_rvos_model_context(model))
        gst_rvos_gpu_drop_context(self);
    return model != NULL;
}

static const gchar *task_names(unsigned tasks)
{
    if ((tasks & RVOS_TASK_ZERO_SHOT) && (tasks & RVOS_TASK_ONE_SHOT))
        return "zero-shot and one-shot";
    return tasks & RVOS_TASK_ONE_SHOT ? "one-shot" : "zero-shot";
}

static gboolean explain_stream(GstRvosSeg *self, int status, const gchar *path,
                               GstRvosFailure *failure)
{
    gchar *words = gst_rvos_model_last_words(self->model);
    rvos_model_info info;

    rvos_model_get_info(gst_rvos_model_model(self->model), &info);
    if (status == RVOS_ERR_WRONG_TASK)
        gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                             words,
                             "The model \"%s\" is for %s only: set another mode or "
                             "model.",
                             path, task_names(info.tasks));
    else if (status == RVOS_ERR_MEMORY)
        gst_rvos_failure_set(failure, GST_RESOURCE_ERROR,
                             GST_RESOURCE_ERROR_NO_SPACE_LEFT, words,
                             "There is not enough memory to run the model \"%s\".", path);
    else if (status == RVOS_ERR_ARGUMENT)
        gst_rvos_failure_set(failure, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                             words, "The model \"%s\" cannot be run with these settings.",
                             path);
    else
        gst_rvos_failure_set(failure, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT, words,
                             "The model \"%s\" cannot be run: %s.", path,
                             rvos_strerror(status));
    g_free(words);
    return FALSE;
}

/* The first run pays for memory that is touched for the first time; the second one is
 * what a frame will cost. */
static int warm_up(GstRvosSeg *self, GstClockTime *duration)
{
    GstClockTime begin;
    int status = rvos_stream_warm_up(self->stream);

    if (status != RVOS_OK)
        return status;
    begin = gst_util_get_timestamp();
    status = rvos_stream_warm_up(self->stream);
    *duration = gst_util_get_timestamp() - begin;
    return status;
}

static rvos_variant variant_of(gint variant)
{
    switch (variant) {
    case GST_RVOS_SEG_VARIANT_SPATIAL:
        return RVOS_VARIANT_SPATIAL;
    case GST_RVOS_SEG_VARIANT_TEMPORAL:
        return RVOS_VARIANT_TEMPORAL;
    default:
        return RVOS_VARIANT_SPATIO_TEMPORAL;
    }
}

/* A model without one of the decoders runs in the mode that it can. */
static rvos_task task_of(GstRvosSeg *self, const gchar *path)
{
    rvos_model_info info;

    if (self->settings.mode == GST_RVOS_SEG_MODE_ZERO_SHOT)
        return RVOS_TASK_ZERO_SHOT;
    if (self->settings.mode == GST_RVOS_SEG_MODE_ONE_SHOT)
        return RVOS_TASK_ONE_SHOT;
    rvos_model_get_info(gst_rvos_model_model(self->model), &info);
    if (info.tasks & RVOS_TASK_AUTO)
        return RVOS_TASK_AUTO;
    GST_ELEMENT_WARNING(self, RESOURCE, SETTINGS,
                        ("The model \"%s\" is for %s only: mode=auto works as that. Set "
                         "the mode to choose it without this warning.",
                         path, task_names(info.tasks)),
                        (NULL));
    return info.tasks & RVOS_TASK_ONE_SHOT ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT;
}

static gboolean open_stream(GstRvosSeg *self, const gchar *path, GstRvosFailure *failure)
{
    guint interval = self->settings.discovery_interval;
    rvos_stream_params params = {
        .task = task_of(self, path),
        .variant = variant_of(self->settings.variant),
        .objects = (int)self->settings.objects,
        .discovery_interval = interval > 0 ? (int)interval : -1,
    };
    rvos_stream_info info;
    GstClockTime cost = 0;
    int status;

    status = rvos_stream_open(&self->stream, gst_rvos_model_model(self->model), &params);
    if (status == RVOS_OK)
        status = warm_up(self, &cost);
    if (status != RVOS_OK)
        return explain_stream(self, status, path, failure);
    rvos_stream_get_info(self->stream, &info);
    gst_rvos_latency_start(&self->told, cost);
    GST_OBJECT_LOCK(self);
    self->task = info.task;
    self->n_slots = (guint)info.objects;
    self->latency = self->told.reported;
    GST_OBJECT_UNLOCK(self);
    GST_INFO_OBJECT(self, "%u slots, %" GST_TIME_FORMAT " a frame", self->n_slots,
                    GST_TIME_ARGS(cost));
    return TRUE;
}

static void clear_state(GstRvosSeg *self)
{
    gst_rvos_run_clear_held(self);
    gst_rvos_cut_clear(&self->cut);
    gst_rvos_timeline_clear(&self->timeline);
    self->timeline.backward = FALSE;
    gst_rvos_pace_clear(&self->pace);
    gst_rvos_meter_clear(&self->work);
    gst_rvos_meter_clear(&self->network);
    g_clear_pointer(&self->stream_id, g_free);
    gst_rvos_shape_clear(&self->shape);
    gst_rvos_tracker_begin(&self->tracker);
    gst_rvos_caps_clear(self);
    self->caps_known = FALSE;
    self->unprepared_said = FALSE;
    self->slow_said = self->short_said = FALSE;
}

/* What `stats` and `actual-engine` tell of the model, and that its state is new. */
static void publish_model(GstRvosSeg *self)
{
    rvos_device_info device;
    rvos_model_info model;
    rvos_stream_info stream;

    rvos_device_get_info(gst_rvos_model_device(self->model), &device);
    rvos_model_get_info(gst_rvos_model_model(self->model), &model);
    rvos_stream_get_info(self->stream, &stream);
    GST_OBJECT_LOCK(self);
    self->stats.engine = device.backend;
    self->stats.library = device.library;
    self->stats.isa = device.isa;
    self->stats.device = device.name;
    self->stats.weights_bytes = model.weights_bytes;
    self->stats.state_bytes = stream.state_bytes;
    self->actual_engine = g_intern_string(device.backend);
    self->pending_reset = GST_RVOS_RESET_START;
    GST_OBJECT_UNLOCK(self);
    if (*model.licence)
        GST_INFO_OBJECT(self, "licence of the weights: %s", model.licence);
}

/* The first things that can be told. */
static void publish(GstRvosSeg *self, const gchar *path)
{
    GST_OBJECT_LOCK(self);
    self->stats = (GstRvosStats){.epoch = self->tracker.epoch};
    g_free(self->model_in_use);
    self->model_in_use = g_strdup(path);
    self->earliest = GST_CLOCK_TIME_NONE;
    self->seek_seen = FALSE;
    self->paused_at = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(self);
    publish_model(self);
}

static gboolean try_open(GstRvosSeg *self, const GstRvosStrings *strings,
                         GstRvosFailure *failure)
{
    gchar *path;
    gboolean good;

    if (!check(&self->settings, strings->palette, failure))
        return FALSE;
    path = gst_rvos_model_find(strings->model, failure);
    good = path && open_model(self, path, failure) &&
           gst_rvos_seeds_open(self, strings->init_mask_location, failure) &&
           open_stream(self, path, failure);
    if (good)
        publish(self, path);
    g_free(path);
    return good;
}

gboolean gst_rvos_seg_open(GstRvosSeg *self)
{
    GstRvosFailure failure = {0};
    GstRvosStrings strings;
    gboolean good;

    GST_OBJECT_LOCK(self);
    self->started = TRUE; /* from here on what is READY only stays as it is */
    strings.model = g_strdup(self->strings.model);
    strings.init_mask_location = g_strdup(self->strings.init_mask_location);
    strings.palette = g_strdup(self->strings.palette);
    GST_OBJECT_UNLOCK(self);
    clear_state(self);
    good = try_open(self, &strings, &failure);
    g_free(strings.model);
    g_free(strings.init_mask_location);
    g_free(strings.palette);
    if (!good) {
        gst_rvos_seg_close(self);
        gst_rvos_failure_post(&failure, GST_ELEMENT(self));
        return FALSE;
    }
    g_object_notify(G_OBJECT(self), "actual-engine");
    return TRUE;
}

static void close_model(GstRvosSeg *self)
{
    GstRvosModel *model;

    rvos_stream_close(&self->stream);
    gst_rvos_run_clear_held(self);
    GST_OBJECT_LOCK(self);
    model = self->model;
    self->model = NULL;
    self->task = RVOS_TASK_DEFAULT;
    self->actual_engine = NULL;
    self->stats.engine = self->stats.library = self->stats.isa = NULL;
    self->stats.device = NULL;
    GST_OBJECT_UNLOCK(self);
    if (model)
        gst_rvos_model_release(model);
}

gboolean gst_rvos_seg_reopen(GstRvosSeg *self)
{
    GstRvosFailure failure = {0};
    gchar *path = g_strdup(self->model_in_use); /* start and stop alone change it */
    gboolean good;

    close_model(self);
    gst_rvos_mask_alloc_drop_cuda(&self->masks);
    good = open_model(self, path, &failure) && open_stream(self, path, &failure);
    g_free(path);
    if (!good) {
        close_model(self);
        gst_rvos_failure_post(&failure, GST_ELEMENT(self));
        return FALSE;
    }
    publish_model(self);
    g_object_notify(G_OBJECT(self), "actual-engine");
    return gst_rvos_seg_prepare(self);
}

/* The last word, for whoever measures: GST_DEBUG=rvosseg:4. */
static void log_stats(GstRvosSeg *self)
{
    const GstRvosMeter *work = &self->work, *network = &self->network;
    GstStructure *stats;

    if (work->count == 0 || network->count == 0)
        return;
    stats = gst_rvos_stats_report(self);
    GST_INFO_OBJECT(self,
                    "%" G_GUINT64_FORMAT " frames of %" G_GUINT64_FORMAT
                    " us each on average, %" G_GUINT64_FORMAT
                    " us in the engine; %" GST_PTR_FORMAT,
                    work->count, work->sum / work->count / 1000,
                    network->sum / network->count / 1000, (void *)stats);
    gst_structure_free(stats);
}

void gst_rvos_seg_close(GstRvosSeg *self)
{
    log_stats(self);
    close_model(self);
    gst_rvos_seeds_close(self);
    clear_state(self);
    gst_rvos_mask_alloc_drop_cuda(&self->masks);
    gst_rvos_gpu_drop_context(self);
    GST_OBJECT_LOCK(self);
    self->started = FALSE;
    self->latency = 0;
    g_clear_pointer(&self->model_in_use, g_free);
    GST_OBJECT_UNLOCK(self);
}
