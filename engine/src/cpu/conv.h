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

/* A piece that is asked for. */
struct rv_conv_order {
    rvos_device *dev;
    struct rv_conv_shape shape; /* of the band */
    struct rv_conv_split split;
    int part; /* of split.parts */
    struct rv_weights *weights;
    int index;
};

/* What an engine has made of a weight: first in a struct of its own. Of one weight there
 * may be several, of different engines and layouts. */
struct rv_prepared {
    struct rv_prepared *next;
    const struct rv_conv_engine *maker;
    void (*free)(struct rv_prepared *prepared);
};

static inline void rv_prepared_add(struct rv_weights *weights, int index,
                                   struct rv_prepared *prepared)
{
    prepared->next = weights->prepared[index];
    weights->prepared[index] = prepared;
}

static inline void rv_prepared_free(struct rv_prepared *list)
{
    for (struct rv_prepared *next; list; list = next) {
        next = list->next;
        list->free(list);
    }
}

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
    /* Whether it can make this convolution and should: the first of the list that says so
     * does. */
    bool (*suits)(const struct rv_conv_shape *whole);
    /* NULL: wherever there are workers. `images` alike convolutions run side by side. */
    struct rv_conv_split (*split)(const struct rv_conv_shape *whole, int images,
                                  int threads);
    /* Prepares weights->prepared[index] too, a list of struct rv_prepared, in the layout
     * that the shape asks for, if no earlier piece has. Sets scratch_bytes, and what is
     * not as if all multiply-accumulates were made. On error the reason is logged. */
    int (*create)(struct rv_conv **out, void *opened, const struct rv_conv_order *order);
    /* `add`: of shapes with a sum; may be dst. 0, or RVOS_ERR_DEVICE. */
    int (*run)(struct rv_conv *conv, const void *src, const void *add, void *dst,
               void *scratch);
    void (*destroy)(struct rv_conv *conv);

    /* Of libraries, which take all shapes; NULL: it is none. Name and version; the
     * instruction set; for the pool's threads (may be NULL). */
    void (*library)(char *text, size_t size);
    const char *(*isa)(void);
    rv_set_threads *set_threads;
    /* Both NULL: there is nothing to open. */
    int (*open)(rvos_device *dev, void **opened);
    void (*close)(void *opened);
};

/* ---- conv.c ----------------------------------------------------------------- */

/* The engines, in the order in which they are asked; NULL. */
extern const struct rv_conv_engine *const rv_conv_engines[];
#define RV_CONV_ENGINES 3 /* at most */

/* Those of a device. */
struct rv_convs {
    const struct rv_conv_engine *const *list;
    const struct rv_conv_engine *library; /* the first that is one */
    void *opened[RV_CONV_ENGINES];
};

/* Plain C only, or all. */
int rv_convs_open(rvos_device *dev, bool plain, struct rv_convs *out);
void rv_convs_close(struct rv_convs *convs);
/* Which one makes a convolution: index into the list; -1: none can. */
int rv_convs_find(const struct rv_convs *convs, const struct rv_conv_shape *whole);
struct rv_conv_split rv_conv_split(const struct rv_conv_engine *engine,
                                   const struct rv_conv_shape *whole, int images,
                                   int threads);
/* Rows row0 to row1 of `order`'s shape, which is that of the whole. */
int rv_conv_create(const struct rv_conv_engine *engine, void *opened,
                   const struct rv_conv_order *order, int row0, int row1,
                   struct rv_conv **out);

#endif
