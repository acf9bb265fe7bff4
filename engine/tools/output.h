/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.h - writes the tools' files.
 *
 * A file gets its name when it is complete. Until then it has no name. If the file system
 * does not support that, it has a random temporary name in the same folder, which is
 * removed if the tool fails or a signal ends it. If the name is a symbolic link, the link
 * is replaced and its target is not changed. Devices and pipes are written directly. */
#ifndef RV_TOOLS_OUTPUT_H
#define RV_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "fault.h"

struct output {
    FILE *file;
    char *path;      /* the final name */
    char *folder;    /* folder of the final name */
    char *temporary; /* temporary name; NULL: none */
    int slot;        /* slot of the temporary name in the signal handler's table */
    bool direct;     /* a device or a pipe, or "-" */
};

/* `path` "-" is the standard output. */
int output_open(struct output *out, const char *path, struct fault *fault);

/* Closes the file and puts it in place. `lasting`: syncs it to the disk first, so that a
 * power cut leaves either the old or the new file. */
int output_commit(struct output *out, bool lasting, struct fault *fault);

/* Closes and removes an unfinished file. Safe on a zeroed struct. */
void output_discard(struct output *out);

/* Sets "PATH: cannot be written: WORDS" from errno. */
int output_failed(const char *path, struct fault *fault);

/* Makes signals that end the program remove unfinished files first. */
void output_catch_signals(void);

#endif
