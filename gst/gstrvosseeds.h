/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseeds.h - gives initial masks to the network (docs/element.md, "Initial masks"),
 * and the sources of masks that keep no state.
 *
 * Masks come by signal (gstrvosrequests.c), from files (gstrvosmaskfiles.c), as metadata
 * (gstrvosseedmeta.c) and from a detector's boxes (gstrvosdetect.c). If several masks
 * have the same slot in one frame, the first in this order wins.
 */
#ifndef GST_RVOS_SEEDS_H
#define GST_RVOS_SEEDS_H

#include "gstrvosimage.h"
#include "gstrvosmodel.h"
#include "gstrvosresult.h"
#include "gstrvosshape.h"

typedef struct {
    /* Parts of the video's state; borrowed from open to close. */
    GstRvosModel *model; /* for error details */
    rvos_stream *stream;
    rvos_task task;
    guint n_slots;
    GstRvosTracker *tracker;
    GstRvosShape *shape;
    GstVideoInfo *info; /* of the frames */
    GstRvosNotices *notices;

    guint32 followed; /* slots seeded since the reset */
    gboolean given;   /* a mask was given since start */
    gboolean ever;    /* a slot was seeded since start */
    /* Warnings that were posted since start. */
    gboolean none_said, lost_said, above_said, meta_said;
} GstRvosSeeds;

typedef enum {
    GST_RVOS_SHOWN,
    GST_RVOS_NOTHING_TO_SHOW,
    GST_RVOS_ABOVE, /* all its objects are above the number of slots */
    GST_RVOS_FAILED /* an error was noted */
} GstRvosShown;

/* Seeds one mask. `allowed` are the slots that may be used, *taken those that have a mask
 * already. */
GstRvosShown gst_rvos_seeds_show(GstRvosSeeds *seeds, const GstRvosMask *mask,
                                 guint32 allowed, guint32 *taken);

/* The slots that cannot take a new object. */
guint32 gst_rvos_seeds_busy(const GstRvosSeeds *seeds, guint32 taken);

/* Adds the error of a failed librvos call to the notices. Returns FALSE. */
gboolean gst_rvos_seeds_fail(GstRvosSeeds *seeds, int status, const gchar *what);

/* Warns once why the network does not run. */
void gst_rvos_seeds_explain_rest(GstRvosSeeds *seeds);

/* ---- gstrvosseedmeta.c: masks and regions in the frame's metadata ------------------ */

/* Both return FALSE if an error was added to the notices. */
gboolean gst_rvos_seed_meta_apply(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken);
/* Seeds one box, whose id is its slot. */
gboolean gst_rvos_seed_meta_show_region(GstRvosSeeds *seeds,
                                        const GstVideoRegionOfInterestMeta *region,
                                        guint32 *taken);

/* ---- gstrvosdetect.c: boxes of a detector upstream, in the frame's metadata -------- */

#define GST_RVOS_MAX_DETECTIONS 64 /* per frame; further ones are ignored */

/* Recently seeded boxes by slot, so that a box that did not become an object is not tried
 * again in every frame. */
typedef struct {
    GstRvosDetection box;
    guint frames; /* remaining frames; 0: no box */
} GstRvosSeeded;

/* Starts an object for each detection that fits no object, and labels the objects that
 * fit one. `seeded` has an entry per slot. Adds the seeded slots to *taken. FALSE: an
 * error was added to the notices. */
gboolean gst_rvos_detect_apply(GstRvosSeeds *seeds, GstRvosSeeded *seeded,
                               GstBuffer *buffer, guint32 *taken);

#endif
