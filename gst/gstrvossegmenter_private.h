/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvossegmenter_private.h - shared by gstrvossegmenter.c (open, close, events,
 * signals) and gstrvossegment.c (the frame). The latter calls the former. */
#ifndef GST_RVOS_SEGMENTER_PRIVATE_H
#define GST_RVOS_SEGMENTER_PRIVATE_H

#include "gstrvoscut.h"
#include "gstrvosseeds.h"
#include "gstrvossegmenter.h"

/* The masks that frames show until the network runs again. */
typedef struct {
    GstBuffer *labels; /* GRAY8, frame size; NULL: none since the last reset */
    GstBuffer *alpha;  /* the soft foreground; NULL unless output=alpha */
    GstBuffer *copy;   /* copy of `labels` in system memory, if they are in CUDA memory */
    guint age;         /* frames since they were made */
} GstRvosHeld;

struct _GstRvosSegmenter {
    GstRvosMaskAlloc *masks;

    /* Used by any thread. */
    gint pending; /* atomic: GstRvosReset for the next frame */
    gint waits;   /* atomic: mask files wait for coming pictures */
    GstRvosRequests requests;

    /* Used by the streaming thread only. */
    GstRvosModel *model;
    rvos_stream *stream; /* NULL: not open */
    rvos_task task;
    guint n_slots;
    gboolean on_gpu;        /* the engine is CUDA */
    GstRvosTracker tracker; /* its epoch is kept after close */
    GstRvosTimeline timeline;
    GstRvosPace pace;
    GstRvosMeter network; /* rvos_stream_process alone */
    GstRvosCut cut;
    GstRvosShape shape;
    GstRvosSeeds seeds;
    GstRvosMaskFiles files;
    GstRvosSeeded detected[RVOS_MAX_OBJECTS]; /* [i] is slot i + 1 */
    GstRvosHeld held;
    GstRvosCounts counts;
    GstRvosNotices notices;

    gboolean info_known;
    GstVideoInfo info; /* of the frames that the state belongs to */
    gboolean cuda;     /* the frames are in CUDA memory */
    gchar *stream_id;
    guint group_id;
    gboolean unprepared_said; /* the error of rvos_stream_prepare was reported */
    gboolean short_said;      /* the warning of a stream shorter than min-age was added */
};

void gst_rvos_segmenter_clear_held(GstRvosSegmenter *self);
/* Number of segmented frames before an object is shown. */
guint gst_rvos_segmenter_min_age(const GstRvosSegmenter *self,
                                 const GstRvosSettings *settings);

#endif
