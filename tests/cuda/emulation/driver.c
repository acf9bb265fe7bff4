/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - replaces the driver and cuDNN: one "GPU", and the plain kernel for
 * convolutions. A given context is pushed and popped through the driver of
 * tests/cuda/fakedriver, which checks who works where. Virtual memory is the host's.
 *
 * RVOS_EMULATED_NO_GPU          there is no "GPU"
 * RVOS_EMULATED_GRANULARITY=0   there is no virtual memory
 * RVOS_EMULATED_CONV=sums       convolutions take the two steps of conv_cudnn.c for which
 *                               cuDNN cannot fuse: sums into the workspace, and the
 *                               epilogue's kernel
 * RVOS_EMULATED_CONV=lies       the same, and it claims that its kernels are ours
 * RVOS_EMULATED_REFUSE=1        no sums of two tensors, which our kernels then compute */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../engine/src/cuda/conv/conv.h"
#include "../../../engine/src/cuda/kernels/kernels.h"

/* A fake takes what it does not use. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

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

    return sm ? atoi(sm) : 0;
}

const char *rv_driver_name(const struct rv_driver *driver)
{
    return "emulated GPU";
}

/* ---- virtual memory: memory is a file, its names are descriptors ---------------- */

/* emulation.cpp's */
struct counts {
    long mallocs, launches, graphs, nodes, chained, copied[5], physical;
};
struct counts *rv_emulated_counts(void);
bool rv_emulated_fails(void);
void rv_emulated_remember(cudaStream_t stream);
void rv_emulated_forget(cudaStream_t stream);
void rv_emulated_foreign(bool is);
void rv_emulated_unmapped(const char *at, size_t size);

size_t rv_driver_granularity(const struct rv_driver *driver)
{
    const char *text = getenv("RVOS_EMULATED_GRANULARITY");

    return text ? (size_t)atol(text) : 65536;
}

/* An access to unmapped memory faults. */
bool rv_driver_reserve(struct rv_driver *driver, size_t size, char **at)
{
    void *p = rv_emulated_fails()
                  ? MAP_FAILED
                  : mmap(NULL, size, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *at = p == MAP_FAILED ? NULL : p;
    return *at != NULL;
}

void rv_driver_unreserve(struct rv_driver *driver, char *at, size_t size)
{
    munmap(at, size);
}

/* Descriptors of one file share a position; here it is their number. */
bool rv_driver_new_memory(struct rv_driver *driver, size_t size, uint64_t *memory)
{
    int file = rv_emulated_fails() ? -1 : memfd_create("rvos", MFD_CLOEXEC);
    char *p = MAP_FAILED;

    if (file >= 0 && !ftruncate(file, (off_t)size))
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (p == MAP_FAILED) {
        if (file >= 0)
            close(file);
        return false;
    }
    if (!getenv("RVOS_EMULATED_DRY"))
        memset(p, 0xff, size);
    munmap(p, size);
    rv_emulated_counts()->physical += (long)size;
    lseek(file, 1, SEEK_SET);
    *memory = (uint64_t)file;
    return true;
}

bool rv_driver_retain(struct rv_driver *driver, char *at, uint64_t memory,
                      uint64_t *again)
{
    int file = rv_emulated_fails() ? -1 : dup((int)memory);

    if (file < 0)
        return false;
    lseek(file, 1, SEEK_CUR);
    *again = (uint64_t)file;
    return true;
}

void rv_driver_release(struct rv_driver *driver, uint64_t memory)
{
    int file = (int)memory;
    struct stat status;

    if (lseek(file, -1, SEEK_CUR) == 0 && !fstat(file, &status))
        rv_emulated_counts()->physical -= (long)status.st_size;
    close(file);
}

bool rv_driver_map(struct rv_driver *driver, char *at, size_t size, uint64_t memory)
{
    return !rv_emulated_fails() && mmap(at, size, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_FIXED, (int)memory, 0) == at;
}

void rv_driver_unmap(struct rv_driver *driver, char *at, size_t size)
{
    rv_emulated_unmapped(at, size);
    mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
         0);
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

/* For tests: while hold[0] is set, preparing a convolution waits; hold[1] counts. */
__attribute__((visibility("default"))) atomic_int *rv_emulated_hold(void);

atomic_int *rv_emulated_hold(void)
{
    static atomic_int hold[2];

    return hold;
}

static int create(struct rv_conv **out, rvos_device *dev, void *opened,
                  const struct rv_conv_shape *s, struct rv_weights *weights, int index)
{
    struct rv_conv *c = calloc(1, sizeof(*c));
    const void *kernel;
    int ret = RVOS_ERR_MEMORY;

    *out = NULL;
    for (rv_emulated_hold()[1] += rv_emulated_hold()[0] != 0; rv_emulated_hold()[0];)
        usleep(1000);
    if (!c)
        return ret;
    if (s->sum && getenv("RVOS_EMULATED_REFUSE")) {
        free(c);
        return RVOS_ERR_UNSUPPORTED;
    }
    c->zeroes = calloc((size_t)s->oc + 8, sizeof(float));
    if (c->zeroes)
        ret = rv_cuda_weights(dev, weights, index, s->ic, s->in, RV_LAYOUT_PLAIN, &kernel,
                              &c->bias);
    if (ret) {
        destroy(c);
        return ret;
    }
    c->dev = dev;
    c->shape = *s;
    c->args = (struct rv_plain_conv){s->n,  s->ih,  s->iw,   s->ic,     s->oh,
                                     s->ow, s->oc,  s->size, s->stride, s->pad,
                                     s->in, RV_F32, 0,       kernel,    c->zeroes};
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

    if (s->in_place && io->add != io->y) { /* timed otherwise than it will run */
        fprintf(stderr, "a sum in place is made elsewhere\n");
        abort();
    }
    rv_emulated_remember(stream);
    rv_emulated_foreign(true);
    CU(c->dev, rv_cuda_conv(c->args, io->x, NULL, io->workspace, stream));
    CU(c->dev, rv_cuda_epilogue(io->workspace, RV_F32, c->bias, io->add, io->y, s->out,
                                (size_t)s->n * s->oh * s->ow, s->oc, s->relu, stream));
error:
    rv_emulated_foreign(false);
    return ret;
}

static void leave(void *opened, cudaStream_t stream)
{
    rv_emulated_forget(stream);
}

#define UNFUSED                                                                          \
    .library = library, .create = create, .workspace_bytes = workspace_bytes,            \
    .run = run, .destroy = destroy, .leave = leave

static const struct rv_conv_engine unfused = {UNFUSED};
/* Claims that its kernels are ours. */
static const struct rv_conv_engine lying = {UNFUSED, .own = true};

const struct rv_conv_engine *rv_conv_library(void)
{
    const char *which = getenv("RVOS_EMULATED_CONV");

    if (which && !strcmp(which, "lies"))
        return &lying;
    return which && !strcmp(which, "sums") ? &unfused : &rv_conv_plain;
}
