/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conv_plain.c - convolutions for every shape: one thread for eight output channels of a
 * pixel, float32 multiply-adds. Ten to a hundred times slower than cuDNN. */
#include <stdio.h>
#include <stdlib.h>

#include "conv.h"
#include "../kernels/kernels.h"

struct rv_conv {
    rvos_device *dev;
    struct rv_plain_conv args;
};

static void plain_library(char *text, size_t size)
{
    snprintf(text, size, "plain kernels");
}

static int plain_create(struct rv_conv **out, rvos_device *dev, void *opened,
                        const struct rv_conv_shape *shape, struct rv_weights *weights,
                        int index)
{
    struct rv_conv *conv = calloc(1, sizeof(*conv));
    const void *kernel;
    const float *bias;
    int ret;

    (void)opened;
    *out = NULL;
    if (!conv)
        return RVOS_ERR_MEMORY;
    ret = rv_cuda_weights(dev, weights, index, shape->ic, shape->in, RV_LAYOUT_PLAIN,
                          &kernel, &bias);
    if (ret) {
        free(conv);
        return ret;
    }
    conv->dev = dev;
    conv->args = (struct rv_plain_conv){.n = shape->n,
                                        .ih = shape->ih,
                                        .iw = shape->iw,
                                        .ic = shape->ic,
                                        .oh = shape->oh,
                                        .ow = shape->ow,
                                        .oc = shape->oc,
                                        .size = shape->size,
                                        .stride = shape->stride,
                                        .pad = shape->pad,
                                        .in = shape->in,
                                        .out = shape->out,
                                        .relu = shape->relu,
                                        .kernel = kernel,
                                        .bias = bias};
    *out = conv;
    return 0;
}

static size_t plain_workspace_bytes(const struct rv_conv *conv)
{
    (void)conv;
    return 0;
}

static int plain_run(struct rv_conv *conv, const struct rv_conv_io *io,
                     cudaStream_t stream)
{
    int ret = 0;

    CU(conv->dev, rv_cuda_conv(conv->args, io->x, io->add, io->y, stream));
error:
    return ret;
}

static void plain_destroy(struct rv_conv *conv)
{
    free(conv);
}

const struct rv_conv_engine rv_conv_plain = {
    .library = plain_library,
    .own = true,
    .create = plain_create,
    .workspace_bytes = plain_workspace_bytes,
    .run = plain_run,
    .destroy = plain_destroy,
};
