/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "escape.h"

int fault_set(struct fault *fault, enum tool_exit code, const char *file,
              const char *format, ...)
{
    char name[sizeof fault->text / 2] = "", words[sizeof fault->text];
    va_list args;
    size_t n;

    if (!fault)
        return code;
    fault->code = code;
    /* Keep the end of a long path, which has the file's own name. */
    n = file ? strlen(file) : 0;
    if (n)
        escape_text(name, sizeof name,
                    n < sizeof name ? file : file + n - sizeof name / 2);
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    /* An empty name is often an unset variable of a shell. */
    n = (size_t)snprintf(fault->text, sizeof fault->text, "%s%s",
                         file && !*file ? "\"\"" : name, file ? ": " : "");
    escape_text(fault->text + n, sizeof fault->text - n, words);
    return code;
}

int fault_print(const struct fault *fault, const char *program)
{
    fprintf(stderr, "%s: %s\n", program, fault->text);
    return fault->code;
}
