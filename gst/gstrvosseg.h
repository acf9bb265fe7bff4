/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstrvosseg.h - the element's instance struct, shared by the files that know the
 * element.
 *
 * The functions stand below by file. Files call only files further down
 * (docs/architecture.md, "The element").
 *
 * All other files know no element; gstrvossegmenter.h is the largest module.
 */
#ifndef GST_RVOS_SEG_H
#define GST_RVOS_SEG_H

#include <gst/base/base.h>
#include <gst/video/gstvideofilter.h>
#include <gst/video/video.h>
#include <rvos.h>

#include "gstrvosmaskalloc.h"
#include "gstrvosmeta.h"
#include "gstrvosmodel.h"
#include "gstrvosprops.h"
#include "gstrvossegmenter.h"
#include "gstrvostext.h"
#include "gstrvostime.h"

#define GST_TYPE_RVOS_SEG (gst_rvos_seg_get_type())
G_DECLARE_FINAL_TYPE(GstRvosSeg, gst_rvos_seg, GST, RVOS_SEG, GstVideoFilter)
/* An unchecked cast. gstrvosseg.c defines the type, and files below must not call up to
 * it. */
#define GST_RVOS_SEG_CAST(object) ((GstRvosSeg *)(object))

GST_ELEMENT_REGISTER_DECLARE(rvosseg)

typedef struct {
    /* Under the object lock. */
    gint shown;       /* `output` before it became alpha; used until frames have an alpha
                         channel */
    GstCaps *refused; /* the last refused caps; NULL: none since accepted ones came */
    gboolean said;    /* a message was posted for them */
    gboolean mask_said;
    guint waited; /* frames without an alpha channel since output became alpha; counts up
                     to a limit */
} GstRvosNegotiation;

/* The request pad `mask`, the index mask as a video: a second source pad on a
 * GstVideoFilter, which supports only one. So our sink_event sends events to it, the
 * streaming thread sends it late sticky events, and our chain function combines the flow
 * returns of both pads.
 *
 * Flushes come from another thread than data, and a third thread requests, links, unlinks
 * and releases pads. This rule avoids deadlocks: a peer that got FLUSH_START from us gets
 * FLUSH_STOP. A peer that did not get FLUSH_START gets both at FLUSH_STOP. A pad
 * requested in between starts flushing.
 *
 * Locks: `pad` is read under the element's object lock and written under `lock` too.
 * Neither is held over a push. Order: `lock`, then the object lock of element or pad. */
typedef struct {
    /* Under the object lock. */
    GstPad *pad;         /* NULL: not requested */
    gboolean taken;      /* from the start of a request to the end of the release */
    gboolean sticky_due; /* the pad still needs the stream's sticky events */

    GMutex lock;
    GstFlowCombiner *combiner; /* of `src` and `mask` */
    gboolean flushing;         /* between FLUSH_START and FLUSH_STOP */
    GSList *flushed;           /* peers (GstPad) that got FLUSH_START */
    GstPad *inside;            /* the peer that the streaming thread is in; NULL: none */
    GstPad *src;               /* borrowed */

    /* Used by the streaming thread only. */
    GstPadChainFunction parent_chain;
    GstPadEventFunction parent_event;
    gboolean pool_due; /* ask the peer for a pool, because the peer or the caps are new */
} GstRvosMaskPad;

/* Counts since start; protected by the object lock. */
typedef struct {
    guint64 frames_in, dropped_late, gaps, map_failures;
    GstRvosCounts counts; /* copy of the segmenter's counts */
    /* What the element runs on; the strings live as long as the model. */
    const gchar *engine, *library, *isa, *device;
    gsize weights_bytes, state_bytes;
} GstRvosStats;

/* As GST_ELEMENT_WARNING and GST_ELEMENT_ERROR, without details. */
#define GST_RVOS_SEG_WARN(self, domain, code, ...)                                       \
    GST_ELEMENT_WARNING(self, domain, code, (__VA_ARGS__), (NULL))
#define GST_RVOS_SEG_FAIL(self, domain, code, ...)                                       \
    GST_ELEMENT_ERROR(self, domain, code, (__VA_ARGS__), (NULL))

