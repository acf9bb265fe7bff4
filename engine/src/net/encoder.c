/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encoder.c - ResNet, VGG16, MobileNetV2 or EfficientNet-Lite, and the four skip
 * projections f'.
 *
 * The residual networks are the usual ones ("Deep Residual Learning", He et al., 2016)
 * with a bottleneck's stride on its 3x3 convolution. The mobile ones are rows of inverted
 * residuals ("MobileNetV2", Sandler et al., 2018). Features are taken after the last
 * block of each stage or stride; the projections have a batch norm and no activation
 * (docs/network.md, "Encoder"). */
#include "program.h"

#include <stdio.h>
#include <string.h>

#define MOBILE_STAGES 7
#define MOBILE_WIDTH 32 /* base width of the channels in the tables below */

/* A row of inverted residuals. Only the first block has the stride. */
struct mobile_stage {
    int size, stride, channels, blocks;
};

struct family {
    const char *name;
    int blocks[4];
    int expansion; /* output channels of a block, as a multiple of its width; 0: VGG */
    const struct mobile_stage *mobile; /* MOBILE_STAGES rows; NULL: not mobile */
};

static const struct mobile_stage mobilenetv2[MOBILE_STAGES] = {
    {3, 1, 16, 1}, {3, 2, 24, 2},  {3, 2, 32, 3},  {3, 2, 64, 4},
    {3, 1, 96, 3}, {3, 2, 160, 3}, {3, 1, 320, 1},
};
static const struct mobile_stage effnet_lite0[MOBILE_STAGES] = {
    {3, 1, 16, 1},  {3, 2, 24, 2},  {5, 2, 40, 2},  {3, 2, 80, 3},
    {5, 1, 112, 3}, {5, 2, 192, 4}, {3, 1, 320, 1},
};
static const struct mobile_stage effnet_lite2[MOBILE_STAGES] = {
    {3, 1, 16, 1},  {3, 2, 24, 3},  {5, 2, 48, 3},  {3, 2, 88, 4},
    {5, 1, 120, 4}, {5, 2, 208, 5}, {3, 1, 352, 1},
};

static const struct family families[] = {
    {"resnet18", {2, 2, 2, 2}, 1, NULL},
    {"resnet34", {3, 4, 6, 3}, 1, NULL},
    {"resnet50", {3, 4, 6, 3}, 4, NULL},
    {"resnet101", {3, 4, 23, 3}, 4, NULL},
    {"vgg16", {0}, 0, NULL},
    {"mobilenetv2", {0}, 0, mobilenetv2},
    {"effnet-lite0", {0}, 0, effnet_lite0},
    {"effnet-lite2", {0}, 0, effnet_lite2},
};

static const struct family *find_family(const char *base)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (!strcmp(base, families[i].name))
            return &families[i];
    return NULL;
}

bool rv_encoder_known(const char *base)
{
    return find_family(base) != NULL;
}

bool rv_encoder_depthwise(const char *base)
{
    return find_family(base)->mobile != NULL;
}

const char *rv_encoder_first(const char *base)
{
    const struct family *f = find_family(base);

    return f->mobile      ? "encoder.base.stem.weight"
           : f->expansion ? "encoder.base.conv1.weight"
                          : "encoder.base.features.0.weight";
}

/* A convolution of the base with its batch norm. `conv` and `bn` are names in the
 * encoder. */
static rv_tid conv_bn(struct rv_program *p, const struct rv_net *net, const char *block,
                      const char *conv, const char *bn, rv_tid in, rv_tid add, int out,
                      int size, int stride, bool relu)
{
    struct rv_weight w = rv_weight_new(rv_tensor_of(p, in).c, out, size);

    snprintf(w.conv, sizeof(w.conv), "encoder.base.%s%s", block, conv);
    snprintf(w.bn, sizeof(w.bn), "encoder.base.%s%s", block, bn);
    return rv_conv_emit(p, net, &w, in, add, stride, relu, p->type);
}

static rv_tid residual_block(struct rv_program *p, const struct rv_net *net,
                             const char *name, rv_tid x, int width, int expansion,
                             int stride)
{
    rv_tid identity = x, y;

    if (stride != 1 || rv_tensor_of(p, x).c != width * expansion)
        identity = conv_bn(p, net, name, "downsample.0", "downsample.1", x, -1,
                           width * expansion, 1, stride, false);
    if (expansion == 1) {
        y = conv_bn(p, net, name, "conv1", "bn1", x, -1, width, 3, stride, true);
        return conv_bn(p, net, name, "conv2", "bn2", y, identity, width, 3, 1, true);
    }
    y = conv_bn(p, net, name, "conv1", "bn1", x, -1, width, 1, 1, true);
    y = conv_bn(p, net, name, "conv2", "bn2", y, -1, width, 3, stride, true);
    return conv_bn(p, net, name, "conv3", "bn3", y, identity, width * expansion, 1, 1,
                   true);
}

