/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_cudnn.h - what conv_cudnn.c, the engine, conv_choose.c, which finds cuDNN's plans,
 * and cudnn_run.c, which runs them, share. */
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
    bool trial; /* made with the handle for planning, and run with it: to be timed */
};

struct rv_cudnn {
    rvos_device *dev;
    struct rv_dnn dnn; /* for planning, under the device's lock, which can take seconds */
    cudnnHandle_t runner; /* for what does not wait for that: a handle is one thread's */
    pthread_mutex_t running;
    cudaStream_t planning;  /* that the handle for planning had last; under `running` */
    struct rv_cache *cache; /* the device's */
    char gpu[96];           /* the part of a key that names cuDNN and the GPU */
    struct rv_cudnn_plan *made;
    double compiling; /* seconds that the slowest kernel took to compile */
};

struct rv_conv {
    struct rv_cudnn *opened;
    const struct rv_cudnn_plan *made;
    struct rv_conv_shape shape;
    struct rv_weights *weights; /* valid while the convolution is made */
    int index;
    const void *kernel;
    const float *bias;
    const void *f16_bias; /* of RV_FORM_FUSED, if operands are fp16; else NULL */
    size_t sums; /* bytes, of the forms that have them, in front of the workspace */
};

/* -- cudnn_run.c -- */
/* Without a word in the log, which candidates that fail should not fill. */
cudnnStatus_t rv_cudnn_execute(struct rv_conv *c, const struct rv_cudnn_plan *made,
                               const struct rv_conv_io *io, cudaStream_t stream,
                               cudaError_t *launched);
/* A plan for the handle that frames run with, from text (rv_dnn_save); NULL: none. */
cudnnBackendDescriptor_t rv_cudnn_restore(struct rv_cudnn *o, const char *text,
                                          size_t size, int64_t *workspace);
void rv_cudnn_leave(void *opened, cudaStream_t stream);
size_t rv_cudnn_sums(const struct rv_conv_shape *s, enum rv_form form);

/* -- conv_choose.c -- */
/* The plan for a shape, made if there is none yet; NULL: cuDNN has none. */
const struct rv_cudnn_plan *rv_cudnn_find(struct rv_conv *c);

#endif
