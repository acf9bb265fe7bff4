/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.h - what an engine of convolutions is, and the engines there are.
 *
 * Activations are NHWC, packed, one image. A convolution is cut into pieces: a band of
 * output rows, or a part of the output channels of one. A band is a convolution of its
 * own: it knows how many rows it reads, and which of its borders are the image's
 * (padded) and which are cuts (rows are there). */
#ifndef RV_CPU_CONV_H
#define RV_CPU_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "../backend.h"
#include "pool.h"

struct rv_conv_shape {
    int ih, iw, ic, oh, ow, oc;
    int size, stride;
    int pad_top, pad_bottom, pad_side; /* of a whole convolution pad_side is for all */
    enum rv_type in, out; /* elements: RV_F32 or RV_BF16; weights are as the input */
    bool relu, relu6;     /* the latter with the former: outputs end at 6 */
    bool depthwise;       /* channel by channel: oc is ic, a weight has one input */
    bool sum;             /* out = act(conv + bias + add) */
};

/* How an engine wants a whole convolution to be cut. */
struct rv_conv_split {
    int rows;     /* bands begin at multiples of this */
    int parts;    /* of the output channels, for workers that share out a band */
    double speed; /* how many times as fast as all multiply-accumulates */
};

/* A convolution that is asked for: the whole, or one piece of it. */
struct rv_conv_order {
    rvos_device *dev;
    const struct rv_conv_engine *engine;
    void *opened; /* the library's */
    struct rv_conv_shape shape;
    struct rv_conv_split split;
    int part; /* of split.parts */
    struct rv_weights *weights;
    int index;
};

/* What has been made of a weight: first in a struct of its own. Of one weight there may
 * be several forms, in several layouts. */
struct rv_prepared {
    struct rv_prepared *next;
    const struct rv_form *form;
    size_t bytes;
};

struct rv_form {
    /* NULL: there is one layout. */
    bool (*same)(const struct rv_prepared *prepared, const void *layout);
    /* From a kernel (out x in x size x size) and a bias. On error the reason is logged.
     */
    int (*make)(struct rv_prepared **out, rvos_device *dev, const struct rv_weight *w,
                const void *layout, const float *kernel, const float *bias);
    void (*free)(struct rv_prepared *prepared); /* NULL: free() */
};

/* One piece: first in a struct of the engine's own. Not to be run by two threads at a
 * time. What it computes and reads is for those who measure: see rvos_step. */
struct rv_conv {
    const struct rv_conv_engine *engine;
    size_t scratch_bytes;
    int in0;         /* first input row that it reads */
    const char *way; /* NULL: the library's */
    double macs, flops, weight_bytes;
};

struct rv_conv_engine {
    /* The first of the list that a whole convolution suits makes it. */
    bool (*suits)(const struct rv_conv_shape *whole);
    /* NULL: wherever there are workers. `images` alike convolutions run side by side. */
    struct rv_conv_split (*split)(const struct rv_conv_shape *whole, int images,
                                  int threads);
    /* Asks for its form of the weights (rv_prepare). Sets scratch_bytes, and what is not
     * as if all multiply-accumulates were made. On error the reason is logged. */
    int (*create)(struct rv_conv **out, const struct rv_conv_order *piece);
    /* `add`: of shapes with a sum; may be dst. 0, or RVOS_ERR_DEVICE. */
    int (*run)(struct rv_conv *conv, const void *src, const void *add, void *dst,
               void *scratch);
    void (*destroy)(struct rv_conv *conv); /* NULL: free() */

    /* Of a library, which takes all shapes: name and version, instruction set, and for
     * the pool's threads. NULL: it is none. */
    void (*library)(char *text, size_t size);
    const char *(*isa)(void);
    rv_set_threads *set_threads;
    int (*open)(rvos_device *dev, void **opened);
    void (*close)(void *opened);
};

/* ---- conv.c ----------------------------------------------------------------- */

/* A form of weights->prepared[index]; made when it is first asked for. */
int rv_prepare(rvos_device *dev, struct rv_weights *weights, int index,
               const struct rv_form *form, const void *layout,
               const struct rv_prepared **out);
void rv_prepared_free(struct rv_weights *weights);

/* In the order in which they are asked, up to a NULL. The last one is plain C: the
 * definition of correct, and all that the reference backend has. */
extern const struct rv_conv_engine *const rv_conv_engines[];
extern const struct rv_conv_engine rv_engine_plain;

/* NULL: none can make it. */
const struct rv_conv_engine *rv_conv_find(const struct rv_conv_engine *const *list,
                                          const struct rv_conv_shape *whole);
/* Rows row0 to row1 of a whole convolution, of one of its parts. */
int rv_conv_create(const struct rv_conv_order *whole, int row0, int row1,
                   struct rv_conv **out);
void rv_conv_destroy(struct rv_conv *conv); /* NULL is nothing */

#endif
