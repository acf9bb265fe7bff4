/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.h - an evaluation for people, spreadsheets, programs and browsers. */
#ifndef RV_TOOLS_REPORT_H
#define RV_TOOLS_REPORT_H

#include <stdio.h>

#include "evaluate.h"

/* Aligned text, percent: every object, then means, by category and by number of
 * objects where the protocol has such. */
void report_text(FILE *out, const struct evaluation *evaluation);

/* These name their file, "-" for stdout. Scores are from 0 to 1. */
int report_csv(const char *path, const struct evaluation *evaluation,
               struct fault *fault);
int report_json(const char *path, const struct evaluation *evaluation,
                struct fault *fault);

/* One page that needs nothing else. A negative status: rvos-report has said why. */
int report_html(const char *path, const struct evaluation *evaluation,
                struct fault *fault);

#endif
