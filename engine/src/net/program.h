/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.h - one frame of the network, as data.
 *
 * encoder.c and decoder.c write steps in the order of the paper; schedule.c gives each
 * step a wave: steps of one wave don't depend on each other. Activations are NHWC. A
 * tensor may be a slice of its parent's channels or images, so concatenation costs
 * nothing; but CONV has whole tensors, as convolution libraries want packed pixels.
 *
 * A builder that fails (no memory, too many tensors) sets p->failed and returns -1; later
 * calls do nothing: emitting needs one check, at the end. */
#ifndef RV_PROGRAM_H
#define RV_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "type.h"

#define RV_LEVELS 4 /* of the decoder; 0 is the coarsest, stride 32 */

typedef int16_t rv_tid; /* index into program->tensor; -1: none */

enum { RV_ZERO_SHOT, RV_ONE_SHOT, RV_DECODERS }; /* bits as in rvos_task */

enum rv_op {
    RV_OP_PREPROC, /* the job's frame -> out0, resized and normalised; its seeds ->
                      their slots of out1, the masks that are fed (-1: none are) */
    RV_OP_CONV,    /* out0 = act(conv(in0) + bias + in1); in1 may be -1 */
    RV_OP_MAXPOOL, /* out0 = maxpool(in0) */
    RV_OP_CELL,    /* one ConvLSTM cell, see enum rv_cell_in -> h in out0, c in out1 */
    RV_OP_MASK,    /* h of the finest level in0 -> half-size logits out0, logits at
                      network size out1, probabilities out2 (-1: not wanted) */
    RV_OP_LABELS,  /* network-size logits in0 -> what the job asks for */
};

/* Inputs of RV_OP_CELL; each may be -1. With x = up(BELOW), times MUL if given:
 *     gates = TIME + SKIP + conv([x | H_LEFT])
 *     c = sigmoid(f) * C_LEFT + sigmoid(i) * tanh(g),  h = sigmoid(o) * tanh(c)
 * and the gates' channels in the order i, f, o, g. */
enum rv_cell_in {
    RV_CELL_BELOW,  /* hidden state of the next coarser level, same object */
    RV_CELL_H_LEFT, /* hidden and cell state of the object before, same level */
    RV_CELL_C_LEFT,
    RV_CELL_TIME, /* gate sums of the last frame's hidden state and mask */
    RV_CELL_SKIP, /* gate sums of the image features; one for all objects */
    RV_CELL_MUL,  /* image features that x is multiplied with (skip mode mul) */
    RV_CELL_INPUTS
};

enum rv_home {
    RV_ARENA, /* scratch of one frame */
    RV_STATE, /* the stream's, kept from frame to frame; zeroes at a reset */
};

struct rv_tensor {
    int n, h, w, c; /* images (objects), rows, columns, channels */
    rv_tid parent;  /* -1, or the tensor that this is a slice of */
    int n0, c0;     /* where in the parent */
    enum rv_home home;
    enum rv_type type; /* RV_F32, whatever the precision: gate sums, c, masks, logits */
    size_t offset;     /* in bytes, of the first element; set by places.c */
};

struct rv_step {
    enum rv_op op;
    int wave; /* set by rv_schedule, from 0 */
    rv_tid in[RV_CELL_INPUTS], out[3];
    int weight;  /* index into net->weight; -1: none */
    int decoder; /* that it is a part of; -1: of the frame, whichever decoders run */
    int object;  /* slot from 0 that the step works for, and of CONV the first of as
                    many as out0 has images; -1: image n of its tensors is slot n if
                    out0 has several, else all slots */
    bool late;   /* its wave is the last that it can be in, not the first */
    int size, stride, pad;
    bool relu, relu6, ceil; /* relu6 comes with relu: outputs end at 6, too */
};

/* What a decoder keeps in the state. */
struct rv_memory {
    rv_tid half, logits;      /* results: of half and of network size */
    rv_tid prob;              /* masks that are fed, one-shot; else -1 */
    rv_tid hidden[RV_LEVELS]; /* h of all objects; one-shot: and the mask, behind h's
                                 channels; then zeroes up to `align` */
};

struct rv_program {
    /* Input, set by the caller. All other fields must be zero. */
    int objects;
    unsigned decoders;      /* that it has, by bit: a frame runs any of them, or all */
    bool spatial, temporal; /* which recurrences run */
    enum rv_type type;      /* of what convolutions read: activations, hidden states */
    int align;              /* channels of a hidden state are a multiple of this */
    /* Parts, at most one an object, in which the sums of the last frame's state are made.
     * 1: at once, beside the encoder: soonest. Else when needed: in less memory. */
    int time_groups;

    struct rv_tensor *tensor;
    struct rv_step *step; /* in the order of their emission, sorted by wave later */
    int n_tensors, n_steps, n_waves;
    size_t arena_bytes, state_bytes;      /* set by places.c */
    struct rv_memory memory[RV_DECODERS]; /* of those that it has */
    struct rv_net *lists; /* new weights go into its table; NULL: they are a failure */
    bool failed;
};

