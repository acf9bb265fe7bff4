/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* results.h - the paths of a video's masks: OUT/STEM.png for each frame. */
#ifndef RV_TOOLS_RESULTS_H
#define RV_TOOLS_RESULTS_H

#include "frames.h"
#include "guard.h"

/* To be freed; NULL: out of memory. */
char *results_path(const char *out, const struct frame_file *frame);

/* TOOL_USAGE if the command reads OUT or one of its masks. */
int results_check(struct guard *guard, const char *out, const struct frame_list *frames,
                  struct fault *fault);

/* Whether a file with a mask's name also has another name. Then it may be a file that is
 * read. */
bool results_linked(const char *out, const struct frame_list *frames);

#endif
