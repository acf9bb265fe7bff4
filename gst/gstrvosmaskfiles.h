/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskfiles.h - initial masks from init-mask-location: finds the file for a
 * picture. Used by the streaming thread only. */
#ifndef GST_RVOS_MASK_FILES_H
#define GST_RVOS_MASK_FILES_H

#include "gstrvosnumbers.h"
#include "gstrvosseeds.h"

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
    GstRvosMaskFile
        *due;         /* for this picture, or for an earlier one that was not segmented */
    guint64 number;   /* number of the current picture */
    guint64 pictures; /* pictures since start */
    gboolean sought;  /* a seek or flush since start */
    gboolean unknown_said;
} GstRvosMaskFiles;

/* Lists a folder or reads a single file. `location` may be NULL. `n_slots` is 0 if not
 * known. FALSE: `failure` has the reason. */
gboolean gst_rvos_mask_files_open(GstRvosMaskFiles *files, const gchar *location,
                                  guint n_slots, GstRvosFailure *failure);
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
