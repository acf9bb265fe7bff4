/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskpad.h - the request pad `mask`: the index mask as a video.
 *
 * A second source pad on a GstVideoFilter, which knows of one only. So events are sent
 * to it from our sink_event, sticky ones late, by the streaming thread, and the
 * flow returns of both pads are combined round the base class's
 * chain function.
 *
 * Flushes come from another thread than data, and pads are requested, linked, unlinked
 * and released by a third. This rule avoids deadlocks: a peer that got FLUSH_START
 * from us gets FLUSH_STOP. A peer that did not get FLUSH_START gets both at FLUSH_STOP. A
 * pad that is requested in between flushes from its beginning.
 *
 * Locks: `pad` is read under the element's object lock and written under `lock` too.
 * Neither is held over a push. Order: `lock`, then the object lock of element or pad.
 */
#ifndef GST_RVOS_MASK_PAD_H
#define GST_RVOS_MASK_PAD_H

#include <gst/base/base.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct {
    /* Under the object lock. */
    GstPad *pad;         /* NULL: not requested */
    gboolean taken;      /* from the beginning of a request to the end of its release */
    gboolean sticky_due; /* the pad has not got the stream's sticky events yet */

    GMutex lock;
    GstFlowCombiner *combiner; /* of `src` and `mask` */
    gboolean flushing;         /* between FLUSH_START and FLUSH_STOP */
    GSList *flushed;           /* peers that have got FLUSH_START: GstPad */
    GstPad *inside;            /* the peer that the streaming thread is in; NULL: none */
    GstPad *src;               /* borrowed */

    /* The streaming thread's. */
    GstPadChainFunction parent_chain;
    gboolean pool_due; /* the peer is to be asked for a pool: it or the caps are new */
} GstRvosMaskPad;

/* G_DECLARE_FINAL_TYPE makes the same typedef, which C11 allows. */
typedef struct _GstRvosSeg GstRvosSeg;

void gst_rvos_mask_pad_init(GstRvosSeg *self);
void gst_rvos_mask_pad_finalize(GstRvosSeg *self);

GstPad *gst_rvos_mask_pad_request(GstElement *element, GstPadTemplate *templ,
                                  const gchar *name, const GstCaps *caps);
void gst_rvos_mask_pad_release(GstElement *element, GstPad *pad);

/* At PAUSED to READY: the next stream sends its events anew. */
void gst_rvos_mask_pad_stop(GstRvosSeg *self);

/* ---- gstrvosmaskevents.c: the stream's events ------------------------------------- */

/* New caps of the pad: in system memory and, where `cuda`, behind it in CUDA memory. */
GstCaps *gst_rvos_mask_pad_caps(gboolean cuda);
/* New caps of the mask, for caps of frames. */
GstCaps *gst_rvos_mask_pad_gray_caps(GstPad *pad, const GstCaps *caps);
/* A new reference, or NULL. */
GstPad *gst_rvos_mask_pad_ref(GstRvosSeg *self);
/* Sends an event of the sink pad to the mask pad, in its words; borrows it. */
void gst_rvos_mask_pad_event(GstRvosSeg *self, GstEvent *event);
/* From the streaming thread, before what is serialised: the sticky events, if due. */
void gst_rvos_mask_pad_send_sticky(GstRvosSeg *self, GstPad *pad);
/* Around what may wait in the branch. */
void gst_rvos_mask_pad_enter(GstRvosSeg *self, GstPad *pad);
void gst_rvos_mask_pad_leave(GstRvosSeg *self);
/* The flush at hand, if any, has no end. */
void gst_rvos_mask_pad_end_flush(GstRvosSeg *self);

/* ---- gstrvosmaskpush.c: the masks ------------------------------------------------- */

/* Before a mask in system memory is made: asks the peer for a pool, if that is due. */
void gst_rvos_mask_pad_prepare(GstRvosSeg *self);
/* Pushes the result's mask with the time of `frame`; from CUDA memory as a copy, unless
 * the peer wants it there. */
void gst_rvos_mask_pad_push(GstRvosSeg *self, GstBuffer *frame);
/* Of a frame without a mask: something must come, or sinks would wait. */
void gst_rvos_mask_pad_gap(GstRvosSeg *self, GstClockTime time, GstClockTime duration);

G_END_DECLS
#endif
