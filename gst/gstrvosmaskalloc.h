/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosmaskalloc.h - mask buffers: their geometry, and pools in system and CUDA memory.
 *
 * A mask is GRAY8 and has the frame's size. This module knows no element and no pad; the
 * mask pad passes on its peer's answer. It has no lock, because only the streaming thread
 * uses it.
 */
#ifndef GST_RVOS_MASK_ALLOC_H
#define GST_RVOS_MASK_ALLOC_H

#include <gst/video/video.h>
#include <rvos.h>

typedef struct {
    GstVideoInfo info;     /* geometry of a mask */
    GstCaps *caps;         /* caps of a mask in system memory; NULL: size unknown */
    GstBufferPool *system; /* NULL: none yet */
    GstBufferPool *cuda;   /* NULL: none yet */
} GstRvosMaskAlloc;

/* Sets the geometry for these frames. Drops both pools. */
void gst_rvos_mask_alloc_set_info(GstRvosMaskAlloc *alloc, const GstVideoInfo *frame);

/* Makes a new pool in system memory. `answer` is a peer's answer to an ALLOCATION query
 * for `caps`, or NULL. If the peer's pool cannot be used, makes our own. */
void gst_rvos_mask_alloc_configure(GstRvosMaskAlloc *alloc, GstQuery *answer);

/* A new buffer in system memory or, with a context, in CUDA memory. NULL: out of
 * memory. */
GstBuffer *gst_rvos_mask_alloc_new(GstRvosMaskAlloc *alloc, GstObject *context);

/* Maps a mask and describes it to librvos. RVOS_MEMORY_CUDA gives GPU addresses of a mask
 * in CUDA memory. RVOS_MEMORY_HOST copies such a mask to system memory first. Unmap with
 * gst_video_frame_unmap. */
gboolean gst_rvos_mask_alloc_map(const GstRvosMaskAlloc *alloc, GstBuffer *mask,
                                 rvos_memory memory, GstMapFlags flags,
                                 GstVideoFrame *frame, rvos_labels *labels);

/* A copy in system memory; NULL: failed. */
GstBuffer *gst_rvos_mask_alloc_copy(GstRvosMaskAlloc *alloc, GstBuffer *mask);

/* Drops the CUDA pool; call it before the context changes. */
void gst_rvos_mask_alloc_drop_cuda(GstRvosMaskAlloc *alloc);
void gst_rvos_mask_alloc_clear(GstRvosMaskAlloc *alloc);

#endif
