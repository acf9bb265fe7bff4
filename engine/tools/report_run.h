/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_run.h - runs rvos-report, a Python program that makes pages and charts, and
 * writes its output like all results.
 *
 * A negative status means that rvos-report has printed the reason on stderr. */
#ifndef RV_TOOLS_REPORT_RUN_H
#define RV_TOOLS_REPORT_RUN_H

#include <jansson.h>

#include "fault.h"

/* Checks whether a "page" or "charts" can be made, before hours of work. */
int report_check(const char *path, const char *kind, struct fault *fault);

/* Writes a page from the JSON of report_json. */
int report_page(const char *path, const json_t *scores, struct fault *fault);

/* Writes charts from JSON files of rvos-bench. */
int report_charts(const char *path, char *const *files, int count, struct fault *fault);

#endif
