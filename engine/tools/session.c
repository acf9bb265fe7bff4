/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folders.h"

static void on_log(void *opaque, rvos_log_level level, const char *line)
{
    struct session *s = opaque;

    if (level != RVOS_LOG_ERROR)
        return;
    pthread_mutex_lock(&s->lock);
    snprintf(s->words, sizeof s->words, "%s", line);
    pthread_mutex_unlock(&s->lock);
}

const char *session_default_model(void)
{
    static const char *const known[] = {RVOS_MODEL_INSTALLED, RVOS_MODEL_IN_TREE};
    const char *named = getenv("RVOS_MODEL");

    if (named && named[0])
        return named;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_file(known[i]))
            return known[i];
    return NULL;
}

/* What the user can do, in options that all tools have unless they are `fixed`. */
static const char *way_out(int status, bool fixed)
{
    if (status == RVOS_ERR_NOT_FOUND || status == RVOS_ERR_IO)
        return "; name another .safetensors file";
    if (status == RVOS_ERR_FORMAT)
        return "; models come from the package rvos-models, data/convert.py or "
               "training (docs/training.md)";
    if (fixed)
        return "";
    switch (status) {
    case RVOS_ERR_WRONG_TASK:
        return "; rvos-info tells what the file can do; choose that with --task";
    case RVOS_ERR_UNSUPPORTED:
        return "; choose another --engine, --precision or --size";
    case RVOS_ERR_MEMORY:
        return "; use a smaller --size or fewer --objects";
    case RVOS_ERR_DEVICE:
        return "; try --engine cpu";
    default:
        return "; see --help for what is allowed";
    }
}

int session_fail(struct session *s, int status, struct fault *fault)
{
    const char *file = s->options.model ? s->options.model : "engine";
    const char *words;
    size_t n = strlen(file);
    int code;

    pthread_mutex_lock(&s->lock);
    words = s->words[0] ? s->words : rvos_strerror(status);
    if (!strncmp(words, file, n) && words[n] == ':') /* do not name the file twice */
        words += n + 1 + strspn(words + n + 1, " ");
    code = fault_set(fault, TOOL_ENGINE, file, "%s%s", words,
                     way_out(status, s->options.fixed));
    s->words[0] = 0;
    pthread_mutex_unlock(&s->lock);
    return code;
}

int session_open_device(struct session *s, const struct session_options *options,
                        struct fault *fault)
{
    rvos_device_params params = {.backend = options->engine,
                                 .threads = options->threads,
                                 .log = on_log,
                                 .log_opaque = s};
    int status;

    memset(s, 0, sizeof *s);
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    s->open = true;
    status = rvos_device_open(&s->device, &params);
    if (status) {
        s->options.model = options->engine ? options->engine : "engine";
        session_fail(s, status, fault);
        session_close(s);
        return TOOL_ENGINE;
    }
    rvos_device_get_info(s->device, &s->device_info);
    if (s->device_info.threads_refused)
        fprintf(stderr,
                "warning: %d threads could not be started, so it takes longer: use fewer "
                "--threads, or raise the limit of processes (ulimit -u, a container's "
                "pids limit)\n",
                s->device_info.threads_refused);
    return 0;
}

int session_open(struct session *s, const struct session_options *options,
                 struct fault *fault)
{
    rvos_model_params params = {.max_batch = options->max_batch,
                                .batch_wait_us = options->batch_wait_us,
                                .width = options->width,
                                .height = options->height,
                                .precision = options->precision};
    int err = session_open_device(s, options, fault);
    int status;

