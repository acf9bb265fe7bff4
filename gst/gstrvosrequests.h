/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosrequests.h - what the action signals set-mask and drop-object ask for.
 *
 * Signals come from any thread; their requests wait in a queue for the streaming thread.
 * The queue has a lock of its own, under which nothing else is called.
 */
#ifndef GST_RVOS_REQUESTS_H
#define GST_RVOS_REQUESTS_H

#include "gstrvosseeds.h"

G_BEGIN_DECLS

typedef struct {
    GMutex lock;
    GQueue queue;
    rvos_task task; /* of the stream; DEFAULT: there is none */
    guint n_slots;  /* likewise; 0: not known */
} GstRvosRequests;

void gst_rvos_requests_init(GstRvosRequests *requests);
void gst_rvos_requests_finalize(GstRvosRequests *requests);

/* What the stream takes from now on. */
void gst_rvos_requests_open(GstRvosRequests *requests, rvos_task task, guint n_slots);
/* There is no stream; what waits stays. */
void gst_rvos_requests_close(GstRvosRequests *requests);
void gst_rvos_requests_clear(GstRvosRequests *requests);
/* In a mode that takes none: how many masks waited. */
guint gst_rvos_requests_drop_masks(GstRvosRequests *requests);

/* ---- from any thread ------------------------------------------------------------- */

/* `takes`: whether masks will be taken by the stream that is not open yet. FALSE, with a
 * warning: the mask cannot be used. */
gboolean gst_rvos_requests_set_mask(GstRvosRequests *requests, GstSample *sample,
                                    gboolean takes, GstRvosNotices *notices);
/* FALSE: there is no such slot. */
gboolean gst_rvos_requests_drop_object(GstRvosRequests *requests, guint slot);

/* ---- in the streaming thread; `time` is the frame's ------------------------------- */

/* Whether a mask with `replace` is due: the state is cleared before it is applied. */
gboolean gst_rvos_requests_want_reset(GstRvosRequests *requests, GstClockTime time);
/* *applied: an object was dropped. FALSE: an error was noted. */
gboolean gst_rvos_requests_apply(GstRvosRequests *requests, GstRvosSeeds *seeds,
                                 GstClockTime time, guint32 *taken, gboolean *applied);

G_END_DECLS
#endif
