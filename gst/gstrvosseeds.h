/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseeds.h - initial masks of one-shot mode (element.md section 6).
 *
 * Value n of a mask is slot n. Where several masks meet on one frame a slot is taken
 * from the first that has it: signal, then file, then metadata.
 */
#ifndef GST_RVOS_SEEDS_H
#define GST_RVOS_SEEDS_H

#include <gst/gst.h>

#include "gstrvosmodel.h"

G_BEGIN_DECLS

struct _GstRvosSeg;

/* An index mask in memory, rows without padding. */
typedef struct {
    guint width, height;
    guint8 *pixels; /* g_malloc */
} GstRvosMaskImage;

/* gstrvosimage.c: an 8-bit palette or grey PNG, or a PGM (P5). */
gboolean gst_rvos_image_read(const gchar *path, GstRvosMaskImage *image,
                             GstRvosFailure *failure);

/* What an action signal asked for, in order of asking. */
typedef struct {
    GstSample *sample; /* set-mask; NULL: drop-object */
    gboolean replace;
    guint slot; /* of drop-object */
} GstRvosRequest;

void gst_rvos_request_free(gpointer request);

typedef struct {
    /* From init-mask-location. */
    GHashTable *files;       /* frame number -> path, of a pattern or folder; or NULL */
    GstRvosMaskImage single; /* of a file, read in start; pixels NULL: none */
    GstClockTime first_time; /* stream time of the first frame since start */
    gboolean first_seen;
    guint64 count; /* frames since start or flush */

    guint32 followed;               /* slots that have been seeded since the reset */
    gboolean none_said, above_said; /* warnings, once a start */
} GstRvosSeeds;

/* In start. FALSE: `failure` tells why. */
gboolean gst_rvos_seeds_open(struct _GstRvosSeg *self, const gchar *location,
                             GstRvosFailure *failure);
void gst_rvos_seeds_close(struct _GstRvosSeg *self);

/* gstrvosmaskfiles.c: lists a folder, or reads the one file. */
gboolean gst_rvos_mask_files_open(GstRvosSeeds *seeds, const gchar *location,
                                  GstRvosFailure *failure);

/* Whether a mask with `replace` is due: the state is cleared before it is applied. */
gboolean gst_rvos_seeds_want_reset(struct _GstRvosSeg *self);

/* Shows the stream all masks that belong to the frame in hand, and drops what is to be
 * dropped. *applied: the network must run. FALSE: an error has been posted. */
gboolean gst_rvos_seeds_apply(struct _GstRvosSeg *self, GstBuffer *buffer,
                              gboolean *applied);

/* Action signals. */
gboolean gst_rvos_seeds_set_mask(struct _GstRvosSeg *self, GstSample *sample);
gboolean gst_rvos_seeds_drop_object(struct _GstRvosSeg *self, guint slot);

G_END_DECLS
#endif
