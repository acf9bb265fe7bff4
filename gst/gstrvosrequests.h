/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosrequests.h - the requests of the action signals set-mask and drop-object.
 *
 * Signals come from any thread. Their requests wait in a queue for the streaming thread.
 * The queue has its own lock, and nothing else is called while it is held.
 */
#ifndef GST_RVOS_REQUESTS_H
#define GST_RVOS_REQUESTS_H

#include "gstrvosseeds.h"

typedef struct {
    GMutex lock;
    GQueue queue;
    rvos_task task; /* the stream's task; DEFAULT: no stream */
    guint n_slots;  /* the stream's slots; 0: unknown */
} GstRvosRequests;

void gst_rvos_requests_init(GstRvosRequests *requests);
void gst_rvos_requests_finalize(GstRvosRequests *requests);

/* Sets what the stream accepts from now on. DEFAULT, 0: there is no stream; requests stay
 * in the queue. */
void gst_rvos_requests_open(GstRvosRequests *requests, rvos_task task, guint n_slots);
void gst_rvos_requests_clear(GstRvosRequests *requests);
/* Called in a mode that accepts no masks: removes waiting masks and returns their
 * number. */
guint gst_rvos_requests_drop_masks(GstRvosRequests *requests);

/* ---- from any thread ------------------------------------------------------------- */

/* `takes`: whether the stream that is not open yet will accept masks. FALSE, with a
 * warning: the mask cannot be used. */
gboolean gst_rvos_requests_set_mask(GstRvosRequests *requests, GstSample *sample,
                                    gboolean takes, GstRvosNotices *notices);
/* FALSE: no such slot. */
gboolean gst_rvos_requests_drop_object(GstRvosRequests *requests, guint slot);

/* ---- in the streaming thread; `time` is the frame's ------------------------------- */

/* Whether a mask with `replace` is due, before which the state must be cleared. */
gboolean gst_rvos_requests_want_reset(GstRvosRequests *requests, GstClockTime time);
/* *applied: an object was dropped. FALSE: an error was noted. */
gboolean gst_rvos_requests_apply(GstRvosRequests *requests, GstRvosSeeds *seeds,
                                 GstClockTime time, guint32 *taken, gboolean *applied);

#endif
