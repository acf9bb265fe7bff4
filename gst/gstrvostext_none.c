/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvostext_none.c - a build without Pango: no text on the picture. */
#include "gstrvostext.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

const gboolean gst_rvos_text_built = FALSE;

GstRvosText *gst_rvos_text_new(void)
{
    return NULL;
}

void gst_rvos_text_free(GstRvosText *text)
{
}

gint gst_rvos_text_draw(GstRvosText *text, rvos_device *device,
                        const GstVideoFrame *frame, const GstRvosResult *result,
                        const rvos_palette *palette, guint what)
{
    return RVOS_OK;
}