/* Features of strides 4, 8, 16, 32 into x[0..3]. */
static void resnet(struct rv_program *p, const struct rv_net *net, const struct family *f,
                   rv_tid image, rv_tid x[4])
{
    rv_tid y =
        conv_bn(p, net, "", "conv1", "bn1", image, -1, net->base_width, 7, 2, true);
    char name[32];

    y = rv_maxpool_emit(p, y, -1, 3, 2, 1, false);
    for (int layer = 0; layer < 4; layer++) {
        for (int block = 0; block < f->blocks[layer]; block++) {
            snprintf(name, sizeof(name), "layer%d.%d.", layer + 1, block);
            y = residual_block(p, net, name, y, net->base_width << layer, f->expansion,
                               layer && !block ? 2 : 1);
        }
        x[layer] = y;
    }
}

static void vgg(struct rv_program *p, const struct rv_net *net, rv_tid image, rv_tid x[4])
{
    static const int widths[5] = {1, 2, 4, 8, 8}, convs[5] = {2, 2, 3, 3, 3};
    rv_tid y = image;
    int index = 0; /* in torchvision's list, where ReLU and pooling layers count */

    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < convs[stage]; i++, index += 2) {
            struct rv_weight w =
                rv_weight_new(rv_tensor_of(p, y).c, widths[stage] * net->base_width, 3);

            w.bias = true;
            snprintf(w.conv, sizeof(w.conv), "encoder.base.features.%d", index);
            y = rv_conv_emit(p, net, &w, y, -1, 1, true, p->type);
        }
        y = rv_maxpool_emit(p, y, -1, 2, 2, 0, false);
        index++;
        if (stage)
            x[stage - 1] = y;
    }
}

/* ---- mobile ------------------------------------------------------------------ */

/* Adds ReLU6 to the step that made y. */
static rv_tid capped(struct rv_program *p, rv_tid y)
{
    if (y >= 0)
        p->step[p->n_steps - 1].relu6 = true;
    return y;
}

/* A depthwise convolution with batch norm and ReLU6. */
static rv_tid depthwise(struct rv_program *p, const struct rv_net *net, const char *block,
                        rv_tid in, int size, int stride)
{
    struct rv_weight w = rv_weight_new(1, rv_tensor_of(p, in).c, size);

    w.depthwise = true;
    snprintf(w.conv, sizeof(w.conv), "encoder.base.%sdepthwise", block);
    snprintf(w.bn, sizeof(w.bn), "encoder.base.%sbn2", block);
    return capped(p, rv_conv_emit(p, net, &w, in, -1, stride, true, p->type));
}

/* An inverted residual: many channels inside; few at both ends, and no activation at the
 * end. */
static rv_tid inverted_residual(struct rv_program *p, const struct rv_net *net,
                                const char *name, rv_tid x, int out, int expansion,
                                int size, int stride)
{
    int c = rv_tensor_of(p, x).c;
    rv_tid y = x, identity = stride == 1 && c == out ? x : -1;

    if (expansion > 1)
        y = capped(
            p, conv_bn(p, net, name, "expand", "bn1", y, -1, expansion * c, 1, 1, true));
    y = depthwise(p, net, name, y, size, stride);
    return conv_bn(p, net, name, "project", "bn3", y, identity, out, 1, 1, false);
}

static void mobile(struct rv_program *p, const struct rv_net *net, const struct family *f,
                   rv_tid image, rv_tid x[4])
{
    rv_tid y = capped(
        p, conv_bn(p, net, "", "stem", "bn", image, -1, net->base_width, 3, 2, true));
    int level = -1, block = 0;
    char name[32];

    for (int stage = 0; stage < MOBILE_STAGES; stage++) {
        const struct mobile_stage *s = &f->mobile[stage];
        int out = (s->channels * net->base_width + MOBILE_WIDTH - 1) / MOBILE_WIDTH;

        level += s->stride == 2;
        for (int i = 0; i < s->blocks; i++, block++) {
            snprintf(name, sizeof(name), "blocks.%d.", block);
            y = inverted_residual(p, net, name, y, out, stage ? 6 : 1, s->size,
                                  i ? 1 : s->stride);
        }
        if (level >= 0)
            x[level] = y; /* the last stage of each stride wins */
    }
}

void rv_encoder_emit(struct rv_program *p, const struct rv_net *net, rv_tid image,
                     rv_tid skip[RV_LEVELS])
{
    const struct family *f = find_family(net->base);
    rv_tid x[4] = {-1, -1, -1, -1};

    if (f->mobile)
        mobile(p, net, f, image, x);
    else if (f->expansion)
        resnet(p, net, f, image, x);
    else
        vgg(p, net, image, x);
    for (int k = 0; k < RV_LEVELS; k++) {
        struct rv_weight w = rv_weight_new(rv_tensor_of(p, x[3 - k]).c,
                                           rv_feature_channels(net, k), net->kernel);

        w.bias = true;
        snprintf(w.conv, sizeof(w.conv), "encoder.sk%d", 5 - k);
        snprintf(w.bn, sizeof(w.bn), "encoder.bn%d", 5 - k);
        skip[k] = rv_conv_emit(p, net, &w, x[3 - k], -1, 1, false, p->type);
    }
}
