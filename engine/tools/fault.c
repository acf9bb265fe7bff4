/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

int fault_set(struct fault *fault, enum tool_exit code, const char *file,
              const char *format, ...)
{
    va_list args;
    int n = 0;

    if (!fault)
        return code;
    fault->code = code;
    if (file)
        n = snprintf(fault->text, sizeof fault->text, "%s: ", file);
    if (n < 0 || (size_t)n >= sizeof fault->text)
        return code;
    va_start(args, format);
    vsnprintf(fault->text + n, sizeof fault->text - (size_t)n, format, args);
    va_end(args);
    return code;
}

int fault_print(const struct fault *fault, const char *program)
{
    fprintf(stderr, "%s: %s\n", program, fault->text);
    return fault->code;
}
