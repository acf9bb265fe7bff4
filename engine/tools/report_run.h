/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_run.h - pages and charts, which rvos-report makes, a program in Python. Here it
 * is run, and what it prints is written as all results are.
 *
 * A negative status is one that it has given the words for, on stderr. */
#ifndef RV_TOOLS_REPORT_RUN_H
#define RV_TOOLS_REPORT_RUN_H

#include <jansson.h>

#include "fault.h"

/* Whether a "page", or "charts", can be made here: to be told before hours of work. */
int report_check(const char *path, const char *kind, struct fault *fault);

/* A page of what report_json writes. */
int report_page(const char *path, const json_t *scores, struct fault *fault);

/* Charts of files of rvos-bench. */
int report_charts(const char *path, char *const *files, int count, struct fault *fault);

#endif
