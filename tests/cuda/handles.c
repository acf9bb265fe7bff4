/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handles.c - tests cuDNN's handles: trials use the handle for planning, a frame the
 * handle of its plan, and no handle keeps a destroyed stream. cuDNN and the rest of the
 * engine are fakes. */
#include "conv/conv_cudnn.h"
#include "conv/conv_time.h"
#include "kernels/kernels.h"
#include "../test.h"

/* A fake takes what it does not use. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define STREAM(n) ((cudaStream_t)(uintptr_t)(0x100 * (n)))

static struct {
    cudaStream_t stream[3]; /* of each handle, from 1 */
    int handles, ran_with, restored_with, runs;
    cudaStream_t ran_in;
} world;

static int number(cudnnHandle_t handle)
{
    return (int)(uintptr_t)handle;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    *handle = (cudnnHandle_t)(uintptr_t)++world.handles;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    world.handles--;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    world.stream[number(handle)] = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t *stream)
{
    *stream = world.stream[number(handle)];
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack)
{
    CHECK(plan && pack);
    world.ran_with = number(handle);
    world.ran_in = world.stream[number(handle)];
    world.runs++;
    return CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion(void)
{
    return 91400;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return "";
}

void cudnnGetLastErrorString(char *text, size_t size)
{
    snprintf(text, size, "none");
}

cudnnBackendDescriptor_t rv_dnn_pack(const struct rv_conv_shape *s, enum rv_form form,
                                     const struct rv_conv_io *io, const void *kernel,
                                     const void *bias, void *y, void *workspace)
{
    return &world;
}

cudnnBackendDescriptor_t rv_dnn_restore(const struct rv_dnn *dnn, const char *text,
                                        size_t size, int64_t *workspace)
{
    *workspace = 0;
    world.restored_with = number(dnn->handle);
    return &world;
}

void rv_dnn_destroy(cudnnBackendDescriptor_t *d)
{
    *d = NULL;
}

void rv_dnn_version(char *text, size_t size)
{
    snprintf(text, size, "cuDNN 9.14.0");
}

const char *rv_dnn_file(void)
{
    return "libcudnn.so.9";
}

const char *rv_driver_name(const struct rv_driver *driver)
{
    return "GPU";
}

int rv_driver_capability(const struct rv_driver *driver)
{
    return 90;
}

/* Not called here. */
#define UNUSED(type, name, arguments)                                                    \
    type name arguments                                                                  \
    {                                                                                    \
        CHECK(false);                                                                    \
        return 0;                                                                        \
    }
UNUSED(int, rv_cuda_error, (const rvos_device *d, cudaError_t e, const char *c))
UNUSED(int, rv_cuda_alloc, (const rvos_device *d, void **o, size_t n))
UNUSED(int, rv_cuda_upload, (const rvos_device *d, void *t, const void *f, size_t n))
UNUSED(cudaError_t, rv_cuda_epilogue,
       (const void *s, enum rv_type st, const float *b, const void *a, void *o,
        enum rv_type ot, size_t p, int c, int r, cudaStream_t stream))
UNUSED(cudaError_t, cudaMemcpyAsync,
       (void *d, const void *s, size_t n, enum cudaMemcpyKind k, cudaStream_t st))
UNUSED(cudaError_t, cudaStreamSynchronize, (cudaStream_t s))
UNUSED(const struct rv_cudnn_plan *, rv_cudnn_find, (struct rv_conv * c))
UNUSED(const void *, rv_cuda_f16_bias, (const struct rv_weights *w, int i))
UNUSED(int, rv_cuda_weights,
       (rvos_device * d, struct rv_weights *w, int i, int ic, enum rv_type type,
        enum rv_layout l, const void **k, const float **b))
const struct rv_conv_engine rv_conv_plain;

void rv_cuda_free(void *p)
{
}

int main(void)
{
    struct cuda_device cuda = {.stream = STREAM(9)};
    rvos_device device = {.priv = &cuda};
    const struct rv_conv_engine *engine = rv_conv_library();
    struct rv_conv_io io = {&world, NULL, &world, &world, false};
    struct rv_cudnn_plan tried = {.trial = true}, made = {.form = RV_FORM_FUSED};
    struct rv_conv conv = {.shape = {.n = 1, .oc = 8}};
    void *opened = NULL;
    cudaError_t launched;
    int64_t workspace;

    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    if (!CHECK(engine->open(&device, &opened) == 0 && world.handles == 2))
        return test_done();
    conv.opened = opened;
    made.plan = rv_cudnn_restore(opened, "", 0, &workspace);
    tried.plan = &world;
    CHECK(world.restored_with == 2); /* the second is for frames */
    CHECK(rv_cudnn_execute(&conv, &tried, &io, STREAM(1), &launched) == 0);
    CHECK(world.ran_with == 1 && world.ran_in == STREAM(1));
    CHECK(rv_cudnn_execute(&conv, &made, &io, STREAM(2), &launched) == 0);
    CHECK(world.ran_with == 2 && world.ran_in == STREAM(2) && world.runs == 2);
    CHECK(world.stream[1] == STREAM(1)); /* each has its own */
    engine->leave(opened, STREAM(3));
    CHECK(world.stream[1] == STREAM(1) && world.stream[2] == STREAM(2));
    engine->leave(opened, STREAM(1));
    CHECK(world.stream[1] == STREAM(9) && world.stream[2] == STREAM(2));
    engine->leave(opened, STREAM(2));
    CHECK(world.stream[1] == STREAM(9) && world.stream[2] == STREAM(9));
    engine->close(opened);
    CHECK(world.handles == 0);
    return test_done();
}
