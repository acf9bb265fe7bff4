/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosmodel.h"

#include "gstrvoscuda.h"

#include <stdlib.h>
#include <string.h>

#include <glib/gstdio.h>

#define GST_CAT_DEFAULT gst_rvos_engine_debug

enum state { LOADING, READY, FAILED };

struct _GstRvosModel {
    rvos_device *device;
    rvos_model *model;
    GstObject *context; /* the given CUDA context; must outlive the device. Or NULL */

    /* Under table.lock. */
    gchar *key; /* NULL: not in the table, because it is not shared or has failed */
    guint users;
    enum state state;
    GstRvosNotices failure; /* if FAILED: one error, copied to all waiting elements */

    GMutex words_lock;
    gchar *words;
};

/* The plugin's only mutable static: the loaded models by key. Entries are weak: the last
 * user removes its entry. No file is read and nothing is computed under the lock. */
static struct {
    GMutex lock;
    GCond changed; /* a model has left LOADING */
    GHashTable *models;
} table;

/* ---- finding --------------------------------------------------------------------- */

gchar *gst_rvos_model_find(const gchar *wanted, GstRvosNotices *notices)
{
    static const gchar *const shipped[] = {
        GST_RVOS_INSTALLED_MODEL,
#ifdef GST_RVOS_TREE_MODEL
        GST_RVOS_TREE_MODEL,
#endif
    };
    const gchar *path = wanted;

    if (!path || !*path)
        path = g_getenv("RVOS_MODEL");
    for (guint i = 0; i < G_N_ELEMENTS(shipped) && (!path || !*path); i++)
        if (g_file_test(shipped[i], G_FILE_TEST_EXISTS))
            path = shipped[i];
    if (!path || !*path) {
        GST_RVOS_EXPLAIN(notices, RESOURCE, NOT_FOUND,
                         GST_RVOS_INSTALLED_MODEL " is missing",
                         "There is no model: install rvos-models, or set the "
                         "property model or RVOS_MODEL to a model file.");
        return NULL;
    }
    return g_strdup(path);
}

/* ---- loading ---------------------------------------------------------------------- */

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    static const GstDebugLevel levels[] = {GST_LEVEL_ERROR, GST_LEVEL_WARNING,
                                           GST_LEVEL_INFO, GST_LEVEL_DEBUG};
    GstRvosModel *self = opaque;

    GST_CAT_LEVEL_LOG(GST_CAT_DEFAULT, levels[CLAMP(level, 0, 3)], NULL, "%s", line);
    if (level > RVOS_LOG_WARNING)
        return;
    g_mutex_lock(&self->words_lock);
    g_free(self->words);
    self->words = g_strdup(line);
    g_mutex_unlock(&self->words_lock);
}

/* librvos' names of engines. `auto` is resolved before. */
static const gchar *const backends[] = {
    [GST_RVOS_SEG_ENGINE_AUTO] = "cpu",
    [GST_RVOS_SEG_ENGINE_CPU] = "cpu",
    [GST_RVOS_SEG_ENGINE_CUDA] = "cuda",
    [GST_RVOS_SEG_ENGINE_REFERENCE] = "reference",
};

static const rvos_precision precisions[] = {
    [GST_RVOS_SEG_PRECISION_AUTO] = RVOS_PRECISION_DEFAULT,
    [GST_RVOS_SEG_PRECISION_FP32] = RVOS_PRECISION_FP32,
    [GST_RVOS_SEG_PRECISION_TF32] = RVOS_PRECISION_TF32,
    [GST_RVOS_SEG_PRECISION_FP16] = RVOS_PRECISION_FP16,
    [GST_RVOS_SEG_PRECISION_BF16] = RVOS_PRECISION_BF16,
    [GST_RVOS_SEG_PRECISION_INT16] = RVOS_PRECISION_INT16,
    [GST_RVOS_SEG_PRECISION_INT8] = RVOS_PRECISION_INT8,
};

static gboolean open_device(GstRvosModel *self, const GstRvosModelParams *params)
{
    rvos_device_params device = {
        .backend = backends[params->settings.engine],
        .index = MAX(params->settings.cuda_device_id, 0),
        .cuda_context = gst_rvos_cuda_handle(params->cuda_context),
        .threads = (int)params->settings.n_threads,
        .log = on_log,
        .log_opaque = self,
    };
    int status = rvos_device_open(&self->device, &device);
    const gchar *why = self->words ? self->words : rvos_strerror(status);

    if (status == RVOS_OK)
        return TRUE;
    if (status == RVOS_ERR_MEMORY)
        return GST_RVOS_EXPLAIN(&self->failure, RESOURCE, NO_SPACE_LEFT, why,
                                "There is not enough memory to start the engine %s.",
                                device.backend);
    return GST_RVOS_EXPLAIN(&self->failure, LIBRARY, INIT, why,
                            "The engine %s does not start (%s).%s", device.backend, why,
                            params->settings.engine == GST_RVOS_SEG_ENGINE_CUDA
                                ? " Install librvos-cuda and libcudnn9, or set "
                                  "engine=cpu."
                                : "");
}