    if (err)
        return err;
    status = rvos_model_load(&s->model, s->device, options->model, &params);
    if (status) {
        session_fail(s, status, fault);
        session_close(s);
        return TOOL_ENGINE;
    }
    rvos_model_get_info(s->model, &s->info);
    if (options->precision >= RVOS_PRECISION_BF16 &&
        rvos_model_precision(s->model) != options->precision) {
        s->options.precision = rvos_model_precision(s->model);
        fprintf(stderr,
                "warning: %s is not faster on this processor (%s, %s): %s is used, which "
                "is more exact\n",
                precision_word(options->precision), s->device_info.library,
                s->device_info.isa,
                s->options.precision == RVOS_PRECISION_FP32 ? "float32" : "int16");
    }
    return 0;
}

void session_close(struct session *s)
{
    if (!s->open)
        return;
    s->open = false;
    rvos_model_close(&s->model);
    rvos_device_close(&s->device);
    pthread_mutex_destroy(&s->lock);
}

int session_open_stream(struct session *s, const rvos_stream_params *params,
                        rvos_stream **out, struct fault *fault)
{
    int status = rvos_stream_open(out, s->model, params);

    return status ? session_fail(s, status, fault) : 0;
}

rvos_image image_of(const struct picture *frame)
{
    return (rvos_image){.format = RVOS_RGB,
                        .width = frame->width,
                        .height = frame->height,
                        .plane = {frame->pixels},
                        .stride = {3 * (ptrdiff_t)frame->width}};
}

rvos_labels labels_of(uint8_t *mask, int width, int height)
{
    return (rvos_labels){.width = width, .height = height, .data = mask, .stride = width};
}

/* ---- words -------------------------------------------------------------- */

struct word {
    const char *word;
    int value;
};

static const struct word tasks[] = {{"zero-shot", RVOS_TASK_ZERO_SHOT},
                                    {"one-shot", RVOS_TASK_ONE_SHOT},
                                    {"auto", RVOS_TASK_AUTO},
                                    {NULL, 0}};

static const struct word variants[] = {{"spatio-temporal", RVOS_VARIANT_SPATIO_TEMPORAL},
                                       {"spatial", RVOS_VARIANT_SPATIAL},
                                       {"temporal", RVOS_VARIANT_TEMPORAL},
                                       {NULL, 0}};
static const struct word precisions[] = {
    {"auto", RVOS_PRECISION_DEFAULT}, {"fp32", RVOS_PRECISION_FP32},
    {"tf32", RVOS_PRECISION_TF32},    {"fp16", RVOS_PRECISION_FP16},
    {"bf16", RVOS_PRECISION_BF16},    {"int16", RVOS_PRECISION_INT16},
    {"int8", RVOS_PRECISION_INT8},    {NULL, 0}};

static const struct word *find_word(const struct word *table, const char *word)
{
    while (table->word && strcmp(table->word, word))
        table++;
    return table->word ? table : NULL;
}

static const char *word_of(const struct word *table, int value)
{
    while (table->word && table->value != value)
        table++;
    return table->word ? table->word : "";
}

const char *task_word(rvos_task task)
{
    return word_of(tasks, (int)task);
}

const char *variant_word(rvos_variant variant)
{
    return word_of(variants, (int)variant);
}

const char *precision_word(rvos_precision precision)
{
    return word_of(precisions, (int)precision);
}

bool read_engine(const struct tool_option *option, char *word)
{
    static const char *const known[] = {"auto", "cpu", "cuda", "reference"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i], word)) {
            *(const char **)option->to = i ? known[i] : NULL;
            return true;
        }
    return false;
}

bool read_task(const struct tool_option *option, char *word)
{
    const struct word *found = find_word(tasks, word);

    if (found)
        *(rvos_task *)option->to = (rvos_task)found->value;
    return found;
}

bool read_variant(const struct tool_option *option, char *word)
{
    const struct word *found = find_word(variants, word);

    if (found)
        *(rvos_variant *)option->to = (rvos_variant)found->value;
    return found;
}

bool read_precision(const struct tool_option *option, char *word)
{
    const struct word *found = find_word(precisions, word);

    if (found)
        *(rvos_precision *)option->to = (rvos_precision)found->value;
    return found;
}
