/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.c - tests shapes of every encoder, skip mode, kernel and odd size, and the
 * counts of operations. */
#include <string.h>

#include "../network.h"
#include "../test.h"
#include "places.h"

static int build(struct rv_program *p, struct rv_net *net, int objects, int decoder,
                 bool spatial, bool temporal, int time_groups)
{
    const struct rv_weight *weight;
    int n, ret;

    *p = test_program(objects, 1u << decoder, RV_F32, 1);
    p->spatial = spatial;
    p->temporal = temporal;
    p->time_groups = time_groups;
    if (rv_net_list(net, 3))
        return -1;
    weight = net->weight;
    n = net->n_weights;
    ret = rv_program_build(p, net);
    CHECK(net->weight == weight && net->n_weights == n); /* the table stays */
    return ret || rv_places(p, false);
}

static double macs(const struct rv_tensor *out, const struct rv_weight *w)
{
    return (double)out->n * out->h * out->w * w->out * w->in * w->size * w->size;
}

/* Multiply-accumulates of the steps with this name of convolution, for objects from
 * `first` on (-1: also the shared steps). */
static double mmacs(const struct rv_program *p, const struct rv_net *net,
                    const char *name, enum rv_op op, int first)
{
    double sum = 0;

    for (int i = 0; i < p->n_steps; i++) {
        const struct rv_step *s = &p->step[i];

        if (s->op == op && s->weight >= 0 && s->object >= first &&
            !strncmp(net->weight[s->weight].conv, name, strlen(name)))
            sum += macs(&p->tensor[s->out[0]], &net->weight[s->weight]);
    }
    return sum / 1e6;
}

static void encoder_macs(void)
{
    static const struct {
        const char *base;
        double mmacs, skips;
    } list[] = {{"resnet101", 17827, 1850},
                {"resnet50", 9342, 1850},
                {"resnet34", 8373, 462},
                {"resnet18", 4145, 462},
                {"vgg16", 35078,
                 8.0 * 14 * 512 * 128 * 9 / 1e6 + 16.0 * 28 * 512 * 128 * 9 / 1e6 +
                     32.0 * 56 * 256 * 64 * 9 / 1e6 + 64.0 * 112 * 128 * 32 * 9 / 1e6}};

    for (int i = 0; i < 5; i++) {
        struct rv_net net = test_net(list[i].base, 64, 128, 448, 256);
        struct rv_program p;

        CHECK(build(&p, &net, 1, RV_ZERO_SHOT, true, true, 1) == 0);
        CHECK_NEAR(mmacs(&p, &net, "encoder.base.", RV_OP_CONV, -1), list[i].mmacs, 1);
        CHECK_NEAR(mmacs(&p, &net, "encoder.sk", RV_OP_CONV, -1), list[i].skips, 1);
        rv_program_free(&p);
        rv_net_free(&net);
    }
    struct rv_net net = test_net("resnet101", 64, 128, 427, 240);
    struct rv_program p;

    CHECK(build(&p, &net, 1, RV_ONE_SHOT, true, true, 1) == 0);
    CHECK_NEAR(mmacs(&p, &net, "encoder.base.", RV_OP_CONV, -1), 16254, 1);
    CHECK_NEAR(mmacs(&p, &net, "encoder.sk", RV_OP_CONV, -1), 1693, 1);
    rv_program_free(&p);
    rv_net_free(&net);
}

/* Millions of multiply-accumulates (docs/network.md, "Cost"): 462.5 for the features,
 * once; per object 264 for the last frame, 8 for the mask, 396 for the upsampled state,
 * 264 for the object before, and 4.1 for conv_out. */
static void decoder_macs(void)
{
    const int n = 10;

    for (int one_shot = 0; one_shot < 2; one_shot++) {
        struct rv_net net = test_net("resnet18", 64, 128, 448, 256);
        const char *gates = one_shot ? "one_shot.clstm" : "zero_shot.clstm";
        struct rv_program p;
        size_t arena;

        CHECK(build(&p, &net, n, one_shot, true, true, 1) == 0);
        CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CONV, -1),
                   462.5 + n * (264.2 + (one_shot ? 7.8 : 0)), 1);
        CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CELL, 0), n * 396.4 + (n - 1) * 264.2, 1);
        CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CELL, 1), (n - 1) * (396.4 + 264.2), 1);
        CHECK_NEAR(mmacs(&p, &net, one_shot ? "one_shot.conv_out" : "zero_shot.conv_out",
                         RV_OP_MASK, -1),
                   n * 4.13, 0.1);
        arena = p.arena_bytes;
        rv_program_free(&p);
        CHECK(build(&p, &net, n, one_shot, true, true, n) == 0);
        CHECK(p.arena_bytes < arena / 3); /* most of it is TIME, of all objects or two */
        rv_program_free(&p);
        /* In groups that begin at 0, 2, 5 and 7. */
        CHECK(build(&p, &net, n, one_shot, true, true, 4) == 0);
        CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CONV, -1),
                   462.5 + n * (264.2 + (one_shot ? 7.8 : 0)), 1);
        CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CONV, 3),
                   5 * (264.2 + (one_shot ? 7.8 : 0)), 1);
        rv_program_free(&p);
        for (int spatial = 0; spatial < 2; spatial++) { /* S: no time; T: no left */
            CHECK(build(&p, &net, n, one_shot, spatial, !spatial, 1) == 0);
            CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CONV, -1),
                       462.5 + n * ((spatial ? 0 : 264.2) + (one_shot ? 7.8 : 0)), 1);
            CHECK_NEAR(mmacs(&p, &net, gates, RV_OP_CELL, 0),
                       n * 396.4 + (spatial ? (n - 1) * 264.2 : 0), 1);
            rv_program_free(&p);
        }
        rv_net_free(&net);
    }
}

