/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* through_gst.h - the same masks by way of the GStreamer element rvosseg, to prove
 * that they are the same. through_gst_none.c stands in where the build has no
 * GStreamer. */
#ifndef RV_TOOLS_THROUGH_GST_H
#define RV_TOOLS_THROUGH_GST_H

#include "sequence.h"

/* As sequence_run, by the installed plugin. The element offers neither
 * probabilities nor the published result step: these are refused. */
int through_gst_run(const struct session_options *session,
                    const struct sequence_options *options,
                    const struct frame_list *frames, const char *out,
                    struct progress *progress, struct fault *fault);

#endif
