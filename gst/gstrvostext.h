/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvostext.h - writes names and ids of objects on the picture.
 *
 * Each object has a tag: a plate in the object's colour at the upper left corner of its
 * box, with black or white letters. Pango makes the letters once; the tag is kept until
 * its words or the frame's size change. Drawing allocates nothing. It knows no element.
 * Only the streaming thread uses it.
 */
#ifndef GST_RVOS_TEXT_H
#define GST_RVOS_TEXT_H

#include <gst/video/video.h>
#include <rvos.h>

#include "gstrvostrack.h"

typedef struct _GstRvosText GstRvosText;

#ifdef NO_PANGO /* nothing is written */

#define gst_rvos_text_built FALSE
#define gst_rvos_text_new() NULL
#define gst_rvos_text_free g_free
#define gst_rvos_text_draw(text, device, frame, result, palette, what)                   \
    ((void)(frame), (void)(palette), RVOS_OK)

#else

#define gst_rvos_text_built TRUE

/* Finds the fonts, which takes some milliseconds. */
GstRvosText *gst_rvos_text_new(void);
void gst_rvos_text_free(GstRvosText *text);

/* Writes on a mapped frame in system memory. `what`: flags of GstRvosSegOverlayText.
 * Returns a status of librvos. */
gint gst_rvos_text_draw(GstRvosText *text, rvos_device *device,
                        const GstVideoFrame *frame, const GstRvosResult *result,
                        const rvos_palette *palette, guint what);

#endif
#endif
