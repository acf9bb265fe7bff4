/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.h - opens a device and a model from command line words. */
#ifndef RV_TOOLS_SESSION_H
#define RV_TOOLS_SESSION_H

#include <pthread.h>
#include <stdbool.h>

#include <rvos.h>

#include "frames.h"
#include "tool.h"

struct session_options {
    const char *model;  /* file */
    const char *engine; /* NULL: the best that opens */
    rvos_precision precision;
    int threads;                  /* 0: all cores */
    int width, height;            /* network size; 0: the file's */
    int max_batch, batch_wait_us; /* as in rvos.h */
    bool fixed;                   /* no option of the tool changes any of these */
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

/* Views of an RGB picture, and of a mask. */
rvos_image image_of(const struct picture *frame);
rvos_labels labels_of(uint8_t *mask, int width, int height);

/* Words of the command line, for tool_option. */
bool read_engine(const struct tool_option *option, char *word); /* to const char * */
bool read_task(const struct tool_option *option, char *word);
bool read_variant(const struct tool_option *option, char *word);
bool read_precision(const struct tool_option *option, char *word);
#define ENGINE_WORDS "auto, cpu, cuda or reference"
#define TASK_WORDS "zero-shot, one-shot or auto"
#define VARIANT_WORDS "spatio-temporal, spatial or temporal"
#define PRECISION_WORDS "auto, fp32, tf32, fp16, bf16, int16 or int8"
#define SIZE_WORDS "a size such as 448x256, each from 32 to 4096"

/* The words for them. */
const char *task_word(rvos_task task);
const char *variant_word(rvos_variant variant);
const char *precision_word(rvos_precision precision);

#endif
