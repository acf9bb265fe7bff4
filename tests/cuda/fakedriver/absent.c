/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* absent.c - functions that do not need fakecuda.c: the driver's version, names of
 * errors, and functions that gst-cuda requires but the tests never call. */
#include <stddef.h>
#include <stdlib.h>

#include "fakecuda.h"

#define NOT_SUPPORTED 801 /* CUDA_ERROR_NOT_SUPPORTED */
#define ABSENT(name)                                                                     \
    FAKECUDA int name(void)                                                              \
    {                                                                                    \
        return NOT_SUPPORTED;                                                            \
    }

ABSENT(cuCtxDisablePeerAccess)
ABSENT(cuCtxEnablePeerAccess)
ABSENT(cuGLGetDevices_v2)
ABSENT(cuGraphicsGLRegisterBuffer)
ABSENT(cuGraphicsGLRegisterImage)
ABSENT(cuGraphicsMapResources)
ABSENT(cuGraphicsResourceGetMappedPointer_v2)
ABSENT(cuGraphicsResourceSetMapFlags_v2)
ABSENT(cuGraphicsSubResourceGetMappedArray)
ABSENT(cuGraphicsUnmapResources)
ABSENT(cuGraphicsUnregisterResource)
ABSENT(cuLaunchKernel)
ABSENT(cuModuleGetFunction)
ABSENT(cuModuleLoadData)
ABSENT(cuModuleUnload)
ABSENT(cuTexObjectCreate)
ABSENT(cuTexObjectDestroy)

FAKECUDA int cuDriverGetVersion(int *version)
{
    const char *text = getenv("FAKE_CUDA_VERSION");

    *version = text ? atoi(text) : 13000;
    return 0;
}

/* Answers for one GPU, and for two without peer access. */
FAKECUDA int cuDeviceCanAccessPeer(int *can, int device, int peer)
{
    (void)device;
    (void)peer;
    *can = 0;
    return 0;
}

FAKECUDA int cuGetErrorName(int error, const char **text)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {
        {0, "CUDA_SUCCESS"},
        {1, "CUDA_ERROR_INVALID_VALUE"},
        {2, "CUDA_ERROR_OUT_OF_MEMORY"},
        {100, "CUDA_ERROR_NO_DEVICE"},
        {201, "CUDA_ERROR_INVALID_CONTEXT"},
        {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED"},
        {719, "CUDA_ERROR_LAUNCH_FAILED"},
    };

    *text = "CUDA_ERROR_UNKNOWN";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].error == error)
            *text = names[i].name;
    return 0;
}

FAKECUDA int cuGetErrorString(int error, const char **text)
{
    return cuGetErrorName(error, text);
}
