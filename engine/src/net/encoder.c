/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* encoder.c - ResNet or VGG16, and the four skip projections f'.
 *
 * The residual networks are the common ones ("Deep Residual Learning", He et al.,
 * 2016) with the stride of a bottleneck on its 3x3 convolution. Features are taken
 * after the last block of each stage; the projections have a batch norm and no
 * activation (docs/network.md, "Encoder"). */
#include "program.h"

#include <stdio.h>
#include <string.h>

struct family {
    const char *name;
    int blocks[4];
    int expansion; /* output channels of a block, as a multiple of its width; 0: VGG */
};

static const struct family families[] = {
    {"resnet18", {2, 2, 2, 2}, 1},
    {"resnet34", {3, 4, 6, 3}, 1},
    {"resnet50", {3, 4, 6, 3}, 4},
    {"resnet101", {3, 4, 23, 3}, 4},
    {"vgg16", {0}, 0},
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

/* A convolution of the base with its batch norm folded in. `conv` and `bn` are
 * names within the encoder. */
static rv_tid conv_bn(struct rv_program *p, struct rv_net *net, const char *block,
                      const char *conv, const char *bn, rv_tid in, rv_tid add, int out,
                      int size, int stride, bool relu)
{
    struct rv_weight w = {.out = out, .size = size};

    if (p->failed)
        return -1;
    w.in = w.part[0].count = p->tensor[in].c;
    snprintf(w.conv, sizeof(w.conv), "encoder.base.%s%s", block, conv);
    snprintf(w.bn, sizeof(w.bn), "encoder.base.%s%s", block, bn);
    return rv_conv_emit(p, net, &w, in, add, stride, size / 2, relu, false);
}

static rv_tid residual_block(struct rv_program *p, struct rv_net *net, const char *name,
                             rv_tid x, int width, int expansion, int stride)
{
    rv_tid identity = x, y;

    if (p->failed)
        return -1;
    if (stride != 1 || p->tensor[x].c != width * expansion)
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
static void resnet(struct rv_program *p, struct rv_net *net, const struct family *f,
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

static void vgg(struct rv_program *p, struct rv_net *net, rv_tid image, rv_tid x[4])
{
    static const int widths[5] = {1, 2, 4, 8, 8}, convs[5] = {2, 2, 3, 3, 3};
    rv_tid y = image;
    int index = 0; /* in torchvision's list of layers: each ReLU and pool counts */

    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < convs[stage]; i++, index += 2) {
            struct rv_weight w = {.size = 3, .bias = true};

            if (p->failed)
                return;
            w.out = widths[stage] * net->base_width;
            w.in = w.part[0].count = p->tensor[y].c;
            snprintf(w.conv, sizeof(w.conv), "encoder.base.features.%d", index);
            y = rv_conv_emit(p, net, &w, y, -1, 1, 1, true, false);
        }
        y = rv_maxpool_emit(p, y, -1, 2, 2, 0, false);
        index++;
        if (stage)
            x[stage - 1] = y;
    }
}

void rv_encoder_emit(struct rv_program *p, struct rv_net *net, rv_tid image,
                     rv_tid skip[RV_LEVELS])
{
    const struct family *f = find_family(net->base);
    rv_tid x[4] = {-1, -1, -1, -1};

    if (f->expansion)
        resnet(p, net, f, image, x);
    else
        vgg(p, net, image, x);
    for (int k = 0; k < RV_LEVELS; k++) {
        struct rv_weight w = {.size = net->kernel, .bias = true};

        if (p->failed)
            return;
        w.out = net->hidden >> (k > 1 ? k - 1 : 0);
        w.in = w.part[0].count = p->tensor[x[3 - k]].c;
        snprintf(w.conv, sizeof(w.conv), "encoder.sk%d", 5 - k);
        snprintf(w.bn, sizeof(w.bn), "encoder.bn%d", 5 - k);
        skip[k] =
            rv_conv_emit(p, net, &w, x[3 - k], -1, 1, net->kernel / 2, false, false);
    }
}
