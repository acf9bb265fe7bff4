/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* segbench.h - a segmenter with a video, without element, pipeline and bus. Frames are
 * GRAY8, 64x48, 30 a second; the scripted engine finds the painted objects. */
#ifndef SEGBENCH_H
#define SEGBENCH_H

#include "gstrvossegmenter.h"
#include "rig.h"

typedef struct {
    GstRvosMaskAlloc masks;
    GstRvosSegmenter *segmenter;
    GstRvosModel *model;
    GstRvosSettings settings;
    GstRvosResult result;
    GstClockTime earliest; /* of frames to come */
    guint8 pixels[RIG_WIDTH * RIG_HEIGHT];
} Bench;

gboolean open_bench(Bench *b, const gchar *location);
void set_size(Bench *b, guint width, guint height);
Bench *closed_bench(gint mode);
Bench *bench(gint mode, const gchar *location);
void free_bench(Bench *b);
gboolean try_frame(Bench *b, GstClockTime time, const RigBox *boxes);
/* Frame number n. */
void bench_frame(Bench *b, guint n, const RigBox *boxes);
/* The waiting notices, such as "reset:gap,appeared:1,warning"; to be freed. */
gchar *bench_told(Bench *b);
/* The value of a pixel of the result's mask. */
guint8 mask_at(Bench *b, guint x, guint y);
void bench_event(Bench *b, GstEvent *event);
gboolean set_mask(Bench *b, gboolean replace, const RigBox *boxes);

#endif
