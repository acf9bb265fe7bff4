/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* real.h - for tests of the element on librvos itself, with a tiny random network. */
#ifndef REAL_H
#define REAL_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "suite.h"

/* The network's file, from RVOSSEG_TEST_MODEL. */
const gchar *real_model(void);

/* A picture of smooth colours that moves with n, in the format of info, with rows and
 * planes padded by `pad` bytes of 0xa5. GStreamer converts it, so colorimetry matters. */
GstBuffer *real_picture(const GstVideoInfo *info, guint n, guint pad);

GstVideoInfo real_info(const gchar *format, gint width, gint height, const gchar *extra);

/* An element on the tiny network with these properties, its mask pad in *mask. */
GstHarness *real_harness(GstHarness **mask, const gchar *property,
                         ...) G_GNUC_NULL_TERMINATED;
void real_free(GstHarness *h, GstHarness *mask);

/* The index mask as width x height bytes, to be freed. Takes ownership of the buffer. */
guint8 *real_labels(GstBuffer *mask);

#endif
