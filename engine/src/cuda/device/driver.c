/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the functions of libcuda that have no equivalent in the runtime. */
#include <cuda.h>
#include <dlfcn.h>
#include <stdlib.h>

#include "context.h"

#define OLDEST 12000 /* oldest CUDA version; also checked against the runtime */

struct rv_driver {
    void *library;
    CUdevice device;
    CUcontext context;
    bool primary; /* we must release the context */
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

    /* Virtual memory. If granularity is 0, it is not supported and the functions may be
     * missing. */
    size_t granularity;
    CUresult (*get_granularity)(size_t *bytes, const CUmemAllocationProp *prop,
                                CUmemAllocationGranularity_flags which);
    CUresult (*reserve)(CUdeviceptr *at, size_t size, size_t alignment, CUdeviceptr where,
                        unsigned long long flags);
    CUresult (*unreserve)(CUdeviceptr at, size_t size);
    CUresult (*new_memory)(CUmemGenericAllocationHandle *memory, size_t size,
                           const CUmemAllocationProp *prop, unsigned long long flags);
    CUresult (*release_memory)(CUmemGenericAllocationHandle memory);
    CUresult (*retain_memory)(CUmemGenericAllocationHandle *memory, void *at);
    CUresult (*map)(CUdeviceptr at, size_t size, size_t offset,
                    CUmemGenericAllocationHandle memory, unsigned long long flags);
    CUresult (*unmap)(CUdeviceptr at, size_t size);
    CUresult (*allow)(CUdeviceptr at, size_t size, const CUmemAccessDesc *access,
                      size_t count);
};

/* A missing CUDA driver is an error if the user asked for CUDA, else a warning. */
static rvos_log_level level(const rvos_device *dev)
{
    return dev->params.backend ? RVOS_LOG_ERROR : RVOS_LOG_WARNING;
}

/* The exported name of a function (cuda.h hides it in macros), and the pointer to set. */
struct wanted {
    const char *name;
    void *to;
};

/* The first function that the driver lacks; NULL: none is missing. */
static const char *look_up(struct rv_driver *d, const struct wanted *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *(void **)wanted[i].to = dlsym(d->library, wanted[i].name);
        if (!*(void **)wanted[i].to)
            return wanted[i].name;
    }
    return NULL;
}

static int load_driver(struct rv_driver *d, const rvos_device *dev)
{
    const struct wanted wanted[] = {
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
    const char *missing;

    d->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!d->library) {
        rv_log(dev, level(dev), "cuda: no NVIDIA driver: %s", dlerror());
        return RVOS_ERR_UNSUPPORTED;
    }
    missing = look_up(d, wanted, sizeof(wanted) / sizeof(wanted[0]));
    if (!missing)
        return 0;
    rv_log(dev, level(dev), "cuda: the NVIDIA driver is too old: no %s", missing);
    return RVOS_ERR_UNSUPPORTED;
}

static CUmemAllocationProp own_memory(const struct rv_driver *d)
{
    return (CUmemAllocationProp){
        .type = CU_MEM_ALLOCATION_TYPE_PINNED,
        .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = d->device}};
}

/* If the driver or the GPU lacks any part of it, virtual memory is not used. */
static void find_virtual_memory(struct rv_driver *d)
{
    const struct wanted wanted[] = {
        {"cuMemGetAllocationGranularity", &d->get_granularity},
        {"cuMemAddressReserve", &d->reserve},
        {"cuMemAddressFree", &d->unreserve},
        {"cuMemCreate", &d->new_memory},
        {"cuMemRelease", &d->release_memory},
        {"cuMemRetainAllocationHandle", &d->retain_memory},
        {"cuMemMap", &d->map},
        {"cuMemUnmap", &d->unmap},
        {"cuMemSetAccess", &d->allow},
    };
    CUmemAllocationProp prop = own_memory(d);
    size_t bytes = 0;
    int there = 0;

    if (look_up(d, wanted, sizeof(wanted) / sizeof(wanted[0])))
        return;
    if (!d->attribute(&there, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
                      d->device) &&
        there && !d->get_granularity(&bytes, &prop, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED))
        d->granularity = bytes;
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
    find_virtual_memory(d);
    if (d->capability >= 75)
        return 0;
    rv_log(dev, level(dev), "cuda: %s is sm_%d, and at least sm_75 is needed", d->name,
           d->capability);
    return RVOS_ERR_UNSUPPORTED;
}

/* Finds the GPU of a given context. */
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
    *index = (int)device; /* a CUdevice is the device's index */
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
    ret = load_driver(d, dev);
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

/* ---- virtual memory ------------------------------------------------------------- */

size_t rv_driver_granularity(const struct rv_driver *d)
{
    return d->granularity;
}

bool rv_driver_reserve(struct rv_driver *d, size_t size, char **at)
{
    CUdeviceptr start = 0;
    bool good = d->reserve(&start, size, 0, 0, 0) == CUDA_SUCCESS;

    *at = good ? (char *)(uintptr_t)start : NULL;
    return good;
}

void rv_driver_unreserve(struct rv_driver *d, char *at, size_t size)
{
    d->unreserve((CUdeviceptr)(uintptr_t)at, size);
}

bool rv_driver_new_memory(struct rv_driver *d, size_t size, uint64_t *memory)
{
    CUmemAllocationProp prop = own_memory(d);
    CUmemGenericAllocationHandle handle = 0;
    bool good = d->new_memory(&handle, size, &prop, 0) == CUDA_SUCCESS;

    *memory = handle;
    return good;
}

bool rv_driver_retain(struct rv_driver *d, char *at, uint64_t memory, uint64_t *again)
{
    CUmemGenericAllocationHandle handle = 0;
    bool good = d->retain_memory(&handle, at) == CUDA_SUCCESS;

    (void)memory; /* CUDA finds the memory by its address */
    *again = handle;
    return good;
}

void rv_driver_release(struct rv_driver *d, uint64_t memory)
{
    d->release_memory((CUmemGenericAllocationHandle)memory);
}

bool rv_driver_map(struct rv_driver *d, char *at, size_t size, uint64_t memory)
{
    const CUmemAccessDesc access = {
        .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = d->device},
        .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    CUdeviceptr start = (CUdeviceptr)(uintptr_t)at;

    if (d->map(start, size, 0, (CUmemGenericAllocationHandle)memory, 0) != CUDA_SUCCESS)
        return false;
    if (d->allow(start, size, &access, 1) == CUDA_SUCCESS)
        return true;
    d->unmap(start, size);
    return false;
}

void rv_driver_unmap(struct rv_driver *d, char *at, size_t size)
{
    d->unmap((CUdeviceptr)(uintptr_t)at, size);
}
