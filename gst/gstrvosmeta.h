/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmeta.h - what a frame carries about its objects (docs/element.md,
 * "Metadata on the frame"). */
#ifndef GST_RVOS_META_H
#define GST_RVOS_META_H

#include <gst/video/video.h>

#include "gstrvostrack.h"

G_BEGIN_DECLS

#define GST_RVOS_META_NAME "GstRvosSegMeta"
#define GST_RVOS_ROI_OBJECT "rvos-object" /* roi_type of what we found */
#define GST_RVOS_ROI_INIT "rvos-init"     /* of what an application wants followed */

/* What all three kinds of metadata tell. */
typedef struct {
    GstBuffer *mask; /* GRAY8, of the frame's size, maybe in CUDA memory; borrowed */
    guint width, height;
    guint64 epoch;
    gboolean stale; /* the mask was made for an earlier frame */
    guint age;      /* so many frames earlier */
    guint n;
    GstRvosObject object[RVOS_MAX_OBJECTS]; /* the visible ones */
    gboolean lost[RVOS_MAX_OBJECTS];        /* of object[i] */
} GstRvosResult;

/* Once per process, from plugin_init. */
void gst_rvos_meta_register(void);

/* `kinds`: GstRvosSegAttachMeta. Metadata of an rvosseg further up are replaced. */
void gst_rvos_meta_attach(GstBuffer *buffer, guint kinds, const GstRvosResult *result);

/* The mask that some rvosseg upstream has attached; borrowed, or NULL. */
GstBuffer *gst_rvos_meta_get_mask(GstBuffer *buffer);

#ifdef HAVE_ANALYTICS
/* gstrvosanalytics.c */
void gst_rvos_analytics_attach(GstBuffer *buffer, const GstRvosResult *result);
#endif

G_END_DECLS
#endif
