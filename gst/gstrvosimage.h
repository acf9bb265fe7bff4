/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosimage.h - reads initial masks from files and buffers. Value n of a mask is slot
 * n; pictures.h has the whole rule. */
#ifndef GST_RVOS_IMAGE_H
#define GST_RVOS_IMAGE_H

#include <gst/gst.h>
#include <pictures.h>

#include "gstrvosnotice.h"

/* A mask with the values 0, slots and MASK_IGNORE, and facts about its source. */
typedef struct {
    struct picture picture;
    struct mask_facts facts;
} GstRvosMask;

void gst_rvos_mask_clear(GstRvosMask *mask);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GstRvosMask, gst_rvos_mask_clear)

/* The mask's slots up to this number, as a bit mask. */
guint32 gst_rvos_mask_slots(const GstRvosMask *mask, guint n_slots);

/* FALSE: an error was added, or `error` has the reason. */
gboolean gst_rvos_mask_read(const gchar *path, GstRvosMask *mask,
                            GstRvosNotices *notices);
/* The same, but a mask without an object is an error. */
gboolean gst_rvos_mask_read_objects(const gchar *path, GstRvosMask *mask,
                                    GstRvosNotices *notices);
/* From GRAY8 of this size. The buffer's GstVideoMeta and GstVideoCropMeta take
 * precedence. */
gboolean gst_rvos_mask_from_buffer(GstBuffer *buffer, guint width, guint height,
                                   GstRvosMask *mask, struct pic_error *error);

#endif
