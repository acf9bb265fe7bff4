/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "through_gst.h"

int through_gst_run(const struct session_options *session,
                    const struct sequence_options *options,
                    const struct frame_list *frames, const char *out,
                    struct progress *progress, struct fault *fault)
{
    (void)session;
    (void)options;
    (void)frames;
    (void)out;
    (void)progress;
    return fault_set(fault, TOOL_USAGE, "--through-gst",
                     "this program was built without GStreamer: install "
                     "libgstreamer-plugins-base1.0-dev and build again");
}
