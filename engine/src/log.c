/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "backend.h"

static void log_va(const rvos_device_params *params, rvos_log_level level,
                   const char *format, va_list args)
{
    char line[1024];

    if (!params->log)
        return;
    vsnprintf(line, sizeof(line), format, args);
    params->log(params->log_opaque, level, line);
}

void rv_log(const rvos_device *dev, rvos_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_va(&dev->params, level, format, args);
    va_end(args);
}

void rv_log_params(const rvos_device_params *params, rvos_log_level level,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_va(params, level, format, args);
    va_end(args);
}

int rv_log_memory(const rvos_device *dev, int status, const char *what)
{
    if (status == RVOS_ERR_MEMORY)
        rv_log(dev, RVOS_LOG_ERROR, "%s: out of memory", what);
    return status;
}

const char *rvos_strerror(int status)
{
    switch ((rvos_status)status) {
    case RVOS_OK:
        return "no error";
    case RVOS_ERR_ARGUMENT:
        return "a parameter is out of range";
    case RVOS_ERR_MEMORY:
        return "out of memory";
    case RVOS_ERR_NOT_FOUND:
        return "no such file";
    case RVOS_ERR_IO:
        return "the file could not be read";
    case RVOS_ERR_FORMAT:
        return "not a model file that rvos knows";
    case RVOS_ERR_WRONG_TASK:
        return "the model has no decoder for this task";
    case RVOS_ERR_UNSUPPORTED:
        return "not in this build or not on this device";
    case RVOS_ERR_DEVICE:
        return "the device failed";
    }
    return "unknown error";
}
