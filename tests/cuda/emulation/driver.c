/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - no driver and no cuDNN: one "GPU", and the plain kernel for convolutions. A
 * context that is given is pushed and popped as the driver of tests/cuda/fakedriver does,
 * so that it sees who works where. With RVOS_EMULATED_NO_GPU there is no "GPU" at all.
 * RVOS_EMULATED_CONV=sums: that in the two steps of conv_cudnn.c where cuDNN cannot fuse,
 * sums into the workspace and the epilogue's kernel. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../engine/src/cuda/context.h"
#include "../../../engine/src/cuda/kernels.h"

struct rv_driver {
    void *context, *library; /* NULL: none */
    int (*push)(void *context);
    int (*pop)(void **context);
};

static int open_context(rvos_device *dev, struct rv_driver *d)
{
    d->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (d->library) {
        *(void **)&d->push = dlsym(d->library, "cuCtxPushCurrent_v2");
        *(void **)&d->pop = dlsym(d->library, "cuCtxPopCurrent_v2");
    }
    if (d->push && d->pop)
        return 0;
    rv_log(dev, RVOS_LOG_ERROR, "cuda: a context without a driver");
    return RVOS_ERR_UNSUPPORTED;
}

int rv_driver_open(rvos_device *dev, int index, void *context, struct rv_driver **out)
{
    struct rv_driver *d;
    int ret = 0;

    *out = NULL;
    if ((index && !context) || getenv("RVOS_EMULATED_NO_GPU")) {
        rv_log(dev, RVOS_LOG_ERROR, "cuda: no GPU %d: there are %d", index,
               getenv("RVOS_EMULATED_NO_GPU") ? 0 : 1);
        return RVOS_ERR_UNSUPPORTED;
    }
    d = calloc(1, sizeof(*d));
    if (!d)
        return RVOS_ERR_MEMORY;
    d->context = context;
    if (context)
        ret = open_context(dev, d);
    if (ret) {
        rv_driver_close(d);
        return ret;
    }
    *out = d;
    return 0;
}

void rv_driver_close(struct rv_driver *driver)
{
    if (driver && driver->library)
        dlclose(driver->library);
    free(driver);
}

int rv_driver_push(struct rv_driver *driver, const rvos_device *dev)
{
    int error = driver->context ? driver->push(driver->context) : 0;

    if (!error)
        return 0;
    rv_log(dev, RVOS_LOG_ERROR, "cuda: the context is gone: error %d", error);
    return RVOS_ERR_DEVICE;
}

void rv_driver_pop(struct rv_driver *driver)
{
    void *context;

    if (driver->context)
        driver->pop(&context);
}

int rv_driver_capability(const struct rv_driver *driver)
{
    const char *sm = getenv("RVOS_EMULATED_SM");

    (void)driver;
    return sm ? atoi(sm) : 0;
}

const char *rv_driver_name(const struct rv_driver *driver)
{
    (void)driver;
    return "emulated GPU";
}

/* ---- sums, then the rest ------------------------------------------------------ */

struct rv_conv {
    rvos_device *dev;
    struct rv_plain_conv args;
    struct rv_conv_shape shape;
    const float *bias;
    float *zeroes;
};

static void library(char *text, size_t size)
{
    snprintf(text, size, "plain kernels, unfused");
}

static void destroy(struct rv_conv *c)
{
    free(c->zeroes);
    free(c);
}

static int create(struct rv_conv **out, rvos_device *dev, void *opened,
                  const struct rv_conv_shape *s, struct rv_weights *weights, int index)
{
    struct rv_conv *c = calloc(1, sizeof(*c));
    const void *kernel;
    int ret = RVOS_ERR_MEMORY;

    (void)opened;
    *out = NULL;
    if (!c)
        return ret;
    c->zeroes = calloc((size_t)s->oc + 8, sizeof(float));
    if (c->zeroes)
        ret = rv_cuda_weights(dev, weights, index, s->ic, s->half_in, RV_LAYOUT_PLAIN,
                              &kernel, &c->bias);
    if (ret) {
        destroy(c);
        return ret;
    }
    c->dev = dev;
    c->shape = *s;
    c->args = (struct rv_plain_conv){s->n,       s->ih, s->iw,   s->ic,     s->oh,
                                     s->ow,      s->oc, s->size, s->stride, s->pad,
                                     s->half_in, 0,     0,       kernel,    c->zeroes};
    *out = c;
    return 0;
}

static size_t workspace_bytes(const struct rv_conv *c)
{
    return (size_t)c->shape.n * c->shape.oh * c->shape.ow * c->shape.oc * sizeof(float);
}

static int run(struct rv_conv *c, const struct rv_conv_io *io, cudaStream_t stream)
{
    const struct rv_conv_shape *s = &c->shape;
    int ret = 0;

    CU(c->dev, rv_cuda_conv(c->args, io->x, NULL, io->workspace, stream));
    CU(c->dev, rv_cuda_epilogue(io->workspace, 0, c->bias, io->add, io->y, s->half_out,
                                (size_t)s->n * s->oh * s->ow, s->oc, s->relu, stream));
error:
    return ret;
}

static const struct rv_conv_engine unfused = {
    .library = library,
    .create = create,
    .workspace_bytes = workspace_bytes,
    .run = run,
    .destroy = destroy,
};

const struct rv_conv_engine *rv_conv_default(void)
{
    const char *which = getenv("RVOS_EMULATED_CONV");

    return which && !strcmp(which, "sums") ? &unfused : &rv_conv_plain;
}
