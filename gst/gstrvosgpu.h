/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosgpu.h - frames and masks in CUDA memory: caps, contexts, pools (docs/element.md,
 * "Frames on the GPU").
 *
 * The element works in one CUDA context at a time: its model, its masks and the frames.
 * It gets one in start, from its neighbours or the application if they have one, and
 * moves to that of the frames when they turn out to be in another.
 */
#ifndef GST_RVOS_GPU_H
#define GST_RVOS_GPU_H

#include <gst/base/base.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* G_DECLARE_FINAL_TYPE makes the same typedef, which C11 allows. */
typedef struct _GstRvosSeg GstRvosSeg;

typedef struct {
    GstObject *context; /* from start to stop, under the object lock; NULL: none */

    /* The streaming thread's. */
    GstBufferPool *masks; /* of GRAY8 in CUDA memory; NULL: none yet */
} GstRvosGpu;

/* New caps of frames: in system memory and, where `cuda`, before it in CUDA memory; with
 * `engine` only what the CUDA engine takes. */
GstCaps *gst_rvos_gpu_frame_caps(gboolean cuda, gboolean engine, gboolean alpha);
gboolean gst_rvos_gpu_caps_in_cuda(const GstCaps *caps);
/* Whether frames in CUDA memory can be taken, as far as is known. With the object lock.
 */
gboolean gst_rvos_gpu_usable(const GstRvosSeg *self);

/* In start, before the model is opened: a context, if the engine may be CUDA's. */
void gst_rvos_gpu_find_context(GstRvosSeg *self);
void gst_rvos_gpu_drop_context(GstRvosSeg *self);
void gst_rvos_gpu_set_context(GstElement *element, GstContext *context);
gboolean gst_rvos_gpu_answer_context(GstRvosSeg *self, GstQuery *query);

gboolean gst_rvos_gpu_propose_pool(GstRvosSeg *self, GstQuery *query);

/* Before a frame: *cuda is whether its pixels are used where they are, on the GPU. Moves
 * the model to the frame's context if it must. FALSE: that failed, an error is posted. */
gboolean gst_rvos_gpu_follow(GstRvosSeg *self, GstBuffer *buffer, gboolean *cuda);

/* A GRAY8 buffer of the frame's size in CUDA memory. */
GstFlowReturn gst_rvos_gpu_alloc_mask(GstRvosSeg *self, GstBuffer **buffer);
/* Its copy in system memory; NULL: that failed, an error is posted. */
GstBuffer *gst_rvos_gpu_read_mask(GstRvosSeg *self, GstBuffer *mask);
/* Frames of another size come, or others altogether. */
void gst_rvos_gpu_drop_pool(GstRvosSeg *self);

G_END_DECLS
#endif
