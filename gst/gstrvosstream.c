/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gstrvosstream.h"

static const gchar *task_names(unsigned tasks)
{
    if ((tasks & RVOS_TASK_ZERO_SHOT) && (tasks & RVOS_TASK_ONE_SHOT))
        return "zero-shot and one-shot";
    return tasks & RVOS_TASK_ONE_SHOT ? "one-shot" : "zero-shot";
}

static void explain(const GstRvosOpen *open, int status, GstRvosFailure *failure)
{
    gchar *words = gst_rvos_model_last_words(open->model);
    const gchar *path = open->path;
    rvos_model_info info;

    rvos_model_get_info(gst_rvos_model_model(open->model), &info);
    if (status == RVOS_ERR_WRONG_TASK)
        GST_RVOS_FAILURE_SET(failure, RESOURCE, SETTINGS, words,
                             "The model \"%s\" is for %s only: set another mode or "
                             "model.",
                             path, task_names(info.tasks));
    else if (status == RVOS_ERR_MEMORY)
        GST_RVOS_FAILURE_SET(failure, RESOURCE, NO_SPACE_LEFT, words,
                             "There is not enough memory to run the model \"%s\".", path);
    else if (status == RVOS_ERR_ARGUMENT)
        GST_RVOS_FAILURE_SET(failure, RESOURCE, SETTINGS, words,
                             "The model \"%s\" cannot be run with these settings.", path);
    else
        GST_RVOS_FAILURE_SET(failure, LIBRARY, INIT, words,
                             "The model \"%s\" cannot be run: %s.", path,
                             rvos_strerror(status));
    g_free(words);
}

/* The first run also pays for touching memory for the first time. The second run takes as
 * long as a frame will. */
static int warm_up(rvos_stream *stream, GstClockTime *duration)
{
    GstClockTime begin;
    int status = rvos_stream_warm_up(stream);

    if (status != RVOS_OK)
        return status;
    begin = gst_util_get_timestamp();
    status = rvos_stream_warm_up(stream);
    *duration = gst_util_get_timestamp() - begin;
    return status;
}

/* In auto mode, a model with one decoder runs in that decoder's mode. */
static rvos_task task_of(const GstRvosOpen *open, GstRvosNotices *notices)
{
    rvos_model_info info;

    if (open->settings->mode == GST_RVOS_SEG_MODE_ZERO_SHOT)
        return RVOS_TASK_ZERO_SHOT;
    if (open->settings->mode == GST_RVOS_SEG_MODE_ONE_SHOT)
        return RVOS_TASK_ONE_SHOT;
    rvos_model_get_info(gst_rvos_model_model(open->model), &info);
    if (info.tasks & RVOS_TASK_AUTO)
        return RVOS_TASK_AUTO;
    GST_RVOS_WARN(notices, RESOURCE, SETTINGS,
                  "The model \"%s\" is for %s only: mode=auto works as that. Set "
                  "the mode to choose it without this warning.",
                  open->path, task_names(info.tasks));
    return info.tasks & RVOS_TASK_ONE_SHOT ? RVOS_TASK_ONE_SHOT : RVOS_TASK_ZERO_SHOT;
}

rvos_stream *gst_rvos_stream_open(const GstRvosOpen *open, GstClockTime *cost,
                                  GstRvosNotices *notices, GstRvosFailure *failure)
{
    static const rvos_variant variants[] = {
        [GST_RVOS_SEG_VARIANT_SPATIO_TEMPORAL] = RVOS_VARIANT_SPATIO_TEMPORAL,
        [GST_RVOS_SEG_VARIANT_SPATIAL] = RVOS_VARIANT_SPATIAL,
        [GST_RVOS_SEG_VARIANT_TEMPORAL] = RVOS_VARIANT_TEMPORAL,
    };
    guint interval = open->settings->discovery_interval;
    rvos_stream_params params = {
        .task = task_of(open, notices),
        .variant = variants[open->settings->variant],
        .objects = (int)open->settings->objects,
        .discovery_interval = interval > 0 ? (int)interval : -1,
    };
    rvos_stream *stream = NULL;
    int status = rvos_stream_open(&stream, gst_rvos_model_model(open->model), &params);

    if (status == RVOS_OK)
        status = warm_up(stream, cost);
    if (status == RVOS_OK)
        return stream;
    explain(open, status, failure);
    rvos_stream_close(&stream);
    return NULL;
}
