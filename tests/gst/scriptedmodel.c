/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scriptedmodel.c - devices and models of the scripted engine. */
#include <stdio.h>
#include <string.h>

#include "scriptedparts.h"

const char *rvos_strerror(int status)
{
    return status == RVOS_OK ? "no error" : "a scripted failure";
}

void scripted_say(const rvos_device *device, const char *line)
{
    if (device->params.log)
        device->params.log(device->params.log_opaque, RVOS_LOG_ERROR, line);
}

const char *rvos_default_backend(void)
{
    return g_strcmp0(g_getenv("RVOS_CUDA"), "1") == 0 ? "cuda" : "cpu";
}

int rvos_device_open(rvos_device **out, const rvos_device_params *params)
{
    rvos_device device = {.refs = 1, .params = *params};
    int status = scripted_failure("rvos_device_open");

    *out = NULL;
    if (params->backend && strcmp(params->backend, "cuda") == 0)
        status = RVOS_ERR_UNSUPPORTED;
    if (status != RVOS_OK) {
        scripted_say(&device, "no such device in the script");
        return status;
    }
    *out = g_memdup2(&device, sizeof(device));
    COUNT(devices, 1);
    return RVOS_OK;
}

static void unref_device(rvos_device *device)
{
    if (--device->refs > 0)
        return;
    COUNT(devices, -1);
    g_free(device);
}

void rvos_device_close(rvos_device **device)
{
    if (*device)
        unref_device(*device);
    *device = NULL;
}

void rvos_device_get_info(const rvos_device *device, rvos_device_info *info)
{
    *info = (rvos_device_info){
        .backend =
            device->params.backend && strcmp(device->params.backend, "reference") == 0
                ? "reference"
                : "cpu",
        .name = "a script",
        .library = "script 1.0",
        .isa = "",
        .threads = 1,
        .threads_refused = scripted_failure("threads"),
    };
}

/* A model file of the scripted engine holds the names of its tasks; other files are not
 * models. */
int rvos_model_load(rvos_model **out, rvos_device *device, const char *path,
                    const rvos_model_params *params)
{
    char text[64] = "";
    FILE *file = fopen(path, "rb");
    rvos_model model = {.refs = 1, .device = device, .params = *params};
    int status = scripted_failure("rvos_model_load");

    *out = NULL;
    COUNT(loads, 1);
    g_usleep(scripted_load_delay);
    if (!file)
        return RVOS_ERR_NOT_FOUND;
    if (fread(text, 1, sizeof(text) - 1, file) == 0)
        status = RVOS_ERR_IO;
    fclose(file);
    model.tasks = (strstr(text, "zero-shot") ? RVOS_TASK_ZERO_SHOT : 0u) |
                  (strstr(text, "one-shot") ? RVOS_TASK_ONE_SHOT : 0u);
    if (model.tasks == (RVOS_TASK_ZERO_SHOT | RVOS_TASK_ONE_SHOT))
        model.tasks |= RVOS_TASK_AUTO;
    if (status == RVOS_OK && model.tasks == 0)
        status = RVOS_ERR_FORMAT;
    if (status != RVOS_OK) {
        g_autofree gchar *line = g_strdup_printf("%s: not a model of the script", path);

        scripted_say(device, line);
        return status;
    }
    device->refs++;
    *out = g_memdup2(&model, sizeof(model));
    COUNT(models, 1);
    return RVOS_OK;
}

void scripted_unref_model(rvos_model *model)
{
    if (--model->refs > 0)
        return;
    unref_device(model->device);
    g_free(model);
    COUNT(models, -1);
}

void rvos_model_close(rvos_model **model)
{
    if (*model)
        scripted_unref_model(*model);
    *model = NULL;
}

rvos_precision rvos_model_precision(G_GNUC_UNUSED const rvos_model *model)
{
    return RVOS_PRECISION_BF16; /* as requested */
}

void rvos_model_get_info(const rvos_model *model, rvos_model_info *info)
{
    *info = (rvos_model_info){
        .encoder = "script",
        .skip_mode = "none",
        .licence = "none",
        .provenance = "",
        .tasks = model->tasks,
        .width = 64,
        .height = 48,
        .objects = 10,
        .weights_bytes = 1000,
    };
}
