/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseg.h - the element's instance struct, shared by the files that know the
 * element.
 *
 * Files call only files further down (docs/architecture.md, "The element"):
 *
 *     gstrvosseg.c        the functions of the base class
 *     gstrvosrun.c        one frame: segment, draw, tell
 *     gstrvosmaskpad.c    the request pad: how it comes and goes
 *     gstrvosevents.c     events and queries
 *     gstrvosstart.c      start and stop: model, segmenter, latency
 *     gstrvosvalues.c     properties; gstrvosprops.c declares them
 *     gstrvosmaskpush.c   masks on the request pad; gstrvosmaskevents.c: events on it
 *     gstrvoscaps.c       formats, words about refused ones, output=alpha
 *     gstrvosgpu.c        CUDA contexts and pools of frames
 *     gstrvosmessage.c    bus messages and `stats`
 *
 * All other files know no element; gstrvossegmenter.h is the largest module.
 */
#ifndef GST_RVOS_SEG_H
#define GST_RVOS_SEG_H

#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>
#include <rvos.h>

#include "gstrvoscaps.h"
#include "gstrvosgpu.h"
#include "gstrvosmaskalloc.h"
#include "gstrvosmaskpad.h"
#include "gstrvosmessage.h"
#include "gstrvosmeta.h"
#include "gstrvosmodel.h"
#include "gstrvosprops.h"
#include "gstrvossegmenter.h"
#include "gstrvostext.h"
#include "gstrvostime.h"

G_BEGIN_DECLS

#define GST_TYPE_RVOS_SEG (gst_rvos_seg_get_type())
G_DECLARE_FINAL_TYPE(GstRvosSeg, gst_rvos_seg, GST, RVOS_SEG, GstVideoFilter)
/* An unchecked cast. gstrvosseg.c defines the type, and files below must not call up to
 * it. */
#define GST_RVOS_SEG_CAST(object) ((GstRvosSeg *)(object))

GST_ELEMENT_REGISTER_DECLARE(rvosseg)

/* The state of the current frame, from before_transform to the push. */
typedef struct {
    GstRvosSettings settings; /* snapshot of the settings */
    gboolean wanted;          /* the frame is to be segmented */
    gboolean mapped;          /* the frame could be mapped */
    gboolean cuda;            /* its pixels are used on the GPU */
    gboolean latency_changed;
    GstClockTime earliest; /* running time up to which frames are late; NONE */
    GstRvosTimes times;
} GstRvosFrame;

struct _GstRvosSeg {
    GstVideoFilter parent;

    /* ---- under the object lock ---- */
    GstRvosSettings settings;
    GstRvosStrings strings;
    gboolean started; /* from start to stop: READY-only properties are refused */
    gchar *model_in_use;
    const gchar *actual_engine; /* an interned string */
    GstClockTime earliest;      /* running time up to which frames are late; NONE */
    guint32 seek_seqnum;        /* of the last SEEK that passed */
    gboolean seek_seen;
    GstRvosStats stats;
    GstClockTime latency;       /* as reported to the pipeline */
    gboolean live;              /* the source is live */
    GstClockTime whole_latency; /* the pipeline's latency, from its LATENCY event; NONE */
    GstClockTime paused_at;     /* clock time of PLAYING to PAUSED; NONE */

    GstRvosSegmenter *segmenter; /* from init to finalize */

    /* ---- between start and stop; the streaming thread's while it runs ---- */
    GstRvosModel *model; /* written with the object lock held */
    GstRvosMeter work;   /* times of whole frames */
    GstRvosLatency told;
    GstRvosFrame frame;
    GstRvosResult result;   /* of the current frame */
    GstVideoInfo caps_info; /* of the frames */
    gboolean caps_cuda;     /* the frames are in CUDA memory */
    gboolean slow_said;     /* the warning of a slow network was posted */
    gboolean text_said;     /* that nothing can be written on the picture */
    GstRvosText *text;      /* NULL: not yet */

    GstRvosMaskAlloc masks;
    GstRvosMaskPad mask;
    GstRvosGpu gpu;
    GstRvosNegotiation negotiation;
};

/* ---- gstrvosvalues.c --------------------------------------------------------------- */

void gst_rvos_props_init(GstRvosSeg *self);
void gst_rvos_props_clear(GstRvosSeg *self);
void gst_rvos_props_set(GObject *object, guint id, const GValue *value, GParamSpec *spec);
void gst_rvos_props_get(GObject *object, guint id, GValue *value, GParamSpec *spec);

/* ---- gstrvosevents.c --------------------------------------------------------------- */

gboolean gst_rvos_seg_sink_event(GstBaseTransform *trans, GstEvent *event);
gboolean gst_rvos_seg_src_event(GstBaseTransform *trans, GstEvent *event);
gboolean gst_rvos_seg_query(GstBaseTransform *trans, GstPadDirection direction,
                            GstQuery *query);
/* For upstream events of both source pads: TRUE if this SEEK has passed already. */
gboolean gst_rvos_seg_seek_is_repeated(GstRvosSeg *self, GstEvent *event);
void gst_rvos_seg_seek_failed(GstRvosSeg *self, GstEvent *event);
gboolean gst_rvos_seg_answer_latency(GstRvosSeg *self, GstQuery *query);

/* ---- gstrvosstart.c: model, segmenter and warm-up; posts errors -------- */

gboolean gst_rvos_seg_open(GstRvosSeg *self);
void gst_rvos_seg_close(GstRvosSeg *self);
/* Reopens the model and the stream in gpu.context while frames flow. The state is lost,
 * so a reset follows. */
gboolean gst_rvos_seg_reopen(GstRvosSeg *self);

/* ---- gstrvosrun.c ------------------------------------------------------------------ */

/* Called before a frame: checks for a scene cut. */
void gst_rvos_run_look_for_cut(GstRvosSeg *self, GstBuffer *buffer);
/* Segments a mapped frame or holds the last mask, and draws if `draw`. */
GstFlowReturn gst_rvos_run_frame(GstRvosSeg *self, GstVideoFrame *frame, gboolean draw);
/* Called after the frame is unmapped: messages, metadata, mask pad. */
void gst_rvos_run_tell(GstRvosSeg *self, GstBuffer *buffer);

G_END_DECLS
#endif
