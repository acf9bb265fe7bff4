/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.h - opens a device and a model from command line words. */
#ifndef RV_TOOLS_SESSION_H
#define RV_TOOLS_SESSION_H

#include <pthread.h>
#include <stdbool.h>

#include <rvos.h>

#include "fault.h"

struct session_options {
    const char *model;  /* file */
    const char *engine; /* NULL: the best that opens */
    rvos_precision precision;
    int threads;                  /* 0: all cores */
    int width, height;            /* network size; 0: the file's */
    int max_batch, batch_wait_us; /* as in rvos.h */
};

struct session {
    bool open;
    struct session_options options;
    rvos_device *device;
    rvos_model *model;
    rvos_device_info device_info;
    rvos_model_info info;
    pthread_mutex_t lock; /* guards `words`: the engine may log from any thread */
    char words[512];      /* the engine's last error, for the next fault */
};

/* $RVOS_MODEL, else the installed model, else the source tree's model; NULL: none. */
const char *session_default_model(void);

int session_open(struct session *s, const struct session_options *options,
                 struct fault *fault);
/* Opens only the device; options->model is not read. */
int session_open_device(struct session *s, const struct session_options *options,
                        struct fault *fault);
void session_close(struct session *s); /* does nothing if it is not open or all zeroes */

/* Sets the fault of a failed call: the engine's words and what to do. */
int session_fail(struct session *s, int status, struct fault *fault);

int session_open_stream(struct session *s, const rvos_stream_params *params,
                        rvos_stream **out, struct fault *fault);

/* Words of the command line. Return false for an unknown word. */
bool parse_engine(const char *word, const char **engine);
bool parse_task(const char *word, rvos_task *task);
/* The words for them. */
const char *task_word(rvos_task task);
const char *variant_word(rvos_variant variant);
const char *precision_word(rvos_precision precision);
bool parse_variant(const char *word, rvos_variant *variant);
bool parse_precision(const char *word, rvos_precision *precision);
bool parse_size(const char *word, int *width, int *height); /* WxH, 32..4096 each */
bool parse_number(const char *word, int min, int max, int *number);

#endif
