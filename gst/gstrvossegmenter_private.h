/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvossegmenter_private.h - what gstrvossegmenter.c (open, close, events, signals) and
 * gstrvossegment.c (the frame) share. The latter calls the former. */
#ifndef GST_RVOS_SEGMENTER_PRIVATE_H
#define GST_RVOS_SEGMENTER_PRIVATE_H

#include "gstrvoscut.h"
#include "gstrvosseeds.h"
#include "gstrvosmaskfiles.h"
#include "gstrvosrequests.h"
#include "gstrvossegmenter.h"

G_BEGIN_DECLS

/* What frames show until the network's next answer. */
typedef struct {
    GstBuffer *labels; /* GRAY8, frame size; NULL: none since the reset */
    GstBuffer *alpha;  /* likewise, soft; NULL unless output=alpha */
    GstBuffer *copy;   /* of labels in CUDA memory, in system memory; or NULL */
    guint age;         /* frames since it was made */
} GstRvosHeld;

struct _GstRvosSegmenter {
    GstRvosMaskAlloc *masks;

    /* From any thread. */
    gint pending; /* atomic: GstRvosReset for the next frame */
    gint waits;   /* atomic: mask files wait for pictures to come */
    GstRvosRequests requests;

    /* The streaming thread's. */
    GstRvosModel *model;
    rvos_stream *stream; /* NULL: not open */
    rvos_task task;
    guint n_slots;
    gboolean on_gpu;        /* the engine is CUDA's */
    GstRvosTracker tracker; /* its epoch outlives close */
    GstRvosTimeline timeline;
    GstRvosPace pace;
    GstRvosMeter network; /* rvos_stream_process alone */
    GstRvosCut cut;
    GstRvosShape shape;
    GstRvosSeeds seeds;
    GstRvosMaskFiles files;
    GstRvosSeeded detected[RVOS_MAX_OBJECTS]; /* of slot i + 1 */
    GstRvosHeld held;
    GstRvosCounts counts;
    GstRvosNotices notices;

    gboolean info_known;
    GstVideoInfo info; /* of the stream the state belongs to */
    gboolean cuda;     /* its frames are in CUDA memory */
    gchar *stream_id;
    guint group_id;
    gboolean unprepared_said; /* that there is no memory for frames of this size */
    gboolean short_said;      /* that the stream is shorter than min-age */
};

void gst_rvos_segmenter_clear_held(GstRvosSegmenter *self);
/* Segmented frames until an object is shown. */
guint gst_rvos_segmenter_min_age(const GstRvosSegmenter *self,
                                 const GstRvosSettings *settings);

G_END_DECLS
#endif
