/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the few functions of libcuda that the runtime has no equal of. */
#include <cuda.h>
#include <dlfcn.h>
#include <stdlib.h>

#include "context.h"

#define OLDEST                                                                           \
    12000 /* of the driver's CUDA versions; checked against the runtime, too             \
           */

struct rv_driver {
    void *library;
    CUdevice device;
    CUcontext context;
    bool primary; /* the context is ours to release */
    int capability;
    char name[128];

    CUresult (*init)(unsigned int flags);
    CUresult (*version)(int *version);
    CUresult (*count)(int *count);
    CUresult (*get)(CUdevice *device, int index);
    CUresult (*get_name)(char *name, int size, CUdevice device);
    CUresult (*attribute)(int *value, CUdevice_attribute what, CUdevice device);
    CUresult (*retain)(CUcontext *context, CUdevice device);
    CUresult (*release)(CUdevice device);
    CUresult (*push)(CUcontext context);
    CUresult (*pop)(CUcontext *context);
    CUresult (*current)(CUdevice *device);
    CUresult (*error_name)(CUresult error, const char **name);
};

/* Who asked for CUDA by name gets an error, who is given the CPU instead a warning. */
static rvos_log_level level(const rvos_device *dev)
{
    return dev->params.backend ? RVOS_LOG_ERROR : RVOS_LOG_WARNING;
}

static int load(struct rv_driver *d, const rvos_device *dev)
{
    /* The driver's own names, behind the macros of cuda.h. */
    const struct {
        const char *name;
        void *to;
    } wanted[] = {
        {"cuInit", &d->init},
        {"cuDriverGetVersion", &d->version},
        {"cuDeviceGetCount", &d->count},
        {"cuDeviceGet", &d->get},
        {"cuDeviceGetName", &d->get_name},
        {"cuDeviceGetAttribute", &d->attribute},
        {"cuDevicePrimaryCtxRetain", &d->retain},
        {"cuDevicePrimaryCtxRelease_v2", &d->release},
        {"cuCtxPushCurrent_v2", &d->push},
        {"cuCtxPopCurrent_v2", &d->pop},
        {"cuCtxGetDevice", &d->current},
        {"cuGetErrorName", &d->error_name},
    };

    d->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!d->library) {
        rv_log(dev, level(dev), "cuda: no NVIDIA driver: %s", dlerror());
        return RVOS_ERR_UNSUPPORTED;
    }
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        *(void **)wanted[i].to = dlsym(d->library, wanted[i].name);
        if (!*(void **)wanted[i].to) {
            rv_log(dev, level(dev), "cuda: the NVIDIA driver is too old: no %s",
                   wanted[i].name);
            return RVOS_ERR_UNSUPPORTED;
        }
    }
    return 0;
}

static int failed(const struct rv_driver *d, const rvos_device *dev, CUresult error,
                  const char *what)
{
    const char *name = NULL;

    d->error_name(error, &name);
    rv_log(dev, level(dev), "cuda: %s: %s", what, name ? name : "unknown error");
    return error == CUDA_ERROR_OUT_OF_MEMORY ? RVOS_ERR_MEMORY : RVOS_ERR_UNSUPPORTED;
}

static int find_device(struct rv_driver *d, const rvos_device *dev, int index)
{
    int version = 0, runtime = 0, count = 0, major = 0, minor = 0;
    CUresult error = d->init(0);

    if (error)
        return failed(d, dev, error, "no usable GPU");
    d->version(&version);
    if (cudaRuntimeGetVersion(&runtime) == cudaSuccess &&
        (version < OLDEST || version / 1000 < runtime / 1000)) {
        rv_log(
            dev, RVOS_LOG_ERROR,
            "cuda: the NVIDIA driver is too old: it knows CUDA %d.%d, and %d is needed",
            version / 1000, version % 1000 / 10, runtime / 1000);
        return RVOS_ERR_UNSUPPORTED;
    }
    error = d->count(&count);
    if (!error && (index < 0 || index >= count)) {
        rv_log(dev, level(dev), "cuda: no GPU %d: there are %d", index, count);
        return RVOS_ERR_UNSUPPORTED;
    }
    if (!error)
        error = d->get(&d->device, index);
    if (!error)
        error = d->get_name(d->name, sizeof(d->name), d->device);
    if (!error)
        error =
            d->attribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, d->device);
    if (!error)
        error =
            d->attribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, d->device);
    if (error)
        return failed(d, dev, error, "the GPU could not be opened");
    d->capability = 10 * major + minor;
    if (d->capability >= 75)
        return 0;
    rv_log(dev, level(dev), "cuda: %s is sm_%d, and at least sm_75 is needed", d->name,
           d->capability);
    return RVOS_ERR_UNSUPPORTED;
}

/* Which GPU a given context is of. */
static int device_of(struct rv_driver *d, const rvos_device *dev, void *context,
                     int *index)
{
    CUdevice device = 0;
    CUcontext popped;
    CUresult error = d->init(0);

    if (!error)
        error = d->push(context);
    if (!error) {
        error = d->current(&device);
        d->pop(&popped);
    }
    if (error)
        return failed(d, dev, error, "the given CUcontext is not usable");
    *index = (int)device; /* the driver's handles are its indexes */
    return 0;
}

int rv_driver_open(rvos_device *dev, int index, void *context, struct rv_driver **out)
{
    struct rv_driver *d = calloc(1, sizeof(*d));
    CUresult error;
    int ret;

    *out = NULL;
    if (!d)
        return RVOS_ERR_MEMORY;
    ret = load(d, dev);
    if (!ret && context)
        ret = device_of(d, dev, context, &index);
    if (!ret)
        ret = find_device(d, dev, index);
    if (!ret && context) {
        d->context = context;
    } else if (!ret) {
        error = d->retain(&d->context, d->device);
        d->primary = !error;
        if (error)
            ret = failed(d, dev, error, "no context could be made");
    }
    if (ret) {
        rv_driver_close(d);
        return ret;
    }
    *out = d;
    return 0;
}

void rv_driver_close(struct rv_driver *d)
{
    if (!d)
        return;
    if (d->primary)
        d->release(d->device);
    if (d->library)
        dlclose(d->library);
    free(d);
}

int rv_driver_push(struct rv_driver *d, const rvos_device *dev)
{
    CUresult error = d->push(d->context);

    if (!error)
        return 0;
    failed(d, dev, error, "the context is gone");
    return RVOS_ERR_DEVICE;
}

void rv_driver_pop(struct rv_driver *d)
{
    CUcontext context;

    d->pop(&context);
}

int rv_driver_capability(const struct rv_driver *d)
{
    return d->capability;
}

const char *rv_driver_name(const struct rv_driver *d)
{
    return d->name;
}
