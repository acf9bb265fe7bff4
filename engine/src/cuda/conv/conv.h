/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.h - the interface of convolution engines: cuDNN, our own tensor core kernel, and a
 * plain kernel.
 *
 * Activations are NHWC and packed. Operands are fp16 or float32; sums and biases are
 * always float32. Input channels may be padded with zeroes for tensor cores; the weights
 * are padded in the same way. */
#ifndef RV_CUDA_CONV_H
#define RV_CUDA_CONV_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>

#include "../device/context.h"

struct rv_conv_shape {
    int n, ih, iw, ic, oh, ow, oc; /* ic includes padding */
    int size, stride, pad;
    enum rv_type in, out; /* RV_F32 or RV_F16; weights have the type `in` */
    bool tf32;            /* float32 operands may be rounded to 10 bits of mantissa */
    bool relu;
    bool sum;      /* y = act(conv + bias + add); add may be y */
    bool in_place; /* add is y; trials and timing use it so */
    /* Optional: if compiling a kernel would take longer than the time left, return
     * RVOS_ERR_UNSUPPORTED; another engine will run this convolution. */
    bool optional;
};

struct rv_conv; /* each engine defines it */

/* Addresses in device memory. */
struct rv_conv_io {
    const void *x, *add; /* add NULL: none */
    void *y, *workspace;
    /* The last work in the stream is one of our kernels, and this one may start before
     * that has ended. Then it must wait before it reads or writes anything that the frame
     * computes.
     */
    bool chained;
};

struct rv_conv_engine {
    void (*library)(char *text, size_t size); /* writes the library's name and version */
    bool own; /* it launches our own kernels only, so others may be chained after it */
    /* Once per device. Both are NULL if there is nothing to open. */
    int (*open)(rvos_device *dev, void **opened);
    void (*close)(void *opened);
    /* On error the reason is logged. */
    int (*create)(struct rv_conv **out, rvos_device *dev, void *opened,
                  const struct rv_conv_shape *shape, struct rv_weights *weights,
                  int index);
    size_t (*workspace_bytes)(const struct rv_conv *conv);
    /* Puts the work into a stream, which may be in capture. Any thread may call it, also
     * while another one is in `create`. */
    int (*run)(struct rv_conv *conv, const struct rv_conv_io *io, cudaStream_t stream);
    void (*destroy)(struct rv_conv *conv);
    /* The stream, which is idle, is about to be destroyed. NULL: the engine does not
     * remember streams. */
    void (*leave)(void *opened, cudaStream_t stream);
};

/* Our own kernel for any shape: for what cuDNN refuses, and for tests without a GPU. */
extern const struct rv_conv_engine rv_conv_plain;
/* The library of this build: cuDNN, or the tests' substitute. */
const struct rv_conv_engine *rv_conv_library(void);

/* Destroys a stream that convolutions were put into. Accepts NULL. */
static inline void rv_conv_stream_destroy(const rvos_device *dev, cudaStream_t stream)
{
    const struct cuda_device *cuda = dev->priv;

    if (!stream)
        return;
    if (cuda->engine->leave)
        cuda->engine->leave(cuda->opened, stream);
    cudaStreamDestroy(stream);
}

/* -- conv_tile.c: our own tensor core kernel, and its tilings -- */
/* A block computes m pixels by n outputs; columns are split into `parts`. */
struct rv_tiling {
    int m, n, parts;
};
#define RV_TILINGS 12

/* For fp16 operands with input and output channels in multiples of 8. Created with its
 * first tiling. */
extern const struct rv_conv_engine rv_conv_tile;
/* The tilings worth trying, most promising first; returns their number. */
int rv_conv_tilings(const struct rv_conv_shape *shape, struct rv_tiling out[RV_TILINGS]);
void rv_conv_tile_set(struct rv_conv *conv, struct rv_tiling tiling);
/* A tiling as a number above 0, and back. False: the shape has no such tiling. */
int rv_tiling_code(struct rv_tiling tiling);
bool rv_tiling_of_code(const struct rv_conv_shape *shape, int code,
                       struct rv_tiling *out);

/* -- conv_compare.c: checks whether a convolution agrees with the plain kernel --
 *
 * Both sum the same products in float32, in different orders. The allowed difference is
 * relative to the result's own size or to the root mean square of all results, whichever
 * is larger. It is far more than rounding, and far less than the effect of a wrong tap,
 * tile or stride. */
static inline float rv_agreement(enum rv_type operands, bool tf32)
{
    return operands == RV_F16 || tf32 ? 0.03f : 1e-3f;
}

struct rv_difference {
    size_t at; /* index of the element with the largest difference */
    float got, want;
    float share; /* difference / allowed difference; above 1 or NaN: they disagree */
};

/* Elements are RV_F32 or RV_F16, in host memory. */
struct rv_difference rv_differ(const void *got, const void *want, size_t n,
                               enum rv_type type, float allowed);

/* Runs `run` and then the plain kernel on random operands at `io`, which is overwritten.
 * `io` points to device memory of the sizes in `shape`; io->add may be io->y. Returns 0,
 * or an error if `run` failed (not logged) or nothing could be compared. */
int rv_conv_compare(rvos_device *dev, const struct rv_conv_shape *shape,
                    struct rv_weights *weights, int index, const struct rv_conv_io *io,
                    int (*run)(void *opaque, cudaStream_t stream), void *opaque,
                    struct rv_difference *out);

/* -- conv_best.c: picks the fastest engine for a convolution, by measurement -- */
/* A convolution and its engine. */
struct rv_made {
    const struct rv_conv_engine *engine;
    struct rv_conv *conv; /* NULL: none; destroyed by its engine */
};

/* Makes the convolution with cuDNN or our own tensor core kernel, whichever is faster;
 * with the plain kernel if neither can. The result of measuring is kept on disk.
 * RVOS_CUDA_TUNE=0 disables measuring and takes cuDNN. RVOS_CUDA_CONV=cudnn, tile or
 * plain in the environment forces an engine. Called with the device's lock held. */
int rv_conv_make(rvos_device *dev, const struct rv_conv_shape *shape,
                 struct rv_weights *weights, int index, struct rv_made *out);
/* Opened and closed with the device. NULL: out of memory. */
struct rv_conv_best;
struct rv_conv_best *rv_conv_best_open(const rvos_device *dev);
void rv_conv_best_close(struct rv_conv_best *best);

/* -- weights.c: weights->prepared[index] of all engines -- */
enum rv_layout {
    RV_LAYOUT_PLAIN,  /* [tap][ic][oc], oc padded to 8; float32, rounded to the type's
                         precision */
    RV_LAYOUT_FILTER, /* [oc][tap][ic] of the type */
    RV_LAYOUT_TAPS,   /* [tap][ic][oc] of RV_F32 */
    RV_LAYOUTS
};
/* Device addresses of kernel and bias, made on first use. The bias is float32, oc padded
 * to 8. */
int rv_cuda_weights(rvos_device *dev, struct rv_weights *weights, int index, int ic,
                    enum rv_type type, enum rv_layout layout, const void **kernel,
                    const float **bias);
/* The bias as fp16; NULL: a value does not fit. For RV_LAYOUT_FILTER, after
 * rv_cuda_weights. */
const void *rv_cuda_f16_bias(const struct rv_weights *weights, int index);
void rv_cuda_weights_free(rvos_device *dev, struct rv_weights *weights);

#endif
