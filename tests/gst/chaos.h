/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chaos.h - several pipelines with rvosseg, and threads that do random actions on them.
 *
 *     chaos.c        the program: threads, watchdog, report
 *     chaosbench.c   one pipeline, and actions on its pads, caps and states
 *     chaosprops.c   properties, signals and events; the table to extend
 */
#ifndef CHAOS_H
#define CHAOS_H

#include <gst/gst.h>

typedef struct {
    guint index;
    GstElement *pipe, *element, *caps;
    GstElement *queue, *sink; /* the masks' branch, the pipeline's */
    GstPad *mask;             /* NULL: not requested; under `lock` */
    GMutex lock;              /* pads and states: one thread at a time */
    gboolean alpha;           /* all formats of the frames have an alpha channel */
    gint frames, masks;       /* that have come out; atomic */
    gint errors;              /* messages; atomic */
    gint stopping;            /* on the way to READY or NULL; atomic */
} ChaosBench;

typedef struct {
    const gchar *name;
    guint weight; /* relative frequency in its table */
    void (*act)(ChaosBench *bench, GRand *rand);
} ChaosAction;

/* Tables end with an empty name. Each has a thread of its own on each bench. */
extern const ChaosAction chaos_pads[], chaos_stream[], chaos_settings[];

ChaosBench *chaos_bench_new(guint index, GRand *rand, gboolean batch);

/* Runs again with plain settings: frames and masks must come. */
gboolean chaos_bench_lives(ChaosBench *bench);
void chaos_bench_free(ChaosBench *bench);

/* Sets, in READY, what may be set only there. */
void chaos_set_ready(ChaosBench *bench, GRand *rand);
/* Resets everything to the settings that chaos_bench_lives needs. */
void chaos_set_plain(ChaosBench *bench);

#endif
