/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flushbench.h - an element whose pad `mask` is requested and released, step by step.
 *
 * The mask's branch is a full queue and a sink that holds its stream lock in preroll.
 * There a FLUSH_STOP without FLUSH_START would wait for ever, and a frame waits for the
 * next FLUSH_START. A list is a string with a letter for each step:
 *
 *     r  request the pad and link it     F f  FLUSH_START, FLUSH_STOP
 *     R  release it, linked              T    STREAM_START of another stream, and caps
 *     x  unlink and release it           C    caps of another size
 *     u  unlink it                       S    SEGMENT
 *     l  link it                         g    GAP
 *     s  to READY and back               E    EOS
 *     b  the branch to NULL and back     B    a frame
 *                                        H h G  a frame that waits, in the engine or
 *                                               before all work on it, for G
 */
#ifndef FLUSHBENCH_H
#define FLUSHBENCH_H

#include "rig.h"

typedef struct {
    GstElement *element, *queue, *sink;
    GstPad *up, *down; /* ours: before `sink` and behind `src` */
    GstPad *branch;    /* the queue's sink pad */
    GstPad *mask;      /* NULL: not requested */
    GThread *frame;    /* pushes one */
    gint pushing;      /* atomic: it has not returned yet */
    gint hold, held;   /* atomic: frames must wait at the sink pad; one waits */
    gboolean fresh;    /* upstream has not begun its stream */
    gboolean flush;    /* upstream has sent FLUSH_START, but no FLUSH_STOP */
    guint streams, width, frames;

    /* What the branch has seen, from several threads. */
    GMutex lock;
    gboolean flushed, started, caps, segment; /* since the pad was requested */
    guint masks;
    const gchar *wrong;
} Bench;

/* The pad is linked to a branch that has prerolled and is full. */
Bench *bench_new(void);
void bench_free(Bench *bench);

void bench_application_step(Bench *bench, gchar step);
void bench_stream_step(Bench *bench, gchar step);
void bench_set_branch(Bench *bench, GstState state);
/* Waits until a frame that was pushed has gone through. */
void bench_join_frame(Bench *bench);
/* Masks that the branch has got. */
guint bench_masks_seen(Bench *bench);

#endif
