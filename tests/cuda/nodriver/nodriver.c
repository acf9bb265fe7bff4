/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nodriver.c - a libcuda.so.1 without a GPU that accepts every kernel, so that cuDNN's
 * compiler can be tested without a driver. See cudnn_plans.c. */
#include <string.h>

/* A fake takes what it does not use. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define NOT_SUPPORTED 801
#pragma GCC visibility push(default)

static int a_library, a_kernel;

int cuInit(unsigned int flags)
{
    return 0;
}

int cuDriverGetVersion(int *version)
{
    *version = 13000;
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = 0;
    return 0;
}

int cuGetErrorString(int error, const char **text)
{
    *text = "there is no driver";
    return 0;
}

int cuGetErrorName(int error, const char **text)
{
    return cuGetErrorString(error, text);
}

int cuLibraryLoadData(void **library, const void *code, ...)
{
    *library = &a_library;
    return 0;
}

int cuLibraryUnload(void *library)
{
    return 0;
}

int cuLibraryGetKernel(void **kernel, void *library, const char *name)
{
    *kernel = &a_kernel;
    return 0;
}

int cuKernelGetFunction(void **function, void *kernel)
{
    *function = kernel;
    return 0;
}

int cuKernelSetAttribute(int attribute, int value, void *kernel, int device)
{
    return 0;
}

int cuKernelGetAttribute(int *value, int attribute, void *kernel, int device)
{
    *value = 0;
    return 0;
}

int cuFuncSetAttribute(void *function, int attribute, int value)
{
    return 0;
}

/* Other functions that cuDNN looks up. */
#define REFUSED(name)                                                                    \
    int name(void)                                                                       \
    {                                                                                    \
        return NOT_SUPPORTED;                                                            \
    }
REFUSED(cuCtxGetCurrent)
REFUSED(cuCtxGetDevice)
REFUSED(cuCtxGetLimit)
REFUSED(cuCtxPopCurrent)
REFUSED(cuCtxPushCurrent)
REFUSED(cuDeviceGet)
REFUSED(cuDeviceGetAttribute)
REFUSED(cuDevicePrimaryCtxRelease)
REFUSED(cuDevicePrimaryCtxReset)
REFUSED(cuDevicePrimaryCtxRetain)
REFUSED(cuFuncGetAttribute)
REFUSED(cuGetExportTable)
REFUSED(cuGetProcAddress)
REFUSED(cuLaunchCooperativeKernel)
REFUSED(cuLaunchKernel)
REFUSED(cuLaunchKernelEx)
REFUSED(cuLibraryGetGlobal)
REFUSED(cuLibraryLoadFromFile)
REFUSED(cuLinkAddData)
REFUSED(cuLinkAddData_v2)
REFUSED(cuLinkAddFile_v2)
REFUSED(cuLinkComplete)
REFUSED(cuLinkCreate)
REFUSED(cuLinkCreate_v2)
REFUSED(cuLinkDestroy)
REFUSED(cuMemcpyDtoH_v2)
REFUSED(cuModuleGetFunction)
REFUSED(cuModuleGetGlobal_v2)
REFUSED(cuModuleLoadData)
REFUSED(cuModuleLoadDataEx)
REFUSED(cuModuleLoadFatBinary)
REFUSED(cuModuleUnload)
REFUSED(cuOccupancyMaxActiveBlocksPerMultiprocessor)
REFUSED(cuOccupancyMaxPotentialClusterSize)
REFUSED(cuStreamGetCtx)
REFUSED(cuStreamSynchronize)
REFUSED(cuTensorMapEncodeTiled)

int cuGetProcAddress_v2(const char *name, void **out, int version,
                        unsigned long long flags, int *status)
{
    *out = !strcmp(name, "cuInit")               ? (void *)cuInit
           : !strcmp(name, "cuDriverGetVersion") ? (void *)cuDriverGetVersion
           : !strcmp(name, "cuDeviceGetCount")   ? (void *)cuDeviceGetCount
           : !strcmp(name, "cuGetProcAddress")   ? (void *)cuGetProcAddress_v2
                                                 : (void *)cuGetProcAddress;
    if (status)
        *status = 0;
    return 0;
}
