/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* results.h - where the masks of a video go: OUT/STEM.png for each frame. */
#ifndef RV_TOOLS_RESULTS_H
#define RV_TOOLS_RESULTS_H

#include "frames.h"
#include "guard.h"

/* To be freed; NULL: no memory. */
char *results_path(const char *out, const struct frame_file *frame);

/* TOOL_USAGE if OUT or one of its masks is something that is read. */
int results_check(struct guard *guard, const char *out, const struct frame_list *frames,
                  struct fault *fault);

/* Whether a file that has the name of a mask has another name, too: then it may be one
 * that is read. */
bool results_linked(const char *out, const struct frame_list *frames);

#endif
