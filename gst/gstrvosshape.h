/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosshape.h - the picture's part of a buffer, its orientation, and whether an
 * initial mask has its shape. Used by the streaming thread only.
 */
#ifndef GST_RVOS_SHAPE_H
#define GST_RVOS_SHAPE_H

#include <gst/video/video.h>

#include "gstrvosnotice.h"

typedef struct {
    gchar *orientation; /* the stream's tag `image-orientation`; NULL: none */
    gboolean mask_said, affine_said; /* warnings that were added since start */
} GstRvosShape;

void gst_rvos_shape_clear(GstRvosShape *shape);

/* Handles a STREAM_START or TAG event of the sink pad. */
void gst_rvos_shape_event(GstRvosShape *shape, GstEvent *event);

/* Warns once if an initial mask is stretched to frames of another shape, or if the stream
 * is marked as rotated and its shape does not show it. */
void gst_rvos_shape_check_mask(GstRvosShape *shape, const GstVideoInfo *info, gint width,
                               gint height, GstRvosNotices *notices);

/* The displayed width, in units of pixel height: pixels need not be square. */
gdouble gst_rvos_shape_shown_width(const GstVideoInfo *info);
/* Whether two sizes have the same shape, up to rounding to whole pixels. */
gboolean gst_rvos_shape_alike(gdouble width, gdouble height, gdouble other_width,
                              gdouble other_height);

/* Makes a mapped frame a part of itself, which lies in it. It can be unmapped as before.
 * FALSE: no sample of the format begins there. Even `x` and `y` are always good. */
gboolean gst_rvos_shape_part(GstVideoFrame *frame, guint x, guint y, guint width,
                             guint height);

/* Reduces a mapped frame to the picture that the caps describe: all of it, or the part in
 * its GstVideoCropMeta. It can be unmapped as before. FALSE: neither matches. */
gboolean gst_rvos_shape_crop(GstVideoFrame *frame, const GstVideoInfo *caps);
/* Adds the error for that case. */
void gst_rvos_shape_refuse(const GstVideoInfo *caps, const GstVideoFrame *frame,
                           GstRvosNotices *notices);

/* Warns once if a frame is to be rotated when it is displayed. */
void gst_rvos_shape_check_affine(GstRvosShape *shape, GstBuffer *buffer,
                                 GstRvosNotices *notices);

#endif
