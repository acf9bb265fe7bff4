/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvoscaps.h - accepted formats, messages about refused ones, output=alpha, and the
 * metadata that neighbours may put on frames.
 *
 * A query about caps alone causes no message, because many elements ask and then convert.
 * A message is posted if the answer ends the stream.
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
    gint shown;       /* `output` before it became alpha; used until frames have an alpha
                         channel */
    GstCaps *refused; /* the last refused caps; NULL: none since accepted ones came */
    gboolean said;    /* a message was posted for them */
    gboolean mask_said;
    guint waited; /* frames without an alpha channel since output became alpha; counts up
                     to a limit */
} GstRvosNegotiation;

/* Called at start, at stop and in finalize. */
void gst_rvos_caps_clear(GstRvosSeg *self);

GstCaps *gst_rvos_caps_transform(GstBaseTransform *trans, GstPadDirection direction,
                                 GstCaps *caps, GstCaps *filter);

/* Called after a query on the sink pad was answered: remembers refused caps, and posts a
 * message if the refusal ends the stream. */
void gst_rvos_caps_asked(GstRvosSeg *self, GstQuery *query);
/* Called after a CAPS event on the sink pad was handled. */
void gst_rvos_caps_came(GstRvosSeg *self, GstCaps *caps, gboolean good);
/* Called at EOS: posts which caps were refused if no others ever came. */
void gst_rvos_caps_ended(GstRvosSeg *self);
/* Called after a failed push on the mask pad: posts a message if its caps are the
 * reason. */
void gst_rvos_caps_mask_refused(GstRvosSeg *self, GstPad *pad);

/* Called before the property `output` is set. FALSE, with a warning: output=alpha needs
 * frames with an alpha channel, and the neighbours have none. */
gboolean gst_rvos_caps_allow_output(GstRvosSeg *self, gint output);
/* Sets the frame's output to the former one until frames have an alpha channel. */
void gst_rvos_caps_settle_output(GstRvosSeg *self);

/* Removes metadata that change the picture's shape from an ALLOCATION query's answer. */
void gst_rvos_caps_filter_metas(GstQuery *query);

G_END_DECLS
#endif
