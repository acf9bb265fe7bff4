/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseeds.h - gives initial masks to the network (docs/element.md, "Initial masks"),
 * and the sources of masks that keep no state.
 *
 * Masks come by signal (gstrvosrequests.c), from files (gstrvosmaskfiles.c), as metadata
 * and from a detector's boxes (gstrvosseedmeta.c). If several masks have the same slot in
 * one frame, the first in this order wins.
 */
#ifndef GST_RVOS_SEEDS_H
#define GST_RVOS_SEEDS_H

#include "gstrvosimage.h"
#include "gstrvosmodel.h"
#include "gstrvosnumbers.h"
#include "gstrvosmeta.h"
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
    gboolean none_said, lost_said, above_said, meta_said, region_said;
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

/* Adds the error of a failed librvos call to the notices. Returns FALSE. */
gboolean gst_rvos_seeds_fail(GstRvosSeeds *seeds, int status, const gchar *what);

/* Warns once why the network does not run. */
void gst_rvos_seeds_explain_rest(GstRvosSeeds *seeds);

/* ---- gstrvosseedmeta.c: the frame's metadata --------------------------------------- */

/* Seeds masks and regions. FALSE: an error was added to the notices. */
gboolean gst_rvos_seed_meta_apply(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken);

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

/* ---- gstrvosrequests.c: the action signals set-mask and drop-object ---------------- */

/* Signals come from any thread. Their requests wait in a queue for the streaming thread.
 * The queue has its own lock, and nothing else is called while it is held. */
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

/* From any thread. */

/* `takes`: whether the stream that is not open yet will accept masks. FALSE, with a
 * warning: the mask cannot be used. */
gboolean gst_rvos_requests_set_mask(GstRvosRequests *requests, GstSample *sample,
                                    gboolean takes, GstRvosNotices *notices);
/* FALSE: no such slot. */
gboolean gst_rvos_requests_drop_object(GstRvosRequests *requests, guint slot);

/* In the streaming thread; `time` is the frame's. */

/* Whether a mask with `replace` is due, before which the state must be cleared. */
gboolean gst_rvos_requests_want_reset(GstRvosRequests *requests, GstClockTime time);
/* *applied: an object was dropped. FALSE: an error was noted. */
gboolean gst_rvos_requests_apply(GstRvosRequests *requests, GstRvosSeeds *seeds,
                                 GstClockTime time, guint32 *taken, gboolean *applied);

/* ---- gstrvosmaskfiles.c: init-mask-location; finds the file for a picture ---------- */

/* A numbered mask file. */
typedef struct {
    guint64 number;
    gchar *path;
    gboolean used;
} GstRvosMaskFile;

typedef struct {
    GArray *files;      /* GstRvosMaskFile by number, for a pattern or folder; or NULL */
    gchar *location;    /* as the user gave it; NULL: none */
    GstRvosMask single; /* a single file, read in start; pixels NULL: none */
    GstClockTime first_time; /* stream time of the first frame since start */
    gboolean first_seen;

    GstRvosNumbers numbers;
    GstRvosMaskFile *due; /* of this picture, or of an earlier one not segmented; NULL */
    guint64 number;       /* number of the current picture */
    guint64 pictures;     /* pictures since start */
    gboolean sought;      /* a seek or flush since start */
    gboolean unknown_said;
} GstRvosMaskFiles;

/* Lists a folder or reads a single file. `location` may be NULL. `n_slots` is 0 if not
 * known. FALSE: an error was added to the notices. */
gboolean gst_rvos_mask_files_open(GstRvosMaskFiles *files, const gchar *location,
                                  guint n_slots, GstRvosNotices *notices);
void gst_rvos_mask_files_close(GstRvosMaskFiles *files);

/* Called for each picture, segmented or not. */
void gst_rvos_mask_files_picture(GstRvosMaskFiles *files, GstClockTime stream_time,
                                 gboolean backward, const GstVideoInfo *info,
                                 GstRvosNotices *notices);
/* The next picture does not follow the last one. */
void gst_rvos_mask_files_jump(GstRvosMaskFiles *files);
/* Whether files wait for coming pictures. */
gboolean gst_rvos_mask_files_wait(const GstRvosMaskFiles *files);

/* Seeds the mask that belongs to the current frame. FALSE: an error was noted. */
gboolean gst_rvos_mask_files_apply(GstRvosMaskFiles *files, GstRvosSeeds *seeds,
                                   GstClockTime stream_time, GstClockTime duration,
                                   guint32 *taken);

/* Called at the end of the stream: warns of unused masks. If no mask was used and only
 * given objects are followed, it is an error. */
void gst_rvos_mask_files_end(GstRvosMaskFiles *files, const GstRvosSeeds *seeds,
                             gboolean given_only);

#endif
