/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_search.h - the loop that finds the fastest candidate for one convolution: among
 * cuDNN's plans (conv_choose.c), or among the tilings of our own kernel and cuDNN's best
 * plan (conv_best.c).
 *
 * A search gets a share of the plan's time (conv_time.h). It counts tried candidates, so
 * that the next run can skip them if time runs out. */
#ifndef RV_CUDA_CONV_SEARCH_H
#define RV_CUDA_CONV_SEARCH_H

#include "conv.h"

struct rv_candidate {
    int index;      /* the caller's */
    bool must;      /* tried even if no time is left */
    double seconds; /* estimated time to make it; 0: almost none */
};

struct rv_search {
    /* -- set by the caller -- */
    rvos_device *dev;
    bool optional; /* may find nothing if every candidate takes long to make */
    int skip;      /* candidates that earlier runs have tried */
    /* False: none is left, or `cut` was set because looking for more takes time. */
    bool (*next)(struct rv_search *s, struct rv_candidate *out);
    /* Makes a candidate ready to run. Returns the factor for its time; 0: it cannot be
     * made. */
    float (*make)(struct rv_search *s, const struct rv_candidate *c);
    /* Runs the candidate made last; in the form that rv_conv_time needs. */
    int (*run)(void *search, cudaStream_t stream);
    /* Used without timing: whether the candidate made last runs and is right. */
    bool (*right)(struct rv_search *s);
    /* Keeps the candidate made last as the best, or drops it. */
    void (*settle)(struct rv_search *s, const struct rv_candidate *c, bool best);

    /* -- set by rv_search_begin -- */
    struct rv_conv_io io; /* operands for trials, if `trying` */
    bool trying;          /* there is memory for trials */
    bool timing;          /* the fastest candidate wins; else the first right one */

    /* -- results -- */
    bool found;
    float ms, best_ms,
        best_cost;   /* ms: of the candidate made last; cost: ms times factor */
    int tried, seen; /* seen includes skipped ones */
    bool cut;        /* time ran out */
    double until;
};

/* The key of a kept choice: GPU and library, the shape, its operands. */
void rv_search_key(char *key, size_t size, const char *gpu,
                   const struct rv_conv_shape *shape, const char *in, const char *more);
/* Starts the time. Allocates operands of the shape and `workspace` bytes, filled with
 * zeroes, which are as slow as any numbers. The memory is kept for the next search. */
void rv_search_begin(struct rv_search *s, const struct rv_conv_shape *shape,
                     size_t workspace);
/* Tries what the caller has already made; true: it is the best so far. */
bool rv_search_known(struct rv_search *s, float factor);
/* Whether a candidate may be tried. Always true until one works, except for slow
 * candidates of an optional search. */
bool rv_search_goes_on(const struct rv_search *s, const struct rv_candidate *c);
/* Tries one candidate after another, then ends the time. */
void rv_search_run(struct rv_search *s);
/* Called after a plan is made: frees the memory and gives the next plan new time. */
void rv_search_flush(rvos_device *dev);

#endif
