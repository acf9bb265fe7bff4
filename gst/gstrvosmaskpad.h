/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskpad.h - the request pad `mask`: the index mask as a video.
 *
 * This is a second source pad on a GstVideoFilter, which supports only one. So our
 * sink_event sends events to it, the streaming thread sends it late sticky events, and
 * our chain function combines the flow returns of both pads.
 *
 * Flushes come from another thread than data, and a third thread requests, links, unlinks
 * and releases pads. This rule avoids deadlocks: a peer that got FLUSH_START from us gets
 * FLUSH_STOP. A peer that did not get FLUSH_START gets both at FLUSH_STOP. A pad
 * requested in between starts flushing.
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
    gboolean taken;      /* from the start of a request to the end of the release */
    gboolean sticky_due; /* the pad still needs the stream's sticky events */

    GMutex lock;
    GstFlowCombiner *combiner; /* of `src` and `mask` */
    gboolean flushing;         /* between FLUSH_START and FLUSH_STOP */
    GSList *flushed;           /* peers (GstPad) that got FLUSH_START */
    GstPad *inside;            /* the peer that the streaming thread is in; NULL: none */
    GstPad *src;               /* borrowed */

    /* Used by the streaming thread only. */
    GstPadChainFunction parent_chain;
    gboolean pool_due; /* ask the peer for a pool, because the peer or the caps are new */
} GstRvosMaskPad;

/* G_DECLARE_FINAL_TYPE makes the same typedef, which C11 allows. */
typedef struct _GstRvosSeg GstRvosSeg;

void gst_rvos_mask_pad_init(GstRvosSeg *self);
void gst_rvos_mask_pad_finalize(GstRvosSeg *self);

GstPad *gst_rvos_mask_pad_request(GstElement *element, GstPadTemplate *templ,
                                  const gchar *name, const GstCaps *caps);
void gst_rvos_mask_pad_release(GstElement *element, GstPad *pad);

/* Called at PAUSED to READY: the next stream sends its events again. */
void gst_rvos_mask_pad_stop(GstRvosSeg *self);

/* ---- gstrvosmaskevents.c: the stream's events ------------------------------------- */

/* The pad's caps in system memory and, if `cuda`, also in CUDA memory; a new
 * reference. */
GstCaps *gst_rvos_mask_pad_caps(gboolean cuda);
/* The mask's caps for the frames' caps; a new reference. */
GstCaps *gst_rvos_mask_pad_gray_caps(GstPad *pad, const GstCaps *caps);
/* The pad, a new reference, or NULL. */
GstPad *gst_rvos_mask_pad_ref(GstRvosSeg *self);
/* Sends an event of the sink pad to the mask pad, translated; borrows it. */
void gst_rvos_mask_pad_event(GstRvosSeg *self, GstEvent *event);
/* Sends the sticky events, if due. The streaming thread calls it before serialized events
 * and buffers. */
void gst_rvos_mask_pad_send_sticky(GstRvosSeg *self, GstPad *pad);
/* Called before and after anything that may block in the branch. */
void gst_rvos_mask_pad_enter(GstRvosSeg *self, GstPad *pad);
void gst_rvos_mask_pad_leave(GstRvosSeg *self);
/* Ends a flush that got no FLUSH_STOP. */
void gst_rvos_mask_pad_end_flush(GstRvosSeg *self);

/* ---- gstrvosmaskpush.c: the masks ------------------------------------------------- */

/* Called before a mask in system memory is made: asks the peer for a pool, if due. */
void gst_rvos_mask_pad_prepare(GstRvosSeg *self);
/* Pushes the result's mask with the time of `frame`. A mask in CUDA memory is copied to
 * system memory unless the peer accepts CUDA memory. */
void gst_rvos_mask_pad_push(GstRvosSeg *self, GstBuffer *frame);
/* Sends a gap event for a frame without a mask, so that sinks do not wait. */
void gst_rvos_mask_pad_gap(GstRvosSeg *self, GstClockTime time, GstClockTime duration);

G_END_DECLS
#endif
