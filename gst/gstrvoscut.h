/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscut.h - detects scene cuts on thumbnails of the frames. */
#ifndef GST_RVOS_CUT_H
#define GST_RVOS_CUT_H

#include <gst/video/video.h>

#define GST_RVOS_CUT_SIDE 32 /* side of the thumbnail in pixels */

typedef struct {
    GstVideoConverter *convert; /* frame to thumbnail; NULL: before the first frame */
    GstVideoInfo from, to;
    GstBuffer *now; /* GRAY8, SIDE x SIDE */
    guint8 last[GST_RVOS_CUT_SIDE * GST_RVOS_CUT_SIDE];
    gboolean seen; /* `last` holds a frame */
    gdouble usual; /* recent mean difference from frame to frame */
} GstRvosCut;

/* Whether a new scene starts at this frame. */
gboolean gst_rvos_cut_check(GstRvosCut *cut, const GstVideoFrame *frame);

/* The next frame is not compared. */
void gst_rvos_cut_clear(GstRvosCut *cut);

#endif
