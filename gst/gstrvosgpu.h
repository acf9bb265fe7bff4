/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosgpu.h - frames and masks in CUDA memory: caps, contexts, pools (docs/element.md,
 * "Frames on the GPU").
 *
 * The model, the masks and the frames use one CUDA context at a time. The element gets it
 * in start, from its neighbours or the application if they have one. If frames come in
 * another context, the element moves to that one.
 */
#ifndef GST_RVOS_GPU_H
#define GST_RVOS_GPU_H

#include <gst/base/base.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* G_DECLARE_FINAL_TYPE makes the same typedef, which C11 allows. */
typedef struct _GstRvosSeg GstRvosSeg;

typedef struct {
    GstObject *context; /* from start to stop; protected by the object lock; NULL: none */
} GstRvosGpu;

/* Whether frames in CUDA memory can be accepted, as far as is known. Called with the
 * object lock held.
 */
gboolean gst_rvos_gpu_usable(const GstRvosSeg *self);

/* Called in start before the model is opened: finds a context, if the engine may be
 * CUDA. */
void gst_rvos_gpu_find_context(GstRvosSeg *self);
void gst_rvos_gpu_drop_context(GstRvosSeg *self);
void gst_rvos_gpu_set_context(GstElement *element, GstContext *context);
gboolean gst_rvos_gpu_answer_context(GstRvosSeg *self, GstQuery *query);

gboolean gst_rvos_gpu_propose_pool(GstRvosSeg *self, GstQuery *query);

/* The effect of a frame's context on the model. */
typedef enum {
    GST_RVOS_GPU_STAY,
    GST_RVOS_GPU_MOVE,    /* `context` is now the frame's: reopen the model */
    GST_RVOS_GPU_REFUSED, /* not the GPU that the user wants; an error is posted */
} GstRvosGpuMove;
GstRvosGpuMove gst_rvos_gpu_follow(GstRvosSeg *self, GstBuffer *buffer);

G_END_DECLS
#endif
