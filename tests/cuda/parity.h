/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parity.h - checks the masks before timing: compares the first frames with those of the
 * CPU in float32. */
#ifndef PARITY_H
#define PARITY_H

#include "rvos.h"

/* The CPU's results at half size; computed once, or read from the file. */
struct parity {
    int frames, objects, width, height;
    size_t plane;  /* half-size pixels of one object */
    float *logits; /* [frame][object][plane] */
};

/* The errors of one stream's results. */
struct parity_result {
    double worst, sum; /* of probabilities */
    long count;
    long both[RVOS_MAX_OBJECTS], either[RVOS_MAX_OBJECTS]; /* pixels of the masks */
};

/* `file` may be NULL. 0, or -1: it could not be made. */
int parity_make(struct parity *p, const char *model, rvos_task task, int objects,
                const rvos_model_info *info, int frames, const char *file);
void parity_free(struct parity *p);

/* Masks for a one-shot stream's first frame. */
int parity_seed(rvos_stream *stream, int objects);
/* Frame t, RGB of the network's size: blocks that move over a gradient. */
void parity_frame(unsigned char *rgb, int width, int height, int t);
/* Adds the frame that the stream has just seen. */
int parity_compare(const struct parity *p, rvos_stream *stream, int t,
                   struct parity_result *r);
/* The least IoU of the objects that are there. */
double parity_iou(const struct parity_result *r);
/* The bars of fp16 with random weights: probabilities within 0.1, and 0.003 in the mean;
 * masks' IoU at least 0.98. */
int parity_good(const struct parity_result *r);

#endif
