/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosshape.h - which part of a buffer is the picture, which way up the stream says it
 * is, and whether an initial mask has its shape. All of it is the streaming thread's.
 */
#ifndef GST_RVOS_SHAPE_H
#define GST_RVOS_SHAPE_H

#include <gst/video/video.h>

#include "gstrvosnotice.h"

G_BEGIN_DECLS

typedef struct {
    gchar *orientation; /* the stream's tag `image-orientation`; NULL: none */
    gboolean mask_said, affine_said; /* warnings, once a start */
} GstRvosShape;

void gst_rvos_shape_clear(GstRvosShape *shape);

/* A STREAM_START or TAG event of the sink pad. */
void gst_rvos_shape_event(GstRvosShape *shape, GstEvent *event);

/* Warns, once, if an initial mask is stretched to frames of another shape, or if the
 * stream is marked as turned in a way that its shape does not show. */
void gst_rvos_shape_check_mask(GstRvosShape *shape, const GstVideoInfo *info, gint width,
                               gint height, GstRvosNotices *notices);

/* Whether sizes of the same picture, each in whole pixels. */
gboolean gst_rvos_shape_alike(gdouble width, gdouble height, gdouble other_width,
                              gdouble other_height);

/* Makes a mapped frame a part of itself, which lies in it. It can be unmapped as before.
 * FALSE: no sample of the format begins there. Even `x` and `y` are always good. */
gboolean gst_rvos_shape_part(GstVideoFrame *frame, guint x, guint y, guint width,
                             guint height);

/* Makes a mapped frame the picture that the caps describe: all of it, or the part that a
 * GstVideoCropMeta tells. It can be unmapped as before. FALSE: it is neither. */
gboolean gst_rvos_shape_crop(GstVideoFrame *frame, const GstVideoInfo *caps);
/* The error for that. */
void gst_rvos_shape_refuse(const GstVideoInfo *caps, const GstVideoFrame *frame,
                           GstRvosFailure *failure);

/* Warns, once, if a frame is to be turned by whoever shows it. */
void gst_rvos_shape_check_affine(GstRvosShape *shape, GstBuffer *buffer,
                                 GstRvosNotices *notices);

G_END_DECLS
#endif
