/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosresult.h - the result of one frame (mask and objects), detections, and the names
 * of their metadata. */
#ifndef GST_RVOS_RESULT_H
#define GST_RVOS_RESULT_H

#include <gst/gst.h>

#include "gstrvostrack.h"

#define GST_RVOS_META_NAME "GstRvosSegMeta"
#define GST_RVOS_ROI_OBJECT "rvos-object" /* roi_type of our objects */
#define GST_RVOS_ROI_INIT "rvos-init"     /* roi_type of boxes to follow */

/* Buffers are borrowed and valid until the next call of the segmenter. */
typedef struct {
    GstBuffer *mask;  /* GRAY8, frame size, in system or CUDA memory */
    GstBuffer *alpha; /* the soft foreground in the same form; NULL unless output=alpha */
    guint width, height;
    guint64 epoch;
    gboolean inferred; /* the network has run on this frame */
    gboolean late;     /* the network did not run, because the frame is late */
    gboolean stale;    /* the mask was made for an earlier frame */
    guint age;         /* number of frames since then */
    guint n;
    GstRvosObject object[RVOS_MAX_OBJECTS]; /* the visible objects */
    gboolean lost[RVOS_MAX_OBJECTS];        /* whether object[i] is lost */
} GstRvosResult;

/* A box in pixels of the frame; its label, in UTF-8, may be 0. */
typedef struct {
    gint x, y, width, height;
    GQuark label;
} GstRvosDetection;

#endif
