/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.h - one frame of the network, as data.
 *
 * encoder.c and decoder.c emit steps in the order of the paper. schedule.c gives each
 * step a wave; steps of one wave do not depend on each other. Activations are NHWC. A
 * tensor may be a slice of its parent's channels or images, so concatenation costs
 * nothing. CONV takes whole tensors only, because convolution libraries want packed
 * pixels.
 *
 * A builder that fails (no memory, too many tensors) sets p->failed and returns -1. Later
 * calls do nothing, so one check at the end is enough. */
#ifndef RV_PROGRAM_H
#define RV_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "../type.h"

#define RV_LEVELS 4 /* levels of the decoder; 0 is the coarsest, with stride 32 */

typedef int16_t rv_tid; /* index into program->tensor; -1: none */

enum { RV_ZERO_SHOT, RV_ONE_SHOT, RV_DECODERS }; /* in the order of rvos_task's bits */

enum rv_op {
    RV_OP_PREPROC, /* the job's frame -> out0, resized and normalised; its seeds -> their
                      slots of out1, the fed masks (-1: none) */
    RV_OP_CONV,    /* out0 = act(conv(in0) + bias + in1); in1 may be -1 */
    RV_OP_MAXPOOL, /* out0 = maxpool(in0) */
    RV_OP_CELL, /* one ConvLSTM cell (inputs: enum rv_cell_in) -> h in out0, c in out1 */
    RV_OP_MASK, /* h of the finest level in0 -> half-size logits out0, logits at
                   network size out1, probabilities out2 (-1: not wanted) */
    RV_OP_LABELS, /* network-size logits in0 -> the job's outputs */
};

/* Inputs of RV_OP_CELL; each may be -1. With x = up(BELOW), times MUL if given:
 *     gates = TIME + SKIP + conv([x | H_LEFT])
 *     c = sigmoid(f) * C_LEFT + sigmoid(i) * tanh(g),  h = sigmoid(o) * tanh(c)
 * and the gates' channels are in the order i, f, o, g. */
enum rv_cell_in {
    RV_CELL_BELOW,  /* hidden state of the next coarser level, same object */
    RV_CELL_H_LEFT, /* hidden and cell state of the previous object, same level */
    RV_CELL_C_LEFT,
    RV_CELL_TIME, /* gate sums of the last frame's hidden state and mask */
    RV_CELL_SKIP, /* gate sums of the image features; one for all objects */
    RV_CELL_MUL,  /* image features, multiplied with x (skip mode mul) */
    RV_CELL_INPUTS
};

enum rv_home {
    RV_ARENA, /* scratch of one frame */
    RV_STATE, /* kept by the stream from frame to frame; zero after a reset */
};

struct rv_tensor {
    int n, h, w, c; /* images (objects), rows, columns, channels */
    rv_tid parent;  /* -1, or the tensor that this is a slice of */
    int n0, c0;     /* first image and channel in the parent */
    enum rv_home home;
    enum rv_type type; /* gate sums, c, masks and logits are RV_F32 at every precision */
    size_t offset;     /* byte offset of the first element; set by places.c */
};

struct rv_step {
    enum rv_op op;
    int wave; /* set by rv_schedule, from 0 */
    rv_tid in[RV_CELL_INPUTS], out[3];
    int weight;  /* index into net->weight; -1: none */
    int decoder; /* decoder that it belongs to; -1: runs whichever decoders run */
    int object; /* the step's slot, from 0 (CONV: of its first image); -1: image n is slot
                   n if out0 has several images, else all slots */
    bool time;  /* computes TIME gate sums */
    bool late;  /* scheduled in the last possible wave, not the first */
    int size, stride, pad;
    bool relu, relu6, ceil; /* relu6 is set together with relu and clamps outputs at 6 */
};

/* What a decoder keeps in the state. */
struct rv_memory {
    rv_tid half, logits;      /* results at half the network size and at network size */
    rv_tid prob;              /* one-shot: the fed masks; else -1 */
    rv_tid hidden[RV_LEVELS]; /* h of all objects; one-shot: then the mask as one more
                                 channel; then zeroes up to `align` */
};

struct rv_program {
    /* Input, set by the caller. All other fields must be zero. */
    int objects;
    unsigned decoders;      /* decoders it has, as bits; a frame runs any of them */
    bool spatial, temporal; /* which recurrences run */
    enum rv_type type; /* of activations and hidden states, which convolutions read */
    int align;         /* channels of a hidden state are a multiple of this */
    /* Groups of objects for the gate sums of the last frame's state. One group runs
     * early, beside the encoder; more run just before use, in less memory. */
    int time_groups;

    struct rv_tensor *tensor;
    struct rv_step *step; /* in order of emission; rv_schedule sorts them by wave */
    int n_tensors, n_steps, n_waves;
    size_t arena_bytes, state_bytes;      /* set by places.c */
    struct rv_memory memory[RV_DECODERS]; /* of the decoders it has */
    rv_tid picture; /* with both decoders: the image at half its size, in the state; each
                       pixel is the largest of four; else -1 */
    struct rv_net *lists; /* receives new weights; NULL: a new weight is a failure */
    bool failed;
};

