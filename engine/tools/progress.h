/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* progress.h - shows progress on stderr: one line that is redrawn on a terminal, else a
 * plain line every few seconds. Safe from several threads. */
#ifndef RV_TOOLS_PROGRESS_H
#define RV_TOOLS_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>

struct progress {
    pthread_mutex_t lock;
    const char *unit; /* what is counted, such as "frames" */
    long total, done;
    bool quiet, terminal;
    double start, drawn; /* seconds of the monotonic clock */
};

double seconds_now(void); /* monotonic */

void progress_start(struct progress *p, const char *unit, long total, bool quiet);
void progress_step(struct progress *p, long steps);

/* Prints a separate line without garbling the progress line, unless quiet. */
void progress_note(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct fault;

/* Prints a fault in the same way, even if quiet. */
void progress_fault(struct progress *p, const char *program, const struct fault *fault);

/* Prints the last line with the total time. */
void progress_finish(struct progress *p, const char *where);

/* Call this instead after an error: leaves the progress line. */
void progress_stop(struct progress *p);

#endif
