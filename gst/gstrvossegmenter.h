/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvossegmenter.h - segments one video.
 *
 * It owns what one video needs: the rvos_stream, objects and their ids, the place in
 * time, which frames are segmented, scene cuts, given masks, and the masks that frames
 * show until the network's next answer. It knows no element: images, times and settings
 * go in, and a result comes out. What the application should know waits as notices.
 *
 * Threads: the functions of the first part belong to the streaming thread (open and close
 * to the thread that has stopped it). Those of the second part may be called from any
 * thread at any time. No lock is held while the network runs.
 */
#ifndef GST_RVOS_SEGMENTER_H
#define GST_RVOS_SEGMENTER_H

#include <gst/video/video.h>

#include "gstrvosmaskalloc.h"
#include "gstrvosresult.h"
#include "gstrvosstream.h"

G_BEGIN_DECLS

typedef struct _GstRvosSegmenter GstRvosSegmenter;

/* What has happened since the open. */
typedef struct {
    guint64 inferred, reused_interval, reused_late, resets;
    GstRvosReset last_reset;
    guint64 epoch;
    guint objects_alive;
    guint64 objects_found;    /* that were announced */
    guint64 discovery_frames; /* of auto mode: that looked for objects */
    GstClockTime inference_last, inference_avg, inference_p95, inference_max;
    guint64 readback_bytes; /* of masks, from the GPU to system memory */
} GstRvosCounts;

/* A frame. All borrowed. */
typedef struct {
    const rvos_image *image;
    GstBuffer *buffer; /* its metadata may hold masks and boxes; NULL: none */
    GstRvosTimes times;
    GstClockTime earliest; /* running time up to which frames are late; NONE */
} GstRvosInput;

/* `masks` is borrowed. */
GstRvosSegmenter *gst_rvos_segmenter_new(GstRvosMaskAlloc *masks);
void gst_rvos_segmenter_free(GstRvosSegmenter *self);

/* ---- the streaming thread --------------------------------------------------------- */

/* *cost: the time that a frame will take. FALSE: `failure` tells why; close it. */
gboolean gst_rvos_segmenter_open(GstRvosSegmenter *self, const GstRvosOpen *open,
                                 GstClockTime *cost, GstRvosFailure *failure);
void gst_rvos_segmenter_close(GstRvosSegmenter *self);

/* To go on with another model: leave, then enter. The objects are forgotten, but not
 * which masks were given. */
void gst_rvos_segmenter_leave(GstRvosSegmenter *self);
gboolean gst_rvos_segmenter_enter(GstRvosSegmenter *self, const GstRvosOpen *open,
                                  GstClockTime *cost, GstRvosFailure *failure);

/* Whether there is a stream: not after an `enter` that failed. */
gboolean gst_rvos_segmenter_is_open(const GstRvosSegmenter *self);
void gst_rvos_segmenter_get_info(const GstRvosSegmenter *self, rvos_stream_info *info);

/* Frames of this kind come, in CUDA memory or not. A picture of another shape forgets the
 * objects. */
void gst_rvos_segmenter_set_info(GstRvosSegmenter *self, const GstVideoInfo *info,
                                 gboolean cuda);
/* Takes the memory for such frames. FALSE: an error was noted, unless it was before. */
gboolean gst_rvos_segmenter_prepare(GstRvosSegmenter *self);

/* An event of the video that has come. `sought`: it belongs to a seek. */
void gst_rvos_segmenter_event(GstRvosSegmenter *self, GstEvent *event,
                              const GstRvosSettings *settings, gboolean sought);

/* For each picture that comes, be it segmented or not. */
void gst_rvos_segmenter_picture(GstRvosSegmenter *self, GstClockTime stream_time);

/* Whether it wants to see the next frame in system memory, and the frame: to find out
 * whether the scene has changed. */
gboolean gst_rvos_segmenter_looks(const GstRvosSegmenter *self,
                                  const GstRvosSettings *settings, gboolean cuda);
void gst_rvos_segmenter_look(GstRvosSegmenter *self, const GstVideoFrame *frame,
                             const GstRvosSettings *settings);

/* Segments a frame, or holds the last mask. FALSE: an error was noted. */
gboolean gst_rvos_segmenter_process(GstRvosSegmenter *self, const GstRvosInput *input,
                                    const GstRvosSettings *settings,
                                    GstRvosResult *result);

/* A frame that flows on as it is: the state is kept, the mask grows older. */
void gst_rvos_segmenter_skip(GstRvosSegmenter *self, const GstRvosTimes *times);

/* The last mask in system memory; borrowed. NULL: an error was noted. */
GstBuffer *gst_rvos_segmenter_read_mask(GstRvosSegmenter *self);

/* The notices, oldest first. The element takes each one that it posts. */
GstRvosNotices *gst_rvos_segmenter_notices(GstRvosSegmenter *self);
const GstRvosCounts *gst_rvos_segmenter_counts(const GstRvosSegmenter *self);

/* ---- any thread ------------------------------------------------------------------- */

/* Forgets the objects before the next frame. Of several reasons the first one stays. */
void gst_rvos_segmenter_reset(GstRvosSegmenter *self, GstRvosReset reason);

/* The action signals. `mode`: the property, which decides before the open. FALSE: the
 * mask cannot be used, with a warning; there is no such slot. */
gboolean gst_rvos_segmenter_set_mask(GstRvosSegmenter *self, GstSample *sample, gint mode,
                                     GstRvosNotices *notices);
gboolean gst_rvos_segmenter_drop_object(GstRvosSegmenter *self, guint slot);

/* Whether mask files wait for pictures to come, so that none should be dropped upstream.
 */
gboolean gst_rvos_segmenter_waits(GstRvosSegmenter *self);

G_END_DECLS
#endif
