/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.h - every file that a tool writes.
 *
 * A file gets its name when it is complete. Until then it has no name at all, or, where
 * the file system cannot do that, a temporary random one beside it, which goes when the
 * tool fails or a signal ends it. What a symbolic link of that name points at is never
 * written to: the link is replaced. Devices and pipes are written to as they are. */
#ifndef RV_TOOLS_OUTPUT_H
#define RV_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "fault.h"

struct output {
    FILE *file;
    char *path;      /* the name that it will get */
    char *folder;    /* of it */
    char *temporary; /* its name until then; NULL: it has none */
    int slot;        /* of the temporary name in the table of the signal handler */
    bool direct;     /* a device or a pipe, or "-" */
};

/* `path` "-" is the standard output. */
int output_open(struct output *out, const char *path, struct fault *fault);

/* Puts the file in place. `lasting`: not before it is on the disk, so that a power cut
 * leaves the old file or the new one. Closes it in any case. */
int output_commit(struct output *out, bool lasting, struct fault *fault);

/* Closes and forgets an unfinished one. Safe on a zeroed struct. */
void output_discard(struct output *out);

/* "PATH: cannot be written: WORDS" of errno. */
int output_failed(const char *path, struct fault *fault);

/* Removes unfinished files when a signal ends the program, which it then still does. */
void output_catch_signals(void);

#endif
