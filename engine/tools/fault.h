/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.h - what went wrong, in one line that names the file and a way out.
 *
 * Functions of the tools that can fail return 0 or a tool_exit, with the words
 * in the caller's struct fault. Only main() prints it. */
#ifndef RV_TOOLS_FAULT_H
#define RV_TOOLS_FAULT_H

enum tool_exit {
    TOOL_OK = 0,
    TOOL_USAGE = 1,  /* the command line makes no sense */
    TOOL_INPUT = 2,  /* a frame, mask or data set is missing or wrong */
    TOOL_ENGINE = 3, /* the model or the device does not do it */
    TOOL_OUTPUT = 4, /* a result could not be written */
};

struct fault {
    int code; /* of tool_exit; 0: nothing went wrong */
    char text[1024];
};

/* Sets "FILE: words" (file NULL: words alone), escaped: fault->text is one line that may
 * be printed anywhere. Returns code, so that callers write `return fault_set(...)`. NULL
 * fault: only returns. */
int fault_set(struct fault *fault, enum tool_exit code, const char *file,
              const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "rvos-segment: FILE: words" on stderr; returns the code. */
int fault_print(const struct fault *fault, const char *program);

#endif
