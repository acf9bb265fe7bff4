/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "program.h"

#include <stdlib.h>
#include <string.h>

/* Grows an array at powers of two; `n` is its present length. */
static void *grow(void *array, int n, size_t size)
{
    if (n & (n - 1))
        return array;
    return realloc(array, (n ? 2 * (size_t)n : 1) * size);
}

rv_tid rv_tensor_new(struct rv_program *p, int n, int h, int w, int c, enum rv_home home,
                     enum rv_type type)
{
    struct rv_tensor *grown;

    if (p->failed)
        return -1;
    grown = grow(p->tensor, p->n_tensors, sizeof(*grown));
    if (grown)
        p->tensor = grown;
    p->failed = !grown || p->n_tensors == INT16_MAX || n < 1 || h < 1 || w < 1 || c < 1;
    if (p->failed)
        return -1;
    p->tensor[p->n_tensors] = (struct rv_tensor){
        .n = n, .h = h, .w = w, .c = c, .parent = -1, .home = home, .type = type};
    return (rv_tid)p->n_tensors++;
}

struct rv_tensor rv_tensor_of(const struct rv_program *p, rv_tid t)
{
    return t < 0 ? (struct rv_tensor){0} : p->tensor[t];
}

rv_tid rv_tensor_slice(struct rv_program *p, rv_tid of, int n0, int n, int c0, int c)
{
    struct rv_tensor x = rv_tensor_of(p, of);
    rv_tid t = rv_tensor_new(p, n, x.h, x.w, c, x.home, x.type);

    if (t < 0)
        return -1;
    p->tensor[t].parent = of;
    p->tensor[t].n0 = n0;
    p->tensor[t].c0 = c0;
    return t;
}

struct rv_place rv_tensor_place(const struct rv_program *p, rv_tid t)
{
    const struct rv_tensor *x = &p->tensor[t];
    struct rv_place place = {t, 0, x->n, 0, x->c};

    for (; x->parent >= 0; x = &p->tensor[x->parent]) {
        place.root = x->parent;
        place.n0 += x->n0;
        place.n1 += x->n0;
        place.c0 += x->c0;
        place.c1 += x->c0;
    }
    return place;
}

size_t rv_tensor_pitch(const struct rv_program *p, rv_tid t)
{
    return (size_t)p->tensor[rv_tensor_place(p, t).root].c;
}

size_t rv_tensor_bytes(const struct rv_tensor *t)
{
    return (size_t)t->n * t->h * t->w * t->c * rv_type_bytes(t->type);
}

struct rv_step *rv_step_new(struct rv_program *p, enum rv_op op, int size, int stride,
                            int pad)
{
    struct rv_step *grown, *s;

    if (p->failed)
        return NULL;
    grown = grow(p->step, p->n_steps, sizeof(*grown));
    p->failed = !grown;
    if (!grown)
        return NULL;
    p->step = grown;
    s = &p->step[p->n_steps++];
    *s = (struct rv_step){.op = op, .size = size, .stride = stride, .pad = pad};
    s->weight = s->decoder = s->object = -1;
    memset(s->in, -1, sizeof(s->in));
    memset(s->out, -1, sizeof(s->out));
    return s;
}

struct rv_weight rv_weight_new(int in, int out, int size)
{
    return (struct rv_weight){.out = out, .in = in, .size = size, .part = {{0, in}}};
}

int rv_net_weight(struct rv_program *p, const struct rv_net *net,
                  const struct rv_weight *w)
{
    struct rv_weight *grown;

    for (int i = 0; i < net->n_weights; i++)
        if (!strcmp(net->weight[i].conv, w->conv) &&
            !memcmp(net->weight[i].part, w->part, sizeof(w->part)) &&
            net->weight[i].bias == w->bias)
            return i;
    grown = p->lists ? grow(net->weight, net->n_weights, sizeof(*grown)) : NULL;
    p->failed = p->failed || !grown;
    if (!grown)
        return -1;
    p->lists->weight = grown;
    grown[net->n_weights] = *w;
    return p->lists->n_weights++;
}

