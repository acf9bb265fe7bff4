/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench.h - the measurements of rvos-bench and their reports. */
#ifndef RV_TOOLS_BENCH_H
#define RV_TOOLS_BENCH_H

#include <jansson.h>

#include "frames.h"
#include "session.h"

struct bench_case {
    struct session_options session; /* model, engine, precision, threads, size */
    rvos_task task;
    int objects; /* 0: the model's own */
    int streams; /* one thread per stream, one model for all */
};

/* Peaks of a device in GFLOP/s, or of its integers in as many operations; 0: unknown. */
struct bench_peaks {
    double fp32, int16, int8;
};

struct bench_options {
    int warm_up;                   /* frames of each stream before the clock starts */
    int frames;                    /* timed frames of each stream */
    int repeats;                   /* processes per case, to measure the spread */
    const char *folder;            /* folder of real frames; NULL: generated frames */
    int frame_width, frame_height; /* size of generated frames */
    struct bench_peaks peaks;
    bool peak_given; /* given by the user, not measured on the CPU */
    bool steps;      /* time each step of a frame, too */
};

/* Measures in a separate process, so that the memory is the case's alone. Returns a JSON
 * object (docs/evaluation.md), or NULL with the fault set. */
json_t *bench_measure(const struct bench_case *c, const struct bench_options *options,
                      struct fault *fault);

/* Runs a frame for each line "run" on stdin and writes its milliseconds to stdout,
 * after a line "ready LIBRARY THREADS"; "reset" forgets the video ("ok"), "quit" ends.
 * tests/bench/turns.py asks several programs in turn. */
int bench_serve(const struct bench_case *c, const struct bench_options *options,
                struct fault *fault);

/* The peaks of the processor's multiply-add units on that many threads. */
struct bench_peaks bench_peaks(int threads);
/* Those of the options for the steps of one of `threads` threads. */
struct bench_peaks bench_thread_peaks(const struct bench_options *options,
                                      rvos_precision precision, int threads);

/* A loop over independent multiply-adds. */
struct bench_chains {
    /* Returns a sum of the results. NULL: the processor has no such instruction. */
    float (*run)(long rounds);
    double flops; /* operations of a round */
};
/* Those for float32 (0), or for integers of 16 or 8 bits. */
struct bench_chains bench_chains(int integer_bits);

/* The cost of the steps of the stream's frames since timing began, as JSON; NULL with the
 * status if it is not available. `peaks` are those of one thread. */
json_t *bench_steps(rvos_stream *stream, const struct bench_peaks *peaks, int *status);
/* Prints a line per step, if the result has steps. */
void bench_print_steps(const json_t *result);

/* Gets the frames to run: from a folder, or generated (moving discs over noise). */
int bench_frames(struct picture **frames, int *count, const struct bench_options *options,
                 struct fault *fault);

/* Print a line per result; compare equal rows side by side and name ties. */
void bench_print_head(void);
void bench_print(const json_t *result);
int bench_compare(const char *a, const char *b, struct fault *fault);

#endif