#define GST_CAT_DEFAULT gst_rvos_seg_debug

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
    GstObject *cuda_context;    /* from start to stop; NULL: none */
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
    gboolean map_said;      /* that a frame cannot be read */
    GstRvosText *text;      /* NULL: not yet */

    GstRvosMaskAlloc masks;
    GstRvosMaskPad mask;
    GstRvosNegotiation negotiation;
};

/* ---- gstrvosrun.c: one frame: segment, draw, tell ---------------------------------- */

/* Called before a frame: checks for a scene cut. */
void gst_rvos_run_look_for_cut(GstRvosSeg *self, GstBuffer *buffer);
/* Segments a mapped frame or holds the last mask, and draws if `draw`. */
GstFlowReturn gst_rvos_run_frame(GstRvosSeg *self, GstVideoFrame *frame, gboolean draw);
/* Called after the frame is unmapped: messages, metadata, mask pad. */
void gst_rvos_run_tell(GstRvosSeg *self, GstBuffer *buffer);

/* ---- gstrvosmaskpad.c: the request pad --------------------------------------------- */

void gst_rvos_mask_pad_init(GstRvosSeg *self);
void gst_rvos_mask_pad_finalize(GstRvosSeg *self);

GstPad *gst_rvos_mask_pad_request(GstElement *element, GstPadTemplate *templ,
                                  const gchar *name, const GstCaps *caps);
void gst_rvos_mask_pad_release(GstElement *element, GstPad *pad);

/* Called at PAUSED to READY: the next stream sends its events again. */
void gst_rvos_mask_pad_stop(GstRvosSeg *self);

/* ---- gstrvosevents.c: events and queries ------------------------------------------- */

gboolean gst_rvos_seg_sink_event(GstBaseTransform *trans, GstEvent *event);
gboolean gst_rvos_seg_src_event(GstBaseTransform *trans, GstEvent *event);
gboolean gst_rvos_seg_query(GstBaseTransform *trans, GstPadDirection direction,
                            GstQuery *query);
/* Sends a SEEK of one of the source pads upstream, unless it has passed already. */
gboolean gst_rvos_seg_seek(GstRvosSeg *self, GstEvent *event);
gboolean gst_rvos_seg_answer_latency(GstRvosSeg *self, GstQuery *query);
/* Notes from a QOS event which frames are late. `keep`: the event does not go upstream,
 * so the base class must get its values here. */
void gst_rvos_seg_qos(GstRvosSeg *self, GstEvent *event, gboolean keep);
/* Notes the pipeline's latency from a LATENCY event. */
void gst_rvos_seg_latency(GstRvosSeg *self, GstEvent *event);

/* ---- gstrvosstart.c: model, segmenter and warm-up; posts errors -------------------- */

gboolean gst_rvos_seg_open(GstRvosSeg *self);
void gst_rvos_seg_close(GstRvosSeg *self);
/* Reopens the model and the stream in `cuda_context` while frames flow. The state is
 * lost, so a reset follows. */
gboolean gst_rvos_seg_reopen(GstRvosSeg *self);

/* ---- gstrvosvalues.c: properties, which gstrvosprops.c declares -------------------- */

void gst_rvos_props_init(GstRvosSeg *self);
void gst_rvos_props_set(GObject *object, guint id, const GValue *value, GParamSpec *spec);
void gst_rvos_props_get(GObject *object, guint id, GValue *value, GParamSpec *spec);

/* ---- gstrvosmaskpush.c: masks on the request pad ----------------------------------- */

/* Called before a mask in system memory is made: asks the peer for a pool, if due. */
void gst_rvos_mask_pad_prepare(GstRvosSeg *self);
/* Pushes the result's mask with the time of `frame`. A mask in CUDA memory is copied to
 * system memory unless the peer accepts CUDA memory. */
void gst_rvos_mask_pad_push(GstRvosSeg *self, GstBuffer *frame);
/* Sends a gap event for a frame without a mask, so that sinks do not wait. */
void gst_rvos_mask_pad_gap(GstRvosSeg *self, GstClockTime time, GstClockTime duration);

/* ---- gstrvosmaskevents.c: the stream's events on the request pad ------------------- */

/* The pad's caps in system memory and, if `cuda`, also in CUDA memory; a new
 * reference. */
