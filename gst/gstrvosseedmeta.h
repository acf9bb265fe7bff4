/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseedmeta.h - initial masks and regions in the frame's metadata. */
#ifndef GST_RVOS_SEED_META_H
#define GST_RVOS_SEED_META_H

#include <gst/video/video.h>

#include "gstrvosseeds.h"

G_BEGIN_DECLS

/* Both return FALSE if an error was noted. */
gboolean gst_rvos_seed_meta_apply(GstRvosSeeds *seeds, GstBuffer *buffer, guint32 *taken);
/* Shows one box, whose id is its slot. */
gboolean gst_rvos_seed_meta_show_region(GstRvosSeeds *seeds,
                                        const GstVideoRegionOfInterestMeta *region,
                                        guint32 *taken);

G_END_DECLS
#endif