int rv_net_list(struct rv_net *net, unsigned decoders)
{
    bool failed = false;

    for (int i = 0; i < 3; i++) {
        struct rv_program p = {.lists = net,
                               .objects = 2,
                               .decoders = decoders,
                               .spatial = i != 1,
                               .temporal = i != 2,
                               .align = 1,
                               .time_groups = 1};

        rv_program_emit(&p, net);
        failed = failed || p.failed;
        rv_program_free(&p);
    }
    return failed ? -1 : 0;
}

rv_tid rv_conv_emit(struct rv_program *p, const struct rv_net *net,
                    const struct rv_weight *w, rv_tid in, rv_tid add, int stride,
                    bool relu, enum rv_type type)
{
    struct rv_tensor x = rv_tensor_of(p, in);
    int index = rv_net_weight(p, net, w), rest = w->size / 2 * 2 - w->size;
    rv_tid out = rv_tensor_new(p, x.n, (x.h + rest) / stride + 1,
                               (x.w + rest) / stride + 1, w->out, RV_ARENA, type);
    struct rv_step *s = rv_step_new(p, RV_OP_CONV, w->size, stride, w->size / 2);

    if (!s)
        return -1;
    s->in[0] = in;
    s->in[1] = add;
    s->out[0] = out;
    s->weight = index;
    s->relu = relu;
    return out;
}

/* Output rows or columns of a pooling. With `ceil` the last window may extend beyond the
 * input. */
static int pooled(int in, int size, int stride, int pad, bool ceil)
{
    int span = in + 2 * pad - size;
    int out = (ceil ? span + stride - 1 : span) / stride + 1;

    if (ceil && (out - 1) * stride >= in + pad)
        out--;
    return out;
}

rv_tid rv_maxpool_emit(struct rv_program *p, rv_tid in, rv_tid out, int size, int stride,
                       int pad, bool ceil)
{
    struct rv_tensor x = rv_tensor_of(p, in);
    struct rv_step *s;

    if (out < 0)
        out = rv_tensor_new(p, x.n, pooled(x.h, size, stride, pad, ceil),
                            pooled(x.w, size, stride, pad, ceil), x.c, RV_ARENA, p->type);
    s = rv_step_new(p, RV_OP_MAXPOOL, size, stride, pad);
    if (!s)
        return -1;
    s->in[0] = in;
    s->out[0] = out;
    s->ceil = ceil;
    return out;
}

void rv_program_emit(struct rv_program *p, const struct rv_net *net)
{
    rv_tid image = rv_tensor_new(p, 1, net->height, net->width, 3, RV_ARENA, p->type);
    rv_tid skip[RV_LEVELS], prob = -1;
    struct rv_step *s;

    if (p->time_groups > p->objects)
        p->time_groups = p->objects;
    if (p->decoders & 1 << RV_ONE_SHOT)
        prob = rv_tensor_new(p, p->objects, net->height, net->width, 1, RV_STATE, RV_F32);
    p->memory[RV_ZERO_SHOT].prob = -1;
    p->memory[RV_ONE_SHOT].prob = prob;
    s = rv_step_new(p, RV_OP_PREPROC, 0, 0, 0);
    if (s)
        s->out[0] = image, s->out[1] = prob;
    p->picture = -1;
    if (p->decoders == (1 << RV_ZERO_SHOT | 1 << RV_ONE_SHOT)) {
        p->picture = rv_tensor_new(p, 1, (net->height + 1) / 2, (net->width + 1) / 2, 3,
                                   RV_STATE, p->type);
        rv_maxpool_emit(p, image, p->picture, 2, 2, 0, true);
    }
    rv_encoder_emit(p, net, image, skip);
    for (int d = 0; d < RV_DECODERS; d++)
        if (p->decoders >> d & 1)
            rv_decoder_emit(p, net, d, skip);
}

int rv_program_build(struct rv_program *p, const struct rv_net *net)
{
    rv_program_emit(p, net);
    if (!p->failed)
        rv_schedule(p);
    return p->failed ? -1 : 0;
}

void rv_program_free(struct rv_program *p)
{
    free(p->tensor);
    free(p->step);
    *p = (struct rv_program){0};
}

void rv_net_free(struct rv_net *net)
{
    free(net->weight);
    *net = (struct rv_net){0};
}
