/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench.h - one measurement of rvos-bench, and what is done with many. */
#ifndef RV_TOOLS_BENCH_H
#define RV_TOOLS_BENCH_H

#include <jansson.h>

#include "frames.h"
#include "session.h"

struct bench_case {
    struct session_options session; /* model, engine, precision, threads, size */
    rvos_task task;
    int objects; /* 0: the model's own */
    int streams; /* each in a thread of its own, all of one model */
};

struct bench_options {
    int warm_up;        /* frames of each stream before the clock starts */
    int frames;         /* timed frames of each stream */
    int repeats;        /* processes a case is measured in, to know the spread */
    const char *folder; /* of real frames; NULL: made ones */
    int frame_width, frame_height; /* of made frames */
    double peak;                   /* GFLOP/s, for the share of it; 0: none known */
    bool peak_given;               /* it is the device's, not measured on the CPU */
    bool steps;                    /* time each step of a frame, too */
};

/* Measures in a process of its own, so that memory is the case's alone; a JSON
 * object, see docs/evaluation.md, or NULL with the fault set. */
json_t *bench_measure(const struct bench_case *c, const struct bench_options *options,
                      struct fault *fault);

/* Runs a frame for each line "run" on stdin and writes its milliseconds to stdout,
 * after a line "ready LIBRARY THREADS"; "reset" forgets the video ("ok"), "quit" ends.
 * tests/bench/turns.py asks several programs in turn. */
int bench_serve(const struct bench_case *c, const struct bench_options *options,
                struct fault *fault);

/* What the processor's multiply-add units give on that many threads, in GFLOP/s. */
double bench_peak(int threads);

/* What the steps of that stream's frames have cost since they are timed, as JSON; NULL
 * and the status, if that cannot be told. `peak`: GFLOP/s of one thread; 0: none known.
 */
json_t *bench_steps(rvos_stream *stream, double peak, int *status);
/* A line a step of a result that has them. */
void bench_print_steps(const json_t *result);

/* Frames to run: from a folder, or moving discs over noise. */
int bench_frames(struct picture **frames, int *count, const struct bench_options *options,
                 struct fault *fault);

/* A line a result; the same rows side by side, with ties named. */
void bench_print_head(void);
void bench_print(const json_t *result);
int bench_compare(const char *a, const char *b, struct fault *fault);

/* What a result is of: words for people and for finding its like elsewhere. */
char *bench_label(const json_t *result);

#endif
