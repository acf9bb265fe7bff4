/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "utf8.h"

/* Control characters, and marks that change the text direction or the line. */
static bool is_control(const uint8_t *p, int n)
{
    switch (n) {
    case 1:
        return p[0] < 0x20 || p[0] == 0x7f;
    case 2: /* U+0080 to U+009F, U+061C */
        return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
    case 3: /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069, U+FEFF */
        return (p[0] == 0xe2 && p[1] == 0x80 &&
                (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
               (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9) ||
               (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf);
    default:
        return false;
    }
}

/* Lines quote names from files. A terminal must get one line of valid UTF-8 without
 * control effects, so such and bad bytes become '?'. */
static void make_plain(char *line)
{
    uint8_t *p = (uint8_t *)line, *end = p + strlen(line);

    while (p < end) {
        int n = rv_utf8_length(p, end);

        if (n && !is_control(p, n)) {
            p += n;
            continue;
        }
        for (n = n ? n : 1; n; n--)
            *p++ = '?';
    }
}

static void log_va(const rvos_device_params *params, rvos_log_level level,
                   const char *format, va_list args)
{
    char line[1024];

    if (!params->log)
        return;
    vsnprintf(line, sizeof(line), format, args);
    make_plain(line);
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
