/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* through_gst.h - makes masks with the GStreamer element rvosseg, to show that they are
 * the same as the engine's; in auto mode up to the first cut, at which the element
 * searches for objects. through_gst_none.c is used if the build has no GStreamer. */
#ifndef RV_TOOLS_THROUGH_GST_H
#define RV_TOOLS_THROUGH_GST_H

#include "sequence.h"

/* As sequence_run, with the installed plugin. The element has neither probabilities nor
 * the published result step, so these options are refused. */
int through_gst_run(const struct session_options *session,
                    const struct sequence_options *options,
                    const struct frame_list *frames, const char *out,
                    struct progress *progress, struct fault *fault);

#endif
