/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseeds.h - shows initial masks to the network (docs/element.md, "Initial masks").
 *
 * Masks come by signal (gstrvosrequests.c), from files (gstrvosmaskfiles.c), as metadata
 * (gstrvosseedmeta.c) and from a detector's boxes (gstrvosdetect.c). Where several meet
 * on one frame a slot is taken from the first that has it, in this order.
 */
#ifndef GST_RVOS_SEEDS_H
#define GST_RVOS_SEEDS_H

#include "gstrvosimage.h"
#include "gstrvosmodel.h"
#include "gstrvosshape.h"

G_BEGIN_DECLS

typedef struct {
    /* What belongs to the video; borrowed, from open to close. */
    GstRvosModel *model; /* for its last words */
    rvos_stream *stream;
    rvos_task task;
    guint n_slots;
    GstRvosTracker *tracker;
    GstRvosShape *shape;
    GstVideoInfo *info; /* of the frames */
    GstRvosNotices *notices;

    guint32 followed; /* slots that have been seeded since the reset */
    gboolean given;   /* some mask was given since start */
    gboolean ever;    /* some slot was seeded since start */
    /* Warnings, once a start. */
    gboolean none_said, lost_said, above_said, meta_said;
} GstRvosSeeds;

typedef enum {
    GST_RVOS_SHOWN,
    GST_RVOS_NOTHING_TO_SHOW,
    GST_RVOS_ABOVE, /* all its objects are above the slots */
    GST_RVOS_FAILED /* an error was noted */
} GstRvosShown;

/* Shows one mask; `allowed` are slots, *taken those that have a mask by now. */
GstRvosShown gst_rvos_seeds_show(GstRvosSeeds *seeds, const GstRvosMask *mask,
                                 guint32 allowed, guint32 *taken);

/* Slots in which no new object may be put. */
guint32 gst_rvos_seeds_busy(const GstRvosSeeds *seeds, guint32 taken);

/* Notes why a call of librvos failed. */
void gst_rvos_seeds_fail(GstRvosSeeds *seeds, int status, const gchar *what);

/* Why the network rests: says once what is missing. */
void gst_rvos_seeds_explain_rest(GstRvosSeeds *seeds);

G_END_DECLS
#endif
