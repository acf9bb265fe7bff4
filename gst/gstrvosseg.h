/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseg.h - the element's instance, shared by the files of gst/.
 *
 * Who calls whom, for one frame:
 *
 *     gstrvosseg.c      the base class's functions: caps, before_transform, transform_ip
 *     gstrvosstart.c    start and stop: model, stream, warm-up
 *     gstrvosprops.c, gstrvosvalues.c, gstrvosenums.c   properties
 *     gstrvosevents.c   events and queries; what they mean for the state
 *     gstrvosrun.c      one frame: reset, seed, segment or hold, draw, tell
 *     gstrvosseeds.c    initial masks; they come from files (gstrvosmaskfiles.c,
 *                       gstrvosimage.c), by signal (gstrvosrequests.c) and as metadata
 *                       (gstrvosseedmeta.c)
 *     gstrvosdetect.c   seeds from a detector's boxes
 *     gstrvoscut.c      scene cuts
 *     gstrvosmeta.c     metadata on the frame (gstrvosanalytics.c: from 1.24 on)
 *     gstrvosmessage.c  bus messages and `stats`
 *     gstrvosmaskpad.c  the request pad (gstrvosmaskevents.c: its events)
 *     gstrvosframe.c    GstVideoFrame to rvos_image
 *     gstrvosgpu.c      frames and masks in CUDA memory (gstrvoscuda.c: gst-cuda)
 *     gstrvosmodel.c    the model, shared between elements
 *     gstrvoscaps.c     formats, words about refused ones, output=alpha
 *     gstrvosshape.c    the picture in a buffer, its orientation, masks of another shape
 *
 * These know no GstElement, no locks and no pixels:
 *
 *     gstrvosnumbers.c  numbers of pictures
 *     gstrvostrack.c    objects and their ids
 *     gstrvostime.c     resets, pace, measured times
 */
#ifndef GST_RVOS_SEG_H
#define GST_RVOS_SEG_H

#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>
#include <rvos.h>

#include "gstrvoscaps.h"
#include "gstrvoscut.h"
#include "gstrvosdetect.h"
#include "gstrvosgpu.h"
#include "gstrvosmaskalloc.h"
#include "gstrvosmaskpad.h"
#include "gstrvosmessage.h"
#include "gstrvosmeta.h"
#include "gstrvosmodel.h"
#include "gstrvosprops.h"
#include "gstrvosseeds.h"
#include "gstrvosshape.h"
#include "gstrvostime.h"
#include "gstrvostrack.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN(gst_rvos_seg_debug);

#define GST_TYPE_RVOS_SEG (gst_rvos_seg_get_type())
G_DECLARE_FINAL_TYPE(GstRvosSeg, gst_rvos_seg, GST, RVOS_SEG, GstVideoFilter)

GST_ELEMENT_REGISTER_DECLARE(rvosseg)

/* What frames show until the network's next answer. */
typedef struct {
    GstBuffer *labels; /* GRAY8, frame size; NULL: none since the reset */
    GstBuffer *alpha;  /* likewise, soft; NULL unless output=alpha */
    GstBuffer *copy; /* of labels in CUDA memory, for readers in system memory; or NULL */
    guint age;       /* frames since it was made */
} GstRvosHeld;

/* What is known of the frame in hand, from before_transform to the push. */
typedef struct {
    GstRvosSettings settings; /* the snapshot */
    gboolean wanted;          /* it is to be segmented */
    gboolean mapped;          /* its pixels could be reached */
    gboolean cuda;            /* ... on the GPU */
    gboolean inferred;        /* the network has run on it */
    gboolean late;            /* it was due, but is late: the mask is held */
    gboolean latency_changed;
    GstClockTime earliest; /* running time up to which frames are late; NONE */
    GstClockTime timestamp, stream_time, running_time, duration;
} GstRvosFrame;

struct _GstRvosSeg {
    GstVideoFilter parent;

    /* ---- under the object lock ---- */
    GstRvosSettings settings;
    GstRvosStrings strings;
    gboolean started; /* from start to stop: what is READY only is refused */
    gchar *model_in_use;
    const gchar *actual_engine; /* a literal */
    GstRvosReset pending_reset; /* for the next frame; the first reason stays */
    GQueue requests;            /* of action signals: gstrvosrequests.c */
    GstClockTime earliest;      /* running time up to which frames are late; NONE */
    guint32 seek_seqnum;        /* of the last SEEK that passed */
    gboolean seek_seen;
    GstRvosStats stats;
    GstClockTime latency;       /* as told to the pipeline */
    gboolean live;              /* whether the source is */
    GstClockTime whole_latency; /* the pipeline's, of its LATENCY event; NONE */
    GstClockTime paused_at;     /* clock time of PLAYING to PAUSED; NONE */

