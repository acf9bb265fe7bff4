/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_search.h - the loop that finds the fastest way to make one convolution: among
 * cuDNN's plans (conv_choose.c), or among the tilings of our own kernel and what cuDNN
 * has found (conv_best.c).
 *
 * A search has the share of the plan's time that conv_time.h says. Candidates that were
 * tried are counted, so that the next run can skip them if the time ends first. */
#ifndef RV_CUDA_CONV_SEARCH_H
#define RV_CUDA_CONV_SEARCH_H

#include "conv.h"

struct rv_candidate {
    int index;      /* the caller's */
    bool must;      /* tried even if no time is left */
    double seconds; /* that making it may take; 0: hardly any */
};

struct rv_search {
    /* -- set by the caller -- */
    rvos_device *dev;
    bool optional; /* nothing need be found if it takes long to make */
    int skip;      /* candidates that earlier runs have tried */
    /* False: none is left, or `cut` was set, as to look for more takes time. */
    bool (*next)(struct rv_search *s, struct rv_candidate *out);
    /* Makes a candidate ready to run. Returns what its time is multiplied by; 0: it
     * cannot be had. */
    float (*make)(struct rv_search *s, const struct rv_candidate *c);
    /* Of the search, as rv_conv_time wants it: runs what was made last. */
    int (*run)(void *search, cudaStream_t stream);
    /* Without timing: whether what was made last runs and is right. */
    bool (*right)(struct rv_search *s);
    /* What was made last is the best so far, or is not wanted. */
    void (*settle)(struct rv_search *s, const struct rv_candidate *c, bool best);

    /* -- by rv_search_begin -- */
    struct rv_conv_io io; /* operands to try with, unless `trying` is false */
    bool trying;          /* there is memory for that */
    bool timing;          /* the fastest wins; else the first that is right */

    /* -- what has been found -- */
    bool found;
    float ms, best_ms, best_cost; /* ms: of what was made last; cost: ms, multiplied */
    int tried, seen;              /* seen: with those that were skipped */
    bool cut;                     /* the time ended first */
    double until;
};

/* What a choice for a shape is kept by: GPU and library, the shape, its operands. */
void rv_search_key(char *key, size_t size, const char *gpu,
                   const struct rv_conv_shape *shape, const char *in, const char *more);
/* The time begins. Gets memory for operands of the shape and so many bytes of workspace,
 * full of zeroes, which are as slow as anything else; it is kept for the next search. */
void rv_search_begin(struct rv_search *s, const struct rv_conv_shape *shape,
                     size_t workspace);
/* What the caller has made already; true: it is the best so far. */
bool rv_search_known(struct rv_search *s, float factor);
/* Whether a candidate may be tried. Until something works always, but for what takes long
 * in an optional search. */
bool rv_search_goes_on(const struct rv_search *s, const struct rv_candidate *c);
/* Tries one candidate after another. The time ends. */
void rv_search_run(struct rv_search *s);
/* When a plan is made: frees the memory, and the next plan has time of its own. */
void rv_search_flush(rvos_device *dev);

#endif
