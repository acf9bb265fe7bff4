/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskpad.h - the request pad `mask`: the index mask as a video.
 *
 * A second source pad on a GstVideoFilter, which knows of one only. So events are sent
 * to it from our sink_event, sticky ones late, by the streaming thread (element.md
 * section 5), and the flow returns of both pads are combined round the base class's
 * chain function.
 *
 * Locks: `pad` is published under the element's object lock; the combiner has its own
 * mutex. Neither is held over a push.
 */
#ifndef GST_RVOS_MASK_PAD_H
#define GST_RVOS_MASK_PAD_H

#include <gst/base/base.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct {
    /* Under the object lock. */
    GstPad *pad;         /* NULL: not requested */
    gboolean sticky_due; /* the pad has not got the stream's sticky events yet */

    GMutex combiner_lock;
    GstFlowCombiner *combiner; /* of `src` and `mask` */
    GstPad *src;               /* borrowed */

    /* The streaming thread's. */
    GstPadChainFunction parent_chain;
    GstCaps *caps; /* GRAY8 of the frame's size; NULL: before set_info */
    GstVideoInfo info;
    GstBufferPool *pool;
    gboolean pool_due; /* the pool does not fit caps or peer any more */
} GstRvosMaskPad;

/* G_DECLARE_FINAL_TYPE makes the same typedef, which C11 allows. */
typedef struct _GstRvosSeg GstRvosSeg;

void gst_rvos_mask_pad_init(GstRvosSeg *self);
void gst_rvos_mask_pad_finalize(GstRvosSeg *self);

GstPad *gst_rvos_mask_pad_request(GstElement *element, GstPadTemplate *templ,
                                  const gchar *name, const GstCaps *caps);
void gst_rvos_mask_pad_release(GstElement *element, GstPad *pad);

/* New caps of the pad: in system memory and, where `cuda`, behind it in CUDA memory. */
GstCaps *gst_rvos_mask_pad_caps(gboolean cuda);

/* From set_info. */
void gst_rvos_mask_pad_set_info(GstRvosSeg *self, const GstVideoInfo *frame);

/* At PAUSED to READY: the next stream sends its events anew. */
void gst_rvos_mask_pad_stop(GstRvosSeg *self);

/* Sends an event of the sink pad to the mask pad, in its words; borrows it. */
void gst_rvos_mask_pad_event(GstRvosSeg *self, GstEvent *event);

/* A GRAY8 buffer of the frame's size in system memory, from the peer's pool or our own.
 */
GstFlowReturn gst_rvos_mask_pad_alloc(GstRvosSeg *self, GstBuffer **buffer);

/* Pushes `mask` with the time of `frame`; from CUDA memory as a copy, unless the peer
 * wants it there. */
void gst_rvos_mask_pad_push(GstRvosSeg *self, GstBuffer *mask, GstBuffer *frame);

/* Of a frame without a mask: something must come, or sinks would wait. */
void gst_rvos_mask_pad_gap(GstRvosSeg *self, GstClockTime time, GstClockTime duration);

G_END_DECLS
#endif
