/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvossegmenter.h - segments one video.
 *
 * It owns the state of one video: the rvos_stream, objects and their ids, the position in
 * time, the pace, scene cuts, given masks, and the masks that frames show until the next
 * run of the network. It knows no element: images, times and settings go in, a result
 * comes out. Messages for the application wait as notices.
 *
 * Threads: the streaming thread calls the functions of the first part (open and close: a
 * thread that has stopped it). Any thread may call those of the second part at any time.
 * No lock is held while the network runs.
 */
#ifndef GST_RVOS_SEGMENTER_H
#define GST_RVOS_SEGMENTER_H

#include <gst/video/video.h>

#include "gstrvosmaskalloc.h"
#include "gstrvostrack.h"
#include "gstrvosmodel.h"
#include "gstrvosprops.h"

typedef struct _GstRvosSegmenter GstRvosSegmenter;

/* Counts since open. */
typedef struct {
    guint64 inferred, reused_interval, reused_late, resets;
    GstRvosReset last_reset;
    guint64 epoch;
    guint objects_alive;
    guint64 objects_found;    /* objects that were announced */
    guint64 discovery_frames; /* auto mode: frames that searched for objects */
    GstClockTime inference_last, inference_avg, inference_p95, inference_max;
    guint64 readback_bytes; /* bytes of masks copied from the GPU to system memory */
} GstRvosCounts;

/* A frame; pointers are borrowed. */
typedef struct {
    const rvos_image *image;
    GstBuffer *buffer; /* its metadata may hold masks and boxes; NULL: none */
    GstRvosTimes times;
    GstClockTime earliest; /* running time up to which frames are late; NONE */
} GstRvosInput;

/* The model and the settings for a video; borrowed. */
typedef struct {
    GstRvosModel *model;
    const gchar *path; /* of the model, for messages */
    const GstRvosSettings *settings;
    const gchar *init_mask_location; /* NULL: none */
} GstRvosOpen;

/* `masks` is borrowed. */
GstRvosSegmenter *gst_rvos_segmenter_new(GstRvosMaskAlloc *masks);
void gst_rvos_segmenter_free(GstRvosSegmenter *self);

/* ---- the streaming thread --------------------------------------------------------- */

/* Sets *cost to the expected time of a frame. FALSE: an error was added to the
 * notices; close the segmenter. */
gboolean gst_rvos_segmenter_open(GstRvosSegmenter *self, const GstRvosOpen *open,
                                 GstClockTime *cost);
void gst_rvos_segmenter_close(GstRvosSegmenter *self);

/* To continue with another model: leave, then enter. The objects are forgotten, but not
 * which masks were given. */
void gst_rvos_segmenter_leave(GstRvosSegmenter *self);
gboolean gst_rvos_segmenter_enter(GstRvosSegmenter *self, const GstRvosOpen *open,
                                  GstClockTime *cost);

/* Whether there is a stream; FALSE after a failed `enter`. */
gboolean gst_rvos_segmenter_is_open(const GstRvosSegmenter *self);
void gst_rvos_segmenter_get_info(const GstRvosSegmenter *self, rvos_stream_info *info);

/* Sets the kind of the coming frames, in CUDA memory or not. A new picture shape forgets
 * the objects. */
void gst_rvos_segmenter_set_info(GstRvosSegmenter *self, const GstVideoInfo *info,
                                 gboolean cuda);
/* Allocates memory for these frames. FALSE: an error was added to the notices, now or
 * before. */
gboolean gst_rvos_segmenter_prepare(GstRvosSegmenter *self);

/* Handles an event of the video. `sought`: it belongs to a seek. */
void gst_rvos_segmenter_event(GstRvosSegmenter *self, GstEvent *event,
                              const GstRvosSettings *settings, gboolean sought);

/* Called for each picture, segmented or not. */
void gst_rvos_segmenter_picture(GstRvosSegmenter *self, GstClockTime stream_time);

/* Scene cut detection: whether it needs the next frame in system memory, and the
 * frame. */
gboolean gst_rvos_segmenter_looks(const GstRvosSegmenter *self,
                                  const GstRvosSettings *settings, gboolean cuda);
void gst_rvos_segmenter_look(GstRvosSegmenter *self, const GstVideoFrame *frame,
                             const GstRvosSettings *settings);

/* Segments a frame or holds the last mask. FALSE: an error was added to the notices. */
gboolean gst_rvos_segmenter_process(GstRvosSegmenter *self, const GstRvosInput *input,
                                    const GstRvosSettings *settings,
                                    GstRvosResult *result);

/* Called for a frame that is passed on unchanged: keeps the state; the mask gets
 * older. */
void gst_rvos_segmenter_skip(GstRvosSegmenter *self, const GstRvosTimes *times);

/* The last mask in system memory, borrowed. NULL: an error was added to the notices. */
GstBuffer *gst_rvos_segmenter_read_mask(GstRvosSegmenter *self);

/* The notices, oldest first. The element removes each one that it posts. */
GstRvosNotices *gst_rvos_segmenter_notices(GstRvosSegmenter *self);
const GstRvosCounts *gst_rvos_segmenter_counts(const GstRvosSegmenter *self);

/* ---- any thread ------------------------------------------------------------------- */

/* Forgets the objects before the next frame. The first of several reasons counts. */
void gst_rvos_segmenter_reset(GstRvosSegmenter *self, GstRvosReset reason);

/* The action signals. Before open, the property `mode` decides whether masks are
 * accepted. FALSE: the mask cannot be used (with a warning), or no such slot. */
gboolean gst_rvos_segmenter_set_mask(GstRvosSegmenter *self, GstSample *sample, gint mode,
                                     GstRvosNotices *notices);
gboolean gst_rvos_segmenter_drop_object(GstRvosSegmenter *self, guint slot);

/* Whether mask files wait for coming pictures, so that upstream should drop none. */
gboolean gst_rvos_segmenter_waits(GstRvosSegmenter *self);

#endif