static void shape_is(const struct rv_program *p, rv_tid t, int n, int h, int w, int c)
{
    const struct rv_tensor *x = &p->tensor[t];

    test_note(CHECK(x->n == n && x->h == h && x->w == w && x->c == c),
              "%dx%dx%dx%d, not %dx%dx%dx%d", x->n, x->h, x->w, x->c, n, h, w, c);
}

/* The gates of each cell have the checkpoint's channels, each used once. */
static void check_cells(const struct rv_program *p, const struct rv_net *net, int decoder)
{
    const rv_tid *hidden = p->memory[decoder].hidden;
    static const int below[4] = {1, 1, 2, 4}; /* h / channels of the level's input */
    int cells = 0;

    for (int k = 0; k < RV_LEVELS; k++) {
        int twice = k && net->skip_mode == RV_SKIP_CONCAT ? 2 : 1;

        CHECK(rv_gate_channels(net, k, decoder) == net->hidden / below[k] * twice +
                                                       (decoder == RV_ONE_SHOT) +
                                                       2 * (net->hidden >> k));
    }
    for (int i = 0; i < p->n_steps; i++) {
        const struct rv_step *s = &p->step[i];
        int k = 0, h, w;

        if (s->op != RV_OP_CELL || s->decoder != decoder)
            continue;
        cells++;
        while (k < 3 && rv_tensor_place(p, s->out[0]).root != hidden[k])
            k++;
        h = p->tensor[hidden[k]].h;
        w = p->tensor[hidden[k]].w;
        shape_is(p, s->out[0], 1, h, w, net->hidden >> k);
        shape_is(p, s->out[1], 1, h, w, net->hidden >> k);
        CHECK(s->in[RV_CELL_H_LEFT] >= 0 ? s->object > 0 && p->spatial
                                         : s->object == 0 || !p->spatial);
        CHECK((s->in[RV_CELL_BELOW] >= 0) == (k > 0));
        CHECK((s->in[RV_CELL_MUL] >= 0) == (k > 0 && net->skip_mode == RV_SKIP_MUL));
        CHECK((s->in[RV_CELL_SKIP] >= 0) == (k == 0 || net->skip_mode == RV_SKIP_CONCAT ||
                                             net->skip_mode == RV_SKIP_SUM));
        CHECK((s->in[RV_CELL_TIME] >= 0) == (p->temporal || decoder == RV_ONE_SHOT));
        if (s->in[RV_CELL_TIME] >= 0)
            shape_is(p, s->in[RV_CELL_TIME], 1, h, w, 4 * (net->hidden >> k));
    }
    CHECK(cells == RV_LEVELS * p->objects);
}

static int halved(int n, int times)
{
    return times ? halved((n + 1) / 2, times - 1) : n;
}

/* The state of a decoder. */
static void check_memory(const struct rv_program *p, const struct rv_net *net,
                         int decoder)
{
    const struct rv_memory *m = &p->memory[decoder];
    int mask = decoder == RV_ONE_SHOT && p->temporal;

    for (int k = 0; k < RV_LEVELS; k++)
        shape_is(p, m->hidden[k], p->objects, halved(net->height, 5 - k),
                 halved(net->width, 5 - k), (net->hidden >> k) + mask);
    shape_is(p, m->half, p->objects, 2 * halved(net->height, 2),
             2 * halved(net->width, 2), 1);
    shape_is(p, m->logits, p->objects, net->height, net->width, 1);
    CHECK((m->prob >= 0) == (decoder == RV_ONE_SHOT));
}

static void shapes(struct rv_net net, int objects, int decoder, bool spatial,
                   bool temporal)
{
    struct rv_program p;
    int last = -1;

    if (!CHECK(build(&p, &net, objects, decoder, spatial, temporal, 1) == 0))
        return;
    check_memory(&p, &net, decoder);
    check_cells(&p, &net, decoder);
    for (int i = 0; i < p.n_steps; i++) {
        const struct rv_step *s = &p.step[i];

        CHECK(s->op != RV_OP_CONV || (s->pad == s->size / 2 && s->weight >= 0));
        CHECK(s->wave >= last);
        last = s->wave;
        if (s->op == RV_OP_CONV && s->in[1] >= 0) { /* operands have one shape */
            const struct rv_tensor *a = &p.tensor[s->in[1]], *b = &p.tensor[s->out[0]];

            CHECK(a->h == b->h && a->w == b->w && a->c == b->c);
        }
        if (s->op == RV_OP_CONV)
            CHECK(net.weight[s->weight].in ==
                      (net.weight[s->weight].depthwise ? 1 : p.tensor[s->in[0]].c) &&
                  net.weight[s->weight].out == p.tensor[s->out[0]].c);
    }
    CHECK(p.step[0].op == RV_OP_PREPROC && p.step[p.n_steps - 1].op == RV_OP_LABELS);
    rv_program_free(&p);
    rv_net_free(&net);
}

