/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseeds.h - initial masks of the modes that take masks (docs/element.md,
 * "Initial masks").
 *
 * Value n of a mask is slot n; pictures.h has the whole rule. Where several masks meet on
 * one frame a slot is taken from the first that has it: signal, then file, then metadata.
 */
#ifndef GST_RVOS_SEEDS_H
#define GST_RVOS_SEEDS_H

#include <gst/gst.h>
#include <gst/video/video.h>
#include <pictures.h>

#include "gstrvosmodel.h"
#include "gstrvosnumbers.h"

G_BEGIN_DECLS

struct _GstRvosSeg;

/* A mask whose values are slots, 0 and MASK_IGNORE, and what it was before. */
typedef struct {
    struct picture picture;
    struct mask_facts facts;
} GstRvosMask;

void gst_rvos_mask_clear(GstRvosMask *mask);

/* gstrvosimage.c. FALSE: `failure` or `error` tells why, and names the file. */
gboolean gst_rvos_mask_read(const gchar *path, GstRvosMask *mask,
                            GstRvosFailure *failure);
/* The same; a mask that shows no object is an error. */
gboolean gst_rvos_mask_read_objects(const gchar *path, GstRvosMask *mask,
                                    GstRvosFailure *failure);
/* From GRAY8 of this size; GstVideoMeta and GstVideoCropMeta of the buffer go before. */
gboolean gst_rvos_mask_from_buffer(GstBuffer *buffer, guint width, guint height,
                                   GstRvosMask *mask, struct pic_error *error);

/* A numbered mask file. */
typedef struct {
    guint64 number;
    gchar *path;
    gboolean used;
} GstRvosMaskFile;

typedef struct {
    /* From init-mask-location. */
    GHashTable *files;  /* number -> GstRvosMaskFile, of a pattern or folder; or NULL */
    gchar *location;    /* as the user gave it */
    GstRvosMask single; /* of a file, read in start; pixels NULL: none */
    GstClockTime first_time; /* stream time of the first frame since start */
    gboolean first_seen;

    GstRvosNumbers numbers;
    GstRvosMaskFile *due; /* of this picture, or of one before that was not segmented */
    guint64 number;       /* of the picture in hand */
    guint64 pictures;     /* since start */

    guint32 followed; /* slots that have been seeded since the reset */
    gboolean given;   /* some mask was given since start */
    gboolean ever;    /* some slot was seeded since start */
    gboolean sought;  /* the stream was interrupted since start */
    /* Warnings, once a start. */
    gboolean none_said, lost_said, above_said, meta_said, unknown_said;
} GstRvosSeeds;

/* Whether masks are taken: by the stream's task, before there is one by the mode. With
 * the object lock, or in the streaming thread. */
gboolean gst_rvos_seeds_are_taken(const struct _GstRvosSeg *self);

/* In start. FALSE: `failure` tells why. */
gboolean gst_rvos_seeds_open(struct _GstRvosSeg *self, const gchar *location,
                             GstRvosFailure *failure);
void gst_rvos_seeds_close(struct _GstRvosSeg *self);

/* gstrvosmaskfiles.c: lists a folder, or reads the one file. */
gboolean gst_rvos_mask_files_open(GstRvosSeeds *seeds, const gchar *location,
                                  GstRvosFailure *failure);
/* Paths of the first files that found no picture, for messages; NULL: all were used. To
 * be freed. */
gchar *gst_rvos_mask_files_unused(const GstRvosSeeds *seeds, guint *count);

/* gstrvosseedmeta.c: shows one box, whose id is its slot. FALSE: an error was posted. */
gboolean gst_rvos_seeds_show_region(struct _GstRvosSeg *self,
                                    const GstVideoRegionOfInterestMeta *region,
                                    guint32 *taken);

/* For each picture that comes, be it segmented or not. */
void gst_rvos_seeds_picture(struct _GstRvosSeg *self);
/* After a flush, or at a segment: `seek` if it belongs to one. */
void gst_rvos_seeds_jump(struct _GstRvosSeg *self);
/* At the end of the stream: tells of masks that found no picture. */
void gst_rvos_seeds_end(struct _GstRvosSeg *self);
/* Why the network rests: says once what is missing. */
void gst_rvos_seeds_explain_rest(struct _GstRvosSeg *self);
/* Whether files wait for pictures to come, so that none should be dropped upstream. From
 * any thread. */
gboolean gst_rvos_seeds_wait(struct _GstRvosSeg *self);

/* Shows the stream all masks that belong to the frame in hand, and drops what is to be
 * dropped. *applied: the network must run. FALSE: an error has been posted. */
gboolean gst_rvos_seeds_apply(struct _GstRvosSeg *self, GstBuffer *buffer,
                              gboolean *applied);

/* Shows one mask; `allowed` are slots, *taken those that have a mask by now. A mask of
 * the right form that has no slot to go to: FALSE with words, and nothing is posted. */
typedef enum {
    GST_RVOS_SHOWN,
    GST_RVOS_NOTHING_TO_SHOW,
    GST_RVOS_ABOVE, /* all its objects are above the slots */
    GST_RVOS_FAILED /* an error was posted */
} GstRvosShown;
GstRvosShown gst_rvos_seeds_show(struct _GstRvosSeg *self, const GstRvosMask *mask,
                                 guint32 allowed, guint32 *taken);

/* ---- gstrvosrequests.c: what action signals ask for ----------------------------------
 */

void gst_rvos_request_free(gpointer request);
gboolean gst_rvos_seeds_set_mask(struct _GstRvosSeg *self, GstSample *sample);
gboolean gst_rvos_seeds_drop_object(struct _GstRvosSeg *self, guint slot);

/* Whether a mask with `replace` is due: the state is cleared before it is applied. */
gboolean gst_rvos_seeds_want_reset(struct _GstRvosSeg *self);
/* FALSE: an error has been posted. */
gboolean gst_rvos_requests_apply(struct _GstRvosSeg *self, guint32 *taken,
                                 gboolean *applied);
/* Masks that wait, in a mode that takes none. */
void gst_rvos_requests_drop_masks(struct _GstRvosSeg *self);
void gst_rvos_requests_clear(struct _GstRvosSeg *self);

/* ---- gstrvosseedmeta.c: masks and regions that come with the frame
 * ----------------------- */

gboolean gst_rvos_seeds_apply_metas(struct _GstRvosSeg *self, GstBuffer *buffer,
                                    guint32 *taken);

G_END_DECLS
#endif