/* The last log line of librvos without the file's name, which our message already has. */
static const gchar *words_about(const GstRvosModel *self, const gchar *path, int status)
{
    const gchar *words = self->words ? self->words : rvos_strerror(status);
    gsize n = strlen(path);

    if (g_str_has_prefix(words, path) && words[n] == ':')
        words += n + 1 + strspn(words + n + 1, " ");
    return words;
}

static void explain_load(GstRvosModel *self, const GstRvosModelParams *params, int status)
{
    static const struct {
        int status;
        GQuark (*domain)(void);
        gint code;
        const gchar *what;
        gboolean has_reason; /* librvos says why */
    } faults[] = {
        {RVOS_ERR_NOT_FOUND, gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND,
         "does not exist: install rvos-models or set the property model", FALSE},
        {RVOS_ERR_IO, gst_resource_error_quark, GST_RESOURCE_ERROR_OPEN_READ,
         "cannot be read", TRUE},
        {RVOS_ERR_FORMAT, gst_stream_error_quark, GST_STREAM_ERROR_WRONG_TYPE,
         "is no model that can be used", TRUE},
        {RVOS_ERR_ARGUMENT, gst_resource_error_quark, GST_RESOURCE_ERROR_SETTINGS,
         "cannot be run with these settings", TRUE},
        {RVOS_ERR_UNSUPPORTED, gst_resource_error_quark, GST_RESOURCE_ERROR_SETTINGS,
         "cannot be run with these settings", TRUE},
        {RVOS_ERR_MEMORY, gst_resource_error_quark, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
         "does not fit into memory", FALSE},
        {RVOS_OK, gst_library_error_quark, GST_LIBRARY_ERROR_INIT, "could not be loaded",
         FALSE}, /* any other */
    };
    guint i = 0;

    while (faults[i].status != status && faults[i].status != RVOS_OK)
        i++;
    gst_rvos_notices_say(
        &self->failure, GST_RVOS_NOTICE_ERROR, faults[i].domain(), faults[i].code,
        self->words ? self->words : rvos_strerror(status), "The model \"%s\" %s%s%s.",
        params->path, faults[i].what, faults[i].has_reason ? ": " : "",
        faults[i].has_reason ? words_about(self, params->path, status) : "");
}

/* Called by the element that made the entry, without any lock. */
static gboolean load(GstRvosModel *self, const GstRvosModelParams *params)
{
    rvos_model_params model = {
        .max_batch = (int)params->settings.max_batch,
        .batch_wait_us = (int)MIN(params->settings.batch_timeout / GST_USECOND, G_MAXINT),
        .width = (int)params->settings.network_width,
        .height = (int)params->settings.network_height,
        .precision = precisions[params->settings.precision],
    };
    int status;

    if (params->cuda_context)
        self->context = gst_object_ref(params->cuda_context);
    if (!open_device(self, params))
        return FALSE;
    status = rvos_model_load(&self->model, self->device, params->path, &model);
    if (status != RVOS_OK)
        explain_load(self, params, status);
    return status == RVOS_OK;
}

static void free_model(GstRvosModel *self)
{
    rvos_model_close(&self->model);
    rvos_device_close(&self->device);
    gst_clear_object(&self->context);
    gst_rvos_notices_clear(&self->failure);
    g_mutex_clear(&self->words_lock);
    g_free(self->words);
    g_free(self->key);
    g_free(self);
}

/* ---- sharing ---------------------------------------------------------------------- */

/* Requests with the same key share a model. NULL: do not share. If the file cannot be
 * read, librvos will report it. */
static gchar *make_key(const GstRvosModelParams *params)
{
    char *path = params->settings.share_model ? realpath(params->path, NULL) : NULL;
    gchar *key = NULL;
    GStatBuf st;

    if (!path)
        return NULL;
    /* Includes the inode, because a file may be replaced by rename twice within one clock
     * tick. */
    if (g_stat(path, &st) == 0)
        key = g_strdup_printf(
            "%s|%" G_GUINT64_FORMAT "|%" G_GINT64_FORMAT ".%ld|%" G_GINT64_FORMAT
            "|%s|%d|%d|%p|%u|%ux%u|%u|%" G_GUINT64_FORMAT,
            path, (guint64)st.st_ino, (gint64)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
            (gint64)st.st_size, backends[params->settings.engine],
            params->settings.precision,
            params->cuda_context ? 0 : params->settings.cuda_device_id,
            gst_rvos_cuda_handle(params->cuda_context), params->settings.n_threads,
            params->settings.network_width, params->settings.network_height,
            params->settings.max_batch, params->settings.batch_timeout);
    free(path);
    return key;
}

/* Called with table.lock held. */
static void forget(GstRvosModel *self)
{
    if (!self->key)
        return;
    g_hash_table_remove(table.models, self->key);
    g_clear_pointer(&self->key, g_free);
    if (g_hash_table_size(table.models) == 0)
        g_clear_pointer(&table.models, g_hash_table_unref);
}

/* Called with table.lock held. Returns the key's entry with one more user; *mine: the
 * caller must load it. */
