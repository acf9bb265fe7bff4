/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* decoder.c - the hierarchical ConvLSTM, recurrent over objects and over frames.
 *
 * Equations 1 to 3 of the paper (docs/network.md, "Decoder"): the cell of object i, level
 * k, frame t reads
 *
 *     [ up(h(t,i,k-1)) | f'(t,k) | mask(t-1,i) | h(t,i-1,k) | h(t-1,i,k) ]
 *
 * Its gates are linear in that input, so the convolution is split into three parts:
 *
 *     SKIP   of f'               once a frame, shared by all objects
 *     TIME   of h(t-1), mask     no other object needed: of some or all at once
 *     CELL   of up, h(t,i-1)     what stays in the recurrence over objects
 *
 * The memory cell c runs along the objects of one frame only; h runs both ways. */
#include "program.h"

#include <stdio.h>

static const char *const names[RV_DECODERS] = {"zero_shot", "one_shot"};

static int hidden_of(const struct rv_net *net, int k)
{
    return net->hidden >> k;
}

int rv_feature_channels(const struct rv_net *net, int level)
{
    return net->hidden >> (level > 1 ? level - 1 : 0);
}

/* Channel offsets of the parts of a cell's input within the gate convolution, in the
 * order of the published checkpoints. */
struct gate_layout {
    int up, skip, mask, left, time; /* first channel of each part; -1: absent */
    int in;
};

static struct gate_layout gate_layout(const struct rv_net *net, int k, int d)
{
    struct gate_layout g = {.up = k ? 0 : -1, .skip = -1, .mask = -1};
    int at = k ? hidden_of(net, k - 1) : 0;

    if (!k || net->skip_mode == RV_SKIP_CONCAT) {
        g.skip = at;
        at += rv_feature_channels(net, k);
    } else if (net->skip_mode == RV_SKIP_SUM) {
        g.skip = 0; /* W(up + f') = W up + W f': one kernel, used twice */
    }
    if (d == RV_ONE_SHOT)
        g.mask = at++;
    g.left = at;
    g.time = at + hidden_of(net, k);
    g.in = at + 2 * hidden_of(net, k);
    return g;
}

int rv_gate_channels(const struct rv_net *net, int level, int decoder)
{
    return gate_layout(net, level, decoder).in;
}

/* Weights of one part of decoder d's gates at level k: n_a input channels from a, then
 * n_b from b. */
static struct rv_weight gate_weight(const struct rv_net *net, int d, int k, int a,
                                    int n_a, int b, int n_b, bool bias)
{
    struct rv_weight w = {.out = 4 * hidden_of(net, k),
                          .in = n_a + n_b,
                          .full = rv_gate_channels(net, k, d),
                          .size = net->kernel,
                          .part = {{n_a ? a : 0, n_a}, {n_b ? b : 0, n_b}},
                          .bias = bias};

    snprintf(w.conv, sizeof(w.conv), "%s.clstm_list.%d.Gates", names[d], k);
    return w;
}

/* The state of a level: h, followed by the mask if both feed the TIME part. */
static void emit_state(struct rv_program *p, const struct rv_net *net, int d,
                       const rv_tid skip[RV_LEVELS])
{
    for (int k = 0; k < RV_LEVELS; k++) {
        struct rv_tensor f = rv_tensor_of(p, skip[k]);
        int channels = hidden_of(net, k) + (d == RV_ONE_SHOT && p->temporal);

        channels = (channels + p->align - 1) / p->align * p->align;
        p->memory[d].hidden[k] =
            rv_tensor_new(p, p->objects, f.h, f.w, channels, RV_STATE, p->type);
    }
}

/* The fed masks, halved five times by 2x2 max pooling. Strides 4, 8, 16 and 32 go to
 * levels 3, 2, 1 and 0. */
static void emit_mask_pyramid(struct rv_program *p, const struct rv_net *net,
                              rv_tid mask[RV_LEVELS])
{
    const struct rv_memory *own = &p->memory[RV_ONE_SHOT];
    rv_tid m = rv_maxpool_emit(p, own->prob, -1, 2, 2, 0, true);

    for (int k = RV_LEVELS - 1; k >= 0; k--) {
        rv_tid out = -1;

        if (p->temporal)
            out = rv_tensor_slice(p, own->hidden[k], 0, p->objects, hidden_of(net, k), 1);
        m = mask[k] = rv_maxpool_emit(p, m, out, 2, 2, 0, true);
    }
}

static int group_start(const struct rv_program *p, int g)
{
    return p->objects * g / p->time_groups;
}

/* Gate sums of the last frame's state, [ h | mask ] or one of the two, for one group of
 * objects. */
static rv_tid emit_time_gates(struct rv_program *p, const struct rv_net *net, int d,
                              int k, rv_tid mask, int group)
{
    struct gate_layout g = gate_layout(net, k, d);
    int first = group_start(p, group), n = group_start(p, group + 1) - first;
    rv_tid in = p->temporal ? p->memory[d].hidden[k] : mask, out;
    struct rv_weight w = gate_weight(net, d, k, p->temporal ? g.time : g.mask,
                                     p->temporal ? hidden_of(net, k) : 1, g.mask,
                                     p->temporal && g.mask >= 0, false);

    if (!p->temporal && g.mask < 0)
        return -1;
    if (p->time_groups > 1)
        in = rv_tensor_slice(p, in, first, n, 0, rv_tensor_of(p, in).c);
    out = rv_conv_emit(p, net, &w, in, -1, 1, false, RV_F32);
    if (out < 0)
        return -1;
    p->step[p->n_steps - 1].time = true;
    p->step[p->n_steps - 1].late = p->time_groups > 1;
    p->step[p->n_steps - 1].object = p->time_groups > 1 ? first : -1;
    return out;
}

/* The cell of object i (number n of its group) at level k. c_left is the memory cell of
 * the previous object. Returns this cell's c. */
static rv_tid emit_cell(struct rv_program *p, const struct rv_net *net, int d, int i,
                        int n, int k, rv_tid skip, rv_tid skip_gates, rv_tid time_gates,
                        rv_tid c_left)
{
    struct gate_layout g = gate_layout(net, k, d);
    const rv_tid *hidden = p->memory[d].hidden;
    int hid = hidden_of(net, k);
    bool left = i && p->spatial;
    int n_up = k ? hidden_of(net, k - 1) : 0, n_left = left ? hid : 0;
    struct rv_weight w =
        gate_weight(net, d, k, g.up, n_up, g.left, n_left, skip_gates < 0);
    struct rv_step *s = rv_step_new(p, RV_OP_CELL, net->kernel, 1, net->kernel / 2);
    struct rv_tensor size;
    rv_tid h, c;

    if (!s)
        return -1;
    s->in[RV_CELL_BELOW] = k ? rv_tensor_slice(p, hidden[k - 1], i, 1, 0, n_up) : -1;
    s->in[RV_CELL_H_LEFT] = left ? rv_tensor_slice(p, hidden[k], i - 1, 1, 0, hid) : -1;
    s->in[RV_CELL_C_LEFT] = left ? c_left : -1;
    s->in[RV_CELL_TIME] =
        time_gates < 0 ? -1 : rv_tensor_slice(p, time_gates, n, 1, 0, 4 * hid);
    s->in[RV_CELL_SKIP] = skip_gates;
    s->in[RV_CELL_MUL] = k && net->skip_mode == RV_SKIP_MUL ? skip : -1;
    h = rv_tensor_slice(p, hidden[k], i, 1, 0, hid);
    size = rv_tensor_of(p, h);
    c = rv_tensor_new(p, 1, size.h, size.w, hid, RV_ARENA, RV_F32);
    s->out[0] = h;
    s->out[1] = c;
    s->object = i;
    s->weight = w.in ? rv_net_weight(p, net, &w) : -1;
    return c;
}

/* Upsamples the finest hidden state to twice its size and applies conv_out. Then it
 * upsamples to the network size, and only then applies the sigmoid. */
static void emit_mask(struct rv_program *p, const struct rv_net *net, int d)
{
    struct rv_weight w = rv_weight_new(hidden_of(net, 3), 1, net->kernel);
    struct rv_memory *m = &p->memory[d];
    struct rv_tensor h = rv_tensor_of(p, m->hidden[3]);
    struct rv_step *s;

    w.bias = true;
    snprintf(w.conv, sizeof(w.conv), "%s.conv_out", names[d]);
    m->half = rv_tensor_new(p, p->objects, 2 * h.h, 2 * h.w, 1, RV_STATE, RV_F32);
    m->logits =
        rv_tensor_new(p, p->objects, net->height, net->width, 1, RV_STATE, RV_F32);
    s = rv_step_new(p, RV_OP_MASK, net->kernel, 1, net->kernel / 2);
    if (!s)
        return;
    s->in[0] = rv_tensor_slice(p, m->hidden[3], 0, p->objects, 0, w.in);
    s->out[0] = m->half;
    s->out[1] = m->logits;
    s->out[2] = m->prob;
    s->weight = rv_net_weight(p, net, &w);
    s = rv_step_new(p, RV_OP_LABELS, 0, 0, 0);
    if (s)
        s->in[0] = m->logits;
}

void rv_decoder_emit(struct rv_program *p, const struct rv_net *net, int d,
                     const rv_tid skip[RV_LEVELS])
{
    rv_tid mask[RV_LEVELS] = {-1, -1, -1, -1}, skip_gates[RV_LEVELS],
           time_gates[RV_LEVELS], c[RV_LEVELS];
    int first_step = p->n_steps;

    emit_state(p, net, d, skip);
    if (d == RV_ONE_SHOT)
        emit_mask_pyramid(p, net, mask);
    for (int k = 0; k < RV_LEVELS; k++) {
        int at = gate_layout(net, k, d).skip;
        struct rv_weight w =
            gate_weight(net, d, k, at, rv_feature_channels(net, k), 0, 0, true);

        skip_gates[k] =
            at < 0 ? -1 : rv_conv_emit(p, net, &w, skip[k], -1, 1, false, RV_F32);
        c[k] = -1;
    }
    for (int group = 0; group < p->time_groups; group++) {
        int first = group_start(p, group);

        for (int k = 0; k < RV_LEVELS; k++)
            time_gates[k] = emit_time_gates(p, net, d, k, mask[k], group);
        for (int i = first; i < group_start(p, group + 1); i++)
            for (int k = 0; k < RV_LEVELS; k++)
                c[k] = emit_cell(p, net, d, i, i - first, k, skip[k], skip_gates[k],
                                 time_gates[k], c[k]);
    }
    emit_mask(p, net, d);
    for (int i = first_step; i < p->n_steps; i++)
        p->step[i].decoder = d;
}