/* The weights of one convolution: input channels part[0] and part[1] of the tensor
 * `conv`.weight, with the batch norm `bn` folded in. */
struct rv_weight {
    char conv[64], bn[64]; /* names without ".weight"; bn may be "" */
    int out, in, size;     /* `in` counts the selected input channels */
    int full;              /* input channels in the file; 0: the same as `in` */
    bool depthwise;        /* output i reads input i only; `in` is then 1 */
    struct {
        int from, count;
    } part[2];
    bool bias; /* the convolution has a bias of its own (a batch norm always adds one) */
};

enum rv_skip_mode { RV_SKIP_CONCAT, RV_SKIP_SUM, RV_SKIP_MUL, RV_SKIP_NONE };

/* A model file's description and table of weights, which rv_net_list fills once. */
struct rv_net {
    char base[16];  /* "resnet18", "vgg16"... */
    int base_width; /* channels of the first convolution: 64, or 32 for mobile encoders */
    int hidden;     /* channels of the coarsest hidden state */
    int kernel;     /* of skip, gate and output convolutions: 1 or 3 */
    enum rv_skip_mode skip_mode;
    int width, height; /* network size */
    struct rv_weight *weight;
    int n_weights;
};

/* -- encoder.c -- */
bool rv_encoder_known(const char *base);
/* Whether the encoder has depthwise convolutions. */
bool rv_encoder_depthwise(const char *base);
/* The name of the first convolution in the model file. */
const char *rv_encoder_first(const char *base);
/* Emits the network from `image` to the four projected features. */
void rv_encoder_emit(struct rv_program *p, const struct rv_net *net, rv_tid image,
                     rv_tid skip[RV_LEVELS]);

/* -- decoder.c -- */
/* Input channels of a level's gate convolution, and channels of its projected feature. */
int rv_gate_channels(const struct rv_net *net, int level, int decoder);
int rv_feature_channels(const struct rv_net *net, int level);
void rv_decoder_emit(struct rv_program *p, const struct rv_net *net, int decoder,
                     const rv_tid skip[RV_LEVELS]);

/* -- program.c -- */
/* Lists the weights of all variants. Returns 0, or -1 as rv_program_build. */
int rv_net_list(struct rv_net *net, unsigned decoders);
/* Emits the steps of a frame. */
void rv_program_emit(struct rv_program *p, const struct rv_net *net);
/* Builds and schedules a whole frame. Returns 0, or -1 if memory ran out or the network
 * size does not suit the encoder. Call rv_program_free in both cases. */
int rv_program_build(struct rv_program *p, const struct rv_net *net);
void rv_program_free(struct rv_program *p);
void rv_net_free(struct rv_net *net);

rv_tid rv_tensor_new(struct rv_program *p, int n, int h, int w, int c, enum rv_home home,
                     enum rv_type type);
rv_tid rv_tensor_slice(struct rv_program *p, rv_tid of, int n0, int n, int c0, int c);
/* All zeroes for -1, which a failed program returns. */
struct rv_tensor rv_tensor_of(const struct rv_program *p, rv_tid t);
/* A step with every index -1; NULL if p has failed. Valid until the next one. */
struct rv_step *rv_step_new(struct rv_program *p, enum rv_op op, int size, int stride,
                            int pad);
/* A convolution with all input channels. */
struct rv_weight rv_weight_new(int in, int out, int size);
/* The table index of an equal entry; -1: `p` has failed. */
int rv_net_weight(struct rv_program *p, const struct rv_net *net,
                  const struct rv_weight *w);
/* A convolution of all of `in` with the weights at `w`. */
rv_tid rv_conv_emit(struct rv_program *p, const struct rv_net *net,
                    const struct rv_weight *w, rv_tid in, rv_tid add, int stride,
                    bool relu, enum rv_type type);
rv_tid rv_maxpool_emit(struct rv_program *p, rv_tid in, rv_tid out, int size, int stride,
                       int pad, bool ceil);
/* A tensor's images n0 to n1 and channels c0 to c1 in its outermost parent. */
struct rv_place {
    rv_tid root;
    int n0, n1, c0, c1;
};
struct rv_place rv_tensor_place(const struct rv_program *p, rv_tid t);
size_t rv_tensor_pitch(const struct rv_program *p, rv_tid t); /* elements per pixel */
size_t rv_tensor_bytes(const struct rv_tensor *t);            /* packed */

/* -- schedule.c -- */
/* Sets waves from what the steps read and write. */
void rv_schedule(struct rv_program *p);
/* Whether two tensors (-1: none) overlap as slices of one tensor. */
typedef bool rv_overlap(const struct rv_program *p, rv_tid a, rv_tid b);
rv_overlap rv_same_elements;
/* Whether `later` must stay behind `s`: one writes what the other uses. */
bool rv_must_follow(const struct rv_program *p, const struct rv_step *later,
                    const struct rv_step *s, rv_overlap *overlap);

#endif