static GstRvosModel *enter(gchar *key, gboolean *mine)
{
    GstRvosModel *self =
        key && table.models ? g_hash_table_lookup(table.models, key) : NULL;

    *mine = !self;
    if (self) {
        g_free(key);
        self->users++;
        return self;
    }
    self = g_new0(GstRvosModel, 1);
    g_mutex_init(&self->words_lock);
    self->users = 1;
    self->state = LOADING;
    self->key = key;
    if (key) {
        if (!table.models)
            table.models = g_hash_table_new(g_str_hash, g_str_equal);
        g_hash_table_insert(table.models, key, self);
    }
    return self;
}

static GstRvosModel *acquire(const GstRvosModelParams *params, GstRvosNotices *notices)
{
    gchar *key = make_key(params);
    GstRvosModel *self;
    gboolean mine, good;

    g_mutex_lock(&table.lock);
    self = enter(key, &mine);
    if (mine) {
        g_mutex_unlock(&table.lock);
        good = load(self, params);
        g_mutex_lock(&table.lock);
        self->state = good ? READY : FAILED;
        if (!good)
            forget(self); /* the next element tries again */
        g_cond_broadcast(&table.changed);
    }
    while (self->state == LOADING)
        g_cond_wait(&table.changed, &table.lock);
    good = self->state == READY;
    if (!good) {
        const GstRvosNotice *why = g_queue_peek_head(&self->failure);

        gst_rvos_notices_say(notices, why->kind, why->error->domain, why->error->code,
                             why->debug, "%s", why->error->message);
    }
    g_mutex_unlock(&table.lock);
    if (good)
        return self;
    gst_rvos_model_release(self);
    return NULL;
}

gboolean gst_rvos_model_tries_cuda(gint engine)
{
    return engine == GST_RVOS_SEG_ENGINE_CUDA ||
           (engine == GST_RVOS_SEG_ENGINE_AUTO &&
            strcmp(rvos_default_backend(), "cuda") == 0);
}

GstRvosModel *gst_rvos_model_acquire(const GstRvosModelParams *params,
                                     GstRvosNotices *notices)
{
    GstRvosNotices failure = G_QUEUE_INIT;
    GstRvosModelParams concrete = *params;
    g_autofree gchar *fallback = NULL;
    GstRvosModel *self;

    if (params->settings.engine != GST_RVOS_SEG_ENGINE_AUTO)
        return acquire(params, notices);
    if (gst_rvos_model_tries_cuda(params->settings.engine)) {
        const GstRvosNotice *why;

        concrete.settings.engine = GST_RVOS_SEG_ENGINE_CUDA;
        self = acquire(&concrete, &failure);
        if (self)
            return self;
        /* Fall back to the CPU if the device fails, but not for a bad model file. */
        why = g_queue_peek_head(&failure);
        if (!g_error_matches(why->error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT)) {
            g_queue_push_tail(notices, g_queue_pop_head(&failure));
            return NULL;
        }
        fallback = g_strdup(why->debug);
        gst_rvos_notices_clear(&failure);
    }
    concrete.settings.engine = GST_RVOS_SEG_ENGINE_CPU;
    concrete.cuda_context = NULL;
    self = acquire(&concrete, notices);
    if (self && fallback)
        GST_RVOS_WARN(
            notices, LIBRARY, INIT,
            "CUDA does not start (%s): the CPU is used. Set engine=cpu to choose "
            "it without this warning.",
            fallback);
    return self;
}

void gst_rvos_model_release(GstRvosModel *self)
{
    gboolean last;

    g_mutex_lock(&table.lock);
    last = --self->users == 0;
    if (last)
        forget(self);
    g_mutex_unlock(&table.lock);
    if (last)
        free_model(self);
}

guint gst_rvos_model_users(GstRvosModel *self)
{
    GST_RVOS_LOCKED(&table.lock);

    return self->users;
}

rvos_device *gst_rvos_model_device(GstRvosModel *self)
{
    return self->device;
}

GstObject *gst_rvos_model_context(const GstRvosModel *self)
{
    return self ? self->context : NULL;
}

rvos_model *gst_rvos_model_model(GstRvosModel *self)
{
    return self->model;
}

gchar *gst_rvos_model_last_words(GstRvosModel *self)
{
    GST_RVOS_LOCKED(&self->words_lock);

    return g_strdup(self->words);
}

gboolean gst_rvos_model_explain(GstRvosModel *self, int status, const gchar *what,
                                GstRvosNotices *notices)
{
    g_autofree gchar *words = gst_rvos_model_last_words(self);
    gboolean memory = status == RVOS_ERR_MEMORY;

    return gst_rvos_notices_say(
        notices, GST_RVOS_NOTICE_ERROR, memory ? GST_RESOURCE_ERROR : GST_LIBRARY_ERROR,
        memory ? (gint)GST_RESOURCE_ERROR_NO_SPACE_LEFT : (gint)GST_LIBRARY_ERROR_FAILED,
        words, "%s: %s.", what, rvos_strerror(status));
}
