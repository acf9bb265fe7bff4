/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.h - error messages: one line that names the file and what to do.
 *
 * Functions of the tools that can fail return 0 or a tool_exit and set the caller's
 * struct fault. Only main() prints it. */
#ifndef RV_TOOLS_FAULT_H
#define RV_TOOLS_FAULT_H

enum tool_exit {
    TOOL_OK = 0,
    TOOL_USAGE = 1,  /* wrong command line */
    TOOL_INPUT = 2,  /* a frame, mask or data set is missing or wrong */
    TOOL_ENGINE = 3, /* the model or the device cannot do it, or memory ran out */
    TOOL_OUTPUT = 4, /* a result could not be written */
};

struct fault {
    int code; /* a tool_exit; 0: no error */
    char text[1024];
};

/* Sets "FILE: words" (only the words if file is NULL), escaped: fault->text is one line
 * that is safe to print. Returns `code`, so that callers can write `return
 * fault_set(...)`. If fault is NULL, only returns. */
int fault_set(struct fault *fault, enum tool_exit code, const char *file,
              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Prints "rvos-segment: FILE: words" to stderr; returns the code. */
int fault_print(const struct fault *fault, const char *program);

#endif