/* The weights of one convolution, of the model's tensors: input channels part[0], then
 * part[1], of `conv`.weight, with the batch norm `bn` folded in. */
struct rv_weight {
    char conv[64], bn[64]; /* names without ".weight"; bn may be "" */
    int out, in, size;     /* after the selection of input channels */
    int full;              /* input channels before it; 0: as many */
    bool depthwise;        /* output i reads input i alone; `in` is then 1 */
    struct {
        int from, count;
    } part[2];
    bool bias; /* the convolution's own; with a batch norm there is one in any case */
};

enum rv_skip_mode { RV_SKIP_CONCAT, RV_SKIP_SUM, RV_SKIP_MUL, RV_SKIP_NONE };

/* What a model file holds, and the table of weights: rv_net_list fills it, once. */
struct rv_net {
    char base[16];  /* "resnet18", "vgg16"... */
    int base_width; /* channels of the first convolution: 64, or 32 of mobile ones */
    int hidden;     /* channels of the coarsest hidden state */
    int kernel;     /* of skip, gate and output convolutions: 1 or 3 */
    enum rv_skip_mode skip_mode;
    int width, height; /* network size */
    struct rv_weight *weight;
    int n_weights;
};

/* -- encoder.c -- */
bool rv_encoder_known(const char *base);
/* Whether it has depthwise convolutions. */
bool rv_encoder_depthwise(const char *base);
/* Its first convolution, named as in the model file. */
const char *rv_encoder_first(const char *base);
/* Emits the network from the frame to the four projected features. `image` is
 * what PREPROC filled. */
void rv_encoder_emit(struct rv_program *p, const struct rv_net *net, rv_tid image,
                     rv_tid skip[RV_LEVELS]);

/* -- decoder.c -- */
/* Input channels of the gate convolution of a level. */
int rv_gate_channels(const struct rv_net *net, int level, int decoder);
void rv_decoder_emit(struct rv_program *p, const struct rv_net *net, int decoder,
                     const rv_tid skip[RV_LEVELS]);

/* -- program.c -- */
/* The weights of all variants of these decoders. 0, or -1 as rv_program_build. */
int rv_net_list(struct rv_net *net, unsigned decoders);
/* The steps of a frame. */
void rv_program_emit(struct rv_program *p, const struct rv_net *net);
/* The whole frame, scheduled. 0, or -1 when memory ran out or the network size
 * does not suit the encoder. Free with rv_program_free in both cases. */
int rv_program_build(struct rv_program *p, const struct rv_net *net);
void rv_program_free(struct rv_program *p);
void rv_net_free(struct rv_net *net);

rv_tid rv_tensor_new(struct rv_program *p, int n, int h, int w, int c, enum rv_home home,
                     enum rv_type type);
rv_tid rv_tensor_slice(struct rv_program *p, rv_tid of, int n0, int n, int c0, int c);
/* All zeroes of -1, which is what a failed program has. */
struct rv_tensor rv_tensor_of(const struct rv_program *p, rv_tid t);
/* A step with every index -1; NULL when p has failed. Valid until the next is made. */
struct rv_step *rv_step_new(struct rv_program *p, enum rv_op op, int size, int stride,
                            int pad);
/* A convolution with all input channels. */
struct rv_weight rv_weight_new(int in, int out, int size);
/* The index of an equal entry of the table; -1: `p` has failed. */
int rv_net_weight(struct rv_program *p, const struct rv_net *net,
                  const struct rv_weight *w);
/* A convolution of all of `in` with the weights at `w`. */
rv_tid rv_conv_emit(struct rv_program *p, const struct rv_net *net,
                    const struct rv_weight *w, rv_tid in, rv_tid add, int stride,
                    bool relu, enum rv_type type);
rv_tid rv_maxpool_emit(struct rv_program *p, rv_tid in, rv_tid out, int size, int stride,
                       int pad, bool ceil);
/* Where a tensor lies in its outermost parent. */
struct rv_place {
    rv_tid root;
    int n0, n1, c0, c1;
};
struct rv_place rv_tensor_place(const struct rv_program *p, rv_tid t);
size_t rv_tensor_pitch(const struct rv_program *p, rv_tid t); /* elements a pixel */
size_t rv_tensor_bytes(const struct rv_tensor *t);            /* packed */

/* -- schedule.c -- */
/* Waves, from what each step reads and writes in the order of emission. */
void rv_schedule(struct rv_program *p);
/* Whether two tensors (-1: none) have anything in common: as slices of one tensor. */
typedef bool rv_overlap(const struct rv_program *p, rv_tid a, rv_tid b);
rv_overlap rv_same_elements;
/* Whether `later` must not overtake `s`: one writes what the other reads or writes. */
bool rv_must_follow(const struct rv_program *p, const struct rv_step *later,
                    const struct rv_step *s, rv_overlap *overlap);

#endif
