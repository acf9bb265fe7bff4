/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscut.h - scene cuts, seen on thumbnails of the frames. */
#ifndef GST_RVOS_CUT_H
#define GST_RVOS_CUT_H

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_RVOS_CUT_SIDE 32 /* of the thumbnail, in pixels */

typedef struct {
    GstVideoConverter *convert; /* frame to thumbnail; NULL: before the first frame */
    GstVideoInfo from;
    GstBuffer *now; /* GRAY8, SIDE x SIDE */
    guint8 last[GST_RVOS_CUT_SIDE * GST_RVOS_CUT_SIDE];
    gboolean seen; /* `last` holds a frame */
    gdouble usual; /* mean difference from frame to frame, lately */
} GstRvosCut;

/* Whether this frame begins another scene than the one before. */
gboolean gst_rvos_cut_check(GstRvosCut *cut, const GstVideoFrame *frame);

/* The next frame is compared with none. */
void gst_rvos_cut_clear(GstRvosCut *cut);

G_END_DECLS
#endif
