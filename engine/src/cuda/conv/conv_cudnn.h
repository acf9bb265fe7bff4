/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_cudnn.h - shared by conv_cudnn.c (the engine), conv_choose.c (finds cuDNN's plans)
 * and cudnn_run.c (runs them). */
#ifndef RV_CUDA_CONV_CUDNN_H
#define RV_CUDA_CONV_CUDNN_H

#include "cache.h"
#include "conv.h"
#include "dnn.h"

/* An execution plan, shared by all convolutions of its shape; lives as long as the
 * device. */
struct rv_cudnn_plan {
    struct rv_cudnn_plan *next;
    char key[200];
    enum rv_form form;
    cudnnBackendDescriptor_t plan;
    int64_t workspace;
    bool trial; /* made and run with the planning handle, for timing */
};

struct rv_cudnn {
    rvos_device *dev;
    struct rv_dnn dnn;    /* for planning, with the device's lock held; takes seconds */
    cudnnHandle_t runner; /* for running, without waiting for planning: a handle is for
                             one thread */
    pthread_mutex_t running;
    /* Last stream of the planning handle; protected by `running`. */
    cudaStream_t planning;
    struct rv_cache *cache; /* the device's */
    char gpu[96];           /* the part of keys that names cuDNN and the GPU */
    struct rv_cudnn_plan *made;
    double compiling; /* seconds to compile the slowest kernel so far */
};

struct rv_conv {
    struct rv_cudnn *opened;
    const struct rv_cudnn_plan *made;
    struct rv_conv_shape shape;
    struct rv_weights *weights; /* valid only during create */
    int index;
    const void *kernel;
    const float *bias;
    const void *f16_bias; /* for RV_FORM_FUSED with fp16 operands; else NULL */
    size_t sums; /* bytes of sums in front of the workspace, for forms with sums */
};

/* -- cudnn_run.c -- */
/* Logs nothing, so that failing candidates do not fill the log. */
cudnnStatus_t rv_cudnn_execute(struct rv_conv *c, const struct rv_cudnn_plan *made,
                               const struct rv_conv_io *io, cudaStream_t stream,
                               cudaError_t *launched);
/* Restores a plan from text (rv_dnn_save) for the handle that runs frames; NULL:
 * failed. */
cudnnBackendDescriptor_t rv_cudnn_restore(struct rv_cudnn *o, const char *text,
                                          size_t size, int64_t *workspace);
void rv_cudnn_leave(void *opened, cudaStream_t stream);
size_t rv_cudnn_sums(const struct rv_conv_shape *s, enum rv_form form);

/* -- conv_choose.c -- */
/* The plan for a shape, made on first use; NULL: cuDNN has none. */
const struct rv_cudnn_plan *rv_cudnn_find(struct rv_conv *c);

#endif