GstCaps *gst_rvos_mask_pad_caps(gboolean cuda);
/* The mask's caps for the frames' caps; a new reference. */
GstCaps *gst_rvos_mask_pad_gray_caps(GstPad *pad, const GstCaps *caps);
/* The pad, a new reference, or NULL. */
GstPad *gst_rvos_mask_pad_ref(GstRvosSeg *self);
/* Sends an event of the sink pad to the mask pad, translated; borrows it. */
void gst_rvos_mask_pad_event(GstRvosSeg *self, GstEvent *event);
/* Sends the sticky events, if due. The streaming thread calls it before serialized events
 * and buffers. */
void gst_rvos_mask_pad_send_sticky(GstRvosSeg *self, GstPad *pad);
/* Called before and after anything that may block in the branch. */
void gst_rvos_mask_pad_enter(GstRvosSeg *self, GstPad *pad);
void gst_rvos_mask_pad_leave(GstRvosSeg *self);
/* Ends a flush, and resets the flow. Returns the peers that got FLUSH_START, and the pad
 * or NULL, all with references. */
GSList *gst_rvos_mask_pad_end_flush(GstRvosSeg *self, GstPad **pad);

/* ---- gstrvoscaps.c: formats, messages about refused ones, output=alpha ------------- */

/* A query about caps alone causes no message, because many elements ask and then convert.
 * A message is posted if the answer ends the stream. */

/* Called at start, at stop and in finalize. */
void gst_rvos_caps_clear(GstRvosSeg *self);

GstCaps *gst_rvos_caps_transform(GstBaseTransform *trans, GstPadDirection direction,
                                 GstCaps *caps, GstCaps *filter);

/* Called after a query on the sink pad was answered: remembers refused caps, and posts a
 * message if the refusal ends the stream. */
void gst_rvos_caps_asked(GstRvosSeg *self, GstQuery *query);
/* Called after a CAPS event on the sink pad was handled. */
void gst_rvos_caps_came(GstRvosSeg *self, GstCaps *caps, gboolean good);
/* Called at EOS: posts which caps were refused if no others ever came. */
void gst_rvos_caps_ended(GstRvosSeg *self);
/* Called after a frame was not negotiated: posts an error if no caps came before it. */
void gst_rvos_caps_missed(GstRvosSeg *self);
/* Called after a failed push on the mask pad: posts a message if its caps are the
 * reason. */
void gst_rvos_caps_mask_refused(GstRvosSeg *self, GstPad *pad);

/* Called before the property `output` is set. FALSE, with a warning: output=alpha needs
 * frames with an alpha channel, and the neighbours have none. */
gboolean gst_rvos_caps_allow_output(GstRvosSeg *self, gint output);
/* Sets the frame's output to the former one until frames have an alpha channel. */
void gst_rvos_caps_settle_output(GstRvosSeg *self);

/* Removes metadata that change the picture's shape from an ALLOCATION query's answer. */
void gst_rvos_caps_filter_metas(GstQuery *query);

/* ---- gstrvosgpu.c (docs/element.md, "Frames on the GPU") --------------------------- */

/* The model, the masks and the frames use one CUDA context at a time. The element gets it
 * in start, from its neighbours or the application if they have one. If frames come in
 * another context, the element moves to that one. */

/* Whether frames in CUDA memory can be accepted, as far as is known. Called with the
 * object lock held. */
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
    GST_RVOS_GPU_MOVE,    /* `cuda_context` is now the frame's: reopen the model */
    GST_RVOS_GPU_REFUSED, /* not the GPU that the user wants; an error is posted */
} GstRvosGpuMove;
GstRvosGpuMove gst_rvos_gpu_follow(GstRvosSeg *self, GstBuffer *buffer);

/* ---- gstrvosmessage.c: bus messages and `stats` ------------------------------------ */

/* To be freed. */
GstStructure *gst_rvos_stats_report(GstRvosSeg *self);

/* None of these may be called under the object lock. */

/* Posts the error of a failed call of librvos. */
void gst_rvos_message_status(GstRvosSeg *self, int status, const gchar *what);
/* Posts all notices and empties the list. */
void gst_rvos_message_notices(GstRvosSeg *self, GstRvosNotices *notices);
/* Updates `stats`, then posts the segmenter's notices. */
void gst_rvos_message_segmenter(GstRvosSeg *self);
/* The same after a frame; also posts its objects if post-messages=all. */
void gst_rvos_message_frame(GstRvosSeg *self);
void gst_rvos_message_late(GstRvosSeg *self, GstBuffer *buffer);

#endif
