/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskfiles.h - initial masks from init-mask-location: which file belongs to which
 * picture. The streaming thread owns it. */
#ifndef GST_RVOS_MASK_FILES_H
#define GST_RVOS_MASK_FILES_H

#include "gstrvosnumbers.h"
#include "gstrvosseeds.h"

G_BEGIN_DECLS

/* A numbered mask file. */
typedef struct {
    guint64 number;
    gchar *path;
    gboolean used;
} GstRvosMaskFile;

typedef struct {
    GHashTable *files;  /* number -> GstRvosMaskFile, of a pattern or folder; or NULL */
    gchar *location;    /* as the user gave it; NULL: none */
    GstRvosMask single; /* of a file, read in start; pixels NULL: none */
    GstClockTime first_time; /* stream time of the first frame since start */
    gboolean first_seen;

    GstRvosNumbers numbers;
    GstRvosMaskFile *due; /* of this picture, or of one before that was not segmented */
    guint64 number;       /* of the picture in hand */
    guint64 pictures;     /* since start */
    gboolean sought;      /* the stream was interrupted since start */
    gboolean unknown_said;
} GstRvosMaskFiles;

/* Lists a folder, or reads the one file. `location` may be NULL. `n_slots`: as far as it
 * is known; 0: it is not. FALSE: `failure` tells why. */
gboolean gst_rvos_mask_files_open(GstRvosMaskFiles *files, const gchar *location,
                                  guint n_slots, GstRvosFailure *failure);
void gst_rvos_mask_files_close(GstRvosMaskFiles *files);

/* For each picture that comes, be it segmented or not. */
void gst_rvos_mask_files_picture(GstRvosMaskFiles *files, GstClockTime stream_time,
                                 gboolean backward, const GstVideoInfo *info,
                                 GstRvosNotices *notices);
/* The next picture is another than the next of the stream. */
void gst_rvos_mask_files_jump(GstRvosMaskFiles *files);
/* Whether files wait for pictures to come. */
gboolean gst_rvos_mask_files_wait(const GstRvosMaskFiles *files);

/* Shows the mask that belongs to the frame in hand. FALSE: an error was noted. */
gboolean gst_rvos_mask_files_apply(GstRvosMaskFiles *files, GstRvosSeeds *seeds,
                                   GstClockTime stream_time, GstClockTime duration,
                                   guint32 *taken);

/* At the end of the stream: tells of masks that found no picture. That none did is an
 * error if only given objects are followed. */
void gst_rvos_mask_files_end(GstRvosMaskFiles *files, const GstRvosSeeds *seeds,
                             gboolean given_only);

G_END_DECLS
#endif
