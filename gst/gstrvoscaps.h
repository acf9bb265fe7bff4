/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscaps.h - what formats are taken, what is said when others come, output=alpha,
 * and which metadata others may put on frames that we get.
 *
 * Being asked whether caps would do is no reason for a message: many elements ask and
 * then convert. A message is posted when the answer ends the stream.
 */
#ifndef GST_RVOS_CAPS_H
#define GST_RVOS_CAPS_H

#include <gst/base/base.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* G_DECLARE_FINAL_TYPE makes the same typedef, which C11 allows. */
typedef struct _GstRvosSeg GstRvosSeg;

typedef struct {
    /* Under the object lock. */
    gint shown; /* `output` before it became alpha: until frames have an alpha channel */
    GstCaps *refused; /* the last caps that were refused; NULL: none since others came */
    gboolean said;    /* ... and a message was posted of them */
    gboolean mask_said;
    guint waited; /* frames without an alpha channel since output became alpha; up to a
                   * number from which on nothing is waited for */
} GstRvosNegotiation;

/* At start, stop and for the last time. */
void gst_rvos_caps_clear(GstRvosSeg *self);

GstCaps *gst_rvos_caps_transform(GstBaseTransform *trans, GstPadDirection direction,
                                 GstCaps *caps, GstCaps *filter);

/* After a query of the sink pad has been answered: remembers what was refused, and says
 * so if that ends the stream. */
void gst_rvos_caps_asked(GstRvosSeg *self, GstQuery *query);
/* After a CAPS event of the sink pad has been handled. */
void gst_rvos_caps_came(GstRvosSeg *self, GstCaps *caps, gboolean good);
/* At EOS: what was refused, if nothing else ever came. */
void gst_rvos_caps_ended(GstRvosSeg *self);
/* The mask pad's push was refused: says so if its caps are why. */
void gst_rvos_caps_mask_refused(GstRvosSeg *self, GstPad *pad);

/* Before the property `output` is set: FALSE if frames with an alpha channel are wanted
 * and cannot be had; then a warning has been posted. */
gboolean gst_rvos_caps_allow_output(GstRvosSeg *self, gint output);
/* Of the frame in hand: what is drawn until frames have an alpha channel. */
void gst_rvos_caps_settle_output(GstRvosSeg *self);

/* Takes metadata that change the picture's shape out of an ALLOCATION query's answer. */
void gst_rvos_caps_filter_metas(GstQuery *query);

G_END_DECLS
#endif
