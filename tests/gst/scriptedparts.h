/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scriptedparts.h - shared by the files of the scripted engine: scripted.c (the script,
 * streams and drawing) and scriptedmodel.c (devices and models). */
#ifndef SCRIPTEDPARTS_H
#define SCRIPTEDPARTS_H

#include <glib.h>

#include "scripted.h"

struct rvos_device {
    int refs;
    rvos_device_params params;
};

struct rvos_model {
    int refs;
    rvos_device *device;
    unsigned tasks;
    rvos_model_params params;
};

struct rvos_stream {
    rvos_model *model;
    rvos_task task;
    int objects;
    uint32_t seeded;
    int64_t frames;
    bool discover, discovering; /* the next frame, the last one */
    uint32_t serial[RVOS_MAX_OBJECTS], last_serial;
    rvos_object object[RVOS_MAX_OBJECTS];
};

/* Global state, under the lock. Each test is a program of its own. */
extern GMutex scripted_lock;
extern scripted_state scripted;
extern unsigned scripted_load_delay;

/* The status with which a function must fail, or RVOS_OK. */
int scripted_failure(const char *function);
void scripted_say(const rvos_device *device, const char *line);
void scripted_unref_model(rvos_model *model);

#define COUNT(field, step)                                                               \
    do {                                                                                 \
        g_mutex_lock(&scripted_lock);                                                    \
        scripted.field += (step);                                                        \
        g_mutex_unlock(&scripted_lock);                                                  \
    } while (0)

#endif
