/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosresult.h - what is known of one frame: its mask, its objects, boxes of
 * detectors; and the names that metadata has for it. */
#ifndef GST_RVOS_RESULT_H
#define GST_RVOS_RESULT_H

#include <gst/gst.h>

#include "gstrvostrack.h"

G_BEGIN_DECLS

#define GST_RVOS_META_NAME "GstRvosSegMeta"
#define GST_RVOS_ROI_OBJECT "rvos-object" /* roi_type of what we found */
#define GST_RVOS_ROI_INIT "rvos-init"     /* of what an application wants followed */

/* Buffers are borrowed: they hold until the segmenter is called again. */
typedef struct {
    GstBuffer *mask;  /* GRAY8, of the frame's size, maybe in CUDA memory */
    GstBuffer *alpha; /* likewise: the soft foreground; NULL unless output=alpha */
    guint width, height;
    guint64 epoch;
    gboolean inferred; /* the network has run on this frame */
    gboolean late;     /* it should have, but the frame is late */
    gboolean stale;    /* the mask was made for an earlier frame */
    guint age;         /* so many frames earlier */
    guint n;
    GstRvosObject object[RVOS_MAX_OBJECTS]; /* the visible ones */
    gboolean lost[RVOS_MAX_OBJECTS];        /* of object[i] */
} GstRvosResult;

/* A box in pixels of the frame; its label, in UTF-8, may be 0. */
typedef struct {
    gint x, y, width, height;
    GQuark label;
} GstRvosDetection;

G_END_DECLS
#endif
