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
} GstRvosGpu;

/* Whether frames in CUDA memory can be taken, as far as is known. With the object lock.
 */
gboolean gst_rvos_gpu_usable(const GstRvosSeg *self);

/* In start, before the model is opened: a context, if the engine may be CUDA's. */
void gst_rvos_gpu_find_context(GstRvosSeg *self);
void gst_rvos_gpu_drop_context(GstRvosSeg *self);
void gst_rvos_gpu_set_context(GstElement *element, GstContext *context);
gboolean gst_rvos_gpu_answer_context(GstRvosSeg *self, GstQuery *query);

gboolean gst_rvos_gpu_propose_pool(GstRvosSeg *self, GstQuery *query);

/* What a frame's context means for the model. */
typedef enum {
    GST_RVOS_GPU_STAY,
    GST_RVOS_GPU_MOVE, /* `context` is the frame's now: the model must be opened anew */
    GST_RVOS_GPU_REFUSED, /* it is another GPU than the user wants; an error is posted */
} GstRvosGpuMove;
GstRvosGpuMove gst_rvos_gpu_follow(GstRvosSeg *self, GstBuffer *buffer);

G_END_DECLS
#endif