/* Steps with that tag. */
static int count_steps(const struct rv_program *p, int decoder)
{
    int n = 0;

    for (int i = 0; i < p->n_steps; i++)
        n += p->step[i].decoder == decoder;
    return n;
}

/* A program of both decoders has the encoder once, and each decoder as in its own
 * program. No step reads what the other decoder writes, so either can be left out. */
static void both(struct rv_net net, int objects, bool spatial, bool temporal)
{
    struct rv_program p, single[RV_DECODERS];
    const struct rv_tensor *picture;
    size_t sum = 0;

    for (int d = 0; d < RV_DECODERS; d++)
        CHECK(build(&single[d], &net, objects, d, spatial, temporal, 2) == 0);
    p = test_program(objects, 1u << RV_ZERO_SHOT | 1u << RV_ONE_SHOT, RV_F32, 1);
    p.spatial = spatial;
    p.temporal = temporal;
    p.time_groups = 2;
    CHECK(rv_program_build(&p, &net) == 0 && rv_places(&p, false) == 0);
    picture = &p.tensor[p.picture];
    CHECK(picture->home == RV_STATE && picture->h == (net.height + 1) / 2 &&
          picture->w == (net.width + 1) / 2 && picture->c == 3);
    for (int d = 0; d < RV_DECODERS; d++) {
        check_memory(&p, &net, d);
        check_cells(&p, &net, d);
        CHECK(count_steps(&p, d) == count_steps(&single[d], d));
        CHECK(count_steps(&p, -1) == count_steps(&single[d], -1) + 1); /* the picture */
        CHECK(single[d].picture < 0);
        sum += single[d].state_bytes;
        CHECK(count_steps(&single[d], !d) == 0);
        rv_program_free(&single[d]);
    }
    CHECK(p.state_bytes >= sum + rv_tensor_bytes(picture) &&
          p.state_bytes < sum + rv_tensor_bytes(picture) + 64);
    for (int i = 0; i < p.n_steps; i++)
        for (int k = 0; k < p.n_steps; k++)
            if (p.step[i].decoder >= 0 && p.step[k].decoder == !p.step[i].decoder)
                CHECK(!rv_must_follow(&p, &p.step[i], &p.step[k], rv_same_elements));
    rv_program_free(&p);
    rv_net_free(&net);
}

/* A weight that is not in the table cannot be used. */
static void unlisted(void)
{
    struct rv_net net = test_net("resnet18", 64, 128, 64, 64);
    struct rv_program p = test_program(1, 1u << RV_ONE_SHOT, RV_F32, 1);

    CHECK(rv_net_list(&net, 1u << RV_ZERO_SHOT) == 0);
    CHECK(rv_program_build(&p, &net) == -1);
    rv_program_free(&p);
    rv_net_free(&net);
}

int main(void)
{
    static const char *const bases[] = {"resnet18",     "resnet34",    "resnet50",
                                        "resnet101",    "vgg16",       "mobilenetv2",
                                        "effnet-lite0", "effnet-lite2"};
    uint64_t seed = 3;

    unlisted();
    encoder_macs();
    decoder_macs();
    for (int i = 0; i < 128; i++) {
        const char *base = bases[i % 8];
        bool vgg = i % 8 == 4; /* its poolings drop odd rows */
        struct rv_net net = test_net(
            base, 64, 128,
            vgg ? 32 * test_random_int(&seed, 1, 9) : test_random_int(&seed, 32, 300),
            vgg ? 32 * test_random_int(&seed, 1, 9) : test_random_int(&seed, 32, 300));

        net.base_width = test_random_int(&seed, 1, 12);
        net.hidden = 8 * test_random_int(&seed, 1, 5);
        net.kernel = i & 1 ? 3 : 1;
        net.skip_mode = (enum rv_skip_mode)(i / 2 % 4);
        shapes(net, test_random_int(&seed, 1, 12), i & 2 ? RV_ONE_SHOT : RV_ZERO_SHOT,
               i % 3 != 1, i % 3 != 2);
        both(net, test_random_int(&seed, 1, 5), i % 3 != 1, i % 3 != 2);
    }
    CHECK(rv_encoder_known("vgg16") && !rv_encoder_known("vgg") && !rv_encoder_known(""));
    CHECK(rv_encoder_depthwise("effnet-lite2") && !rv_encoder_depthwise("resnet50"));
    return test_done();
}
