/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.h - writes an evaluation as text, CSV, JSON and HTML. */
#ifndef RV_TOOLS_REPORT_H
#define RV_TOOLS_REPORT_H

#include <stdio.h>

#include "evaluate.h"

/* Writes aligned text in per cent: every object, then means, by category and by number of
 * objects if the protocol has these. */
void report_text(FILE *out, const struct evaluation *evaluation);

/* These write to a file, or to stdout for "-". Scores are from 0 to 1. */
int report_csv(const char *path, const struct evaluation *evaluation,
               struct fault *fault);
int report_json(const char *path, const struct evaluation *evaluation,
                struct fault *fault);

/* Writes one self-contained page. A negative status: rvos-report has printed the
 * reason. */
int report_html(const char *path, const struct evaluation *evaluation,
                struct fault *fault);

#endif
