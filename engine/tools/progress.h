/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* progress.h - how far it is: one line that is drawn over on a terminal, a plain
 * line every few seconds elsewhere. On stderr; safe from several threads. */
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

/* A line of its own that the progress line does not garble; shown unless quiet. */
void progress_note(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct fault;

/* The same for a fault, quiet or not. */
void progress_fault(struct progress *p, const char *program, const struct fault *fault);

/* The last line: all done, in how long. */
void progress_finish(struct progress *p, const char *where);

/* After an error instead: leaves the terminal's line. */
void progress_stop(struct progress *p);

#endif
