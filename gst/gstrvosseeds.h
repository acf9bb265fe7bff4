/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseeds.h - shows initial masks to the network (docs/element.md, "Initial masks"),
 * and those sources of them that keep nothing of their own.
 *
 * Masks come by signal (gstrvosrequests.c), from files (gstrvosmaskfiles.c), as metadata
 * (gstrvosseedmeta.c) and from a detector's boxes (gstrvosdetect.c). Where several meet
 * on one frame a slot is taken from the first that has it, in this order.
 */
#ifndef GST_RVOS_SEEDS_H
#define GST_RVOS_SEEDS_H

#include "gstrvosimage.h"
#include "gstrvosmodel.h"
#include "gstrvosresult.h"
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

/* ---- gstrvosseedmeta.c: masks and regions in the frame's metadata ------------------ */

/* Both return FALSE if an error was noted. */
gboolean gst_rvos_seed_meta_apply(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken);
/* Shows one box, whose id is its slot. */
gboolean gst_rvos_seed_meta_show_region(GstRvosSeeds *seeds,
                                        const GstVideoRegionOfInterestMeta *region,
                                        guint32 *taken);

/* ---- gstrvosdetect.c: boxes of a detector upstream, in the frame's metadata -------- */

#define GST_RVOS_MAX_DETECTIONS 64 /* of a frame; more are passed over */

/* What was seeded lately, by slot: a box that did not become an object is not tried again
 * in every frame. */
typedef struct {
    GstRvosDetection box;
    guint frames; /* for so many frames to come; 0: nothing */
} GstRvosSeeded;

/* Starts an object for each detection on the buffer that fits none, and gives labels to
 * those that one fits. `seeded`: of each slot. *taken: slots that have been seeded.
 * FALSE: an error was noted. */
gboolean gst_rvos_detect_apply(GstRvosSeeds *seeds, GstRvosSeeded *seeded,
                               GstBuffer *buffer, guint32 *taken);

G_END_DECLS
#endif
