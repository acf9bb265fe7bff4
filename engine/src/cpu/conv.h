/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv.h - the interface of convolution engines, and their list.
 *
 * Activations are NHWC, packed, one image. A convolution is cut into pieces. A piece is a
 * band of output rows, or a part of a band's output channels. A band is a convolution of
 * its own: it knows how many rows it reads, and which borders are the image's (padded)
 * and which are cuts (the neighbouring rows exist). */
#ifndef RV_CPU_CONV_H
#define RV_CPU_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "../backend.h"
#include "pool.h"

struct rv_conv_shape {
    int ih, iw, ic, oh, ow, oc;
    int size, stride;
    int pad_top, pad_bottom, pad_side; /* a whole convolution has pad_side on all sides */
    enum rv_type in, out;              /* RV_F32 or RV_BF16; weights have the type `in` */
    bool relu, relu6; /* relu6 is set together with relu and clamps outputs at 6 */
    bool depthwise;   /* oc is ic; each output channel reads one input channel */
    bool sum;         /* out = act(conv + bias + add) */
    int bits; /* 16 or 8: products of such integers will do where they are faster; or 0 */
};

/* How an engine wants a whole convolution to be cut. */
struct rv_conv_split {
    int rows;     /* bands start at multiples of this */
    int parts;    /* parts of the output channels, for workers that share a band */
    double speed; /* speed relative to direct multiply-accumulates */
};

/* A request for a convolution, whole or one piece. */
struct rv_conv_order {
    rvos_device *dev;
    const struct rv_conv_engine *engine;
    void *opened; /* handle of the engine's library */
    struct rv_conv_shape shape;
    struct rv_conv_split split;
    int part; /* which of split.parts */
    struct rv_weights *weights;
    int index; /* of the weight in weights->net */
};

/* A weight in an engine's form: the first member of the engine's own struct. A weight may
 * have several forms, in several layouts. */
struct rv_prepared {
    struct rv_prepared *next;
    const struct rv_form *form;
    size_t bytes;
};

struct rv_form {
    /* NULL: there is only one layout. */
    bool (*same)(const struct rv_prepared *prepared, const void *layout);
    /* Makes the form from a kernel (out x in x size x size) and a bias. On error the
     * reason is logged.
     */
    int (*make)(struct rv_prepared **out, rvos_device *dev, const struct rv_weight *w,
                const void *layout, const float *kernel, const float *bias);
    void (*free)(struct rv_prepared *prepared); /* NULL: free() */
};

/* One piece: the first member of the engine's own struct. Only one thread runs it at a
 * time. The numbers are for rvos_step. */
struct rv_conv {
    const struct rv_conv_engine *engine;
    size_t scratch_bytes;
    int in0;         /* first input row that the piece reads */
    const char *way; /* NULL: the library's name */
    double macs, flops, weight_bytes;
};

struct rv_conv_engine {
    /* Whether the engine can make this whole convolution. The first engine in the list
     * that can is used. */
    bool (*suits)(const struct rv_conv_shape *whole);
    /* NULL: any split will do. `images` equal convolutions run side by side. All of them
     * should give about `shares` pieces. */
    struct rv_conv_split (*split)(const struct rv_conv_shape *whole, int images,
                                  int shares);
    /* Gets its form of the weights (rv_prepare). Sets scratch_bytes, and those of macs,
     * flops and weight_bytes that differ from a direct convolution. On error the reason
     * is logged. */
    int (*create)(struct rv_conv **out, const struct rv_conv_order *piece);
    /* `add` is used by shapes with a sum; it may be dst. Returns 0 or RVOS_ERR_DEVICE. */
    int (*run)(struct rv_conv *conv, const void *src, const void *add, void *dst,
               void *scratch);
    void (*destroy)(struct rv_conv *conv); /* NULL: free() */

    /* For an engine that is a library and takes all shapes: its name and version, its
     * instruction set, and how to set its threads. NULL: not a library. */
    void (*library)(char *text, size_t size);
    const char *(*isa)(void);
    rv_set_threads *set_threads;
    int (*open)(rvos_device *dev, void **opened);
    void (*close)(void *opened);
};

/* ---- conv.c ----------------------------------------------------------------- */

/* Finds a form of weights->prepared[index], or makes it on first use. */
int rv_prepare(rvos_device *dev, struct rv_weights *weights, int index,
               const struct rv_form *form, const void *layout,
               const struct rv_prepared **out);
void rv_prepared_free(struct rv_weights *weights);

/* In order of preference, ended by NULL. The last one is plain C: it defines the correct
 * result, and the reference backend has no other. */
extern const struct rv_conv_engine *const rv_conv_engines[];
extern const struct rv_conv_engine rv_engine_plain;

/* NULL: no engine can make it. */
const struct rv_conv_engine *rv_conv_find(const struct rv_conv_engine *const *list,
                                          const struct rv_conv_shape *whole);
/* Makes rows row0 to row1 of one part of a whole convolution. */
int rv_conv_create(const struct rv_conv_order *whole, int row0, int row1,
                   struct rv_conv **out);
void rv_conv_destroy(struct rv_conv *conv); /* accepts NULL */

/* Panels of outputs, from `first` to before `end`. */
struct rv_panels {
    int first, end;
};

/* The panels of `width` outputs each that a piece makes. */
struct rv_panels rv_conv_panels(const struct rv_conv_order *piece, int width);

/* a / b, rounded up. */
static inline int rv_over(int a, int b)
{
    return (a + b - 1) / b;
}

#endif
