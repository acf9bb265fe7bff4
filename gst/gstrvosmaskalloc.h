/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskalloc.h - buffers for masks: their geometry, and pools of them in system and
 * in CUDA memory.
 *
 * A mask is GRAY8 and has the frame's size. This module knows no element and no pad: the
 * mask pad passes its peer's answer on. It has no lock; the streaming thread owns it.
 */
#ifndef GST_RVOS_MASK_ALLOC_H
#define GST_RVOS_MASK_ALLOC_H

#include <gst/video/video.h>
#include <rvos.h>

G_BEGIN_DECLS

typedef struct {
    GstVideoInfo info;     /* of a mask */
    GstCaps *caps;         /* likewise, in system memory; NULL: no size is known yet */
    GstBufferPool *system; /* NULL: none yet */
    GstBufferPool *cuda;   /* likewise */
} GstRvosMaskAlloc;

/* For frames like this one. Drops both pools. */
void gst_rvos_mask_alloc_set_info(GstRvosMaskAlloc *alloc, const GstVideoInfo *frame);

/* Makes a new pool in system memory. `answer`: a peer's answer to an ALLOCATION query
 * for `caps`, or NULL. If the peer's pool cannot be used, the pool is our own. */
void gst_rvos_mask_alloc_configure(GstRvosMaskAlloc *alloc, GstQuery *answer);

/* A new buffer in system memory or, with a context, in its CUDA memory. NULL: there is no
 * memory. */
GstBuffer *gst_rvos_mask_alloc_new(GstRvosMaskAlloc *alloc, GstObject *context);

/* Maps a mask, and describes it to librvos. RVOS_MEMORY_CUDA gives addresses on the GPU,
 * for a mask that is there; RVOS_MEMORY_HOST copies such a mask to system memory first.
 * Ends with gst_video_frame_unmap. */
gboolean gst_rvos_mask_alloc_map(const GstRvosMaskAlloc *alloc, GstBuffer *mask,
                                 rvos_memory memory, GstMapFlags flags,
                                 GstVideoFrame *frame, rvos_labels *labels);

/* A copy in system memory; NULL: that failed. */
GstBuffer *gst_rvos_mask_alloc_copy(GstRvosMaskAlloc *alloc, GstBuffer *mask);

/* The CUDA context changes or goes. */
void gst_rvos_mask_alloc_drop_cuda(GstRvosMaskAlloc *alloc);
void gst_rvos_mask_alloc_clear(GstRvosMaskAlloc *alloc);

G_END_DECLS
#endif
