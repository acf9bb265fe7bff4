/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.h - a convolution of whole tensors, by cuDNN or by a plain kernel.
 *
 * Activations are NHWC and packed. Operands are fp16 or float32, sums and biases always
 * float32. Input channels may be padded with zeroes, so that tensor cores can take them:
 * the weights are padded alike. */
#ifndef RV_CUDA_CONV_H
#define RV_CUDA_CONV_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "../device/context.h"

struct rv_conv_shape {
    int n, ih, iw, ic, oh, ow, oc; /* ic with its padding */
    int size, stride, pad;
    enum rv_type in, out; /* elements: RV_F32 or RV_F16; weights are as the input */
    bool tf32;            /* float32 operands may be cut to 10 bits */
    bool relu;
    bool sum;      /* y = act(conv + bias + add); add may be y */
    bool in_place; /* it is: so it is tried and timed */
    /* Another engine can do it: one that would have to compile a kernel first, for which
     * no time is left, may say RVOS_ERR_UNSUPPORTED. */
    bool optional;
};

struct rv_conv; /* each engine's own */

/* Addresses in device memory. */
struct rv_conv_io {
    const void *x, *add; /* add NULL: none */
    void *y, *workspace;
    /* The last work in the stream is a kernel of ours, and this one may begin before that
     * has ended, as long as it waits before it reads or writes what the frame computes.
     */
    bool chained;
};

struct rv_conv_engine {
    void (*library)(char *text, size_t size); /* its name and version */
    bool own; /* it launches kernels of ours only, behind which others may be chained */
    /* Of a device; both NULL: there is nothing to open. */
    int (*open)(rvos_device *dev, void **opened);
    void (*close)(void *opened);
    /* On error the reason is logged. */
    int (*create)(struct rv_conv **out, rvos_device *dev, void *opened,
                  const struct rv_conv_shape *shape, struct rv_weights *weights,
                  int index);
    size_t (*workspace_bytes)(const struct rv_conv *conv);
    /* Puts the work into a stream, which may be captured. From any thread, also while
     * another one is in create. */
    int (*run)(struct rv_conv *conv, const struct rv_conv_io *io, cudaStream_t stream);
    void (*destroy)(struct rv_conv *conv);
    /* The stream, in which nothing is under way, is about to be destroyed. NULL: none is
     * remembered. */
    void (*leave)(void *opened, cudaStream_t stream);
};

/* Own kernel, any shape: what cuDNN refuses, and where there is no GPU. */
extern const struct rv_conv_engine rv_conv_plain;
/* The library of this build: cuDNN, or what the tests have in place of it. */
const struct rv_conv_engine *rv_conv_library(void);

/* Of every stream that convolutions are put into. NULL is nothing. */
static inline void rv_conv_stream_destroy(const rvos_device *dev, cudaStream_t stream)
{
    const struct cuda_device *cuda = dev->priv;

    if (!stream)
        return;
    if (cuda->engine->leave)
        cuda->engine->leave(cuda->opened, stream);
    cudaStreamDestroy(stream);
}

/* -- conv_best.c: which engine makes a convolution: the fastest, by measurement -- */
/* A convolution and the engine that it is of. */
struct rv_made {
    const struct rv_conv_engine *engine;
    struct rv_conv *conv; /* NULL: none; to be destroyed by the engine */
};

/* Of cuDNN's and our own kernels on tensor cores the faster one; where neither can, the
 * plain one. What was found is remembered on disk; where measuring is not wanted
 * (RVOS_CUDA_TUNE=0) cuDNN is taken. RVOS_CUDA_CONV in the environment takes away the
 * choice: "cudnn", "tile" or "plain". Under the device's lock. */
int rv_conv_make(rvos_device *dev, const struct rv_conv_shape *shape,
                 struct rv_weights *weights, int index, struct rv_made *out);
/* Opened with the device, closed with it. NULL: no memory. */
struct rv_conv_best;
struct rv_conv_best *rv_conv_best_open(const rvos_device *dev);
void rv_conv_best_close(struct rv_conv_best *best);

/* -- weights.c: what all engines make of weights->prepared[index] -- */
enum rv_layout {
    RV_LAYOUT_PLAIN, /* [tap][ic][oc], oc padded to 8; float32, to the type's precision */
    RV_LAYOUT_FILTER, /* [oc][tap][ic] of the type */
    RV_LAYOUT_TAPS,   /* [tap][ic][oc] of RV_F32 */
    RV_LAYOUTS
};
/* Device addresses, made if no earlier call has. Bias: float32, oc padded to 8. */
int rv_cuda_weights(rvos_device *dev, struct rv_weights *weights, int index, int ic,
                    enum rv_type type, enum rv_layout layout, const void **kernel,
                    const float **bias);
/* The bias as fp16; NULL: a value does not fit. Of RV_LAYOUT_FILTER, after
 * rv_cuda_weights. */
const void *rv_cuda_f16_bias(const struct rv_weights *weights, int index);
void rv_cuda_weights_free(rvos_device *dev, struct rv_weights *weights);

#endif
