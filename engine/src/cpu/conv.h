/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.h - one convolution over a band of output rows, by plain C, by oneDNN, or, where
 * that is faster, by Winograd's method.
 *
 * Activations are NHWC, packed, one image. A band is a convolution of its own: it
 * knows how many rows it reads, and which of its borders are the image's (padded)
 * and which are cuts (rows are there). */
#ifndef RV_CPU_CONV_H
#define RV_CPU_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "../backend.h"
#include "pool.h"

struct rv_conv_shape {
    int ih, iw, ic, oh, ow, oc;
    int size, stride;
    int pad_top, pad_bottom, pad_side;
    enum rv_type in, out; /* elements: RV_F32 or RV_BF16; weights are as the input */
    bool relu, relu6;     /* the latter with the former: outputs end at 6 */
    bool depthwise;       /* channel by channel: oc is ic, a weight has one input */
    bool sum;             /* out = act(conv + bias + add) */
    /* conv_winograd.c's only: outputs a side of a tile, of which a band begins at whole
     * ones; and which of so many parts of the output channels. */
    int tile, part, parts;
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

struct rv_conv; /* one band; not to be run by two threads at a time */

struct rv_conv_engine {
    void (*library)(char *text, size_t size); /* its name and version */
    /* Of engines that a device can have for all shapes. */
    const char *(*isa)(void);
    bool (*has_bf16)(void);
    rv_set_threads *set_threads; /* for the pool; may be NULL */
    /* Both NULL: there is nothing to open. */
    int (*open)(rvos_device *dev, void **opened);
    void (*close)(void *opened);
    /* Prepares weights->prepared[index] too, a list of struct rv_prepared, in the layout
     * that the shape asks for, if no earlier shape has. On error the reason is logged. */
    int (*create)(struct rv_conv **out, rvos_device *dev, void *opened,
                  const struct rv_conv_shape *shape, struct rv_weights *weights,
                  int index);
    size_t (*scratch_bytes)(const struct rv_conv *conv);
    /* `add`: of shapes with a sum; may be dst. 0, or RVOS_ERR_DEVICE. */
    int (*run)(struct rv_conv *conv, const void *src, const void *add, void *dst,
               void *scratch);
    void (*destroy)(struct rv_conv *conv);
};

/* Plain C; always there. */
const struct rv_conv_engine *rv_conv_plain(void);
/* NULL in a build without oneDNN. */
const struct rv_conv_engine *rv_conv_onednn(void);
/* For some shapes only. The tile for that of a whole map; 0: it is not one of them, or
 * another engine is faster. */
const struct rv_conv_engine *rv_conv_winograd(void);
int rv_winograd_tile(const struct rv_conv_shape *whole);

#endif