    gint masks_wait; /* atomic: numbered masks wait for pictures to come */

    /* ---- between start and stop; the streaming thread's while it runs ---- */
    GstRvosModel *model;
    rvos_stream *stream;
    rvos_task task; /* of the stream; DEFAULT: none. Written under the object lock */
    guint n_slots;
    GstRvosTracker tracker; /* its epoch outlives stop */
    GstRvosTimeline timeline;
    GstRvosPace pace;
    GstRvosMeter work, network; /* whole frame, and rvos_stream_process alone */
    GstRvosLatency told;
    GstRvosSeeds seeds;
    GstRvosSeeded detected[RVOS_MAX_OBJECTS]; /* of slot i + 1 */
    GstRvosCut cut;
    GstRvosShape shape;
    GstRvosHeld held;
    GstRvosFrame frame;
    gboolean caps_known;
    GstVideoInfo caps_info; /* of the stream the state belongs to */
    gboolean caps_cuda;     /* they are of frames in CUDA memory */
    gchar *stream_id;
    guint group_id;
    gboolean slow_said;       /* that the network is slower than the source */
    gboolean unprepared_said; /* that there is no memory for frames of this size */
    gboolean short_said;      /* that the stream is shorter than min-age */

    GstRvosMaskAlloc masks;
    GstRvosMaskPad mask;
    GstRvosGpu gpu;
    GstRvosNegotiation negotiation;
};

/* gstrvosvalues.c */
void gst_rvos_props_init(GstRvosSeg *self);
void gst_rvos_props_clear(GstRvosSeg *self);

/* gstrvosevents.c */
gboolean gst_rvos_seg_sink_event(GstBaseTransform *trans, GstEvent *event);
gboolean gst_rvos_seg_src_event(GstBaseTransform *trans, GstEvent *event);
gboolean gst_rvos_seg_query(GstBaseTransform *trans, GstPadDirection direction,
                            GstQuery *query);
/* Upstream events of either source pad: TRUE if this SEEK has passed already. */
gboolean gst_rvos_seg_seek_is_repeated(GstRvosSeg *self, GstEvent *event);
void gst_rvos_seg_seek_failed(GstRvosSeg *self, GstEvent *event);
gboolean gst_rvos_seg_answer_latency(GstRvosSeg *self, GstQuery *query);
/* Asks for a reset before the next frame; from any thread. */
void gst_rvos_seg_request_reset(GstRvosSeg *self, GstRvosReset reason);

/* gstrvosstart.c: model, stream and warm-up; what is wrong is posted. */
gboolean gst_rvos_seg_open(GstRvosSeg *self);
void gst_rvos_seg_close(GstRvosSeg *self);
/* The model and the stream anew, in gpu.context, while frames flow. What was remembered
 * is lost, hence a reset. */
gboolean gst_rvos_seg_reopen(GstRvosSeg *self);
/* For frames of caps_info's size. */
gboolean gst_rvos_seg_prepare(GstRvosSeg *self);

/* gstrvosrun.c */
/* Before it: whether the scene has changed. Then the objects are forgotten, if the user
 * wants that; else auto mode looks for new ones. */
void gst_rvos_run_look_for_cut(GstRvosSeg *self, GstBuffer *buffer);
/* Segments or holds, and draws if asked to, on a frame that is mapped for it. */
GstFlowReturn gst_rvos_run_frame(GstRvosSeg *self, GstVideoFrame *frame, gboolean draw);
/* After the frame is unmapped: messages, metadata, mask pad. */
void gst_rvos_run_tell(GstRvosSeg *self, GstBuffer *buffer);
/* A frame that flows on as it is: the state is kept, the mask grows older. */
void gst_rvos_run_skip(GstRvosSeg *self);
void gst_rvos_run_clear_held(GstRvosSeg *self);
/* Posts the error of a call of librvos that failed while frames flow. */
void gst_rvos_run_explain(GstRvosSeg *self, int status, const gchar *what);

G_END_DECLS
#endif
